"""Power law above a floor: e = E + exp(b) x^-c.

source : M2 of Alabdulmohsin, Neyshabur & Zhai (2022), arXiv 2209.06640; Rosenfeld et al. (2020)
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.law import Frame, Law, add_floor, at_level, exponent, floor_of, floor_parameter, level


def _log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    t, b, k = (theta[:, [i]] for i in range(3))
    c = np.exp(k)
    floor, by_t = floor_of(t, frame)
    y, dt, w = add_floor(floor, by_t, b - c * log_size)
    return y, np.stack([dt, w, -w * c * log_size], axis=-1)


POWER_FLOOR = Law(
    name="power_floor",
    parameters=(floor_parameter(1.0), level(-1.0), exponent(0.4)),
    log_error=_log_error,
    place=at_level,
)

"""Power law of a shifted inverse size: e = exp(b) (1/x + g)^c, which levels off at x = 1/g.

source : M3 of Alabdulmohsin, Neyshabur & Zhai (2022), arXiv 2209.06640
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import WEAK, Frame, Law, Placement, exponent, level


def _log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    b, k, g = (theta[:, [i]] for i in range(3))
    c = np.exp(k)
    shifted = np.logaddexp(-log_size, g)
    share = np.exp(g - shifted)
    return b + c * shifted, np.stack([np.ones_like(shifted), c * shifted, c * share], axis=-1)


def _place(frame: Frame) -> Placement:
    return Placement(offset={"level": frame.level, "log_shift": -frame.last})


SHIFTED_POWER = Law(
    name="shifted_power",
    parameters=(
        level(0.0),
        exponent(0.4),
        Parameter("log_shift", -1.0, 2.0, "linear", "log of g, from 1 / the largest size", WEAK),
    ),
    log_error=_log_error,
    place=_place,
)

"""The rectified law: flat at A, then a power law to E: e = E + (A - E) / (1 + (x / D)^c).

source : Lin et al. (2024), Selecting Large Language Model to Fine-tune via Rectified Scaling Law,
    arXiv 2402.02314
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import WEAK, Frame, Law, Placement, exponent, floor_of, floor_parameter, sigmoid


def _log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    t, h, m, k = (theta[:, [i]] for i in range(4))
    c = np.exp(k)
    floor, by_t = floor_of(t, frame)
    top = np.exp((frame.highest if frame.ceiling is None else frame.ceiling) + h)
    u = sigmoid(c * (m - log_size))
    e = floor + (top - floor) * u
    rise = (top - floor) * u * (1 - u)
    jacobian = np.stack([by_t * (1 - u), top * u, rise * c, rise * c * (m - log_size)], axis=-1)
    return np.log(e), jacobian / e[..., None]


def _place(frame: Frame) -> Placement:
    return Placement(spread={} if frame.ceiling is None else {"top": 0.05})


RECTIFIED = Law(
    name="rectified",
    parameters=(
        floor_parameter(0.0),
        Parameter("top", 0.0, 0.5, "linear", "log of A, from the largest error or the known ceiling", WEAK),
        Parameter("middle", 0.0, 4.0, "linear", "log size at which half of the fall is done", WEAK),
        exponent(0.5, 0.7),
    ),
    log_error=_log_error,
    place=_place,
    has_origin=True,
)

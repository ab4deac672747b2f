"""The rectified law: flat at A, then a power law to E: e = E + (A - E) / (1 + (x / D)^c).

source : Lin et al. (2024), Selecting Large Language Model to Fine-tune via Rectified Scaling Law,
    arXiv 2402.02314
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.family import Family, Frame, floor_of, sigmoid


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


def _prior(frame: Frame) -> tuple[Floats, Floats]:
    spread = 0.5 if frame.ceiling is None else 0.05
    return np.array([0.0, 0.0, 0.0, np.log(0.5)]), np.array([2.0, spread, 4.0, 0.7])


RECTIFIED = Family(
    name="rectified",
    parameters=("floor", "top", "middle", "log_exponent"),
    log_error=_log_error,
    prior=_prior,
    has_origin=True,
)

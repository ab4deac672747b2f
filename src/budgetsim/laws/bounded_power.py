"""Power law between two limits: (e - E) / (e0 - e)^a = exp(b) x^-c.

With u = (e - E) / (e0 - E), log u - a log(1 - u) = b - c log x is solved by Newton on the logit of
u, where the left side is monotone, so the inverse is exact rather than read off a table.

source : M4 of Alabdulmohsin, Neyshabur & Zhai (2022), arXiv 2209.06640
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.family import Family, Frame, floor_of, sigmoid

_STEPS = 12
_CLOSE = 1e-8  # of the logit; Newton squares what is left


def _solve(z: Floats, a: Floats) -> Floats:
    """The logit t of u with log u - a log(1 - u) = z."""
    t = np.where(z < 0, z, z / a)
    for _ in range(_STEPS):
        small = np.exp(-np.abs(t))
        below = np.maximum(t, 0.0) + np.log1p(small)  # -log(1 - u); log u = t - below
        u = np.where(t < 0, small, 1.0) / (1.0 + small)
        step = ((t - below) + a * below - z) / ((1 - u) + a * u)
        t = t - step
        if np.abs(step).max() < _CLOSE:
            break
    return t


def _log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    t, s, k_a, b, k = (theta[:, [i]] for i in range(5))
    a, c = np.exp(k_a), np.exp(k)
    floor, by_t = floor_of(t, frame)
    base = np.exp(frame.highest if frame.ceiling is None else max(frame.ceiling, frame.highest))
    gap = np.exp(s)
    top = base * (1.0 + gap)
    logit = _solve(b - c * log_size, a)
    u = sigmoid(logit)
    slope = u * (1 - u) / ((1 - u) + a * u)  # du/dz
    e = floor + (top - floor) * u
    rise = (top - floor) * slope
    by_a = -rise * np.logaddexp(0.0, logit) * a
    jacobian = np.stack([by_t * (1 - u), base * gap * u, by_a, rise, -rise * c * log_size], axis=-1)
    return np.log(e), jacobian / e[..., None]


def _prior(frame: Frame) -> tuple[Floats, Floats]:
    above = -1.0 if frame.ceiling is None else -5.0
    return np.array([1.0, above, 0.0, 0.0, np.log(0.4)]), np.array([2.0, 1.5, 1.2, 3.0, 0.8])


BOUNDED_POWER = Family(
    name="bounded_power",
    parameters=("floor", "top", "log_bend", "level", "log_exponent"),
    log_error=_log_error,
    prior=_prior,
    has_origin=True,
)

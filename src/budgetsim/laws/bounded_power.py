"""Power law between two limits: (e - E) / (e0 - e)^a = exp(b) x^-c.

With u = (e - E) / (e0 - E), log u - a log(1 - u) = b - c log x is solved by Newton on the logit of
u, where the left side is monotone, so the inverse is exact rather than read off a table.

source : M4 of Alabdulmohsin, Neyshabur & Zhai (2022), arXiv 2209.06640
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import WEAK, Frame, Law, Placement, exponent, floor_of, floor_parameter, sigmoid

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


def _place(frame: Frame) -> Placement:
    return Placement(offset={} if frame.ceiling is None else {"top": -4.0})  # a ceiling that is known is the limit


BOUNDED_POWER = Law(
    name="bounded_power",
    parameters=(
        floor_parameter(1.0),
        Parameter("top", -1.0, 1.5, "linear", "log of how far the upper limit lies above the largest error", WEAK),
        Parameter("log_bend", 1.0, 1.2, "log", "power a of what is left to the upper limit", WEAK),
        Parameter("level", 0.0, 3.0, "linear", "log odds between the limits at log size 0", WEAK),
        exponent(0.4),
    ),
    log_error=_log_error,
    place=_place,
    has_origin=True,
)

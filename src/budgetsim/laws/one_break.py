"""Power law whose exponent changes once, above a floor.

e = E + exp(b) x^-c0 (1 + (x / d)^(1 / f))^(-c1 f), with c0 + c1 = exp(k) > 0, so it falls in the end.

source : Caballero, Gupta, Rish & Krueger (2023), Broken Neural Scaling Laws, arXiv 2210.14891
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.family import Family, Frame, add_floor, floor_of, sigmoid


def _log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    t, b, c0, k, d, q = (theta[:, [i]] for i in range(6))
    late, f = np.exp(k), np.exp(q)
    turn = late - c0
    v = (log_size - d) / f
    soft, on = np.logaddexp(0.0, v), sigmoid(v)
    floor, by_t = floor_of(t, frame)
    y, dt, w = add_floor(floor, by_t, b - c0 * log_size - turn * f * soft)
    jacobian = np.stack(
        [dt, w, w * (f * soft - log_size), -w * late * f * soft, w * turn * on, -w * turn * f * (soft - v * on)],
        axis=-1,
    )
    return y, jacobian


def _prior(frame: Frame) -> tuple[Floats, Floats]:
    half = (frame.last - frame.first) / 2
    middle = (frame.last + frame.first) / 2
    return (
        np.array([0.0, frame.level - 0.7, 0.1, np.log(0.4), middle, -0.5]),
        np.array([2.0, 2.0, 0.2, 0.8, max(half, 1.0), 0.7]),
    )


ONE_BREAK = Family(
    name="one_break",
    parameters=("floor", "level", "early_exponent", "log_late_exponent", "break", "log_width"),
    log_error=_log_error,
    prior=_prior,
)

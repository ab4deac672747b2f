"""Power law whose exponent changes once, above a floor.

e = E + exp(b) x^-c0 (1 + (x / d)^(1 / f))^(-c1 f), with c0 + c1 = exp(k) > 0, so it falls in the end.

source : Caballero, Gupta, Rish & Krueger (2023), Broken Neural Scaling Laws, arXiv 2210.14891
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import (
    WEAK,
    Frame,
    Law,
    Placement,
    add_floor,
    exponent,
    floor_of,
    floor_parameter,
    level,
    sigmoid,
)


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


def _place(frame: Frame) -> Placement:
    """The break is as likely anywhere among the sizes."""
    half, middle = (frame.last - frame.first) / 2, (frame.last + frame.first) / 2
    return Placement(offset={"level": frame.level, "break": middle}, spread={"break": max(half, 1.0)})


ONE_BREAK = Law(
    name="one_break",
    parameters=(
        floor_parameter(0.0),
        level(-0.7),
        Parameter("early_exponent", 0.1, 0.2, "linear", "fall of the log error an e-fold before the break", WEAK),
        exponent(0.4, name="log_late_exponent"),
        Parameter("break", 0.0, 1.0, "linear", "log size, from the middle of the sizes", WEAK),
        Parameter("log_width", -0.5, 0.7, "linear", "log of the e-folds that the break takes", WEAK),
    ),
    log_error=_log_error,
    place=_place,
)

"""The first input apart, the others in series: e = E + A x_1^-a + B (1/x_2 + s/x_3 + ...)^b.

Inputs after the first stand in for one another's shortage, as passes over the same texts do for
fresh ones: the harmonic sum saturates at whichever is scarce.

source : the effective data of Muennighoff et al. (2023), Scaling Data-Constrained Language Models,
    arXiv 2305.16264, with a harmonic in place of their exponential saturation
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import WEAK, Frame, Law, at_level, exponent, floor_of, floor_parameter, level


def series(n_inputs: int) -> Law:
    """The law for at least two inputs; with two it is the additive one."""

    def log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
        floor, by_t = floor_of(theta[:, [0]], frame)
        a, b = np.exp(theta[:, [2]]), np.exp(theta[:, [4]])
        one = np.exp(np.minimum(theta[:, [1]] - a * log_size[:, 0], 300.0))
        offset = np.concatenate([np.zeros((len(theta), 1)), theta[:, 5:]], axis=1)
        terms = offset[:, None] - log_size[:, 1:]  # (starts, n, m)
        top = terms.max(axis=2, keepdims=True)
        weights = np.exp(terms - top)
        lack = top[..., 0] + np.log(weights.sum(axis=2))
        share = weights / weights.sum(axis=2, keepdims=True)
        two = np.exp(np.minimum(theta[:, [3]] + b * lack, 300.0))
        total = floor + one + two
        parts = [np.broadcast_to(by_t, total.shape), one, -one * a * log_size[:, 0], two, two * b * lack]
        jacobian = np.concatenate([np.stack(parts, axis=2), (two * b)[..., None] * share[..., 1:]], axis=2)
        return np.log(total), jacobian / total[..., None]

    shifts = (
        Parameter(f"shift_{i}", 0.0, 2.0, "linear", "log of s, how far it stands in for the second input", WEAK)
        for i in range(2, n_inputs)
    )
    powers = (p for i in (0, 1) for p in (level(-1.5, name=f"level_{i}"), exponent(0.3, name=f"exponent_{i}")))
    return Law(
        name="series",
        parameters=(floor_parameter(1.0), *powers, *shifts),
        log_error=log_error,
        place=lambda frame: at_level(frame, "level_0", "level_1"),
    )

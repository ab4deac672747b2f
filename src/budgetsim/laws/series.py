"""The first input apart, the others in series: e = E + A x_1^-a + B (1/x_2 + s/x_3 + ...)^b.

Inputs after the first stand in for one another's shortage, as passes over the same texts do for
fresh ones: the harmonic sum saturates at whichever is scarce.

source : the effective data of Muennighoff et al. (2023), Scaling Data-Constrained Language Models,
    arXiv 2305.16264, with a harmonic in place of their exponential saturation
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.family import Family, Frame, floor_of


def series(n_inputs: int) -> Family:
    """The family for at least two inputs; with two it is the additive one."""
    m = n_inputs - 1

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

    def prior(frame: Frame) -> tuple[Floats, Floats]:
        mean = [1.0, frame.level - 1.5, np.log(0.3), frame.level - 1.5, np.log(0.3)]
        return np.array(mean + [0.0] * (m - 1)), np.array([2.0, 2.0, 0.8, 2.0, 0.8] + [2.0] * (m - 1))

    names = ("floor", "level_0", "exponent_0", "level_1", "exponent_1", *(f"shift_{i}" for i in range(2, n_inputs)))
    return Family(name="series", parameters=names, log_error=log_error, prior=prior)

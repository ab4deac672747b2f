"""Power laws of several inputs that add up above a floor: e = E + sum_k exp(b_k) x_k^-c_k.

source : Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, arXiv 2203.15556
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.family import Family, Frame, floor_of


def additive(n_inputs: int) -> Family:
    """The family for a number of inputs; log sizes are (n, inputs)."""

    def log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
        floor, by_t = floor_of(theta[:, [0]], frame)
        level, c = theta[:, 1 : 1 + n_inputs], np.exp(theta[:, 1 + n_inputs :])
        power = np.exp(np.minimum(level[:, None] - c[:, None] * log_size, 300.0))  # (starts, n, inputs)
        total = floor + power.sum(axis=2)
        by_c = -power * c[:, None] * log_size
        jacobian = np.concatenate([np.broadcast_to(by_t, total.shape)[..., None], power, by_c], axis=2)
        return np.log(total), jacobian / total[..., None]

    def prior(frame: Frame) -> tuple[Floats, Floats]:
        k = n_inputs
        mean = np.concatenate([[1.0], np.full(k, frame.level - 1.5), np.full(k, np.log(0.3))])
        return mean, np.concatenate([[2.0], np.full(k, 2.0), np.full(k, 0.8)])

    names = [f"{what}_{i}" for what in ("level", "exponent") for i in range(n_inputs)]
    return Family(name="additive", parameters=("floor", *names), log_error=log_error, prior=prior)

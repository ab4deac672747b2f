"""Power laws of several inputs that add up above a floor: e = E + sum_k exp(b_k) x_k^-c_k.

source : Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, arXiv 2203.15556
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.laws.law import Frame, Law, at_level, exponent, floor_of, floor_parameter, level


def additive(n_inputs: int) -> Law:
    """The law for a number of inputs; log sizes are (n, inputs)."""

    def log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
        floor, by_t = floor_of(theta[:, [0]], frame)
        b, c = theta[:, 1 : 1 + n_inputs], np.exp(theta[:, 1 + n_inputs :])
        power = np.exp(np.minimum(b[:, None] - c[:, None] * log_size, 300.0))  # (starts, n, inputs)
        total = floor + power.sum(axis=2)
        by_c = -power * c[:, None] * log_size
        jacobian = np.concatenate([np.broadcast_to(by_t, total.shape)[..., None], power, by_c], axis=2)
        return np.log(total), jacobian / total[..., None]

    inputs = range(n_inputs)
    levels = tuple(level(-1.5, name=f"level_{i}") for i in inputs)
    return Law(
        name="additive",
        parameters=(floor_parameter(1.0), *levels, *(exponent(0.3, name=f"exponent_{i}") for i in inputs)),
        log_error=log_error,
        place=lambda frame: at_level(frame, *(p.name for p in levels)),
    )

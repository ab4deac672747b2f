"""A power law of several inputs whose exponents may depend on each other, above a floor.

.. math:: e = E + \\exp(b - \\sum_k c_k l_k + \\sum_{j<k} d_{jk} l_j l_k), \\quad l = \\log x

With d = 0 it is the plain product; the cross terms let the exponent of one input vary with another,
which sparse grids of labels and texts need.

source : the product of Rosenfeld et al. (2020), arXiv 1909.12673, with the interaction of a
    two-factor design
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import Frame, Law, add_floor, at_level, exponent, floor_of, floor_parameter, level

TIGHT: Final = (
    "chosen looking at two public surfaces (docs/method/fitting.md): what screening cannot tell apart stays small"
)


def product(n_inputs: int) -> Law:
    """The law without cross terms."""
    return _law("product", n_inputs, [])


def crossed(n_inputs: int) -> Law:
    """The law with a cross term for every pair of inputs."""
    return _law("crossed", n_inputs, list(combinations(range(n_inputs), 2)))


def _law(name: str, k: int, pairs: list[tuple[int, int]]) -> Law:
    def log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
        floor, by_t = floor_of(theta[:, [0]], frame)
        c = np.exp(theta[:, 2 : 2 + k])
        cross = _cross(log_size, pairs)
        power = theta[:, [1]] - c @ log_size.T + theta[:, 2 + k :] @ cross.T
        y, dt, share = add_floor(floor, by_t, power)
        by_c = -share[..., None] * c[:, None] * log_size
        return y, np.concatenate([dt[..., None], share[..., None], by_c, share[..., None] * cross], axis=2)

    exponents = (exponent(0.3, name=f"exponent_{i}") for i in range(k))
    crosses = (
        Parameter(f"cross_{i}_{j}", 0.0, 0.02, "linear", "change of an exponent an e-fold of the other input", TIGHT)
        for i, j in pairs
    )
    return Law(
        name=name,
        parameters=(floor_parameter(0.5), level(-1.0), *exponents, *crosses),
        log_error=log_error,
        place=at_level,
    )


def _cross(log_size: Floats, pairs: list[tuple[int, int]]) -> Floats:
    """Products of log sizes, (n, pairs)."""
    left, right = [i for i, _ in pairs], [j for _, j in pairs]
    out: Floats = log_size[:, left] * log_size[:, right]
    return out

"""A log-linear regression: the log error is a plane over the logs of the inputs, without a floor.

.. math:: \\log e = b - \\sum_k c_k l_k, \\quad l = \\log x

What anybody would draw by hand; an average that it beats on the dearest rows takes it in.
"""

from __future__ import annotations

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter
from budgetsim.laws.law import WEAK, Frame, Law, at_level, level


def plane(n_inputs: int) -> Law:
    """The law for a number of inputs; log sizes are (n, inputs)."""

    def log_error(theta: Floats, log_size: Floats, frame: Frame) -> tuple[Floats, Floats]:
        ones = np.ones((len(log_size), 1))
        by = np.concatenate([ones, -log_size], axis=1)  # (n, 1 + inputs)
        return theta @ by.T, np.broadcast_to(by, (len(theta), *by.shape))

    slopes = (
        Parameter(f"slope_{i}", 0.1, 0.5, "linear", "fall of the log error an e-fold of the input", WEAK)
        for i in range(n_inputs)
    )
    return Law(name="plane", parameters=(level(0.0), *slopes), log_error=log_error, place=at_level)

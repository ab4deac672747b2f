"""Score of a student against its labels: a floor, an onset, then a rise to a ceiling.

.. math:: s(N) = f(N) + (t - f(N)) \\; \\sigma(k (l - o)) \\; \\sigma(c (l - d)), \\quad l = \\log(1 + N)

Without the onset factor this is the rectified law of Lin et al. (2024, arXiv 2402.02314) with
error = 1 - score. The floor moves from one class share to another as the student's default
answer changes (an unreadable output counts as one class, the majority label is another).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budgetsim.design.arrays import Floats

N_FLOOR = 3  # coordinates that the floor takes


def sigmoid(t: Floats) -> Floats:
    """1 / (1 + exp(-t)), without overflow."""
    out: Floats = 0.5 * (1.0 + np.tanh(0.5 * t))
    return out


@dataclass(frozen=True, slots=True)
class Floors:
    """Scores before a student learns: the known class shares, or a level below what was seen."""

    low: float
    high: float
    known: bool

    def at(self, z: Floats, log_size: Floats) -> Floats:
        """The floor at each size: (particles, n) from coordinates (particles, 3) and sizes (particles, n)."""
        if not self.known:
            return np.broadcast_to(self.high * sigmoid(1.0 + 1.5 * z[:, :1]), log_size.shape)
        start, end = sigmoid(3.0 * z[:, :1]), sigmoid(3.0 * z[:, 1:2])
        switch = np.log(500.0) + 1.5 * z[:, 2:3]
        share = start + (end - start) * sigmoid(12.0 * (log_size - switch))
        out: Floats = self.low + (self.high - self.low) * share
        return out

    def ceiling(self, z: Floats) -> Floats:
        """The score of endless labels, above the floor: prior median five eighths of the way to 1."""
        return self.high + (1.0 - self.high) * sigmoid(0.5 + 1.5 * z)


def rise(log_size: Floats, middle: Floats, slope: Floats) -> Floats:
    """Share of the way from floor to ceiling, half of it at `middle` (log size): the Hill curve."""
    return sigmoid(slope * (log_size - middle))

"""Score of a student against its labels: a floor, an onset, then a rise to a ceiling.

.. math:: s(N) = f(N) + (t - f(N)) \\; \\sigma(k (l - o)) \\; \\sigma(c (l - d)), \\quad l = \\log(1 + N)

Without the onset factor this is the rectified law of Lin et al. (2024, arXiv 2402.02314) with
error = 1 - score. The floor moves from one class share to another as the student's default
answer changes (an unreadable output counts as one class, the majority label is another).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter, Values

FLOOR_STEEPNESS: Final = 12.0  # of the move between class shares: 2 log(9) / 12 = .37 e-folds from a tenth to nine

_EITHER_END = "chosen by us: wide enough that each end is one class share or the other, seldom a mixture"
FLOOR_START: Final = Parameter("floor_start", 0.0, 3.0, "linear", "log odds between the class shares", _EITHER_END)
FLOOR_END: Final = Parameter("floor_end", 0.0, 3.0, "linear", "log odds between the class shares", _EITHER_END)
FLOOR_SWITCH: Final = Parameter(
    "floor_switch", 500.0, 1.5, "log", "labels", "chosen by us: before the onset, by a factor 4.5 either way"
)
FLOOR_LEVEL: Final = Parameter(
    "floor_level", 1.0, 1.5, "linear", "log odds of floor / lowest score", "chosen by us: near the lowest score seen"
)
CEILING: Final = Parameter(
    "ceiling", 0.5, 1.5, "linear", "log odds of (ceiling - floor) / (1 - floor)", "chosen by us: five eighths, wide"
)
_LARGEST: Final = 700.0  # whose exponential is a number
N_FLOOR: Final = 3  # parameters that a floor takes, known or not


def sigmoid(t: Floats) -> Floats:
    """1 / (1 + exp(-t)), without overflow."""
    out: Floats = np.minimum(-t, _LARGEST)  # then in place: this is where a fit spends its time
    np.exp(out, out=out)
    out += 1.0
    return np.reciprocal(out, out=out)


@dataclass(frozen=True, slots=True)
class Floors:
    """Scores before a student learns: the known class shares, or a level below what was seen."""

    low: float
    high: float
    known: bool

    @property
    def parameters(self) -> tuple[Parameter, Parameter, Parameter]:
        """Those of a floor; one that is not known has a level, and leaves the others alone."""
        return (FLOOR_START if self.known else FLOOR_LEVEL), FLOOR_END, FLOOR_SWITCH

    def at(self, values: Values, log_size: Floats) -> Floats:
        """The floor at each size: (particles, n) from values of its parameters and sizes (particles, n)."""
        if not self.known:
            return np.broadcast_to(self.high * sigmoid(values["floor_level"]), log_size.shape)
        start, end = sigmoid(values["floor_start"]), sigmoid(values["floor_end"])
        share = start + (end - start) * sigmoid(FLOOR_STEEPNESS * (log_size - values.log("floor_switch")))
        out: Floats = self.low + (self.high - self.low) * share
        return out

    def ceiling(self, log_odds: Floats) -> Floats:
        """The score of endless labels, above the floor, from log odds such as CEILING's."""
        return self.high + (1.0 - self.high) * sigmoid(log_odds)


def rise(log_size: Floats, middle: Floats, slope: Floats) -> Floats:
    """Share of the way from floor to ceiling, half of it at `middle` (log size): the Hill curve."""
    return sigmoid(slope * (log_size - middle))

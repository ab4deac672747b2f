"""How often a labeler is right, measured on labels of people that it was not shown."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

Z95: Final = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Answers beside the labels of people; what a student learns from is the calibrated answer."""

    n_asked: int
    n_answered: int  # neither refused nor unreadable
    n_right: int  # as calibrated, each text by a calibration that has not seen it
    n_right_raw: int | None = None  # as the labeler said; None where nothing was calibrated
    log_loss: float | None = None  # nats a text, calibrated
    log_loss_raw: float | None = None  # nats a text, as the labeler's own probabilities have it

    @property
    def accuracy(self) -> float:
        """Share of the answered texts that are right: what a student's labels are worth, as `fit` uses it.

        >>> Trial(n_asked=10, n_answered=8, n_right=6).accuracy
        0.75
        """
        return self.n_right / self.n_answered if self.n_answered else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson(self.n_right, self.n_answered)

    @property
    def answered(self) -> float:
        """Share of the texts that got a label."""
        return self.n_answered / self.n_asked if self.n_asked else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as a stage's record keeps them."""
        low, high = self.interval
        return {**asdict(self), "accuracy": self.accuracy, "low": round(low, 6), "high": round(high, 6)}


def wilson(n_right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a share, 0 to 1; all of it where nothing was counted.

    source : Wilson (1927), J. Am. Stat. Assoc. 22, 209-212

    >>> [round(edge, 4) for edge in wilson(81, 100)]
    [0.7222, 0.8749]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if n == 0:
        return 0.0, 1.0
    share, spread = n_right / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)

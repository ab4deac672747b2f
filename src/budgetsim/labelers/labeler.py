"""What a labeler is: it says which texts it can label, and labels them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from budgetsim.data.rows import Row


class Labeler(Protocol):
    """A source of class labels besides people."""

    def check(self, rows: Sequence[Row], labels: Sequence[str]) -> None:
        """Refuse what it cannot label.

        raises : InputError with the way out
        """

    def label(self, rows: Sequence[Row], labels: Sequence[str], seed: int) -> list[str]:
        """One of `labels` for each row, in order; the same seed gives the same labels.

        raises : InputError as `check`
        """

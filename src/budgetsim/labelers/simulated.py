"""A labeler of a stated accuracy, made of answers that are known: it costs nothing, and no endpoint is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.data.unlabeled import LABELLED
from budgetsim.errors import InputError


@dataclass(frozen=True, slots=True)
class SimulatedLabeler:
    """Each label is wrong with the chance 1 - accuracy, then any other label, evenly."""

    accuracy: float  # 0 to 1

    @classmethod
    def parse(cls, name: str) -> SimulatedLabeler:
        """Read `simulated:accuracy=A`.

        raises : InputError where it is malformed

        >>> SimulatedLabeler.parse("simulated:accuracy=0.8").accuracy
        0.8
        """
        head, _, number = name.partition(":accuracy=")
        try:
            accuracy = float(number)
        except ValueError:
            accuracy = -1.0
        if head != "simulated" or not 0 <= accuracy <= 1:
            raise InputError(f"There is no labeler {name!r}; write simulated:accuracy=0.8 (0 to 1).")
        return cls(accuracy)

    def check(self, rows: Sequence[Row], labels: Sequence[str]) -> None:
        """Refuse texts whose answers are not known.

        raises : InputError with the way out
        """
        if not labels:
            raise InputError("A simulated labeler works for classifications, and this task is none.")
        unknown = sum(row.target not in labels for row in rows)
        if unknown:
            raise InputError(
                f"A simulated labeler changes known answers, and {unknown:,} of the {len(rows):,} texts have none. For "
                f"llm_annotate, pass --unlabeled {LABELLED}: it labels the texts of your labelled training rows anew."
            )

    def label(self, rows: Sequence[Row], labels: Sequence[str], seed: int) -> list[str]:
        """A label for each row.

        raises : InputError as `check`
        """
        self.check(rows, labels)
        rng = np.random.default_rng([seed, 4])
        wrong = rng.random(len(rows)) >= self.accuracy
        shift = rng.integers(1, len(labels), size=len(rows))
        place = {label: i for i, label in enumerate(labels)}
        return [
            labels[(place[row.target] + int(s)) % len(labels)] if w else row.target
            for row, w, s in zip(rows, wrong, shift, strict=True)
        ]

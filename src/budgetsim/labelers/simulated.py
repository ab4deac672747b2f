"""A labeler of a stated accuracy, made of answers that are known: it costs nothing, and no server is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.data.unlabeled import LABELLED
from budgetsim.errors import InputError
from budgetsim.labelers.labeler import Brief, Labels, Unasked
from budgetsim.labelers.trial import Trial


@dataclass(frozen=True, slots=True)
class SimulatedLabeler(Unasked):
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

    @property
    def name(self) -> str:
        """As it is written in a run."""
        return f"simulated:accuracy={self.accuracy}"

    @property
    def n_owned(self) -> int:
        """It looks at no labels but those it changes."""
        return 0

    def check(self, task: Task, rows: Sequence[Row], owned: Sequence[Row] = ()) -> None:
        """Refuse texts whose answers are not known.

        raises : InputError with the way out
        """
        if not task.labels:
            raise InputError("A simulated labeler works for classifications, and this task is none.")
        unknown = sum(row.target not in task.labels for row in rows)
        if unknown:
            raise InputError(
                f"A simulated labeler changes known answers, and {unknown:,} of the {len(rows):,} texts have none. "
                f"Pass --unlabeled {LABELLED}: it labels the texts of your labelled training rows anew."
            )

    def examine(self, brief: Brief) -> Trial | None:
        """Its answers on the owned labels beside them."""
        said = self.label(brief.owned, brief).answers
        right = sum(answer == row.target for answer, row in zip(said, brief.owned, strict=True))
        return Trial(n_asked=len(said), n_answered=len(said), n_right=right) if said else None

    def label(self, rows: Sequence[Row], brief: Brief) -> Labels:
        """A label for each row.

        raises : InputError as `check`
        """
        self.check(brief.task, rows)
        labels, rng = brief.task.labels, np.random.default_rng([brief.seed, 4])
        wrong = rng.random(len(rows)) >= self.accuracy
        shift = rng.integers(1, len(labels), size=len(rows))
        place = {label: i for i, label in enumerate(labels)}
        return Labels(
            answers=tuple(
                labels[(place[row.target] + int(s)) % len(labels)] if w else row.target
                for row, w, s in zip(rows, wrong, shift, strict=True)
            )
        )

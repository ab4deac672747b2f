"""Just calling the LLM: its own score on rows whose answers are known, and what a million texts would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from budgetsim.data import metrics
from budgetsim.data.rows import Row
from budgetsim.labelers.labeler import Brief, Labeler
from budgetsim.labelers.trial import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScore:
    """What an LLM scores by itself, where a student of its would."""

    labeler: str
    scores: Mapping[str, float]  # by metric, percent; the task's own first
    n_texts: int
    n_right: int
    n_unanswered: int  # refused or unreadable: counted as wrong
    usd_per_million_texts: Decimal | None  # as billed; None where nobody had a price

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of texts that are right."""
        return wilson(self.n_right, self.n_texts)


def own_score(labeler: Labeler, rows: Sequence[Row], brief: Brief) -> OwnScore:
    """Ask the labeler about rows of the test set, and score what it says.

    raises : as `Labeler.label`
    """
    said = labeler.label(rows, brief)
    answers, truth = [answer or "" for answer in said.answers], [row.target for row in rows]
    return OwnScore(
        labeler=labeler.name,
        scores=metrics.score(brief.task, [row.source for row in rows], answers, truth),
        n_texts=len(rows),
        n_right=sum(answer == target for answer, target in zip(answers, truth, strict=True)),
        n_unanswered=sum(answer is None for answer in said.answers),
        usd_per_million_texts=said.bill.usd_per_million_texts,
    )

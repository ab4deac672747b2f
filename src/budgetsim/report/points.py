"""Answers to points, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from budgetsim.answers.points import PointAnswer, points_of
from budgetsim.report.table import Table, count, interval_words, kind_words, rounded, usd


def points_table(answers: Sequence[PointAnswer]) -> Table:
    """Answers to points, in order."""
    rows = tuple(
        (
            f"{a.point.task} {a.point.strategy}",
            count(a.point.counts["n_labels"]),
            count(a.point.counts["n_llm_labels"]),
            count(a.point.counts["n_unlabeled"]),
            "-" if a.score is None else f"{a.score:.1f}",
            interval_words(a),
            usd(a.cost_usd),
            (a.reason or "") if a.score is None else f"{a.source}, {kind_words(a.kind, a.factor)}",
        )
        for a in answers
    )
    headings = ("point", "labels", "LLM", "texts", "score", "90 % of runs", "cost", "from")
    return Table(title="", headings=headings, rows=rows, text_columns=frozenset({0, 7}))


def points_json(answers: Sequence[PointAnswer]) -> list[dict[str, Any]]:
    """Answers to points for programs."""
    data: list[dict[str, Any]] = rounded(points_of(answers))
    return data

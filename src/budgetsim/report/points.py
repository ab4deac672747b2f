"""Answers to points, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from budgetsim.answers.points import PointAnswer
from budgetsim.design.strategies import COUNTS
from budgetsim.report.table import Table, count, interval_words, kind_words, may_go, rounded, usd
from budgetsim.report.wording import note_words


def points_table(answers: Sequence[PointAnswer]) -> Table:
    """Answers to points, in order, each by the models it was answered for: they may not be those that were named."""
    rows = tuple(
        (
            f"{a.point.design.task} {a.point.design.route.short}",
            count(a.point.design.n_labels),
            count(a.point.design.n_llm_labels),
            count(a.point.design.n_unlabeled),
            "-" if a.score is None else f"{a.score:.1f}",
            interval_words(a),
            usd(a.cost_usd),
            (point_words(a) or "") if a.score is None else f"{a.source}, {kind_words(a.kind, a.factor)}",
        )
        for a in answers
    )
    headings = ("point", "labels", "LLM", "texts", "score", "90 % of runs", "cost", "from")
    return Table(
        title="",
        headings=headings,
        rows=rows,
        text_columns=frozenset({0, 7}),
        optional=may_go(("from",), headings, rows),
    )


def points_json(answers: Sequence[PointAnswer]) -> list[dict[str, Any]]:
    """Answers to points for programs, in order."""
    data: list[dict[str, Any]] = rounded([_point_json(a) for a in answers])
    return data


def _point_json(a: PointAnswer) -> dict[str, object]:
    design = a.point.design.flat()
    return {
        **{name: design[name] for name in ("task", "strategy", "teacher", "student", "labeler", *COUNTS)},
        "score": a.score,
        "lower": a.lower,
        "upper": a.upper,
        "kind": a.kind,
        "factor": a.factor,
        "source": a.source,
        "evidence_set": a.evidence_set,
        "cost_usd": a.cost_usd,
        "reason": point_words(a),
    }


def point_words(a: PointAnswer) -> str | None:
    """Why there is no score or no cost, what a cost lacks, or where the table ends; None for nothing."""
    words = [note_words(note) for note in a.notes]
    return "; ".join(words if a.score is None else [w.rstrip(".") for w in words]) or None

"""A probe in words: the curves it found, what is forecast of every learner, and the next command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from budgetsim.data.tasks import Task
from budgetsim.design.cautions import FromOtherTasks
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.report.cautions import caution_words, forecast_words
from budgetsim.report.table import Page, Table

Point = tuple[str, int, Sequence[float]]  # learner, labels, percent a fold
LABELS: Final = (200, 1000, 5000)  # sizes whose forecast is shown, as far as the task has texts
TEXTS: Final = 10_000  # as far as the task has them without a label


def probe_page(task: Task, n_rows: int, points: Sequence[Point], fit: TaskFit, store: str = "") -> Page:
    """For people."""
    curves = Table(
        title=f"{task.name}: {task.metric}, cross-validated on {n_rows:,} labels",
        headings=("learner", "labels", "mean", "over folds"),
        rows=tuple(
            (name, f"{n:,}", f"{np.mean(scores):.1f}", f"{min(scores):.1f} to {max(scores):.1f}")
            for name, n, scores in points
        ),
    )
    first = [forecast_words(c) for c in fit.cautions if isinstance(c, FromOtherTasks)]
    if not first:
        first = [f"{task.name} has runs of its own, enough for a fit; the probe changes nothing of it."]
    labels, texts = _sizes(task)
    surfaces = _taught(fit, texts)
    taught = f", {texts:,} texts where a teacher labels them" if texts else ""
    forecast = Table(
        title=f"forecast of one run{taught}",
        headings=("strategy", *(f"{n:,} labels" for n in labels)),
        rows=tuple((s.route.label, *(_words(*_interval(s, n, texts)) for n in labels)) for s in surfaces),
    )
    notes = [f"Note: {words[:1].upper()}{words[1:]}" for words in caution_words(fit.cautions)]
    return [
        curves,
        "",
        *first,
        forecast,
        *notes,
        f"Next: budgetsim rates init {task.name}.yaml --task {task.name} --usd-per-label 0.25",
        f"Then: budgetsim optimize --task {task.name} --budget 1000 --rates {task.name}.yaml{store}",
    ]


def probe_json(task: Task, n_rows: int, points: Sequence[Point], fit: TaskFit) -> dict[str, Any]:
    """For programs; scores are percent."""
    labels, texts = _sizes(task)
    return {
        "task": task.name,
        "metric": task.metric,
        "n_rows": n_rows,
        "points": [
            {"learner": name, "n_labels": n, "score": float(np.mean(scores)), "folds": list(scores)}
            for name, n, scores in points
        ],
        "evidence_set": fit.evidence_set,
        "forecast": [_forecast_json(s, n, texts) for s in _taught(fit, texts) for n in labels],
        "notes": caution_words(fit.cautions),
    }


def _sizes(task: Task) -> tuple[list[int], int]:
    """Labels whose forecast is shown and texts that a teacher labels, neither more than the task has."""
    return sorted({int(min(n, task.most_labels)) for n in LABELS}), int(min(TEXTS, task.most_texts))


def _taught(fit: TaskFit, texts: int) -> list[Surface]:
    """Surfaces to show: a teacher without a text to label teaches nobody."""
    return [s for s in fit.surfaces if texts or not s.route.kind.has_teacher]


def _forecast_json(s: Surface, n: int, texts: int) -> dict[str, Any]:
    score, lower, upper = _interval(s, n, texts)
    counts = {"n_labels": n, "n_unlabeled": texts if s.route.kind.has_teacher else 0}
    return {**asdict(s.route), **counts, "score": score, "lower": lower, "upper": upper}


def _interval(surface: Surface, n: int, texts: int) -> tuple[float, float, float]:
    """Mean and 90 % interval of one run, percent."""
    given = {"n_labels": float(n), "n_unlabeled": float(texts), "n_llm_labels": float(n)}
    at = [[given[name] for name in surface.inputs]]
    draws = surface.at(at)[:, 0]
    runs = np.clip(draws + surface.deviations(at)[:, 0], 0.0, 1.0)
    low, high = np.quantile(runs, [0.05, 0.95])
    return 100 * float(draws.mean()), 100 * float(low), 100 * float(high)


def _words(mean: float, low: float, high: float) -> str:
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"

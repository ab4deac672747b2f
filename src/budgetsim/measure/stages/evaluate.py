"""Scores of a run: of answers to its test items, and the file that they are kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from budgetsim.data import metrics
from budgetsim.measure.resolve import Run
from budgetsim.measure.stagestore import Stage

_FILE = "scores.json"


def score_answers(run: Run, answers: Sequence[str], folder: Path) -> tuple[str, float]:
    """Score answers to the evaluated rows and keep the scores; the main metric and its value come back."""
    rows = run.evaluated
    scores = metrics.score(run.task, [r.source for r in rows], answers, [r.target for r in rows])
    write_scores(scores, folder)
    return next(iter(scores.items()))


def write_scores(scores: Mapping[str, float], folder: Path) -> None:
    """Keep scores in percent, the main one first."""
    (folder / _FILE).write_text(json.dumps(dict(scores)), encoding="utf-8")


def read_scores(stage: Stage) -> dict[str, float]:
    """Scores of a stage in percent, the main one first."""
    scores: dict[str, float] = json.loads((stage.folder / _FILE).read_text(encoding="utf-8"))
    return scores

"""Points somebody asks about: read from a table or an argument, answered from fits."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.choosing.options import CLASS_SHARES, EvidenceNote
from budgetsim.choosing.simulate import predict
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Route
from budgetsim.design.strategies import STRATEGIES
from budgetsim.design.surface import Kind, Surface, TaskFit
from budgetsim.errors import InputError, NoEvidenceError

COLUMNS: Final = ("task", "strategy", "teacher", "student", "n_labels", "n_llm_labels", "n_unlabeled", "labeler")
_COUNTS: Final = COLUMNS[4:7]
MOST: Final = 1_000_000_000_000  # no count of examples is larger


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A design somebody asks about, and where the question stood."""

    task: str
    strategy: str
    teacher: str | None
    student: str | None
    labeler: str | None  # None takes the only one there is
    counts: Mapping[str, int]
    place: str

    @property
    def inputs(self) -> list[int]:
        return [self.counts[name] for name in STRATEGIES[self.strategy].inputs]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointAnswer:
    """What is known of one new run at a point; scores are percent, None where nothing is known.

    reason : why there is no score or no cost, or what it was cut at
    """

    point: Point
    score: float | None = None
    lower: float | None = None
    upper: float | None = None
    kind: Kind | None = None
    factor: float | None = None
    source: str | None = None
    evidence_set: str | None = None
    cost_usd: float | None = None
    reason: str | None = None


def make_point(values: Mapping[str, str | None], place: str, *, task: str | None = None) -> Point:
    """Check one question; models that are not named are the paper's.

    values : by the names of `COLUMNS`; empty and missing are the same
    place : file and line, or the command line, for messages
    raises : InputError
    """
    name = values.get("task") or task
    strategy = values.get("strategy")
    if not name:
        raise InputError(f"{place}: no task; give a column task, or --task.")
    if not strategy:
        raise InputError(f"{place}: no strategy; give one of {', '.join(STRATEGIES)}.")
    if strategy not in STRATEGIES:
        raise InputError(f"{place}, strategy: found {strategy!r}, wanted one of {', '.join(STRATEGIES)}.")
    counts = {column: _count(values.get(column), column, place) for column in _COUNTS}
    wanted = STRATEGIES[strategy].inputs
    stray = [c for c in _COUNTS if c not in wanted and counts[c]]
    absent = [c for c in wanted if not values.get(c)]
    if stray:
        raise InputError(
            f"{place}, {stray[0]}: found {counts[stray[0]]}, but {strategy} has no such input; leave it out."
        )
    if absent:
        raise InputError(f"{place}, {absent[0]}: {strategy} needs it; give a whole number.")
    trained = strategy != "constant"
    return Point(
        task=name,
        strategy=strategy,
        teacher=(values.get("teacher") or PAPER_TEACHER) if strategy == "distill" else None,
        student=(values.get("student") or PAPER_STUDENT) if trained else None,
        labeler=values.get("labeler") if "n_llm_labels" in wanted else None,
        counts=counts,
        place=place,
    )


def _count(value: str | None, column: str, place: str) -> int:
    if not value:
        return 0
    try:
        number = math.nan if "_" in value else float(value)
        whole = int(number)
    except (ValueError, OverflowError):
        number, whole = math.nan, 0
    if number != whole or not 0 <= whole <= MOST:
        raise InputError(f"{place}, {column}: found {value!r}, wanted a whole number from 0 to {MOST:,}.")
    return whole


def parse_points(text: str, name: str, *, task: str | None = None) -> list[Point]:
    """Read points from CSV; columns as `COLUMNS`, in any order, strategy at least.

    raises : InputError naming file, line and column
    """
    return [make_point(values, place, task=task) for place, values in _rows(text, name)]


def _rows(text: str, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        unknown = [c for k, c in enumerate(header) if c not in COLUMNS or c in header[:k]]
        if unknown or "strategy" not in header:
            found = f"unknown or repeated column {unknown[0]!r}" if unknown else "no column strategy"
            raise InputError(f"{name}, line 1: found {found}, wanted {', '.join(COLUMNS)}.")
        empty = True
        for record in reader:
            empty = False
            place = f"{name}, line {reader.line_num}"
            if None in record or None in record.values():
                raise InputError(f"{place}: found another number of cells than the header's {len(header)}.")
            yield place, {k: v.strip() for k, v in record.items()}
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: not CSV ({error}).") from None
    if empty:
        raise InputError(f"{name}: no points below the header; add a line a point.")


def find_surface(fit: TaskFit, point: Point) -> Surface:
    """The surface that describes a point.

    raises : NoEvidenceError naming what the evidence has
    """
    models = (point.strategy, point.teacher, point.student)
    found = [s for s in fit.surfaces if (s.route.strategy, s.route.teacher, s.route.student) == models]
    if point.labeler:
        found = [s for s in found if s.route.labeler == point.labeler]
    if len(found) == 1:
        return found[0]
    if found:
        labelers = ", ".join(sorted(s.route.labeler or "" for s in found))
        raise InputError(f"{point.place}: {point.strategy} has several labelers: {labelers}; name one as labeler.")
    known = "; ".join(s.route.label for s in fit.surfaces)
    asked = Route(
        strategy=point.strategy, teacher=point.teacher, labeler=point.labeler, student=point.student or ""
    ).label
    raise NoEvidenceError(
        f"{point.place}: evidence {fit.evidence_set} has no fitted {asked} on {fit.task}; it has {known}."
    )


def answer_point(
    point: Point, surface: Surface, note: EvidenceNote, cost: CostModel | None, *, reason: str | None = None
) -> PointAnswer:
    """Predict one new run at a point; `reason` says why there is no cost or what it lacks, and where a table ends."""
    (p,) = predict(surface, np.array([point.inputs], dtype=np.float64))
    named = dict(zip(surface.inputs, point.inputs, strict=True))
    ends = [f"{k} {axis[-1]:,.0f}" for (k, n), axis in zip(named.items(), surface.knots, strict=True) if n > axis[-1]]
    told = [*([reason] if reason else []), *(f"the score is that at {end}, where the table ends" for end in ends)]
    return PointAnswer(
        point=point,
        score=100 * p.score,
        lower=100 * p.lower,
        upper=100 * p.upper,
        kind=p.kind,
        factor=p.factor,
        source=note.source,
        evidence_set=note.set,
        cost_usd=None if cost is None else float(cost.total(named)),
        reason="; ".join(told) or None,
    )


def answer_constant(point: Point, task: Task) -> PointAnswer:
    """The constant answer: free, and known from the class shares."""
    score = 100 * task.constant_score
    return PointAnswer(
        point=point,
        score=score,
        lower=score,
        upper=score,
        kind="observed",
        factor=1.0,
        source="measured",
        evidence_set=CLASS_SHARES,
        cost_usd=0.0,
    )


def unanswered(point: Point, reason: str) -> PointAnswer:
    """A point that no evidence covers."""
    return PointAnswer(point=point, reason=reason)


def points_of(answers: Sequence[PointAnswer]) -> list[dict[str, object]]:
    """Answers as JSON objects, in order."""
    return [
        {
            "task": a.point.task,
            "strategy": a.point.strategy,
            "teacher": a.point.teacher,
            "student": a.point.student,
            "labeler": a.point.labeler,
            **a.point.counts,
            "score": a.score,
            "lower": a.lower,
            "upper": a.upper,
            "kind": a.kind,
            "factor": a.factor,
            "source": a.source,
            "evidence_set": a.evidence_set,
            "cost_usd": a.cost_usd,
            "reason": a.reason,
        }
        for a in answers
    ]

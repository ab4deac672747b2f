"""Points somebody asks about: read from a table or an argument, answered from fits."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np

from budgetsim.answers.notes import PointNote, Refusal, TableEnd
from budgetsim.choosing.options import CLASS_SHARES, EvidenceNote
from budgetsim.choosing.simulate import predict
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Design, Route
from budgetsim.design.strategies import COUNTS, STRATEGIES
from budgetsim.design.surface import Kind, Surface, TaskFit
from budgetsim.doors.amounts import did_you_mean, parse_amount
from budgetsim.doors.words import is_name
from budgetsim.errors import InputError, NoEvidenceError

COLUMNS: Final = ("task", "strategy", "teacher", "student", *COUNTS, "labeler")
MOST_UNITS: Final = 1_000_000_000_000  # no count of examples is larger
MOST_POINTS: Final = 100_000
_AT_ONCE: Final = 1000  # points predicted together: memory is draws times points


_COUNT: Final = re.compile(r"[0-9.,+-]{1,40}(e[0-9+]{1,4})?[km]?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A design somebody asks about, and where the question stood; without a labeler it takes the only one there is.

    left_open : teacher or student where nobody named one
    """

    design: Design
    place: str
    left_open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PointAnswer:
    """What is known of one new run at a point; scores are percent, None where nothing is known.

    notes : why there is no score or no cost, what a cost lacks, or where the fitted table ends
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
    notes: tuple[PointNote, ...] = ()


def make_point(values: Mapping[str, str | None], place: str, *, task: str | None = None) -> Point:
    """Check one question; models that are not named are the paper's, until a fit is there (`spelt_out`).

    values : by the names of `COLUMNS`; empty and missing are the same
    place : file and line, or the command line, for messages
    raises : InputError
    """
    name = values.get("task") or task
    strategy = values.get("strategy")
    for column in ("task", "teacher", "student", "labeler"):
        if not is_name(values.get(column) or "x"):
            raise InputError(f"{place}, {column}: found {values[column]!r}, wanted a name that can be read.")
    if not name:
        raise InputError(f"{place}: no task; give a column task, or --task.")
    if not strategy:
        raise InputError(f"{place}: no strategy; give one of {', '.join(STRATEGIES)}.")
    if strategy not in STRATEGIES:
        near = did_you_mean(strategy, STRATEGIES)
        raise InputError(f"{place}, strategy: found {strategy!r}, wanted one of {', '.join(STRATEGIES)}.{near}")
    kind = STRATEGIES[strategy]
    counts = {column: _count(values.get(column), column, place) for column in COUNTS}
    stray = [c for c in COUNTS if c not in kind.inputs and counts[c]]
    absent = [c for c in kind.inputs if not values.get(c)]
    if stray:
        raise InputError(
            f"{place}, {stray[0]}: found {counts[stray[0]]}, but {strategy} has no such input; leave it out."
        )
    if absent:
        raise InputError(f"{place}, {absent[0]}: {strategy} needs it; give a whole number.")
    route = Route(
        strategy=strategy,
        teacher=(values.get("teacher") or PAPER_TEACHER) if kind.has_teacher else None,
        student=(values.get("student") or PAPER_STUDENT) if kind.is_trained else "",
        labeler=(values.get("labeler") or None) if kind.has_labeler else None,
    )
    left_open = tuple(column for column in ("teacher", "student") if not values.get(column))
    return Point(design=Design(task=name, route=route, **counts), place=place, left_open=left_open)


def _count(value: str | None, column: str, place: str) -> int:
    if not value:
        return 0
    read = parse_amount(value) if _COUNT.fullmatch(value) else None
    number = math.nan if read is None else read
    whole = int(number) if math.isfinite(number) else 0
    if number != whole or not 0 <= whole <= MOST_UNITS:
        raise InputError(f"{place}, {column}: found {value!r}, wanted a whole number from 0 to {MOST_UNITS:,}.")
    return whole


def parse_points(text: str, name: str, *, task: str | None = None) -> list[Point]:
    """Read points from CSV; columns as `COLUMNS`, in any order, strategy at least.

    raises : InputError naming file, line and column
    """
    points = [make_point(values, place, task=task) for place, values in islice(_rows(text, name), MOST_POINTS + 1)]
    if len(points) > MOST_POINTS:
        raise InputError(f"{name} has more than {MOST_POINTS:,} points; split it.")
    return points


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


def spelt_out(fit: TaskFit, point: Point) -> list[Point]:
    """A point that leaves models open: with the paper's where those are fitted, else with each that is."""
    asked = point.design.route
    fitted = [s.route for s in fit.surfaces if s.route.strategy == asked.strategy and not s.route.is_simulated]
    kept = [name for name in ("teacher", "student", "labeler") if name not in point.left_open and getattr(asked, name)]
    routes = [r for r in fitted if all(getattr(r, name) == getattr(asked, name) for name in kept)]
    if not point.left_open or not routes or any(r.pair == asked.pair for r in routes):
        return [point]
    return [replace(point, design=replace(point.design, route=route), left_open=()) for route in routes]


def find_surface(fit: TaskFit, point: Point) -> Surface:
    """The surface that describes a point.

    raises : NoEvidenceError naming what the evidence has
    """
    route = point.design.route
    surfaces = [s for s in fit.surfaces if replace(s.route, labeler=route.labeler) == route]
    if route.labeler:
        surfaces = [s for s in surfaces if s.route == route]
    if len(surfaces) == 1:
        return surfaces[0]
    if surfaces:
        labelers = ", ".join(sorted(s.route.labeler or "" for s in surfaces))
        raise InputError(f"{point.place}: {route.strategy} has several labelers: {labelers}; name one as labeler.")
    offered = "; ".join(s.route.label for s in fit.surfaces)
    raise NoEvidenceError(
        f"{point.place}: evidence {fit.evidence_set} has no fitted {route.label} on {fit.task}; it has {offered}."
    )


def answer_surface(
    points: Sequence[Point],
    surface: Surface,
    evidence: EvidenceNote,
    cost: CostModel | None,
    notes: Sequence[PointNote] = (),
    note_point: Callable[[Point], Sequence[PointNote]] = lambda _: (),
) -> list[PointAnswer]:
    """Predict one new run at each point of a surface.

    notes : why there is no cost or what it lacks
    note_point : what there is to say of one point alone
    """
    ends = {name: float(knots[-1]) for name, knots in zip(surface.inputs, surface.knots, strict=True)}
    answers = []
    for start in range(0, len(points), _AT_ONCE):
        some = points[start : start + _AT_ONCE]
        predictions = predict(surface, np.array([point.design.inputs for point in some], dtype=np.float64))
        for point, p in zip(some, predictions, strict=True):
            named = dict(zip(surface.inputs, point.design.inputs, strict=True))
            beyond = [TableEnd(name=name, n=ends[name]) for name, n in named.items() if n > ends[name]]
            answers.append(
                PointAnswer(
                    point=point,
                    score=100 * p.score,
                    lower=100 * p.lower,
                    upper=100 * p.upper,
                    kind=p.kind,
                    factor=p.factor,
                    source=evidence.source,
                    evidence_set=evidence.set,
                    cost_usd=None if cost is None else float(cost.total(named)),
                    notes=(*notes, *note_point(point), *beyond),
                )
            )
    return answers


def refuse_points(points: Sequence[Point], message: str) -> list[PointAnswer]:
    """No answer to points of one route; a message that begins with the place of the first gets each one's own."""
    first = points[0].place
    rest = message.removeprefix(first)
    return [
        PointAnswer(point=p, notes=(Refusal(message=message if rest == message else p.place + rest),)) for p in points
    ]


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

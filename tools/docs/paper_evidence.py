"""What docs/paper/claims.md rests on: the printed cells, fits without some of them, and what those fits forecast."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from budgetsim.answers.choices import Selection, choices
from budgetsim.answers.evidence import Evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.options import Option
from budgetsim.choosing.simulate import predict
from budgetsim.costs.hours import ComputeModel
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import Terms
from budgetsim.design.arrays import Floats
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Route
from budgetsim.design.strategies import STRATEGIES
from budgetsim.design.surface import TaskFit
from budgetsim.fitting.task import fit_task
from budgetsim.store.database import Connection
from budgetsim.store.fits import load_fit, save_fit

CELLS_SQL = """
SELECT r.run_id, coalesce(r.same_as, r.run_id) AS key, c.panel, r.task, r.strategy, r.student, r.teacher, r.labeler,
    r.n_labels, r.n_llm_labels, r.n_unlabeled, list_contains(r.derived, 'capped:n_unlabeled') AS capped, r.feasible,
    c.initial_n_labels AS initial, c.additional_budget_usd AS extra_usd, c.total_cost_usd AS total_usd, s.value AS score
FROM runs r
JOIN published_cells c ON c.record_id = r.run_id
JOIN scores s ON s.run_id = r.run_id AND s.is_main
WHERE r.evidence_set LIKE 'published-kang2023%'
ORDER BY r.run_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One printed result; copies share the key of the first."""

    run_id: str
    key: str
    panel: str
    task: str
    strategy: str
    student: str
    teacher: str | None
    labeler: str | None
    n_labels: int | None
    n_llm_labels: int | None
    n_unlabeled: int | None
    capped: bool
    feasible: bool
    initial: int | None
    extra_usd: float | None
    total_usd: float | None
    score: float  # percent

    @property
    def inputs(self) -> list[float] | None:
        """Counts in the order of the strategy's inputs; None where the paper does not say."""
        counts = [getattr(self, name) for name in STRATEGIES[self.strategy].inputs]
        return None if None in counts else [float(n) for n in counts]

    @property
    def of_the_pair(self) -> bool:
        """Whether it is about the paper's own student and teacher."""
        return self.student == PAPER_STUDENT and self.teacher in (None, PAPER_TEACHER)


class Section(NamedTuple):
    """A part of the page, its forecasts, and a sentence of what they are worth."""

    text: list[str]
    found: list[Forecast]
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a fit that never saw a cell says of it; percent."""

    cell: Cell
    score: float
    lower: float
    upper: float
    kind: str
    runs: Floats  # (draws,), one new run in each world

    @property
    def error(self) -> float:
        return self.score - self.cell.score

    @property
    def held(self) -> bool:
        return self.lower <= self.cell.score <= self.upper


@dataclass(slots=True)
class Refits:
    """Fits of a task without some rows, kept in a folder, other tasks seen whole: about 1 MB and 1 to 3 seconds each.

    card : the paper's prices; students train on labels for free, as in the paper
    """

    evidence: Evidence
    card: RateCard
    folder: Path
    made: dict[tuple[str, frozenset[str]], TaskFit] = field(default_factory=dict)

    def without(self, task: str, cells: Iterable[Cell]) -> TaskFit:
        """The fit of a task that never saw these cells or copies of them."""
        keys = frozenset(c.key for c in cells)
        if (task, keys) not in self.made:
            self.made[task, keys] = self._fit(task, keys)
        return self.made[task, keys]

    def options(self, fit: TaskFit, *, compute: ComputeModel = "published", owned_labels: float = 0.0) -> list[Option]:
        """What money can buy for the paper's own student, with the surfaces of a fit."""
        of_group = {s.route: s for s in fit.surfaces}
        pricing = Pricing(self.card, compute, Terms(owned_labels=owned_labels))
        found = choices(self.evidence, fit.task, pricing, Selection(students=(PAPER_STUDENT,)))
        return [replace(o, surface=of_group[o.surface.route]) for o in found.options if o.surface.route in of_group]

    def _fit(self, task: str, keys: frozenset[str]) -> TaskFit:
        rows = [m for m in self.evidence.rows(task) if m.key not in keys]
        others = self.evidence.others(task)
        folder = self.folder / hashlib.sha256(" ".join(sorted(keys)).encode()).hexdigest()[:16]
        wanted = ([folder], self.evidence.set_of(task), task, rows, others)
        fit = load_fit(*wanted)
        if fit is None:
            sys.stderr.write(f"fitting {task} without {len(keys)} of its cells\n")
            fit = fit_task(rows, others=others)
            save_fit(folder, fit)
        return load_fit(*wanted) or fit  # as stored, so that the page does not depend on which fits were there


def read_cells(connection: Connection) -> list[Cell]:
    """Every printed cell, copies among them."""
    answer = connection.execute(CELLS_SQL)
    names = [d[0] for d in answer.description or []]
    return [Cell(**dict(zip(names, row, strict=True))) for row in answer.fetchall()]


def forecast(fit: TaskFit, cell: Cell) -> Forecast | None:
    """What a fit says of a cell; None where its inputs are not printed or nothing like it was fitted."""
    route = Route(strategy=cell.strategy, teacher=cell.teacher, labeler=cell.labeler, student=cell.student)
    surface = next((s for s in fit.surfaces if s.route == route), None)
    if surface is None or cell.inputs is None or not cell.feasible:
        return None
    (p,) = predict(surface, [cell.inputs])
    runs = np.clip(surface.at([cell.inputs])[:, 0] + surface.run_noise, 0.0, 1.0)
    return Forecast(
        cell=cell, score=100 * p.score, lower=100 * p.lower, upper=100 * p.upper, kind=p.kind, runs=100 * runs
    )


def chance_above(one: Forecast, other: Forecast) -> float:
    """Chance that one new run of the first scores above one of the second."""
    return float((one.runs > other.runs).mean() + 0.5 * (one.runs == other.runs).mean())


def checked(name: str, found: Sequence[Forecast]) -> list[object]:
    """A line of a table: how many, mean error, mean absolute error, intervals that held."""
    errors = [f.error for f in found]
    held = sum(f.held for f in found)
    mean, size = fmean(errors), fmean(map(abs, errors))
    return [name, len(found), f"{mean:+.1f}", f"{size:.1f}", f"{held} of {len(found)}"]


CHECKED = ("", "cells", "mean error", "mean absolute error", "90 % intervals that held")


def worst(found: Sequence[Forecast], count: int) -> str:
    """The cells told worst, each once, in words."""
    of_key = {f.cell.key: f for f in sorted(found, key=lambda f: abs(f.error))}
    ordered = sorted(of_key.values(), key=lambda f: -abs(f.error))[:count]
    return "; ".join(
        f"{f.cell.task}, {f.cell.strategy} at {counts(f.cell)}: {f.cell.score:.1f} printed, {f.score:.1f} told "
        f"({f.lower:.1f} to {f.upper:.1f})"
        for f in ordered
    )


def counts(c: Cell) -> str:
    """Labels and texts of a cell."""
    named = (("labels", c.n_labels), ("LLM labels", c.n_llm_labels), ("texts", c.n_unlabeled))
    return " and ".join(f"{n:,} {name}" for name, n in named if n)


def table(headings: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    head = "| " + " | ".join(headings) + " |\n|" + "---|" * len(headings)
    return "\n".join([head, *("| " + " | ".join(map(str, line)) + " |" for line in lines)])


def said(found: Forecast | None) -> str:
    """A forecast in a table: mean and interval, with a mark where the printed score lies outside."""
    if found is None:
        return "not said"
    return f"{found.score:.1f} ({found.lower:.1f} to {found.upper:.1f}){'' if found.held else ' !'}"

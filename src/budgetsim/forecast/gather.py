"""From measurements of many tasks to the cells of the process: runs of one design are one, a probe's folds another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Ran, Route
from budgetsim.forecast.facts import (
    LLM,
    PROBE_SET,
    RUNS_IN_A_ROW,
    Facts,
    family_of,
    is_usable,
    learner_of,
    scatter_of,
    with_floor,
)
from budgetsim.forecast.process import CENTRE, SCATTERS, Cells
from budgetsim.forecast.scale import to_scale


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers of the cells stand for; a name that is not there gets the next number."""

    tasks: Mapping[str, Facts]
    learners: Mapping[str, int]
    families: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """Cells that were run: mean of the runs on the scale, and how many; all folds of a probe count as one run."""

    cells: Cells
    z: Floats
    n_runs: Floats
    names: Names

    def without_runs(self, task: str) -> Seen:
        """What was known before a task had runs: the other tasks, and a probe of it."""
        return self.pick((self.cells.task != list(self.names.tasks).index(task)) | (self.cells.probed > 0))

    def n_designs(self, task: str) -> int:
        """Designs of a task that were run or probed; one that was both counts once."""
        own = self.cells.task == list(self.names.tasks).index(task)
        return len(np.unique(np.column_stack([self.cells.learner, self.cells.x])[own], axis=0))

    def pick(self, keep: NDArray[np.bool_]) -> Seen:
        """Some of the cells."""
        return Seen(self.cells.pick(keep), self.z[keep], self.n_runs[keep], self.names)


class _Cell(NamedTuple):
    """What is run again and again; what a probe tells of a design is a cell beside that of its runs."""

    task: str
    route: Route
    n_labels: float
    n_unlabeled: float
    probed: bool

    @property
    def order(self) -> tuple[object, ...]:
        return (self.task, self.route.sort_key, *self[2:])


def gather(rows: Sequence[Ran], facts: Mapping[str, Facts]) -> Seen:
    """Cells of all rows whose counts and whose task's facts are known, in a fixed order.

    facts : by task; one without a floor gets it from its own rows
    """
    usable = [m for m in rows if m.task in facts and is_usable(m)]
    scores: dict[str, list[float]] = defaultdict(list)
    runs: dict[_Cell, list[float]] = defaultdict(list)
    many: dict[_Cell, int] = defaultdict(int)
    for m in usable:
        probed = m.evidence_set.startswith(PROBE_SET)
        cell = _Cell(m.task, m.route, float(m.n_labels or 0), float(m.n_unlabeled or 0), probed)
        scores[m.task] += m.scores
        runs[cell] += m.scores
        many[cell] += RUNS_IN_A_ROW.get(m.source, 1) * len(m.scores)
    known = {
        name: with_floor(f, scores[name]) for name, f in sorted(facts.items()) if name in scores or f.floor is not None
    }
    keys = sorted(runs, key=lambda cell: cell.order)
    routes = sorted({cell.route for cell in keys}, key=lambda r: r.sort_key)
    names = Names(
        known,
        {name: i for i, name in enumerate(dict.fromkeys(learner_of(r) for r in routes))},
        {name: i for i, name in enumerate(sorted({family_of(r) for r in routes}))},
    )
    cells = place([cell[:4] for cell in keys], names)
    cells = replace(cells, probed=np.array([cell.probed for cell in keys], dtype=np.float64))
    z = np.array([to_scale(runs[cell], known[cell.task].floor or 0.0).mean() for cell in keys])
    return Seen(cells, z, np.array([1.0 if cell.probed else float(many[cell]) for cell in keys]), names)


def place(designs: Sequence[tuple[str, Route, float, float]], names: Names) -> Cells:
    """Cells of some designs, as runs: task, route, labels and texts."""
    tasks = list(names.tasks)
    facts = [names.tasks[task] for task, *_ in designs]
    n_traits = len(next(iter(names.tasks.values())).traits)
    return Cells(
        np.array([tasks.index(task) for task, *_ in designs], dtype=np.float64),
        np.array([_number(names.learners, learner_of(r)) for _, r, *_ in designs], dtype=np.float64),
        np.array([_number(names.families, family_of(r)) for _, r, *_ in designs], dtype=np.float64),
        np.array([_size(r, n, u) for _, r, n, u in designs], dtype=np.float64).reshape(-1, 2),
        np.array([f.traits for f in facts], dtype=np.float64).reshape(-1, n_traits),
        np.array([f.floor for f in facts], dtype=np.float64),
        np.array([SCATTERS.index(scatter_of(family_of(r))) for _, r, *_ in designs], dtype=np.float64),
        np.zeros(len(designs)),
    )


def _size(route: Route, n: float, u: float) -> tuple[float, float]:
    """Where a design lies on the axes; a model that is not taught stands where slopes pivot."""
    return (float(CENTRE[0]), 0.0) if family_of(route) == LLM else (float(np.log1p(n)), float(np.log1p(u)))


def _number(known: Mapping[str, int], name: str) -> float:
    """Its number, or one below zero of its own."""
    return known[name] if name in known else -1.0 - sum(ord(c) * 31**i for i, c in enumerate(name)) % 1e9

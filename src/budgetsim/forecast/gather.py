"""From measurements of many tasks to the cells of the process: runs of one design are one cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """Cells that were run: mean of the runs on the scale, and how many.

    probed : (cells,) those that a probe alone told of, not a run
    """

    cells: Cells
    z: Floats
    n_runs: Floats
    names: Names
    probed: NDArray[np.bool_]

    def without_runs(self, task: str) -> Seen:
        """What was known before a task had runs: the other tasks, and a probe of it."""
        return self.pick((self.cells.task != list(self.names.tasks).index(task)) | self.probed)

    def pick(self, keep: NDArray[np.bool_]) -> Seen:
        """Some of the cells."""
        return Seen(self.cells.pick(keep), self.z[keep], self.n_runs[keep], self.names, self.probed[keep])


def gather(rows: Sequence[Ran], facts: Mapping[str, Facts]) -> Seen:
    """Cells of all rows whose counts and whose task's facts are known, in a fixed order.

    facts : by task; one without a floor gets it from its own rows
    """
    usable = [m for m in rows if m.task in facts and is_usable(m)]
    scores: dict[str, list[float]] = defaultdict(list)
    many: dict[tuple[str, Route, float, float], int] = defaultdict(int)
    runs: dict[tuple[str, Route, float, float], list[float]] = defaultdict(list)
    ran: set[tuple[str, Route, float, float]] = set()
    for m in usable:
        scores[m.task] += m.scores
        key = (m.task, m.route, float(m.n_labels or 0), float(m.n_unlabeled or 0))
        runs[key] += m.scores
        ran |= set() if m.evidence_set.startswith(PROBE_SET) else {key}
        many[key] += RUNS_IN_A_ROW.get(m.source, 1) * len(m.scores)
    known = {
        name: with_floor(f, scores[name]) for name, f in sorted(facts.items()) if name in scores or f.floor is not None
    }
    keys = sorted(runs, key=lambda k: (k[0], k[1].sort_key, k[2], k[3]))
    routes = sorted({k[1] for k in keys}, key=lambda r: r.sort_key)
    names = Names(
        known,
        {name: i for i, name in enumerate(dict.fromkeys(learner_of(r) for r in routes))},
        {name: i for i, name in enumerate(sorted({family_of(r) for r in routes}))},
    )
    cells = place([(k[0], k[1], k[2], k[3]) for k in keys], names)
    z = np.array([to_scale(runs[k], known[k[0]].floor or 0.0).mean() for k in keys])
    return Seen(cells, z, np.array([float(many[k]) for k in keys]), names, np.array([k not in ran for k in keys]))


def place(designs: Sequence[tuple[str, Route, float, float]], names: Names) -> Cells:
    """Cells of some designs: task, route, labels and texts."""
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
    )


def _size(route: Route, n: float, u: float) -> tuple[float, float]:
    """Where a design lies on the axes; a model that is not taught stands where slopes pivot."""
    return (float(CENTRE[0]), 0.0) if family_of(route) == LLM else (float(np.log1p(n)), float(np.log1p(u)))


def _number(known: Mapping[str, int], name: str) -> float:
    """Its number, or one below zero of its own."""
    return known[name] if name in known else -1.0 - sum(ord(c) * 31**i for i, c in enumerate(name)) % 1e9

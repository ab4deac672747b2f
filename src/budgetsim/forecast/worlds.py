"""From the process to surfaces: joint draws of every route on a task, as fits have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route
from budgetsim.design.surface import Support, Surface
from budgetsim.forecast.gather import Seen, place
from budgetsim.forecast.process import Hypers, condition, run_variance
from budgetsim.forecast.scale import to_score

LABELS: Final = (0.0, 10.0, 30.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 3e4, 1e5, 1e6)
TEXTS: Final = (0.0, 100.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a route's surface rests on: cells of the task itself, and of how many others."""

    n_own: int
    n_tasks: int
    n_rows: int


def basis_of(seen: Seen, task: str, route: Route) -> Basis:
    """Count the cells of a route."""
    cells = place([(task, route, 0.0, 0.0)], seen.names)
    same = seen.cells.learner == cells.learner[0]
    own = same & (seen.cells.task == cells.task[0])
    others = same & ~own
    return Basis(int(own.sum()), len(np.unique(seen.cells.task[others])), int(seen.n_runs[same].sum()))


def forecast_surfaces(
    seen: Seen, h: Hypers, task: str, routes: Sequence[Route], *, n_draws: int = 400, seed: int = 0
) -> tuple[Surface, ...]:
    """Joint draws of the mean score of some routes on a task, given everything that was run, also on the task.

    A learner that has no label, or no text to learn from, scores the floor.
    """
    designs = [(task, route, n, u) for route in routes for n in LABELS for u in _texts(route)]
    rng = np.random.default_rng(seed)
    at = place(designs, seen.names)
    posterior = condition(seen.cells, seen.z, seen.n_runs, at, h)
    z = posterior.draws(n_draws, rng)
    floor = float(at.floor[0])
    scores = to_score(z, floor)
    nothing = np.array([n == 0 or (u == 0 and route.kind.has_teacher) for _, route, n, u in designs])
    scores[:, nothing] = floor
    out, first = [], 0
    for route in routes:
        shape = (len(LABELS), len(TEXTS)) if route.kind.has_teacher else (len(LABELS),)
        cells = slice(first, first + int(np.prod(shape)))
        first = cells.stop
        out.append(_surface(seen, h, task, route, scores[:, cells].reshape(-1, *shape), z[:, cells], floor, rng))
    return tuple(out)


def _surface(
    seen: Seen, h: Hypers, task: str, route: Route, draws: Floats, z: Floats, floor: float, rng: np.random.Generator
) -> Surface:
    sd = np.sqrt(h.noise + h.misfit / _steepness(z, floor) ** 2)
    n = len(draws)
    quantiles = np.sort(rng.standard_normal(8001))[np.linspace(0, 8000, n + 2).astype(int)[1:-1]]
    return Surface(
        route=route,
        knots=(np.array(LABELS), np.array(TEXTS))[: draws.ndim - 1],
        draws=draws,
        run_noise=float(sd) * rng.permutation(quantiles / max(quantiles.std(), 1e-9)),
        support=support_of_others(seen, task, route),
        n_rows=basis_of(seen, task, route).n_rows,
    )


def _steepness(z: Floats, floor: float) -> float:
    """dz/ds at the middle of the surface."""
    return float(np.sqrt(run_variance(np.array([np.median(z)]), np.array([floor]), Hypers(0, z, z, 1, 1.0, 0))[0]))


def support_of_others(seen: Seen, task: str, route: Route) -> Support:
    """Where anybody ran the route: a box over log counts; observed are the task's own cells alone."""
    mark = place([(task, route, 0.0, 0.0)], seen.names)
    k = len(route.kind.inputs)
    same = seen.cells.learner == mark.learner[0]
    x = seen.cells.x[same][:, :k]
    own = seen.cells.x[same & (seen.cells.task == mark.task[0])][:, :k]
    faces = np.concatenate([np.eye(k), -np.eye(k)])
    ends = np.concatenate([x.max(axis=0), -x.min(axis=0)]) if len(x) else np.zeros(2 * k)
    return Support(points=np.expm1(own), normals=faces, offsets=ends)


def _texts(route: Route) -> tuple[float, ...]:
    return TEXTS if route.kind.has_teacher else (0.0,)

"""From the process to surfaces: joint draws of every route on a task, as fits have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route
from budgetsim.design.surface import Support, Surface
from budgetsim.forecast.gather import Seen, place
from budgetsim.forecast.process import CENTRE, Cells, Hypers, condition, error_variance
from budgetsim.forecast.scale import stretch, to_score

LABELS: Final = (0.0, 10.0, 30.0, 60.0, 100.0, 200.0, 350.0, 600.0, 1e3, 2e3, 3.5e3, 6e3, 1e4, 2e4, 5e4, 1e5, 1e6)
TEXTS: Final = (0.0, 100.0, 300.0, 1e3, 3e3, 6e3, 1e4, 2e4, 5e4, 1e5, 3e5, 1e6)


N_QUANTILES: Final = 64  # that a mean score is taken over
FEWEST: Final = 0.1  # share of designs below the counts from which on the process is believed


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

    A learner that has no label, or no text to learn from, scores the floor; from there to the fewest labels or texts
    that nine in ten designs of others have, its score rises along a straight line in their logarithm.
    """
    designs = [(task, route, n, u) for route in routes for n in LABELS for u in _texts(route)]
    rng = np.random.default_rng(seed)
    at = place(designs, seen.names)
    posterior = condition(seen.cells, seen.z, seen.n_runs, at, h)
    z = posterior.draws(n_draws, rng)
    floor = float(at.floor[0])
    scores = to_score(z, floor)
    means = _means_before(seen, h, task, at)
    out, first = [], 0
    for route in routes:
        shape = (len(LABELS), len(TEXTS)) if route.kind.has_teacher else (len(LABELS),)
        cells = slice(first, first + int(np.prod(shape)))
        first = cells.stop
        least = _least(seen, task, route)
        draws = _from_the_floor(scores[:, cells].reshape(-1, *shape), least, floor)
        before = None if means is None else _from_the_floor(means[cells].reshape(1, *shape), least, floor)[0]
        out.append(replace(_surface(seen, h, task, route, draws, z[:, cells], floor, rng), before=before))
    return tuple(out)


def _means_before(seen: Seen, h: Hypers, task: str, at: Cells) -> Floats | None:
    """Mean scores as the other tasks and a probe tell them; None where the task has no run of its own."""
    rest = seen.without_runs(task)
    if len(rest.z) == len(seen.z):
        return None
    prior = condition(rest.cells, rest.z, rest.n_runs, at, h)
    z = prior.mean + np.sqrt(np.diag(prior.covariance).clip(0.0)) * _normal_quantiles(N_QUANTILES)[:, None]
    means: Floats = to_score(z, float(at.floor[0])).mean(axis=0)
    return means


def _least(seen: Seen, task: str, route: Route) -> Floats:
    """The fewest labels (and texts) of a route that nine in ten of its designs have, as log(1 + n)."""
    mark = place([(task, route, 0.0, 0.0)], seen.names)
    x = seen.cells.x[seen.cells.learner == mark.learner[0]][:, : len(route.kind.inputs)]
    return np.quantile(x, FEWEST, axis=0) if len(x) else np.zeros(len(route.kind.inputs))


def _from_the_floor(draws: Floats, least: Floats, floor: float) -> Floats:
    """Surfaces whose rise over the floor below the least counts is a share of the rise there.

    draws : (n, labels) or (n, labels, texts); least : (n_inputs,), log(1 + n)
    """
    rise = draws - floor
    for axis, (knots, low) in enumerate(zip((LABELS, TEXTS)[: len(least)], least, strict=True), 1):
        at = np.log1p(np.array(knots))
        if low <= 0:
            continue
        lifted = np.moveaxis(rise, axis, -1).copy()
        there = np.array([np.interp(low, at, row) for row in lifted.reshape(-1, len(at))]).reshape(lifted.shape[:-1])
        lifted[..., at < low] = there[..., None] * (at[at < low] / low)
        rise = np.moveaxis(lifted, -1, axis)
    return floor + rise


def _surface(
    seen: Seen, h: Hypers, task: str, route: Route, draws: Floats, z: Floats, floor: float, rng: np.random.Generator
) -> Surface:
    middle = np.median(z, keepdims=True)[0]  # of the surface: there a run's scatter is told
    pivot = place([(task, route, *np.expm1(CENTRE))], seen.names)
    sd = np.sqrt(error_variance(middle, pivot, np.ones(1), h).item()) / stretch(middle, floor).item()
    return Surface(
        route=route,
        knots=(np.array(LABELS), np.array(TEXTS))[: draws.ndim - 1],
        draws=draws,
        run_noise=float(sd) * rng.permutation(_normal_quantiles(len(draws))),
        few=h.few,
        support=support_of_others(seen, task, route),
        n_rows=basis_of(seen, task, route).n_rows,
    )


@cache
def _normal_quantiles(n: int) -> Floats:
    """n quantiles of the standard normal, evenly through it: every query of n worlds has the same spread of runs."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / n) for k in range(n)])


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

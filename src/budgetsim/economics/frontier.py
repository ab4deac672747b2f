"""The Pareto frontier of dollars and score, with bands, and where along it each strategy wins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from budgetsim.choosing.allocate import FINE, BestInputs, Search
from budgetsim.choosing.cheapest import least_usd
from budgetsim.choosing.options import Allocation, Infeasible, Option, allocation_at, constant_allocation
from budgetsim.choosing.recommend import chosen_options, out_of_reach
from budgetsim.choosing.winners import searches
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import CONSTANT_ROUTE, Route
from budgetsim.economics.expansion import compute_share, compute_usd, plan_scores
from budgetsim.economics.switches import Switch, switch_spread

BAND_PERCENTILES = (5.0, 50.0, 95.0)
_ZOOMS = 4  # of a sixteenth each
_LEAST_USD = 0.01  # who wins in turn below a cent is nobody's question
_REGION_BUDGETS = 121  # regions are looked for at so many, however few points are asked for
_BAND_BUDGETS = 60  # bands are looked for at so many, likewise
_BAND_DRAWS = 200  # worlds in the bands: attainment grows with their square


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """The best that a budget buys; nothing cheaper scores as much."""

    budget_usd: float
    allocation: Allocation
    attained: tuple[float, float, float]  # percent score reached in 95, 50 and 5 % of worlds at that cost

    @property
    def compute_usd(self) -> float:
        """Dollars that pay for compute."""
        return compute_usd(self.allocation)

    @property
    def compute_share(self) -> float | None:
        """Share of the cost that pays for compute, 0 to 1."""
        return compute_share(self.allocation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A range of budgets over which one route is recommended."""

    from_usd: float
    to_usd: float
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The expansion path of one task: points by rising cost and score, the regions, and the switches between them.

    infeasible : routes of which even the largest budget buys nothing, and why
    """

    task: str
    points: tuple[FrontierPoint, ...]
    regions: tuple[Region, ...]
    switches: tuple[Switch, ...]
    infeasible: tuple[Infeasible, ...] = ()


def trace_frontier(task: Task, options: Sequence[Option], max_usd: float, *, n_budgets: int = 60) -> Frontier:
    """What `optimize` recommends over budgets up to `max_usd`, kept where it is not dominated.

    Nothing at or below the constant answer is on the frontier.
    """
    budgets, fixed = (np.append(0.0, np.geomspace(max_usd / 1000, max_usd, n)) for n in (n_budgets, _BAND_BUDGETS))
    ready, routes = searches(options, FINE), [*(o.route for o in options), CONSTANT_ROUTE]

    def routes_at(usd: Floats) -> list[Route]:
        return [routes[i] for i in chosen_options(task, options, _bests(options, ready, usd), len(usd))]

    regions = _regions(_close_budgets(options, max_usd, n_budgets), routes_at, len(set(routes)))
    chosen = _chosen(task, options, ready, budgets)
    rows = _undominated([a for a, _ in chosen])
    looked_at = chosen if n_budgets == _BAND_BUDGETS else _chosen(task, options, ready, fixed)  # whatever is shown
    behind = [looked_at[i] for i in _undominated([a for a, _ in looked_at])]
    bands = _bands(behind, np.array([chosen[i][0].cost_usd for i in rows]))
    points = tuple(
        FrontierPoint(budget_usd=float(budgets[i]), allocation=chosen[i][0], attained=band)
        for i, band in zip(rows, bands, strict=True)
    )
    return Frontier(
        task=task.name,
        points=points,
        regions=regions,
        switches=_switches(task, options, regions, max_usd),
        infeasible=out_of_reach(options, max_usd),
    )


def _bests(options: Sequence[Option], ready: Sequence[Search], budgets: Floats) -> list[BestInputs]:
    """The best inputs of each option for each budget."""
    return [search.best(option.cost, budgets) for option, search in zip(options, ready, strict=True)]


def pareto_front(cost: Floats, score: Floats) -> list[int]:
    """Indices of the points that no other beats on both, by rising cost; one of equals is kept.

    >>> pareto_front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.7, 0.7]))
    [0, 2]
    """
    order = np.lexsort((-score, cost))
    best, front = -np.inf, []
    for i in order:
        if score[i] > best:
            best = score[i]
            front.append(int(i))
    return front


def _close_budgets(options: Sequence[Option], max_usd: float, n_budgets: int) -> Floats:
    """Nothing, then budgets from just below the cheapest plan of all on: 20 or more a tenfold."""
    low = min(max(0.9 * least_usd(options), _LEAST_USD), max_usd / 1000) if options else max_usd / 1000
    n = max(n_budgets, _REGION_BUDGETS, math.ceil(20 * math.log10(max_usd / low)))
    return np.append(0.0, np.geomspace(low, max_usd, n))


def _regions(budgets: Floats, routes_at: Callable[[Floats], list[Route]], n_routes: int) -> tuple[Region, ...]:
    """Ranges of budgets by the route recommended; where it changes, the budget is narrowed.

    Between two budgets several routes may follow each other: after each change the walk goes on from there.
    """
    grid_routes = routes_at(budgets)
    starts, routes = [0.0], [grid_routes[0]]
    for low, high, last in zip(budgets[:-1], budgets[1:], grid_routes[1:], strict=True):
        if high <= _LEAST_USD and routes[-1] != last:
            starts.append(_switch(float(low), float(high), routes[-1], routes_at)[0])
            routes.append(last)
        for _ in range(n_routes):  # more turns than there are routes between two close budgets are noise
            if routes[-1] == last:
                break
            low, now = _switch(float(low), float(high), routes[-1], routes_at)
            starts.append(low)
            routes.append(now)
    ends = [*starts[1:], float(budgets[-1])]
    return tuple(Region(from_usd=a, to_usd=b, route=route) for a, b, route in zip(starts, ends, routes, strict=True))


def _switch(low: float, high: float, before: Route, routes_at: Callable[[Floats], list[Route]]) -> tuple[float, Route]:
    """Budget between two at which `before` stops being recommended, and what is recommended there."""
    after = before
    for _ in range(_ZOOMS):
        grid = np.linspace(low, high, 17)
        routes = routes_at(grid)
        first = next((k for k, route in enumerate(routes) if route != before), len(grid) - 1)
        low, high, after = float(grid[max(first - 1, 0)]), float(grid[first]), routes[first]
    return high, after


def _switches(task: Task, options: Sequence[Option], regions: Sequence[Region], max_usd: float) -> tuple[Switch, ...]:
    """Where one region ends and the next begins, with where that lies in worlds."""
    return tuple(
        Switch(
            break_even_usd=right.from_usd,
            before=left.route,
            after=right.route,
            worlds=switch_spread(task, options, left.route, right.route, right.from_usd, max_usd),
        )
        for left, right in pairwise(regions)
    )


def _chosen(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budgets: Floats
) -> list[tuple[Allocation, Floats]]:
    """The recommended allocation at each budget, and what it scores in every world."""
    n_draws = options[0].surface.n_draws if options else 1
    nothing = (constant_allocation(task), np.full(n_draws, task.constant_score))
    bests, chosen = _bests(options, ready, budgets), []
    for k, i in enumerate(chosen_options(task, options, bests, len(budgets))):
        if i == len(options):
            chosen.append(nothing)
            continue
        counts = bests[i].counts[k]
        chosen.append((allocation_at(task, options[i], counts), plan_scores(options[i], counts[None, :])[:, 0]))
    return chosen


def _undominated(allocations: Sequence[Allocation]) -> list[int]:
    cost = np.array([a.cost_usd for a in allocations])
    return pareto_front(cost, np.array([a.score for a in allocations]))


def _bands(chosen: Sequence[tuple[Allocation, Floats]], at: Floats) -> list[tuple[float, float, float]]:
    """Empirical attainment: the score that 95, 50 and 5 % of worlds reach at each cost of `at` or less.

    source : Grunert da Fonseca, Fonseca and Hall (2001), attainment functions; computed by moocore
    """
    import moocore  # only a frontier needs it

    cost = np.array([a.cost_usd for a, _ in chosen])
    scores = np.stack([draws for _, draws in chosen])[:, :_BAND_DRAWS]  # (points, draws)
    n_draws = scores.shape[1]
    sets = np.repeat(np.arange(1, n_draws + 1), len(cost))
    data = np.stack([np.tile(cost, n_draws), -scores.T.ravel()], axis=1)
    surfaces = moocore.eaf(data, sets, percentiles=list(BAND_PERCENTILES))
    columns = [_attained(surfaces[surfaces[:, 2] == p], at) for p in reversed(BAND_PERCENTILES)]
    return [(float(a), float(b), float(c)) for a, b, c in zip(*columns, strict=True)]


def _attained(surface: Floats, cost: Floats) -> Floats:
    """Score reached at each cost or less on one attainment surface, percent."""
    order = np.argsort(surface[:, 0], kind="stable")
    costs, best = surface[order, 0], np.maximum.accumulate(-surface[order, 1])
    at = np.searchsorted(costs, cost + 1e-9, side="right") - 1
    return np.where(at >= 0, 100 * best[np.maximum(at, 0)], 0.0)

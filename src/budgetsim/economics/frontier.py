"""The Pareto frontier of dollars and score, with bands, and where along it each strategy wins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from budgetsim.choosing.allocate import FINE
from budgetsim.choosing.cheapest import least_usd
from budgetsim.choosing.optimize import out_of_reach
from budgetsim.choosing.options import Allocation, Option, constant_allocation
from budgetsim.choosing.winners import best_values, by_label, rows_by_label, searches, winners
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.economics.expansion import compute_share, compute_usd, label_path, scores_of
from budgetsim.economics.switches import Switch, switch_spread

BAND_PERCENTILES = (5.0, 50.0, 95.0)
_ZOOMS = 4  # of a sixteenth each
_LEAST_USD = 0.01  # who wins in turn below a cent is nobody's question
_REGION_BUDGETS = 121  # regions are looked for at so many, however few points are asked for
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
    """A range of budgets over which one option is best."""

    from_usd: float
    to_usd: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The expansion path of one task: points by rising cost and score, the regions, and the switches between them.

    infeasible : labels of which even the largest budget buys nothing, and why
    """

    task: str
    points: tuple[FrontierPoint, ...]
    regions: tuple[Region, ...]
    switches: tuple[Switch, ...]
    infeasible: Mapping[str, str] = field(default_factory=dict)


def trace_frontier(task: Task, options: Sequence[Option], max_usd: float, *, n_budgets: int = 60) -> Frontier:
    """Best allocations over budgets up to `max_usd`, kept where they are not dominated.

    Nothing at or below the constant answer is on the frontier.
    """
    budgets = np.append(0.0, np.geomspace(max_usd / 1000, max_usd, n_budgets))
    costs, ready, rows = [o.cost for o in options], searches(options, FINE), rows_by_label(options)

    def won_at(at: Floats) -> list[int]:
        return winners(by_label(rows, best_values(task, costs, ready, at)))

    names = [*rows, "constant"]
    regions = _regions(_close_budgets(options, max_usd, n_budgets), won_at, names)
    ways = [[options[i] for i in same] for same in rows.values()]
    chosen = _chosen(task, ways, won_at(budgets), budgets)
    kept = _undominated([a for a, _ in chosen])
    bands = _bands([chosen[i] for i in kept])
    points = tuple(
        FrontierPoint(budget_usd=float(budgets[i]), allocation=chosen[i][0], attained=band)
        for i, band in zip(kept, bands, strict=True)
    )
    return Frontier(
        task=task.name,
        points=points,
        regions=regions,
        switches=_switches(task, ways, regions, names, max_usd),
        infeasible=out_of_reach(options, max_usd),
    )


def pareto_front(cost: Floats, score: Floats) -> list[int]:
    """Indices of the points that no other beats on both, by rising cost; one of equals is kept.

    >>> pareto_front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.7, 0.7]))
    [0, 2]
    """
    order = np.lexsort((-score, cost))
    best, kept = -np.inf, []
    for i in order:
        if score[i] > best:
            best = score[i]
            kept.append(int(i))
    return kept


def _close_budgets(options: Sequence[Option], max_usd: float, n_budgets: int) -> Floats:
    """Nothing, then budgets from just below the cheapest plan of all on: 20 or more a tenfold."""
    low = min(max(0.9 * least_usd(options), _LEAST_USD), max_usd / 1000) if options else max_usd / 1000
    n = max(n_budgets, _REGION_BUDGETS, math.ceil(20 * math.log10(max_usd / low)))
    return np.append(0.0, np.geomspace(low, max_usd, n))


def _regions(budgets: Floats, won_at: Callable[[Floats], list[int]], names: Sequence[str]) -> tuple[Region, ...]:
    """Ranges of budgets by who wins them; where the winner changes, the budget is narrowed.

    Between two budgets several may win in turn: after each change the walk goes on from there.
    """
    won = won_at(budgets)
    starts, rows = [0.0], [won[0]]
    for low, high, last in zip(budgets[:-1], budgets[1:], won[1:], strict=True):
        if high <= _LEAST_USD and rows[-1] != last:
            starts.append(_switch(float(low), float(high), rows[-1], won_at)[0])
            rows.append(last)
        for _ in range(len(names)):  # more turns than there are names between two close budgets are noise
            if rows[-1] == last:
                break
            low, now = _switch(float(low), float(high), rows[-1], won_at)
            starts.append(low)
            rows.append(now)
    ends = [*starts[1:], float(budgets[-1])]
    return tuple(Region(from_usd=a, to_usd=b, label=names[row]) for a, b, row in zip(starts, ends, rows, strict=True))


def _switch(low: float, high: float, before: int, won_at: Callable[[Floats], list[int]]) -> tuple[float, int]:
    """Budget between two at which `before` stops winning, and who wins there."""
    winner = before
    for _ in range(_ZOOMS):
        grid = np.linspace(low, high, 17)
        won = won_at(grid)
        first = next((k for k, row in enumerate(won) if row != before), len(grid) - 1)
        low, high, winner = float(grid[max(first - 1, 0)]), float(grid[first]), won[first]
    return high, winner


def _switches(
    task: Task, ways: Sequence[Sequence[Option]], regions: Sequence[Region], names: Sequence[str], max_usd: float
) -> tuple[Switch, ...]:
    """Where one region ends and the next begins, with where that lies in worlds."""
    found = []
    for left, right in pairwise(regions):
        before, after = names.index(left.label), names.index(right.label)
        worlds = switch_spread(task, ways, before, after, right.from_usd, max_usd)
        found.append(Switch(break_even_usd=right.from_usd, before=left.label, after=right.label, worlds=worlds))
    return tuple(found)


def _chosen(
    task: Task, ways: Sequence[Sequence[Option]], won: Sequence[int], budgets: Floats
) -> list[tuple[Allocation, Floats]]:
    """The winner's allocation at each budget, and what it scores in every world."""
    n_draws = ways[0][0].surface.n_draws if ways else 1
    nothing = (constant_allocation(task), np.full(n_draws, task.constant_score))
    chosen = [nothing] * len(won)
    for row in set(won) - {len(ways)}:
        mine = [i for i, winner in enumerate(won) if winner == row]
        for i, found in zip(mine, label_path(ways[row], budgets[mine]), strict=True):
            if found is not None:
                option, allocation = found
                chosen[i] = (allocation, scores_of(option, allocation))
    return chosen


def _undominated(allocations: Sequence[Allocation]) -> list[int]:
    cost = np.array([a.cost_usd or 0.0 for a in allocations])
    return pareto_front(cost, np.array([a.score or 0.0 for a in allocations]))


def _bands(chosen: Sequence[tuple[Allocation, Floats]]) -> list[tuple[float, float, float]]:
    """Empirical attainment: the score that 95, 50 and 5 % of worlds reach at each cost or less.

    source : Grunert da Fonseca, Fonseca and Hall (2001), attainment functions; computed by moocore
    """
    import moocore  # only a frontier needs it

    cost = np.array([a.cost_usd or 0.0 for a, _ in chosen])
    scores = np.stack([draws for _, draws in chosen])[:, :_BAND_DRAWS]  # (points, draws)
    n_draws = scores.shape[1]
    sets = np.repeat(np.arange(1, n_draws + 1), len(cost))
    data = np.stack([np.tile(cost, n_draws), -scores.T.ravel()], axis=1)
    surfaces = moocore.eaf(data, sets, percentiles=list(BAND_PERCENTILES))
    columns = [_attained(surfaces[surfaces[:, 2] == p], cost) for p in reversed(BAND_PERCENTILES)]
    return [(float(a), float(b), float(c)) for a, b, c in zip(*columns, strict=True)]


def _attained(surface: Floats, cost: Floats) -> Floats:
    """Score reached at each cost or less on one attainment surface, percent."""
    order = np.argsort(surface[:, 0], kind="stable")
    costs, best = surface[order, 0], np.maximum.accumulate(-surface[order, 1])
    at = np.searchsorted(costs, cost + 1e-9, side="right") - 1
    return np.where(at >= 0, 100 * best[np.maximum(at, 0)], 0.0)

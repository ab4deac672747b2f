"""Ways to choose the next run among those logged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from budgetsim.condition import slices
from next_worlds import Beliefs, World

Floats = NDArray[np.float64]
LEAST = 0.02  # points; below, no single run is worth its money
CHANCE = 0.002  # points; below, the falls are the draws' own chance
FLOOR = 0.001  # share of the budget that a run costs at least: somebody has to start it

# world, beliefs, plans, runs left, their dollars, budget, random numbers -> place in `left`, and whether it is worth it
Policy = Callable[
    [World, Beliefs, NDArray[np.intp], Sequence[int], Floats, float, np.random.Generator], tuple[int, bool]
]


def ours(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Expected fall of regret per dollar; where no single run has any, the fall of the leaders' variance."""
    scores = beliefs.draws[:, plans]
    best = scores.mean(axis=0).max()
    cells, at = np.unique(world.cell[list(left)], return_inverse=True)
    fall = np.empty(len(cells))
    for i, cell in enumerate(cells):
        cut = slices(beliefs.told(cell))
        fall[i] = cut.chance @ cut.expected(scores).max(axis=1) - best
    dollars = np.maximum(usd, FLOOR * budget)
    if fall.max() >= CHANCE:
        return int((fall[at] / dollars).argmax()), fall.max() >= LEAST
    chance = np.bincount(scores.argmax(axis=1), minlength=len(plans)) / len(scores)
    return int((_variance_falls(beliefs, cells, scores, chance)[at] / dollars).argmax()), False


def _variance_falls(beliefs: Beliefs, cells: NDArray[np.intp], scores: Floats, weight: Floats) -> Floats:
    """Fall of the average variance of the plans by a run at each cell."""
    return np.array([weight @ beliefs.told(c).slopes(scores) ** 2 for c in cells])


def v_optimal(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """The largest fall of the average predictive variance of the plans."""
    return _v(world, beliefs, plans, left, np.ones(len(left)))


def v_optimal_per_dollar(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """The largest fall of the average predictive variance per dollar."""
    return _v(world, beliefs, plans, left, np.maximum(usd, FLOOR * budget))


def _v(world, beliefs, plans, left, dollars):  # type: ignore[no-untyped-def]
    cells, at = np.unique(world.cell[list(left)], return_inverse=True)
    even = np.full(len(plans), 1 / len(plans))
    return int((_variance_falls(beliefs, cells, beliefs.draws[:, plans], even)[at] / dollars).argmax()), True


def random_order(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Any run."""
    return int(rng.integers(len(left))), True


def cheapest_first(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """The cheapest run; of equals the first."""
    return int(usd.argmin()), True


RELATED = "next, other tasks known"  # choices, too, rest on what distilling gained elsewhere
POLICIES: dict[str, Policy] = {
    "next": ours,
    RELATED: ours,
    "random": random_order,
    "cheapest": cheapest_first,
    "v-optimal": v_optimal,
    "v-optimal per dollar": v_optimal_per_dollar,
}

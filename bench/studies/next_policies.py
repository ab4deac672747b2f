"""Ways to choose the next run among those logged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from next_worlds import Beliefs, World
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats
from budgetsim.pilots.condition import slices

HEDGE = 0.3  # of 0, 0.1, 0.3 and the spread alone, tried on these very replays
LEAST = 0.02  # points; below, no single run is worth its money
CHANCE = 0.002  # points; below, the falls are the draws' own chance
ACTIVE_POWER = 0.4  # of a run's cost
FLOOR = 0.001  # share of the budget that a run costs at least: somebody has to start it

# world, beliefs, plans, runs left, their dollars, budget, random numbers -> place in `left`, and whether it is worth it
Policy = Callable[
    [World, Beliefs, NDArray[np.intp], Sequence[int], Floats, float, np.random.Generator], tuple[int, bool]
]


def ours(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Expected fall of regret per dollar, as the command ranks; where no run has any, that of the leaders' spread."""
    fall, spread = _worth(world, beliefs, plans, left)
    dollars = np.maximum(usd, FLOOR * budget)
    if fall.max() >= CHANCE:
        return int((fall / dollars).argmax()), bool(fall.max() >= LEAST)
    return int((spread**2 / dollars).argmax()), False


def hedged(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Expected fall of regret and a share of the fall of the leaders' spread, per dollar: beliefs may be wrong."""
    fall, spread = _worth(world, beliefs, plans, left)
    return int(((fall + HEDGE * spread) / np.maximum(usd, FLOOR * budget)).argmax()), bool(fall.max() >= LEAST)


def _worth(world, beliefs, plans, left):  # type: ignore[no-untyped-def]
    """For each run left: expected fall of regret, and of the spread of the plans by their chance of being best."""
    scores = beliefs.draws[:, plans]
    best = scores.mean(axis=0).max()
    chance = np.bincount(scores.argmax(axis=1), minlength=len(plans)) / len(scores)
    cells, at = np.unique(world.cell[list(left)], return_inverse=True)
    cuts = [slices(beliefs.told(cell)) for cell in cells]
    fall = np.array([cut.chance @ cut.expected(scores).max(axis=1) - best for cut in cuts])
    return fall[at], np.sqrt(_variance_falls(beliefs, cells, scores, chance))[at]


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


def active_sl(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Li et al. (2026), arXiv 2604.22753, from its description: fall of the mean squared error where money goes last.

    Over the dearest tenth of the plans, within and between explanations, which draws hold together, for cost^0.4.
    """
    dear = plans[world.usd[plans] >= np.quantile(world.usd[plans], 0.9)]
    return _v(world, beliefs, dear, left, np.maximum(usd, FLOOR * budget) ** ACTIVE_POWER)


def halving(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Rivals are followed to sizes in inverse proportion to their rank: successive halving without rounds."""
    arms = world.arm[world.cell[list(left)]]
    hope = {arm: beliefs.draws[:, plans[world.arm[plans] == arm]].mean(axis=0).max(initial=-np.inf) for arm in arms}
    rank = {arm: 1 + i for i, arm in enumerate(sorted(hope, key=hope.__getitem__, reverse=True))}
    ahead = np.array([rank[arm] for arm in arms]) * usd
    nearest = {arm: usd[arms == arm].min() for arm in hope}
    ahead = np.where(usd == np.array([nearest[arm] for arm in arms]), ahead, np.inf)
    return int(ahead.argmin()), True


def random_order(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """Any run."""
    return int(rng.integers(len(left))), True


def cheapest_first(world, beliefs, plans, left, usd, budget, rng):  # type: ignore[no-untyped-def]
    """The cheapest run; of equals the first."""
    return int(usd.argmin()), True


HEDGED = "next, hedged"
ALONE = ("next, task alone", "random, task alone")  # choices, too, rest on no other task
POLICIES: dict[str, Policy] = {
    "next": ours,
    HEDGED: hedged,
    ALONE[0]: ours,
    ALONE[1]: random_order,
    "random": random_order,
    "cheapest": cheapest_first,
    "v-optimal": v_optimal,
    "v-optimal per dollar": v_optimal_per_dollar,
    "active-sl": active_sl,
    "halving": halving,
}

"""The expansion path: how one option's best allocation moves as the budget grows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.choosing.allocate import FINE, Search, prepare
from budgetsim.choosing.options import Allocation, Option, allocation_at
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.stages import COMPUTE_STAGES

NOTHING = -1.0  # below every score: what a budget scores that buys nothing


def expansion_path(task: Task, option: Option, budgets: ArrayLike) -> list[Allocation | None]:
    """The allocation with the highest mean score at each budget; None where a budget buys nothing.

    budgets : (n,), US dollars
    source : the tangency points of isocost lines and indifference curves, as in any text on production
    """
    best = _search(option).best(option.cost, budgets)
    return [
        allocation_at(task, option, counts) if feasible else None
        for counts, feasible in zip(best.counts, best.feasible, strict=True)
    ]


def path_scores(option: Option, budgets: ArrayLike) -> Floats:
    """What the expansion path scores in every world: (n_draws, n), fractions; `NOTHING` where it buys nothing.

    The plan at each budget is the one chosen by mean score, the same in every world.
    """
    return plan_scores(option, _search(option).best(option.cost, budgets).counts)


def path_deviations(option: Option, budgets: ArrayLike) -> Floats:
    """What one new run of each plan of the expansion path deviates from its mean in every world: (n_draws, n)."""
    counts = _search(option).best(option.cost, budgets).counts
    return option.surface.deviations(np.where(np.isfinite(counts), counts, 1.0))


def better_scores(scores: Sequence[Floats]) -> Floats:
    """Of the options of one route, each (n_draws, n), the one with the highest mean in each column: (n_draws, n)."""
    if len(scores) == 1:
        return scores[0]
    stacked = np.stack(scores)
    best = stacked.mean(axis=1).argmax(axis=0)
    out: Floats = np.take_along_axis(stacked, best[None, None, :], axis=0)[0]
    return out


def plan_scores(option: Option, counts: Floats) -> Floats:
    """What plans (n, n_inputs) score in every world, (n_draws, n); a plan of NaN scores `NOTHING`."""
    feasible = np.isfinite(counts[:, 0])  # a plan is NaN in all its inputs or in none
    return np.where(feasible, option.surface.at(np.where(feasible[:, None], counts, 1.0)), NOTHING)


def compute_usd(allocation: Allocation) -> float:
    """Dollars of an allocation that pay for compute."""
    return float(sum(allocation.costs.get(stage, 0.0) for stage in COMPUTE_STAGES))


def compute_share(allocation: Allocation) -> float | None:
    """Share of an allocation's cost that pays for compute, 0 to 1; None where it costs nothing."""
    return compute_usd(allocation) / allocation.cost_usd if allocation.cost_usd else None


def _search(option: Option) -> Search:
    return prepare(option.surface, option.surface.mean_table(), option.cost, FINE)

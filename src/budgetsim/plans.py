"""The plan a budget buys in short: which option is best, how it splits the money, how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from budgetsim.allocate import FINE
from budgetsim.expansion import plan_scores
from budgetsim.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.simulate import chance_of_best
from budgetsim.tasks import Task
from budgetsim.winners import best_values, searches, winners


def best_plan(task: Task, options: Sequence[Option], budget_usd: float) -> Allocation:
    """The allocation with the highest mean score, with its chance of being the best of all options.

    The constant answer is an option, and wins ties: it is free.
    """
    ready = searches(options, FINE)
    chosen = [search.best(o.cost, [budget_usd]) for search, o in zip(ready, options, strict=True)]
    row = winners(best_values(task, [o.cost for o in options], ready, [budget_usd]))[0]
    scores = [plan_scores(o, c.counts) for o, c in zip(options, chosen, strict=True)]
    n_draws = len(scores[0]) if scores else 1
    table = np.concatenate([*scores, np.full((n_draws, 1), task.constant_score)], axis=1)
    best = allocation_at(options[row], chosen[row].counts[0]) if row < len(options) else constant_allocation(task)
    return replace(best, p_best=float(chance_of_best(table)[row]))

"""The plan a budget buys in short: which option is best, how it splits the money, how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from budgetsim.choosing.allocate import FINE, Choice
from budgetsim.choosing.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.choosing.simulate import chance_of_best
from budgetsim.choosing.winners import better_of_a_label, recommended, searches
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.economics.expansion import plan_scores


def best_plan(task: Task, options: Sequence[Option], budget_usd: float) -> Allocation:
    """The plan that `optimize` recommends, with its chance of being the best of all options.

    It has the highest mean score, or is cheaper or simpler and worse by a hair; the constant answer is an option.
    """
    found = [s.best(o.cost, [budget_usd]) for o, s in zip(options, searches(options, FINE), strict=True)]
    chosen = [(options[i], found[i]) for i in better_of_a_label(options, found)]
    bought = [(o, c) for o, c in chosen if c.feasible[0]]
    plans = [*(allocation_at(o, c.counts[0]) for o, c in bought), constant_allocation(task)]
    worths = [(p.score or 0.0) / 100 for p in plans]
    row = recommended(worths, [p.cost_usd or 0.0 for p in plans], [p.kinds for p in plans])
    return replace(plans[row], p_best=float(chance_of_best(_scores(task, bought))[row]))


def _scores(task: Task, bought: Sequence[tuple[Option, Choice]]) -> Floats:
    """Scores in every world: (n_draws, plans), the constant answer last."""
    columns = [plan_scores(o, c.counts) for o, c in bought]
    n_draws = len(columns[0]) if columns else 1
    return np.concatenate([*columns, np.full((n_draws, 1), task.constant_score)], axis=1)

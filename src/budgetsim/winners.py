"""Which option wins at each of many budgets and prices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.allocate import EASY, Search, prepare
from budgetsim.costs import CostModel
from budgetsim.options import Option
from budgetsim.surface import Floats
from budgetsim.tasks import Task


def best_values(task: Task, costs: Sequence[CostModel], searches: Sequence[Search], budgets: ArrayLike) -> Floats:
    """Best mean score of each option and of the constant answer (last row) at each budget.

    budgets : (n_budgets,), US dollars
    returns : (n_options + 1, n_budgets), fractions; -inf where an option is not affordable
    """
    rows = [search.best(cost, budgets).value for cost, search in zip(costs, searches, strict=True)]
    return np.stack([*rows, np.full(np.size(budgets), task.constant_score)])


def searches(options: Sequence[Option], fine: int = EASY) -> list[Search]:
    """The tables of mean scores of some options, made ready."""
    return [prepare(o.surface, o.surface.mean_table(), o.cost, fine) for o in options]


def winners(values: Floats) -> list[int]:
    """Row with the highest value in each column; the last (the constant answer) wins ties: it is free.

    >>> winners(np.array([[0.5, 0.6], [0.5, 0.5]]))
    [1, 0]
    """
    best = values.argmax(axis=0)
    return [int(i) for i in np.where(values[-1] >= values.max(axis=0), len(values) - 1, best)]

"""Which option wins at each of many budgets and prices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.choosing.allocate import EASY, Search, prepare
from budgetsim.choosing.options import Option
from budgetsim.costs import CostModel
from budgetsim.surface import Floats
from budgetsim.tasks import Task

HAIR = 0.001  # a tenth of a point: no advantage that anybody could measure


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


def winners(values: Floats, now: int | None = None) -> list[int]:
    """Row with the highest value in each column; none wins by a hair.

    The last row (the constant answer) is free: it wins unless it is beaten by `HAIR` or more.
    now : a row that stands until another is better than it by so much

    >>> winners(np.array([[0.5, 0.6], [0.5, 0.5]]))
    [1, 0]
    >>> winners(np.array([[0.6, 0.6], [0.6005, 0.602], [0.5, 0.5]]), now=0)
    [0, 1]
    """
    best, top = values.argmax(axis=0), values.max(axis=0)
    if now is not None:
        best = np.where(values[now] > top - HAIR, now, best)
    return [int(i) for i in np.where(values[-1] > top - HAIR, len(values) - 1, best)]

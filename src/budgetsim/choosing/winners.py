"""Which option wins at each of many budgets and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.choosing.allocate import EASY, Search, prepare
from budgetsim.choosing.options import Option
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route

HAIR = 0.001  # a tenth of a point: no advantage that anybody could measure


def best_values(task: Task, costs: Sequence[CostModel], searches: Sequence[Search], budgets: ArrayLike) -> Floats:
    """Best score of each option and of the constant answer (last row) at each budget, as the tables tell it.

    budgets : (n_budgets,), US dollars
    returns : (n_options + 1, ..., n_budgets), fractions; -inf where an option is not affordable. In between stand
        the worlds or slices of the tables, all of one shape; none where the tables are of means
    """
    rows = [search.best(cost, budgets).value for cost, search in zip(costs, searches, strict=True)]
    shape = rows[0].shape if rows else (np.size(budgets),)
    return np.stack([*rows, np.full(shape, task.constant_score)])


def searches(options: Sequence[Option], fine: int = EASY) -> list[Search]:
    """The tables of mean scores of some options, made ready."""
    return [prepare(o.surface, o.surface.mean_table(), o.cost, fine) for o in options]


def rows_by_route(options: Sequence[Option]) -> dict[Route, list[int]]:
    """Rows of the options by route: two where a teacher is owned, which is used as it is or left aside."""
    rows: dict[Route, list[int]] = {}
    for i, option in enumerate(options):
        rows.setdefault(option.route, []).append(i)
    return rows


def by_route(rows: Mapping[Route, Sequence[int]], values: Floats) -> Floats:
    """Values (options + 1, ...) of `best_values` with one row a route, the best of its options; the last row stays.

    rows : of `rows_by_route`

    >>> rows = {Route(strategy="annotate", student="a"): [0, 2], Route(strategy="annotate", student="b"): [1]}
    >>> by_route(rows, np.array([[0.1], [0.2], [0.3], [0.0]])).ravel().tolist()
    [0.3, 0.2, 0.0]
    """
    if len(rows) == len(values) - 1:
        return values
    return np.stack([*(values[list(same)].max(axis=0) for same in rows.values()), values[-1]])


def winners(values: Floats, now: int | Sequence[int] | None = None) -> list[int]:
    """Row with the highest value in each column; none wins by a hair.

    The last row (the constant answer) is free: it wins unless it is beaten by `HAIR` or more.
    now : a row, or one for each column, that stands until another is better than it by so much

    >>> winners(np.array([[0.5, 0.6], [0.5, 0.5]]))
    [1, 0]
    >>> winners(np.array([[0.6, 0.6], [0.6005, 0.602], [0.5, 0.5]]), now=0)
    [0, 1]
    >>> winners(np.array([[0.6, 0.6], [0.6005, 0.5995], [0.5, 0.5]]), now=[1, 1])
    [1, 1]
    """
    best, top = values.argmax(axis=0), values.max(axis=0)
    if now is not None:
        standing = values[now, np.arange(values.shape[1])]
        best = np.where(standing > top - HAIR, now, best)
    return [int(i) for i in np.where(values[-1] > top - HAIR, len(values) - 1, best)]

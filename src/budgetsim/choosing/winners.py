"""Which option wins at each of many budgets and prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.choosing.allocate import EASY, Choice, Search, prepare
from budgetsim.choosing.options import Option
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats

HAIR = 0.001  # a tenth of a point: no advantage that anybody could measure
CHEAPER = 0.99  # a plan is cheaper where it saves at least one percent


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


def recommended(worths: Sequence[float], costs_usd: Sequence[float], kinds: Sequence[int] = ()) -> int:
    """The plan worth most, or one that is worse by less than anybody can measure and cheaper, or else simpler.

    worths : fractions, higher is better; -inf for what cannot be bought
    costs_usd : US dollars; of equals the cheaper is taken, then the first
    kinds : how many kinds of thing a plan buys; for the same money fewer are simpler. None: all alike

    >>> recommended([0.6, 0.5995, 0.5985], [100.0, 50.0, 10.0])
    1
    >>> recommended([0.6, 0.5995, 0.5985], [100.0, 100.0, 100.0], [2, 1, 0])
    1
    """
    top = max(range(len(worths)), key=lambda i: (worths[i], -costs_usd[i]))
    near = [i for i, worth in enumerate(worths) if worth > worths[top] - HAIR]
    cheaper = [i for i in near if costs_usd[i] < CHEAPER * costs_usd[top]]
    if cheaper:
        return min(cheaper, key=lambda i: costs_usd[i])
    simpler = [i for i in near if kinds and kinds[i] < kinds[top] and CHEAPER * costs_usd[i] <= costs_usd[top]]
    return min(simpler, key=lambda i: (kinds[i], -worths[i]), default=top)


def rows_by_label(options: Sequence[Option]) -> dict[str, list[int]]:
    """Rows of the options by label: two where a teacher is owned, which is used as it is or left aside."""
    rows: dict[str, list[int]] = {}
    for i, option in enumerate(options):
        rows.setdefault(option.label, []).append(i)
    return rows


def by_label(rows: Mapping[str, Sequence[int]], values: Floats) -> Floats:
    """Values (options + 1, ...) of `best_values` with one row a label, the better of its ways; the last row stays.

    rows : of `rows_by_label`

    >>> by_label({"a": [0, 2], "b": [1]}, np.array([[0.1], [0.2], [0.3], [0.0]])).ravel().tolist()
    [0.3, 0.2, 0.0]
    """
    if len(rows) == len(values) - 1:
        return values
    return np.stack([*(values[list(same)].max(axis=0) for same in rows.values()), values[-1]])


def better_of_a_label(options: Sequence[Option], found: Sequence[Choice]) -> list[int]:
    """Rows of the options, of those with the same label only the one to recommend: a teacher as it is owned, or anew.

    found : what one budget buys, of each option
    """
    rows = rows_by_label(options).values()
    return [same[0] if len(same) == 1 else same[_better(options, found, same)] for same in rows]


def _better(options: Sequence[Option], found: Sequence[Choice], rows: Sequence[int]) -> int:
    costs = [
        float(options[i].cost.total(options[i].named(found[i].counts[0]))) if found[i].feasible[0] else math.inf
        for i in rows
    ]
    return recommended([float(found[i].value[0]) for i in rows], costs)


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

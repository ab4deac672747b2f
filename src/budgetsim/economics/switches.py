"""Budgets at which the best strategy changes, as intervals over worlds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.choosing.cheapest import least_usd
from budgetsim.choosing.options import Option
from budgetsim.choosing.winners import HAIR
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route
from budgetsim.design.strategies import CONSTANT
from budgetsim.economics.crossings import LEAD, Spread, overtaking, spread
from budgetsim.economics.expansion import better_scores, path_scores

_STEPS = 161  # budgets at which worlds are looked at
_LEAST_USD = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A budget at which the best strategy changes, and where that lies in worlds."""

    break_even_usd: float  # where the recommendation changes
    before: Route
    after: Route
    worlds: Spread  # of the break-even budget, up to the largest budget looked at


def break_even_usd(budgets: Floats, before: Floats, after: Floats, near: float) -> Floats:
    """The budget at which one strategy's best score overtakes another's, in each world.

    budgets : (n,), ascending US dollars; before, after : (worlds, n), scores along their expansion paths
    near : US dollars; of several overtakings the nearest counts, and only after the other led over a
        doubling of the budget, or from the start
    returns : (worlds,), US dollars; NaN where it does not happen

    >>> money = np.array([1.0, 100.0])
    >>> break_even_usd(money, np.array([[0.5, 0.5]]), np.array([[0.4, 0.6]]), near=10.0).round(6)
    array([10.])
    """
    return overtaking(budgets, after - before, near, lead=LEAD)


def switch_spread(
    task: Task, options: Sequence[Option], before: Route, after: Route, near: float, max_usd: float
) -> Spread:
    """Where a switch of the means lies in worlds.

    near : budget of the switch of the means; max_usd : largest budget looked at
    """
    low = min(max(0.9 * least_usd(options), _LEAST_USD), max_usd / 1000)  # where nothing can be bought yet
    budgets = np.geomspace(low, max_usd, max(_STEPS, math.ceil(40 * math.log10(max_usd / low))))
    old, new = (_scores(task, options, route, budgets) for route in (before, after))
    if before.kind is CONSTANT:
        old = old + HAIR  # as for the means: the constant answer, being free, is not beaten by a hair
    return spread(break_even_usd(budgets, old, new, near))


def _scores(task: Task, options: Sequence[Option], route: Route, budgets: Floats) -> Floats:
    if route.kind is CONSTANT:
        return np.full((options[0].surface.n_draws, len(budgets)), task.constant_score)
    return better_scores([path_scores(option, budgets) for option in options if option.route == route])

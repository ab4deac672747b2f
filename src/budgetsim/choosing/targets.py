"""The cheapest budget that is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.choosing.allocate import Search
from budgetsim.choosing.cheapest import FINEST, cheapest, least_usd
from budgetsim.choosing.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.choosing.winners import best_values
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route

STOP_WITHIN: Final = 0.01  # "stop here": the cheapest budget within one point of the best
MOST_OF_IT: Final = 0.95  # a plan that costs as much is no saving worth a word
QUICK: Final = (20, 12)  # budgets that are looked at where only the route is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class StopHere:
    """The cheapest budget within a point of the best score that the asked budget reaches.

    budget_usd : US dollars
    score : percent points of what was chosen for: the expected score, or its quantile over worlds
    plan : what it buys
    """

    budget_usd: float
    score: float
    plan: Allocation

    @property
    def route(self) -> Route:
        """Strategy and models of the plan."""
        return self.plan.route


def stop_here(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, best: Allocation
) -> StopHere | None:
    """The cheapest budget up to the best plan's cost whose best is within a point; scores as those of `ready`."""
    if budget_usd <= 0 or not options:
        return None
    found = stop_row(task, options, ready, best.cost_usd or budget_usd)  # the constant answer costs nothing
    if found is None:
        return None
    row, usd = found
    if row == len(options):
        return StopHere(budget_usd=0.0, score=100 * task.constant_score, plan=constant_allocation(task))
    bought = ready[row].best(options[row].cost, [usd])
    plan = allocation_at(task, options[row], bought.counts[0])
    return StopHere(budget_usd=plan.cost_usd, score=100 * float(bought.value[0]), plan=plan)


def stop_row(
    task: Task,
    options: Sequence[Option],
    ready: Sequence[Search],
    top_usd: float,
    top: float | None = None,
    grids: Sequence[int] = FINEST,
) -> tuple[int, float] | None:
    """The option of the cheapest budget that is within a point of what `top_usd` buys, and what its plan costs.

    top : what `top_usd` buys, a fraction, where that is known
    grids : as of `cheapest`
    returns : the number of options stands for the constant answer
    """
    costs, seen = [o.cost for o in options], dict[float, Floats]()
    aim = (float(best_values(task, costs, ready, [top_usd]).max()) if top is None else top) - STOP_WITHIN
    if task.constant_score >= aim:
        return len(options), 0.0

    def is_enough(usd: Floats) -> NDArray[np.bool_]:
        values = best_values(task, costs, ready, usd)
        seen.update(zip(usd.tolist(), values.T, strict=True))
        return np.asarray(values.max(axis=0) >= aim)

    enough = cheapest(is_enough, least_usd(options), top_usd, grids)
    if enough is None:
        return None
    row = int(seen[enough][:-1].argmax())
    return row, option_usd(options[row], ready[row].best(costs[row], [enough]).counts[0])


def option_usd(option: Option, counts: Floats) -> float:
    """What a plan of an option costs; counts in the order of its inputs."""
    return float(option.cost.total(dict(zip(option.surface.inputs, counts, strict=True))))

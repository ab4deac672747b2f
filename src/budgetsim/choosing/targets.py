"""The cheapest budget that is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budgetsim.choosing.allocate import Search
from budgetsim.choosing.cheapest import cheapest, least_usd
from budgetsim.choosing.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.choosing.winners import best_values
from budgetsim.data.tasks import Task
from budgetsim.design.points import Route

STOP_WITHIN = 0.01  # "stop here": the cheapest budget within one point of the best


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
    costs = [o.cost for o in options]
    top = best.cost_usd or budget_usd  # the constant answer costs nothing
    aim = float(best_values(task, costs, ready, [top]).max()) - STOP_WITHIN
    if task.constant_score >= aim:
        return StopHere(budget_usd=0.0, score=100 * task.constant_score, plan=constant_allocation(task))
    usd_enough = cheapest(lambda usd: best_values(task, costs, ready, usd).max(axis=0) >= aim, least_usd(options), top)
    if usd_enough is None:
        return None
    values = best_values(task, costs, ready, [usd_enough])[:, 0]
    row = int(values.argmax())
    plan = allocation_at(task, options[row], ready[row].best(costs[row], [usd_enough]).counts[0])
    return StopHere(budget_usd=plan.cost_usd, score=100 * float(values[row]), plan=plan)

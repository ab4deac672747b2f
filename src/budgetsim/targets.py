"""The cheapest budget that is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.allocate import Search
from budgetsim.options import Allocation, Option, allocation_at
from budgetsim.tasks import Task
from budgetsim.winners import best_values

STOP_WITHIN = 0.01  # "stop here": the cheapest budget within one point of the best


@dataclass(frozen=True, slots=True, kw_only=True)
class StopHere:
    """The cheapest budget within a point of the best score that the asked budget reaches."""

    budget_usd: float
    score: float
    label: str


def stop_here(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, best: Allocation
) -> StopHere | None:
    """Search a geometric grid of budgets up to the best plan's cost, then the gap in which the aim is first reached."""
    if budget_usd <= 0 or not options:
        return None
    costs = [o.cost for o in options]
    cheapest = min(float(o.cost.total(dict.fromkeys(o.surface.inputs, 1.0))) for o in options)
    top = best.cost_usd or budget_usd
    grid = np.geomspace(min(max(cheapest, top / 1e6), top), top, 61)
    values = best_values(task, costs, ready, grid)
    aim = values[:, -1].max() - STOP_WITHIN
    if task.constant_score >= aim:
        return StopHere(budget_usd=0.0, score=100 * task.constant_score, label="constant")
    first = int(np.argmax(values.max(axis=0) >= aim))
    gap = np.geomspace(grid[max(first - 1, 0)], grid[first], 17)
    values = best_values(task, costs, ready, gap)
    first = int(np.argmax(values.max(axis=0) >= aim))
    row = int(values[:, first].argmax())
    a = allocation_at(options[row], ready[row].best(costs[row], [gap[first]]).counts[0])
    return StopHere(budget_usd=float(a.cost_usd or 0.0), score=float(a.score or 0.0), label=a.label)

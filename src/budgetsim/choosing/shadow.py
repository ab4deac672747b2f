"""What the next hundred dollars are worth, and the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budgetsim.choosing.allocate import Search
from budgetsim.choosing.options import Option
from budgetsim.choosing.winners import best_values
from budgetsim.data.tasks import Task

STEP_USD = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPrice:
    """What the best plan gains with `step_usd` more, and loses with so much less; neither is below zero.

    step_usd : US dollars
    gain, loss : percent points of what was chosen for: the expected score, or its quantile over worlds
    """

    step_usd: float
    gain: float
    loss: float


def shadow_price(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, step_usd: float = STEP_USD
) -> ShadowPrice:
    """The best value at a step more and a step less (at zero dollars, where the budget is smaller than a step)."""
    budgets = [max(budget_usd - step_usd, 0.0), budget_usd, budget_usd + step_usd]
    less, now, more = best_values(task, [o.cost for o in options], ready, budgets).max(axis=0).tolist()
    return ShadowPrice(step_usd=step_usd, gain=100 * (more - now), loss=100 * (now - less))

"""Which assumption matters: the best plan's score at the low and the high end of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budgetsim.choosing.options import Allocation, Option
from budgetsim.choosing.recommend import best_plan
from budgetsim.data.tasks import Task
from budgetsim.economics.levers import POOLED, Lever, with_pool

PLAUSIBLE_TEXT_USD = 0.01  # an assumption: what a free text may cost once it is bought and cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One number at two ends: words for each, and the options and budget it leaves."""

    name: str
    unit: str
    low: float
    high: float
    at_low: tuple[Sequence[Option], float]
    at_high: tuple[Sequence[Option], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """The best plan at both ends of one assumption."""

    name: str
    unit: str
    low: float
    high: float
    at_low: Allocation
    at_high: Allocation

    @property
    def points(self) -> float:
        """How far apart the expected scores are, percent points."""
        return abs(self.at_high.score - self.at_low.score)


def tornado(task: Task, assumptions: Sequence[Assumption]) -> list[Swing]:
    """Plan again at both ends of each assumption; the widest swing of the score first."""
    swings = [
        Swing(
            name=a.name,
            unit=a.unit,
            low=a.low,
            high=a.high,
            at_low=best_plan(task, *a.at_low),
            at_high=best_plan(task, *a.at_high),
        )
        for a in assumptions
    ]
    return sorted(swings, key=lambda s: -s.points)


def money_assumptions(options: Sequence[Option], levers: Sequence[Lever], budget_usd: float) -> list[Assumption]:
    """Each price and the budget halved and doubled, and the pool; a free text at 0 and `PLAUSIBLE_TEXT_USD`.

    Whatever else is free is left out: nothing says what it may cost.
    """
    assumptions = [
        Assumption(
            name="budget",
            unit="in all",
            low=budget_usd / 2,
            high=budget_usd * 2,
            at_low=(options, budget_usd / 2),
            at_high=(options, budget_usd * 2),
        )
    ]
    for lever in levers:
        if not lever.now_usd and lever.name != "texts":
            continue
        low, high = (lever.now_usd / 2, lever.now_usd * 2) if lever.now_usd else (0.0, PLAUSIBLE_TEXT_USD)
        assumptions.append(
            Assumption(
                name=lever.name,
                unit=lever.unit,
                low=low,
                high=high,
                at_low=(lever.repriced(options, low), budget_usd),
                at_high=(lever.repriced(options, high), budget_usd),
            )
        )
    sizes = {n for o in options for name, n in o.cost.limits.items() if name in POOLED}
    if sizes:
        size = max(sizes)
        assumptions.append(
            Assumption(
                name="pool",
                unit="texts",
                low=size / 2,
                high=size * 2,
                at_low=(with_pool(options, 0.5), budget_usd),
                at_high=(with_pool(options, 2.0), budget_usd),
            )
        )
    return assumptions

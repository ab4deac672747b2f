"""Prices at which another option would be recommended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budgetsim.choosing.allocate import Search
from budgetsim.choosing.bisect import first_change
from budgetsim.choosing.options import Allocation, Option
from budgetsim.choosing.winners import best_values, by_label, rows_by_label, winners
from budgetsim.data.tasks import Task
from budgetsim.design.stages import COMPUTE_STAGES, LABEL_STAGES, LLM_LABELS

_FACTORS = (1.0, 4.0, 32.0)  # price changes that are tried
FURTHEST = int(_FACTORS[-1])
_CLOSE = 1.02  # the price is known to 2 %
PRICED_STAGES = {"labels": LABEL_STAGES, "LLM": (LLM_LABELS,), "compute": COMPUTE_STAGES}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """A price at which another option would be recommended."""

    price: str  # a key of PRICED_STAGES
    factor: float  # of the card's price
    instead: str  # label of the option then best


def prices_met(options: Sequence[Option]) -> tuple[str, ...]:
    """The keys of `PRICED_STAGES` that cost any option anything; a price of zero has nothing to multiply."""
    return tuple(price for price, stages in PRICED_STAGES.items() if any(o.cost.has(stages) for o in options))


def price_changes(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, best: Allocation
) -> tuple[PriceChange, ...]:
    """For each price, up and down: the nearest at which another option is best."""
    rows = rows_by_label(options)
    names = [*rows, "constant"]
    now = names.index(best.label)
    at_card = best_values(task, [o.cost for o in options], ready, [budget_usd])
    found = []
    for price in prices_met(options):
        stages = PRICED_STAGES[price]
        for up in (True, False):

            def winner(factor: float, stages: tuple[str, ...] = stages, up: bool = up) -> str:
                values = at_card.copy()
                for i in (i for i, o in enumerate(options) if o.cost.has(stages)):
                    cost = options[i].cost.scaled(stages, factor if up else 1 / factor)
                    values[i] = ready[i].best(cost, [budget_usd]).value
                return names[winners(by_label(rows, values), now)[0]]

            change = first_change(winner, best.label, _FACTORS, _CLOSE)
            if change is not None:
                factor, instead = change
                found.append(PriceChange(price=price, factor=factor if up else 1 / factor, instead=instead))
    return tuple(found)

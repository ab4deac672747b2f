"""Prices at which another route would be advised, or recommended for the whole budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from budgetsim.choosing.allocate import BestInputs, Search
from budgetsim.choosing.bisect import first_change
from budgetsim.choosing.options import Option
from budgetsim.choosing.recommend import chosen_options
from budgetsim.choosing.targets import MOST_OF_IT, QUICK, option_usd, stop_row
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.points import CONSTANT_ROUTE, Route
from budgetsim.design.stages import COMPUTE_STAGES, LABEL_STAGES, LLM_LABELS

_FACTORS = (1.0, 4.0, 32.0)  # price changes that are tried
FURTHEST = int(_FACTORS[-1])
_CLOSE = 1.02  # the price is known to 2 %
PRICED_STAGES: Final = {"labels": LABEL_STAGES, "LLM": (LLM_LABELS,), "compute": COMPUTE_STAGES}
Costs = Sequence[CostModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """A price at which another route would be advised."""

    price: str  # a key of PRICED_STAGES
    factor: float  # of the card's price
    instead: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCosts:
    """What would be bought for a budget if things cost otherwise, by the rules of `optimize`.

    ready : the options' tables, made ready
    at_card : of each option the best inputs at the card's prices
    """

    task: Task
    options: Sequence[Option]
    ready: Sequence[Search]
    budget_usd: float
    at_card: Sequence[BestInputs]

    @classmethod
    def of(cls, task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float) -> OtherCosts:
        """What may be asked of some options at a budget."""
        at_card = [search.best(o.cost, [budget_usd]) for search, o in zip(ready, options, strict=True)]
        return cls(task=task, options=options, ready=ready, budget_usd=budget_usd, at_card=at_card)

    def recommended(self, costs: Costs) -> Route:
        """The route recommended for the whole budget, under costs of each option."""
        options, _, row = self._choose(costs)
        return CONSTANT_ROUTE if row == len(options) else options[row].route

    def advised(self, costs: Costs) -> Route:
        """The route advised: of the cheapest plan within a point of the best, where that saves money."""
        options, bests, row = self._choose(costs)
        if row == len(options):
            return CONSTANT_ROUTE
        usd = option_usd(options[row], bests[row].counts[0])
        found = stop_row(self.task, options, self.ready, usd, float(bests[row].value[0]), QUICK)
        if found is None:
            return options[row].route
        stop, spent = found
        if stop == len(options):
            return CONSTANT_ROUTE
        return options[stop if spent < MOST_OF_IT * usd else row].route

    def _choose(self, costs: Costs) -> tuple[list[Option], list[BestInputs], int]:
        """The options at other costs, what the budget buys of each, and the row of the one to recommend."""
        options = [o if c is o.cost else replace(o, cost=c) for o, c in zip(self.options, costs, strict=True)]
        bests = [
            at_card if c is o.cost else search.best(c, [self.budget_usd])
            for o, c, search, at_card in zip(self.options, costs, self.ready, self.at_card, strict=True)
        ]
        return options, bests, chosen_options(self.task, options, bests, 1)[0]


def prices_above_zero(options: Sequence[Option]) -> tuple[str, ...]:
    """The keys of `PRICED_STAGES` that cost any option anything; a price of zero has nothing to multiply."""
    return tuple(price for price, stages in PRICED_STAGES.items() if any(o.cost.has(stages) for o in options))


def price_changes(other: OtherCosts) -> tuple[PriceChange, ...]:
    """For each price, up and down: the nearest at which another route is advised."""
    now = other.advised([o.cost for o in other.options])
    changes = []
    for price in prices_above_zero(other.options):
        costs_at = _scaled(other.options, PRICED_STAGES[price])
        for up in (True, False):
            factors = [factor if up else 1 / factor for factor in _FACTORS]
            change = first_change(partial(_advised, other, costs_at), now, factors, _CLOSE)
            if change is not None:
                changes.append(PriceChange(price=price, factor=change[0], instead=change[1]))
    return tuple(changes)


def _advised(other: OtherCosts, costs_at: Callable[[float], Costs], factor: float) -> Route:
    return other.advised(costs_at(factor))


def _scaled(options: Sequence[Option], stages: tuple[str, ...]) -> Callable[[float], list[CostModel]]:
    """Costs of the options with some stages dearer or cheaper by a factor."""
    return lambda factor: [o.cost.scaled(stages, factor) if o.cost.has(stages) else o.cost for o in options]

"""Prices at which another route would be recommended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from budgetsim.choosing.allocate import Search
from budgetsim.choosing.bisect import first_change
from budgetsim.choosing.options import Option
from budgetsim.choosing.winners import best_values, by_route, rows_by_route, winners
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import CONSTANT_ROUTE, Route
from budgetsim.design.stages import COMPUTE_STAGES, LABEL_STAGES, LLM_LABELS

_FACTORS = (1.0, 4.0, 32.0)  # price changes that are tried
FURTHEST = int(_FACTORS[-1])
_CLOSE = 1.02  # the price is known to 2 %
PRICED_STAGES = {"labels": LABEL_STAGES, "LLM": (LLM_LABELS,), "compute": COMPUTE_STAGES}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """A price at which another route would be recommended."""

    price: str  # a key of PRICED_STAGES
    factor: float  # of the card's price
    instead: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChoice:
    """A route chosen for a budget: it stands until other prices make another better by a hair.

    ready : the options' tables, made ready
    at_card : values at the card's prices, as of `best_values`
    """

    task: Task
    options: Sequence[Option]
    ready: Sequence[Search]
    budget_usd: float
    route: Route
    at_card: Floats

    @classmethod
    def of(
        cls, task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, route: Route
    ) -> StandingChoice:
        """The choice of a route at the card's prices."""
        at_card = best_values(task, [o.cost for o in options], ready, [budget_usd])
        return cls(task=task, options=options, ready=ready, budget_usd=budget_usd, route=route, at_card=at_card)

    def winner(self, costs: Sequence[CostModel]) -> Route:
        """The route that wins under other costs, one for each option."""
        values = self.at_card.copy()
        for i, (option, cost) in enumerate(zip(self.options, costs, strict=True)):
            if cost is not option.cost:
                values[i] = self.ready[i].best(cost, [self.budget_usd]).value
        rows = rows_by_route(self.options)
        routes = [*rows, CONSTANT_ROUTE]
        return routes[winners(by_route(rows, values), routes.index(self.route))[0]]

    def first_other(
        self,
        costs_at: Callable[[float], Sequence[CostModel]],
        prices: Sequence[float],
        close: float,
        least: float = 0.0,
    ) -> tuple[float, Route] | None:
        """The first price on a walk at which another route wins, and which; None where none does.

        costs_at : costs of each option at a price
        prices, close, least : as of `first_change`
        """
        return first_change(lambda price: self.winner(costs_at(price)), self.route, prices, close, least)


def prices_above_zero(options: Sequence[Option]) -> tuple[str, ...]:
    """The keys of `PRICED_STAGES` that cost any option anything; a price of zero has nothing to multiply."""
    return tuple(price for price, stages in PRICED_STAGES.items() if any(o.cost.has(stages) for o in options))


def price_changes(choice: StandingChoice) -> tuple[PriceChange, ...]:
    """For each price, up and down: the nearest at which another route is best."""
    changes = []
    for price in prices_above_zero(choice.options):
        for up in (True, False):
            factors = [factor if up else 1 / factor for factor in _FACTORS]
            change = choice.first_other(_scaled(choice.options, PRICED_STAGES[price]), factors, _CLOSE)
            if change is not None:
                changes.append(PriceChange(price=price, factor=change[0], instead=change[1]))
    return tuple(changes)


def _scaled(options: Sequence[Option], stages: tuple[str, ...]) -> Callable[[float], list[CostModel]]:
    """Costs of the options with some stages dearer or cheaper by a factor."""
    return lambda factor: [o.cost.scaled(stages, factor) if o.cost.has(stages) else o.cost for o in options]

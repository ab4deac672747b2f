"""Break-even prices: where a price makes another strategy the best buy, in the mean and over worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.choosing.allocate import FINE, Search
from budgetsim.choosing.bisect import first_change
from budgetsim.choosing.breakeven import OtherCosts
from budgetsim.choosing.options import Option
from budgetsim.choosing.winners import HAIR, searches
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route
from budgetsim.design.strategies import CONSTANT
from budgetsim.economics.crossings import LEAD, Spread, overtaking, spread
from budgetsim.economics.expansion import better_scores, plan_scores
from budgetsim.economics.levers import Lever

REACH = 100.0  # a price is tried from a hundredth to a hundred times the card's
FREE_TO_USD = 1.0  # a price of zero is tried up to a dollar a unit
_FREE_FROM_USD = 1e-6
_TRIED = 49  # prices from the card's to either end
_CLOSE = 1.005  # the break-even is known to half a percent
_WORLDS = 97  # prices at which worlds are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The route that wins instead from a price on, and where it overtakes the choice in worlds, at any price tried."""

    usd: float
    route: Route
    worlds: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBreak:
    """The nearest price, up or down, at which the choice changes; `instead` is None where there is none in reach."""

    price: str  # name of the lever
    unit: str
    now_usd: float
    up: bool
    limit_usd: float  # furthest price tried
    choice: Route  # recommended now
    instead: Alternative | None = None


def price_breaks(task: Task, options: Sequence[Option], levers: Sequence[Lever], budget_usd: float) -> list[PriceBreak]:
    """Every lever, down and up: where the recommended route changes at this budget.

    The rule is that of `optimize` for the whole budget, so that it recommends the other route there.
    """
    choice = OtherCosts.of(task, options, searches(options, FINE), budget_usd)
    now = choice.recommended([o.cost for o in options])
    return [_break(choice, now, lever, up) for lever in levers for up in (False, True) if up or lever.now_usd > 0]


def _break(choice: OtherCosts, now: Route, lever: Lever, up: bool) -> PriceBreak:
    prices = _prices(lever, up)

    def winner(usd: float) -> Route:
        return choice.recommended([o.cost for o in lever.repriced(choice.options, usd)])

    other = first_change(winner, now, prices, _CLOSE, _FREE_FROM_USD)
    instead = None
    if other is not None:
        usd, route = other
        instead = Alternative(usd=usd, route=route, worlds=_worlds(choice, now, lever, route, usd, up))
    return PriceBreak(
        price=lever.name,
        unit=lever.unit,
        now_usd=lever.now_usd,
        up=up,
        limit_usd=prices[-1],
        choice=now,
        instead=instead,
    )


def _worlds(choice: OtherCosts, now: Route, lever: Lever, other: Route, near: float, up: bool) -> Spread:
    """Where the other route overtakes in each world, each following its own best plan as the price moves."""
    prices = np.geomspace(*_ends(lever), _WORLDS)
    gap = _scores(choice, lever, other, prices) - _scores(choice, lever, now, prices) - HAIR
    if up:
        return spread(overtaking(prices, gap, near, lead=LEAD))
    # as the price falls: the same walked from dear to cheap
    return spread(1.0 / overtaking(1.0 / prices[::-1], gap[:, ::-1], 1.0 / near, lead=LEAD))


def _scores(choice: OtherCosts, lever: Lever, route: Route, prices: Floats) -> Floats:
    """What the best plan of a route scores in every world at each price: (n_draws, n)."""
    if route.kind is CONSTANT:
        return np.full((choice.options[0].surface.n_draws, len(prices)), choice.task.constant_score)
    return better_scores(
        [
            _option_scores(choice, lever, option, search, prices)
            for option, search in zip(choice.options, choice.ready, strict=True)
            if option.route == route
        ]
    )


def _option_scores(choice: OtherCosts, lever: Lever, option: Option, search: Search, prices: Floats) -> Floats:
    costs = [lever.repriced([option], float(usd))[0].cost for usd in prices]
    return plan_scores(option, np.concatenate([search.best(cost, [choice.budget_usd]).counts for cost in costs]))


def _ends(lever: Lever) -> tuple[float, float]:
    if lever.now_usd > 0:
        return lever.now_usd / REACH, lever.now_usd * REACH
    return _FREE_FROM_USD, FREE_TO_USD


def _prices(lever: Lever, up: bool) -> list[float]:
    """Prices from the card's to one end, in the order in which they are met."""
    low, high = _ends(lever)
    if lever.now_usd == 0:
        return [0.0, *np.geomspace(low, high, _TRIED).tolist()]
    prices: list[float] = np.geomspace(lever.now_usd, high if up else low, _TRIED).tolist()
    return prices

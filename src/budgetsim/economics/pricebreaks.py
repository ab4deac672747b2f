"""Break-even prices: where a price makes another strategy the best buy, in the mean and over worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.choosing.allocate import FINE, Search
from budgetsim.choosing.bisect import first_change
from budgetsim.choosing.options import Option
from budgetsim.choosing.winners import HAIR, best_values, by_label, rows_by_label, searches, winners
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.economics.crossings import LEAD, Spread, overtaking, spread
from budgetsim.economics.expansion import better_scores, plan_scores
from budgetsim.economics.levers import Lever
from budgetsim.economics.plans import best_plan

REACH = 100.0  # a price is tried from a hundredth to a hundred times the card's
FREE_TO_USD = 1.0  # a price of zero is tried up to a dollar a unit
_FREE_FROM_USD = 1e-6
_TRIED = 49  # prices from the card's to either end
_CLOSE = 1.005  # the break-even is known to half a percent
_WORLDS = 97  # prices at which worlds are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBreak:
    """The nearest price, up or down, at which the choice changes; `usd` is None where there is none in reach."""

    price: str  # name of the lever
    unit: str
    now_usd: float
    up: bool
    limit_usd: float  # furthest price tried
    choice: str  # label of the option now best
    usd: float | None = None
    instead: str | None = None
    worlds: Spread | None = None  # where that one overtakes the choice, over all prices tried


def price_breaks(task: Task, options: Sequence[Option], levers: Sequence[Lever], budget_usd: float) -> list[PriceBreak]:
    """Every lever, down and up: where the recommended option changes at this budget.

    The option that is best now stands until another is better by a hair (a tenth of a point).
    """
    rows = rows_by_label(options)
    now = [*rows, "constant"].index(best_plan(task, options, budget_usd).label)
    at = _Look(task, options, searches(options, FINE), budget_usd, now, rows)
    return [at.break_of(lever, up) for lever in levers for up in (False, True) if up or lever.now_usd > 0]


@dataclass(frozen=True, slots=True)
class _Look:
    task: Task
    options: Sequence[Option]
    ready: Sequence[Search]
    budget_usd: float
    now: int  # row of the recommended label
    rows: Mapping[str, Sequence[int]]  # of the options, by label

    @property
    def names(self) -> list[str]:
        return [*self.rows, "constant"]

    def break_of(self, lever: Lever, up: bool) -> PriceBreak:
        prices = _prices(lever, up)
        found = first_change(lambda usd: self.winner(lever, usd), self.now, prices, _CLOSE, _FREE_FROM_USD)
        base = PriceBreak(
            price=lever.name,
            unit=lever.unit,
            now_usd=lever.now_usd,
            up=up,
            limit_usd=prices[-1],
            choice=self.names[self.now],
        )
        if found is None:
            return base
        usd, other = found
        worlds = self.worlds(lever, other, usd, up)
        return PriceBreak(
            price=base.price, unit=base.unit, now_usd=base.now_usd, up=up, limit_usd=base.limit_usd,
            choice=base.choice, usd=usd, instead=self.names[other], worlds=worlds,
        )  # fmt: skip

    def winner(self, lever: Lever, usd: float) -> int:
        costs = [o.cost for o in lever.turned(self.options, usd)]
        values = best_values(self.task, costs, self.ready, [self.budget_usd])
        return winners(by_label(self.rows, values), self.now)[0]

    def worlds(self, lever: Lever, other: int, near: float, up: bool) -> Spread:
        """Where the other option overtakes in each world, each following its own best plan as the price moves."""
        prices = np.geomspace(*_ends(lever), _WORLDS)
        gap = self.scores(lever, other, prices) - self.scores(lever, self.now, prices) - HAIR
        if up:
            return spread(overtaking(prices, gap, near, lead=LEAD))
        # as the price falls: the same walked from dear to cheap
        return spread(1.0 / overtaking(1.0 / prices[::-1], gap[:, ::-1], 1.0 / near, lead=LEAD))

    def scores(self, lever: Lever, row: int, prices: Floats) -> Floats:
        if row == len(self.rows):
            return np.full((self.options[0].surface.n_draws, len(prices)), self.task.constant_score)
        return better_scores([self.scores_of(lever, i, prices) for i in self.rows[self.names[row]]])

    def scores_of(self, lever: Lever, i: int, prices: Floats) -> Floats:
        turned = [lever.turned([self.options[i]], float(usd))[0].cost for usd in prices]
        counts = [self.ready[i].best(cost, [self.budget_usd]).counts for cost in turned]
        return plan_scores(self.options[i], np.concatenate(counts))


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

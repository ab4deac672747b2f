"""The best inputs a budget buys, for one strategy: here and now, exact, vectorised over budgets.

Scores are linear between knots, so a mean over draws can be maximised on the table of means alone.
With two inputs the cost is `fixed + f(one) + g(other)`: once one input is chosen the other follows
from the money, and the search is one-dimensional; it is done both ways round. Free disposal (fewer
units than one can pay for) makes the value of a budget monotone by construction: every candidate
that a budget reaches, a larger one reaches too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from budgetsim.costs.model import CostModel
from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Surface, axis_scale, interpolate, regrid

FINE = 24  # candidates of an input between two knots
EASY = 6  # enough where thousands of budgets and prices are tried
_COARSE = 2


@dataclass(frozen=True, slots=True)
class BestInputs:
    """The best inputs for each budget.

    counts : (budgets, n_inputs), whole units; NaN where the budget buys nothing. Empty for a search
        in every world at once, which knows values only
    value : (..., budgets), the score there, in the unit of the table; -inf where it buys nothing
    """

    counts: Floats
    value: Floats

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether each budget buys anything."""
        return np.isfinite(self.value)


class Search(Protocol):
    """A table of scores made ready to be searched at many budgets and prices."""

    def best(self, cost: CostModel, budgets: ArrayLike) -> BestInputs:
        """The inputs with the highest score that each budget (n,) in US dollars pays for."""
        ...


def prepare(
    surface: Surface, table: Floats, cost: CostModel, fine: int = FINE, *, also: CostModel | None = None
) -> Search:
    """Make a table ready: (*grid) for means, (n_draws, *grid) for every world at once.

    cost : its limits bound the inputs, its kinks are tried; its prices may change from search to search
    also : another with the same limits that will be searched with, whose kinks are tried too
    """
    if len(surface.inputs) == 1:
        return _OneInput.of(surface, table)
    return _TwoInputs.of(surface, table, (cost,) if also is None else (cost, also), fine)


def allocate(surface: Surface, cost: CostModel, budgets: ArrayLike, *, fine: int = FINE) -> BestInputs:
    """The inputs with the highest mean score that each budget pays for.

    budgets : (n,), US dollars
    """
    return prepare(surface, surface.mean_table(), cost, fine).best(cost, budgets)


def best_per_draw(surface: Surface, cost: CostModel, budget: float) -> Floats:
    """What a budget could have reached in each world, had the truth been known: (n_draws,).

    Searched more coarsely, so it is a little below the true optimum (docs/method/allocating.md); where even
    that buys nothing, -inf.
    """
    reach = replace(cost, limits={name: max(float(cost.max_units(name, budget)), 0.0) for name in surface.inputs})
    return prepare(surface, surface.draws, reach, _COARSE).best(reach, [budget]).value[..., 0]


def _amounts(budgets: ArrayLike) -> Floats:
    return np.atleast_1d(np.asarray(budgets, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class _OneInput:
    """Scores at whole counts, and the best up to each."""

    name: str
    axis: tuple[Floats, ...]
    table: Floats  # (..., knots of the surface)
    counts: Floats  # (k,)
    top: Floats  # (..., k), best score up to each count
    top_at: NDArray[np.intp]  # where it stands

    @classmethod
    def of(cls, surface: Surface, table: Floats) -> _OneInput:
        (knots,) = surface.knots
        counts = _whole(knots)
        top, top_at = _running_max(interpolate(surface.knots, table, counts[:, None]), table.ndim == 1)
        return cls(surface.inputs[0], surface.knots, table, counts, top, top_at)

    def best(self, cost: CostModel, budgets: ArrayLike) -> BestInputs:
        most = cost.max_units(self.name, _amounts(budgets))
        last = np.searchsorted(self.counts, most, side="right") - 1
        low = np.maximum(last, 0)
        at_most = interpolate(self.axis, self.table, np.maximum(most, 1)[:, None])
        inside = np.where(last >= 0, self.top[..., low], -np.inf)
        value = np.where(most >= 1, np.maximum(inside, at_most), -np.inf)
        if value.ndim > 1:
            return BestInputs(np.empty((0, 1)), value)
        counts = np.where(inside >= at_most, self.counts[self.top_at[low]], most)
        return BestInputs(np.where(most >= 1, counts, np.nan)[:, None], value)


@dataclass(frozen=True, slots=True)
class _TwoInputs:
    """Each input in turn takes fixed counts, and the money left goes into the other.

    One way alone would step over the best split where the last dollars of the other input matter most.
    """

    names: tuple[str, ...]
    sides: tuple[_Side, _Side]

    @classmethod
    def of(cls, surface: Surface, table: Floats, costs: tuple[CostModel, ...], fine: int) -> _TwoInputs:
        one, other = (_Side.of(surface, table, costs, fine, axis) for axis in (0, 1))
        return cls(surface.inputs, (one, other))

    def best(self, cost: CostModel, budgets: ArrayLike) -> BestInputs:
        money = _amounts(budgets)
        one, other = (side.best(cost, money, self.names) for side in self.sides)
        value = np.maximum(one.value, other.value)
        if value.ndim > 1:
            return BestInputs(np.empty((0, 2)), value)
        counts = np.where((one.value >= other.value)[:, None], one.counts, other.counts)
        return BestInputs(np.where(np.isfinite(value)[:, None], counts, np.nan), value)


@dataclass(frozen=True, slots=True)
class _Side:
    """Scores on fixed counts of one input and on the knots of the other, which takes the rest of the money."""

    axis: int  # of the fixed input
    fixed: Floats  # (p,)
    knots: Floats  # (s,), of the moving input; the first is the fewest there can be
    values: Floats  # (..., p, s)
    rises: Floats  # (..., p, s), slope to the next knot on log(1 + n)
    top: Floats  # (..., p, s), best score up to each knot
    top_at: NDArray[np.intp]

    @classmethod
    def of(cls, surface: Surface, table: Floats, costs: tuple[CostModel, ...], fine: int, axis: int) -> _Side:
        bounds = [_bounds(costs[0], surface.inputs, i, surface.knots[i][-1]) for i in (0, 1)]
        kinks = [c.breakpoints(surface.inputs[axis]) for c in costs]  # the best split often lies where the price jumps
        fixed = _within(np.concatenate([candidates(surface.knots[axis], fine), *kinks]), bounds[axis])
        knots = _within(_around(surface.knots[1 - axis]), bounds[1 - axis])
        onto = (fixed, knots) if axis == 0 else (knots, fixed)
        scores = regrid(surface.knots, table, onto)
        values = np.ascontiguousarray(scores if axis == 0 else scores.swapaxes(-1, -2))  # (..., p, s)
        rises = np.zeros_like(values)
        np.subtract(values[..., 1:], values[..., :-1], out=rises[..., :-1])
        rises[..., :-1] /= np.diff(axis_scale(knots))
        return cls(axis, fixed, knots, values, rises, *_running_max(values, table.ndim == 2))

    def best(self, cost: CostModel, money: Floats, names: tuple[str, ...]) -> BestInputs:
        """The best split of each budget with one of the fixed counts."""
        if not len(self.fixed) or not len(self.knots):  # the pool is empty, or nobody labels
            return BestInputs(np.full((len(money), 2), np.nan), np.full((*self.values.shape[:-2], len(money)), -np.inf))
        payable = 1 + np.flatnonzero(cost.input_usd(names[self.axis], self.fixed) <= money.max()).max(initial=0)
        fixed = self.fixed[:payable]  # costs rise: what the largest budget cannot pay for need not be tried
        most = cost.max_units(names[1 - self.axis], money[:, None], {names[self.axis]: fixed[None, :]})  # (budgets, p)
        most = np.minimum(most, self.knots[-1])
        low = np.maximum(np.searchsorted(self.knots, most, side="right") - 1, 0)
        inside, end = self._reached(most, low)
        reached = np.where(most >= self.knots[0], np.maximum(inside, end), -np.inf)  # (..., budgets, p)
        best = reached.argmax(axis=-1)
        value = np.take_along_axis(reached, best[..., None], axis=-1)[..., 0]
        if value.ndim > 1:
            return BestInputs(np.empty((0, 2)), value)
        line = np.arange(len(money))
        knot = self.knots[self.top_at[best, low[line, best]]]
        units = np.where(inside[line, best] >= end[line, best], knot, most[line, best])
        pair = (self.fixed[best], units) if self.axis == 0 else (units, self.fixed[best])
        return BestInputs(np.stack(pair, axis=-1), value)

    def _reached(self, most: Floats, low: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Best score at a knot of the moving input up to `most`, whose knot below is `low`, and the score at `most`.

        One flat index serves three look-ups: this is where the time of a search goes.
        """
        at = np.arange(low.shape[-1]) * len(self.knots) + low
        flat = (a.reshape(*a.shape[:-2], -1) for a in (self.top, self.values, self.rises))
        inside, below, rise = (a.take(at, axis=-1, mode="clip") for a in flat)  # all are inside; clip is faster
        return inside, below + rise * (
            axis_scale(np.maximum(most, 0.0)) - axis_scale(self.knots).take(low, mode="clip")
        )


def _bounds(cost: CostModel, names: tuple[str, ...], axis: int, end: float) -> tuple[float, float]:
    """The fewest and the most units of an input that are looked at."""
    return cost.min_units(names)[names[axis]], float(np.floor(min(cost.limit(names[axis]), end)))


def _within(counts: Floats, bounds: tuple[float, float]) -> Floats:
    """Counts within bounds, which are tried themselves; none where the bounds exclude each other."""
    counts = _ascending(np.append(counts, bounds))
    return counts[(counts >= bounds[0]) & (counts <= bounds[1])]


def _ascending(values: Floats) -> Floats:
    """Sorted, each once (np.unique would import masked arrays: 40 ms of a command's start)."""
    ordered = np.sort(values)
    out: Floats = ordered[np.append(True, np.diff(ordered) > 0)]
    return out


def _whole(knots: Floats) -> Floats:
    """One, and the knots as whole counts: a strategy without its inputs is no strategy."""
    return _ascending(np.append(1.0, np.floor(knots[knots >= 1])))


def _around(knots: Floats) -> Floats:
    """The whole counts on either side of each knot: at whole counts, scores are linear between these."""
    return _ascending(np.append(_whole(knots), np.ceil(knots[knots >= 1])))


def candidates(knots: Floats, fine: int) -> Floats:
    """Whole counts from one up, evenly spread on the axis between the knots, the knots among them."""
    knots = _whole(knots)
    scale = axis_scale(knots)
    steps = np.arange(fine) / fine
    between = (scale[:-1, None] + steps[None, :] * np.diff(scale)[:, None]).ravel()
    return _ascending(np.append(np.floor(np.expm1(between) + 1e-6).clip(1), knots))


def _running_max(values: Floats, placed: bool) -> tuple[Floats, NDArray[np.intp]]:
    """Highest value up to each place along the last axis, and where it first stands (if `placed`).

    A loop over places: on tables of many worlds it takes a quarter of the time of `np.maximum.accumulate`.
    """
    top = values.copy()
    for k in range(1, values.shape[-1]):
        np.maximum(top[..., k - 1], values[..., k], out=top[..., k])
    if not placed:
        return top, np.empty(0, dtype=np.intp)
    fresh = np.concatenate([np.ones_like(values[..., :1], dtype=bool), values[..., 1:] > top[..., :-1]], axis=-1)
    at = np.where(fresh, np.arange(values.shape[-1]), 0)
    return top, np.maximum.accumulate(at, axis=-1)

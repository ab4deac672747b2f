"""The best inputs a budget buys, for one strategy: here and now, exact, vectorised over budgets.

Scores are linear between knots, so a mean over draws can be maximised on the table of means alone.
With two inputs the cost is `fixed + f(primary) + unit * secondary`: once the primary input is
chosen the secondary one follows from the money, and the search is one-dimensional. Free disposal
(fewer units than one can pay for) makes the value of a budget monotone by construction: every
candidate that a budget reaches, a larger one reaches too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from budgetsim.costs import CostModel
from budgetsim.surface import Floats, Surface, axis_scale, interpolate

FINE = 24  # candidates of the primary input between two knots
EASY = 6  # enough where thousands of budgets and prices are tried
_COARSE = 1


@dataclass(frozen=True, slots=True)
class Choice:
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

    def best(self, cost: CostModel, budgets: ArrayLike) -> Choice:
        """The inputs with the highest score that each budget (n,) in US dollars pays for."""
        ...


def prepare(surface: Surface, table: Floats, cost: CostModel, fine: int = FINE) -> Search:
    """Make a table ready: (*grid) for means, (n_draws, *grid) for every world at once.

    cost : its limits bound the inputs; its prices may change from search to search
    """
    if len(surface.inputs) == 1:
        return _OneInput.of(surface, table)
    return _TwoInputs.of(surface, table, cost, fine)


def allocate(surface: Surface, cost: CostModel, budgets: ArrayLike, *, fine: int = FINE) -> Choice:
    """The inputs with the highest mean score that each budget pays for.

    budgets : (n,), US dollars
    """
    return prepare(surface, surface.mean_table(), cost, fine).best(cost, budgets)


def best_per_draw(surface: Surface, cost: CostModel, budget: float) -> Floats:
    """What a budget could have reached in each world, had the truth been known: (n_draws,).

    Searched on the knots of the primary input, so it is a little below the true optimum; where even
    that buys nothing, -inf.
    """
    return prepare(surface, surface.draws, cost, _COARSE).best(cost, [budget]).value[..., 0]


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
        top, top_at = _running_max(interpolate(surface.knots, table, counts[:, None]))
        return cls(surface.inputs[0], surface.knots, table, counts, top, top_at)

    def best(self, cost: CostModel, budgets: ArrayLike) -> Choice:
        most = cost.most(self.name, _amounts(budgets))
        last = np.searchsorted(self.counts, most, side="right") - 1
        low = np.maximum(last, 0)
        at_most = interpolate(self.axis, self.table, np.maximum(most, 1)[:, None])
        inside = np.where(last >= 0, self.top[..., low], -np.inf)
        value = np.where(most >= 1, np.maximum(inside, at_most), -np.inf)
        if value.ndim > 1:
            return Choice(np.empty((0, 1)), value)
        counts = np.where(inside >= at_most, self.counts[self.top_at[low]], most)
        return Choice(np.where(most >= 1, counts, np.nan)[:, None], value)


@dataclass(frozen=True, slots=True)
class _TwoInputs:
    """Scores on a fixed set of primary counts and on the knots of the secondary input."""

    names: tuple[str, ...]
    axes: tuple[Floats, ...]
    table: Floats  # (..., knots of the surface)
    least: float  # fewest of the primary input
    first: Floats  # (p,)
    second: Floats  # (s,)
    values: Floats  # (..., p, s)
    top: Floats  # (..., p, s), best score up to each secondary count
    top_at: NDArray[np.intp]

    @classmethod
    def of(cls, surface: Surface, table: Floats, cost: CostModel, fine: int) -> _TwoInputs:
        names, limit = surface.inputs, cost.limit(surface.inputs[1])
        least = cost.fewest(names)[names[0]]
        knots = _whole(surface.knots[1])
        second = _ascending(np.append(knots[knots <= limit], min(limit, knots[-1])))
        first = candidates(surface.knots[0], fine)
        ends = np.array([least, min(cost.limit(names[0]), first[-1])])  # bounds are tried themselves
        first = _ascending(np.append(first, ends))
        first = first[(first >= least) & (first <= cost.limit(names[0]))]
        grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
        values = interpolate(surface.knots, table, grid).reshape(*table.shape[:-2], len(first), len(second))
        top, top_at = _running_max(values)
        return cls(names, surface.knots, table, least, first, second, values, top, top_at)

    def best(self, cost: CostModel, budgets: ArrayLike) -> Choice:
        money = _amounts(budgets)
        if self.second[0] < 1 or not len(self.first):  # the pool is empty, or nobody labels
            return Choice(np.full((len(money), 2), np.nan), np.full((*self.values.shape[:-2], len(money)), -np.inf))
        along, along_counts = self._along_path(cost, money)
        ends, end_counts = self._at_second_knots(cost, money)
        value = np.maximum(along, ends)
        if value.ndim > 1:
            return Choice(np.empty((0, 2)), value)
        counts = np.where((along >= ends)[:, None], along_counts, end_counts)
        return Choice(np.where(np.isfinite(value)[:, None], counts, np.nan), value)

    def _along_path(self, cost: CostModel, money: Floats) -> tuple[Floats, Floats]:
        """Over a fixed set of primary counts, the rest of the money (or less) in the second input."""
        most = cost.most(self.names[1], money[:, None], {self.names[0]: self.first[None, :]})  # (budgets, p)
        most = np.minimum(most, self.second[-1])
        low = np.maximum(np.searchsorted(self.second, most, side="right") - 1, 0)
        inside, end = self._within(np.maximum(most, 1), low)
        reached = np.where(most >= 1, np.maximum(inside, end), -np.inf)  # (..., budgets, p)
        best = reached.argmax(axis=-1)
        value = np.take_along_axis(reached, best[..., None], axis=-1)[..., 0]
        if value.ndim > 1:
            return value, np.empty(0)
        line = np.arange(len(money))
        knot = self.second[self.top_at[best, low[line, best]]]
        units = np.where(inside[line, best] >= end[line, best], knot, most[line, best])
        return value, np.stack([self.first[best], units], axis=-1)

    def _within(self, most: Floats, low: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Best score at a knot of the second input up to `most`, whose knot below is `low`, and the score there.

        One flat index serves three look-ups: this is where the time of a search goes.
        """
        scale = axis_scale(self.second)
        rises = np.diff(self.values, axis=-1, append=self.values[..., -1:]) / np.diff(scale, append=np.inf)
        at = np.arange(len(self.first)) * len(self.second) + low
        inside, below, rise = (a.reshape(*a.shape[:-2], -1).take(at, axis=-1) for a in (self.top, self.values, rises))
        return inside, below + rise * (axis_scale(most) - scale.take(low))

    def _at_second_knots(self, cost: CostModel, money: Floats) -> tuple[Floats, Floats]:
        """The second input at one of its knots, and as much of the first as that leaves."""
        most = cost.most(self.names[0], money[:, None], {self.names[1]: self.second[None, :]})  # (budgets, s)
        points = np.stack([np.maximum(most, self.least), np.broadcast_to(self.second, most.shape)], axis=-1)
        scores = interpolate(self.axes, self.table, points.reshape(-1, 2))
        scores = scores.reshape(*self.table.shape[:-2], *most.shape)
        reached = np.where(most >= self.least, scores, -np.inf)
        best = reached.argmax(axis=-1)
        value = np.take_along_axis(reached, best[..., None], axis=-1)[..., 0]
        if value.ndim > 1:
            return value, np.empty(0)
        return value, points[np.arange(len(money)), best]


def _ascending(values: Floats) -> Floats:
    """Sorted, each once (np.unique would import masked arrays: 40 ms of a command's start)."""
    ordered = np.sort(values)
    out: Floats = ordered[np.append(True, np.diff(ordered) > 0)]
    return out


def _whole(knots: Floats) -> Floats:
    """One, and the knots as whole counts: a strategy without its inputs is no strategy."""
    return _ascending(np.append(1.0, np.floor(knots[knots >= 1])))


def candidates(knots: Floats, fine: int) -> Floats:
    """Whole counts from one up, evenly spread on the axis between the knots, the knots among them."""
    knots = _whole(knots)
    scale = axis_scale(knots)
    steps = np.arange(fine) / fine
    between = (scale[:-1, None] + steps[None, :] * np.diff(scale)[:, None]).ravel()
    return _ascending(np.append(np.floor(np.expm1(between) + 1e-6).clip(1), knots))


def _running_max(values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Highest value up to each place along the last axis, and where it first stands."""
    top: Floats = np.maximum.accumulate(values, axis=-1)
    fresh = np.concatenate([np.ones_like(values[..., :1], dtype=bool), values[..., 1:] > top[..., :-1]], axis=-1)
    at = np.where(fresh, np.arange(values.shape[-1]), 0)
    return top, np.maximum.accumulate(at, axis=-1)


"""The best inputs a budget buys, for one strategy: here and now, exact, vectorised over budgets.

Scores are linear between knots, so a mean over draws can be maximised on the table of means alone.
With two inputs the cost is `fixed + f(primary) + unit * secondary`: once the primary input is
chosen the secondary one follows from the money, and the search is one-dimensional. Free disposal
(fewer units than one can pay for) makes the value of a budget monotone by construction: every
candidate that a budget reaches, a larger one reaches too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from budgetsim.costs import CostModel
from budgetsim.surface import Floats, Surface, axis_scale, interpolate

FINE = 24  # candidates of the primary input between two knots
COARSE = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """The best inputs for each budget.

    counts : (budgets, n_inputs), whole units; NaN where the budget buys nothing
    value : (..., budgets), the score there, in the unit of the table; -inf where it buys nothing
    """

    counts: Floats
    value: Floats

    @property
    def feasible(self) -> NDArray[np.bool_]:
        return np.isfinite(self.value)


def allocate(surface: Surface, cost: CostModel, budgets: ArrayLike, *, fine: int = FINE) -> Choice:
    """The inputs with the highest mean score that each budget pays for.

    budgets : (n,), US dollars
    """
    money = np.atleast_1d(np.asarray(budgets, dtype=np.float64)) - cost.fixed_usd
    table = surface.mean_table()
    if len(surface.inputs) == 1:
        return _one_input(surface, cost, money, table)
    return _two_inputs(surface, cost, money, table, fine)


def best_per_draw(surface: Surface, cost: CostModel, budget: float) -> Floats:
    """What a budget could have reached in each world, had the truth been known: (n_draws,).

    Searched on the knots of the primary input, so it is a little below the true optimum; where even
    that buys nothing, -inf.
    """
    money = np.array([budget - cost.fixed_usd])
    if len(surface.inputs) == 1:
        return _one_input(surface, cost, money, surface.draws).value[..., 0]
    return _two_inputs(surface, cost, money, surface.draws, COARSE).value[..., 0]


def _one_input(surface: Surface, cost: CostModel, money: Floats, table: Floats) -> Choice:
    (name,), (knots,) = surface.inputs, _positive(surface)
    most = cost.affordable(name, money)
    values = interpolate(surface.knots, table, knots[:, None])  # (..., knots)
    top, top_at = _running_max(values)
    last = np.searchsorted(knots, most, side="right") - 1
    at_most = interpolate(surface.knots, table, np.maximum(most, 1)[:, None])
    inside = np.where(last >= 0, top[..., np.maximum(last, 0)], -np.inf)
    value = np.where(most >= 1, np.maximum(inside, at_most), -np.inf)
    if table.ndim > 1:
        return Choice(np.empty((0, 1)), value)
    counts = np.where(inside >= at_most, knots[top_at[np.maximum(last, 0)]], most)
    return Choice(np.where(most >= 1, counts, np.nan)[:, None], value)


def _two_inputs(surface: Surface, cost: CostModel, money: Floats, table: Floats, fine: int) -> Choice:
    names, knots = surface.inputs, _positive(surface)
    limit = cost.limit(names[1])
    second = np.unique(np.append(knots[1][knots[1] <= limit], min(limit, knots[1][-1])))
    first = _candidates(knots[0], fine)
    first = first[first <= cost.limit(names[0])]
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    values = interpolate(surface.knots, table, grid).reshape(*table.shape[:-2], len(first), len(second))

    along_path = _on_candidates(names, cost, money, first, second, values)
    at_ends = _on_second_knots(surface, cost, money, table, second)
    value = np.maximum(along_path[0], at_ends[0])
    if table.ndim > 2:
        return Choice(np.empty((0, 2)), value)
    counts = np.where((along_path[0] >= at_ends[0])[:, None], along_path[1], at_ends[1])
    return Choice(np.where(np.isfinite(value)[:, None], counts, np.nan), value)


def _on_candidates(
    names: tuple[str, ...], cost: CostModel, money: Floats, first: Floats, second: Floats, values: Floats
) -> tuple[Floats, Floats]:
    """Best over a fixed set of primary counts, the rest of the money (or less) in the second input."""
    left = money[:, None] - cost.input_usd(names[0], first)[None, :]
    most = np.where(left >= 0, cost.affordable(names[1], left), -1.0)  # (budgets, first)
    most = np.minimum(most, second[-1])
    top, top_at = _running_max(values)
    last = np.searchsorted(second, most, side="right") - 1
    low = np.maximum(last, 0)
    rows = np.arange(len(first))[None, :]
    inside = np.where(last >= 0, top[..., rows, low], -np.inf)
    end = _between(values, second, np.maximum(most, 1), low, rows)
    reached = np.where(most >= 1, np.maximum(inside, end), -np.inf)  # (..., budgets, first)
    best = reached.argmax(axis=-1)
    value = np.take_along_axis(reached, best[..., None], axis=-1)[..., 0]
    if values.ndim > 2:
        return value, np.empty(0)
    line = np.arange(len(money))
    from_knot = inside[line, best] >= end[line, best]
    units = np.where(from_knot, second[top_at[best, low[line, best]]], most[line, best])
    return value, np.stack([first[best], units], axis=-1)


def _on_second_knots(
    surface: Surface, cost: CostModel, money: Floats, table: Floats, second: Floats
) -> tuple[Floats, Floats]:
    """Best with the second input at one of its knots and as much of the first as that leaves."""
    first_name, second_name = surface.inputs
    left = money[:, None] - cost.input_usd(second_name, second)[None, :]
    most = np.where(left >= 0, cost.affordable(first_name, left), -1.0)  # (budgets, second)
    points = np.stack([np.maximum(most, 1), np.broadcast_to(second, most.shape)], axis=-1)
    scores = interpolate(surface.knots, table, points.reshape(-1, 2)).reshape(*table.shape[:-2], *most.shape)
    reached = np.where(most >= 1, scores, -np.inf)
    best = reached.argmax(axis=-1)
    value = np.take_along_axis(reached, best[..., None], axis=-1)[..., 0]
    if table.ndim > 2:
        return value, np.empty(0)
    return value, points[np.arange(len(money)), best]


def _positive(surface: Surface) -> tuple[Floats, ...]:
    """Knots of at least one unit: a strategy without its inputs is no strategy."""
    return tuple(np.unique(np.floor(k[k >= 1])) for k in surface.knots)


def _candidates(knots: Floats, fine: int) -> Floats:
    """Whole counts, evenly spread on the axis between the knots, the knots among them."""
    scale = axis_scale(knots)
    steps = np.arange(fine) / fine
    between = (scale[:-1, None] + steps[None, :] * np.diff(scale)[:, None]).ravel()
    return np.unique(np.append(np.floor(np.expm1(between) + 1e-6), np.floor(knots)).clip(1))


def _running_max(values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Highest value up to each place along the last axis, and where it first stands."""
    top: Floats = np.maximum.accumulate(values, axis=-1)
    fresh = np.concatenate([np.ones_like(values[..., :1], dtype=bool), values[..., 1:] > top[..., :-1]], axis=-1)
    at = np.where(fresh, np.arange(values.shape[-1]), 0)
    return top, np.maximum.accumulate(at, axis=-1)


def _between(values: Floats, knots: Floats, x: Floats, low: NDArray[np.intp], rows: NDArray[np.intp]) -> Floats:
    """Linear interpolation along the last axis at x, whose knot below is known; flat outside."""
    high = np.minimum(low + 1, len(knots) - 1)
    scale, at = axis_scale(knots), axis_scale(x)
    width = np.where(high > low, scale[high] - scale[low], 1.0)
    share = np.clip((at - scale[low]) / width, 0.0, 1.0)
    out: Floats = values[..., rows, low] * (1 - share) + values[..., rows, high] * share
    return out

"""The cheapest budget that is enough for something more money never spoils."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.choosing.options import Option
from budgetsim.design.arrays import Floats

FINEST: Final = (61, 33, 33)  # to 0.03 % of a budget that may span 7 decades


def cheapest(
    enough: Callable[[Floats], NDArray[np.bool_]], low: float, high: float, grids: Sequence[int] = FINEST
) -> float | None:
    """The least budget from `low` to `high` that is enough, or nothing at all if that is; None where none is.

    enough : of budgets (n,), US dollars; once true it stays true
    grids : how many budgets are looked at, from the first to the last and then in the gap that is left, again and again
    returns : the upper end of the last, narrow gap, so that it is enough itself

    >>> round(cheapest(lambda usd: usd >= 123.4, 1, 1e6))
    123
    """
    grid = np.geomspace(min(max(low, high / 1e7, 1e-6), high), high, grids[0]) if high > 0 else np.zeros(1)
    good = enough(np.append(0.0, grid))
    if good[0] or not good[-1]:
        return 0.0 if good[0] else None
    first = int(np.argmax(good)) - 1
    for n in grids[1:]:
        grid = np.geomspace(grid[max(first - 1, 0)], grid[first], n)
        first = int(np.argmax(enough(grid)))
    return float(grid[first])


def least_usd(options: Sequence[Option]) -> float:
    """What the smallest plan of any option costs."""
    return min(float(o.cost.total(o.cost.min_units(o.surface.inputs))) for o in options)


def dearest_usd(options: Sequence[Option]) -> float:
    """What the largest plan of any option costs, within its limits and its table: more money changes nothing."""
    return max(float(o.cost.total(_largest(o))) for o in options)


def _largest(option: Option) -> dict[str, float]:
    inputs = zip(option.surface.inputs, option.surface.knots, strict=True)
    return {name: min(option.cost.limit(name), float(knots[-1])) for name, knots in inputs}

"""Labels against texts (or LLM labels) at equal score: indifference curves and rates of substitution."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.choosing.allocate import prepare
from budgetsim.choosing.options import Option
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route
from budgetsim.design.surface import axis_scale, interpolate

OwnedTeacher = Literal["used", "left aside"]  # as it is owned; for one that is tuned anew

_BETWEEN = 6  # points between two knots of the labels
_STEP = 1e-3  # of log(1 + n), over which a slope is taken
_ROWS = 13  # of a printed curve


@dataclass(frozen=True, slots=True, kw_only=True)
class IndifferencePoint:
    """One bundle of an indifference curve; the last three are None where the rate has no end."""

    n_second: int
    n_labels: float
    labels_lower: float  # 5 % of worlds need fewer labels
    labels_upper: float | None  # 95 % need fewer; None where more than 5 % never get there
    cost_usd: float
    substitution_rate: float | None  # labels that one more unit of the second input replaces
    saved_usd: float | None  # what those labels cost
    spent_usd: float | None  # what the unit costs


@dataclass(frozen=True, slots=True, kw_only=True)
class IndifferenceCurve:
    """Bundles of equal expected score of one option, by rising second input."""

    route: Route
    teacher: OwnedTeacher | None  # what becomes of an owned teacher; None where none is owned
    second: str  # n_unlabeled or n_llm_labels
    score: float  # percent
    start: int | None  # fewest units of the second input that are looked at; None where there is no bundle
    points: tuple[IndifferencePoint, ...]
    highest: float | None  # percent: the highest expected score within the limits; None where they leave no bundle

    @property
    def cheapest(self) -> int | None:
        """Row of the bundle that costs least."""
        return min(range(len(self.points)), key=lambda i: self.points[i].cost_usd, default=None)


def indifference_curve(knots: tuple[Floats, ...], tables: Floats, score: float, second: ArrayLike) -> Floats:
    """The fewest labels that reach a score beside each count of the second input.

    Unused units may be thrown away, so more of one input never asks for more of the other.

    knots : of (labels, second input); tables : (..., labels, second), fractions
    score : fraction; second : (n,), ascending counts
    returns : (..., n) labels, one or more; inf where no number of labels in the table reaches the score
    """
    counts = np.asarray(second, dtype=np.float64)
    scale = axis_scale(knots[0])
    steps = np.arange(_BETWEEN) / _BETWEEN
    first = np.append((scale[:-1, None] + steps * np.diff(scale)[:, None]).ravel(), scale[-1])
    first = np.append(np.log(2.0), first[first > np.log(2.0)])
    other = np.sort(np.concatenate([knots[1], counts]))
    grid = np.stack(np.meshgrid(np.expm1(first), other, indexing="ij"), axis=-1).reshape(-1, 2)
    values = interpolate(knots, tables, grid).reshape(*tables.shape[:-2], len(first), len(other))
    best = np.maximum.accumulate(np.maximum.accumulate(values, axis=-1), axis=-2)
    return _first_at(first, best[..., np.searchsorted(other, counts, side="right") - 1], score)


def _first_at(scale: Floats, values: Floats, score: float) -> Floats:
    """Count at which values (..., n, m), rising along n, reach a score: (..., m)."""
    reached = values >= score
    high = reached.argmax(axis=-2)[..., None, :]
    low = np.maximum(high - 1, 0)
    below, above = np.take_along_axis(values, low, -2), np.take_along_axis(values, high, -2)
    rise = above - below
    share = np.where(rise > 0, (score - below) / np.where(rise > 0, rise, 1.0), 1.0)
    at = scale[low] + np.clip(share, 0.0, 1.0) * (scale[high] - scale[low])
    return np.where(reached.any(axis=-2), np.expm1(at)[..., 0, :], np.inf)


def substitution_rate(
    knots: tuple[Floats, ...], tables: Floats, score: float, second: ArrayLike, *, fewer: bool = False
) -> Floats:
    r"""Labels that one more unit of the second input replaces at equal expected score.

    .. math:: MRS = -\frac{dN}{dU} = \frac{\partial s / \partial U}{\partial s / \partial N}

    Tables are linear between knots (on log axes), so at a knot the two sides differ. `fewer` takes
    the other side: the labels that make up for one unit less.

    knots, tables, score, second : as `indifference_curve`
    returns : (..., n), labels a unit, zero or more; NaN or inf where either end of the step is off the curve

    >>> k = np.expm1(np.linspace(0, 12, 13))
    >>> s = 0.02 * np.log1p(k)[:, None] + 0.01 * np.log1p(k)[None, :]  # so the rate is (1 + N) / (2 (1 + U))
    >>> substitution_rate((k, k), s, 0.01 * np.log(100**2 * 1000), [999]).round(3)
    array([0.05])
    """
    here = np.asarray(second, dtype=np.float64)
    there = np.expm1(axis_scale(here) + (-_STEP if fewer else _STEP))
    both = np.concatenate([here, there])
    order = np.argsort(both)
    labels = np.empty((*tables.shape[:-2], len(both)))
    labels[..., order] = indifference_curve(knots, tables, score, both[order])
    at, moved = labels[..., : len(here)], labels[..., len(here) :]
    with np.errstate(invalid="ignore"):
        return np.asarray((at - moved) / (there - here), dtype=np.float64)


def trace_indifference(option: Option, score: float) -> IndifferenceCurve | None:
    """The curve of one option at a score, with worlds, dollars and rates; None for an option of one input.

    Bundles that ask for more of an input than there is, or for more days, are left out; the worlds of a
    bundle that is there may ask for more. A teacher as it is owned counts with all its labels.

    score : percent
    """
    s, cost = option.surface, option.cost
    if len(s.inputs) != 2:
        return None
    labels, other = s.inputs
    base = IndifferenceCurve(
        route=option.route,
        teacher=_teacher(option),
        second=other,
        score=score,
        start=None,
        points=(),
        highest=_highest(option),
    )
    if base.highest is None:
        return base
    fewest = cost.min_units(s.inputs)[labels]
    second = _second_counts(s.knots[1], cost.limit(other))
    mean = np.maximum(indifference_curve(s.knots, s.mean_table(), score / 100, second), fewest)
    rates = substitution_rate(s.knots, s.mean_table(), score / 100, second)
    worlds = np.sort(np.maximum(indifference_curve(s.knots, s.draws, score / 100, second), fewest), axis=0)
    lower, upper = (worlds[round(tail * (len(worlds) - 1))] for tail in (0.05, 0.95))
    points = [
        _point(option, u, n, low, high, rate if n > fewest else 0.0)
        for u, n, low, high, rate in zip(second, np.ceil(mean - 1e-9), lower, upper, rates, strict=True)
        if np.isfinite(n) and n <= cost.limit(labels) and cost.in_time({labels: n, other: u})
    ]
    return replace(base, start=int(second[0]), points=tuple(points))


def _teacher(option: Option) -> OwnedTeacher | None:
    """What an option does with an owned teacher; None where none is owned."""
    if option.left_aside is not None:
        return "left aside"
    return "used" if "n_labels" in option.cost.at_least else None


def _second_counts(knots: Floats, limit: float) -> Floats:
    """Counts of the second input: evenly spread on its axis, from the first of the table to what there is."""
    high = min(limit, float(knots[-1]))
    low = min(float(knots[knots >= 1][0]), high)
    return np.unique(np.round(np.geomspace(low, high, _ROWS)))


def _highest(option: Option) -> float | None:
    """The highest expected score, percent, whatever it costs: within limits and deadline; None where nothing is."""
    best = prepare(option.surface, option.surface.mean_table(), option.cost).best(option.cost, [math.inf])
    return 100 * float(best.value[0]) if best.feasible[0] else None


def _point(option: Option, second: float, labels: float, low: float, high: float, rate: float) -> IndifferencePoint:
    name = option.surface.inputs
    finite = bool(np.isfinite(rate))
    label_usd = _unit_usd(option, "n_labels", labels - 1)
    return IndifferencePoint(
        n_second=int(second),
        n_labels=labels,
        labels_lower=float(np.ceil(low)),
        labels_upper=float(np.ceil(high)) if np.isfinite(high) else None,
        cost_usd=float(option.cost.total({name[0]: labels, name[1]: second})),
        substitution_rate=float(rate) if finite else None,
        saved_usd=float(rate) * label_usd if finite else None,
        spent_usd=_unit_usd(option, name[1], second) if finite else None,
    )


def _unit_usd(option: Option, name: str, n: float) -> float:
    """Dollars of one more unit beyond n."""
    return float(option.cost.input_usd(name, n + 1) - option.cost.input_usd(name, n))

"""Where one quantity overtakes another as money or a price grows, in each of many worlds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats

TAILS = (0.05, 0.95)
LEAD = 2.0  # ahead over less than a doubling of money or price is no lead: a quirk of one world


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where something happens over worlds: 5 and 95 % of those in which it does, and their share."""

    lower: float | None  # None where it happens in no world
    upper: float | None
    happens: float  # share of worlds, 0 to 1


def overtaking(x: Floats, gap: Floats, near: float, *, lead: float = 1.0) -> Floats:
    """The point nearest to `near` at which a gap turns from below zero to zero or more; NaN where it never does.

    The gap is taken to be linear in log x between the points; nearest is meant in log x too.

    x : (n,), ascending and above zero; gap : (..., n); near : above zero
    lead : an overtaking counts where the gap was below zero while x grew by this factor, or from the start
    returns : (...)

    >>> overtaking(np.array([1.0, 4.0]), np.array([[-1.0, 1.0], [1.0, 2.0], [2.0, -1.0]]), 1.0)
    array([ 2., nan, nan])
    """
    at = np.log(x)
    below, above = gap[..., :-1], gap[..., 1:]
    crossed = (below < 0) & (above >= 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(crossed, -below / np.where(crossed, above - below, 1.0), 0.0)
    place = at[:-1] + share * np.diff(at)
    crossed &= _led(at, below, place, lead)
    away = np.where(crossed, np.abs(place - np.log(near)), np.inf)
    first = away.argmin(axis=-1)[..., None]
    nearest = np.take_along_axis(place, first, axis=-1)[..., 0]
    return np.where(np.isfinite(np.take_along_axis(away, first, axis=-1)[..., 0]), np.exp(nearest), np.nan)


def _led(at: Floats, gap: Floats, place: Floats, lead: float) -> NDArray[np.bool_]:
    """Whether the gap had been below zero for long enough at each place."""
    last = np.maximum.accumulate(np.where(gap >= 0, np.arange(len(at) - 1), -1), axis=-1)
    since = at[np.minimum(last + 1, len(at) - 1)]
    return np.asarray((last < 0) | (place - since >= np.log(lead)), dtype=np.bool_)


def spread(where: Floats) -> Spread:
    """Summarise where something happens over worlds.

    where : (worlds,), NaN where it does not happen

    >>> spread(np.array([1.0, 1.0, np.nan, np.nan]))
    Spread(lower=1.0, upper=1.0, happens=0.5)
    """
    finite = np.sort(where[np.isfinite(where)])
    if not len(finite):
        return Spread(lower=None, upper=None, happens=0.0)
    lower, upper = (float(np.interp(tail * (len(finite) - 1), np.arange(len(finite)), finite)) for tail in TAILS)
    return Spread(lower=lower, upper=upper, happens=len(finite) / len(where))

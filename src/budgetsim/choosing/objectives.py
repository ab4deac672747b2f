"""What "best" can mean besides the highest mean: a quantile over worlds, the least bad regret, a chance.

Each is a number at every point of a surface, worked out at knots laid closer than the surface's own
and taken as linear between them. A table of them is searched exactly as a table of means is, so the
value that the search reports never falls as the budget grows; the number at the whole counts it
chooses differs from it by what is lost between two close knots.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.choosing.allocate import Search, candidates, prepare
from budgetsim.choosing.options import Option
from budgetsim.choosing.simulate import OverWorlds
from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Surface, regrid

Choose = Literal["mean", "quantile", "regret"]
TAIL: Final = 0.1  # of worlds whose regret counts under `regret`
_FINE: Final = {1: 16, 2: 4}  # knots laid between two of the surface's, by the number of its inputs
_PRIMARY: Final = 2  # candidates of the primary input between two of those


def quantile(scores: ArrayLike, level: float) -> Floats:
    """The `level` quantile over worlds (first axis), as `numpy.quantile` has it.

    >>> quantile([[0.1, 0.5], [0.3, 0.5], [0.2, 0.9]], 0.5).tolist()
    [0.2, 0.5]
    """
    s = np.asarray(scores, dtype=np.float64)
    place = level * (len(s) - 1)
    low = math.floor(place)
    high = min(low + 1, len(s) - 1)
    ordered = np.partition(s, sorted({low, high}), axis=0)
    out: Floats = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    return out


def tail_regret(scores: ArrayLike, best: ArrayLike, tail: float = TAIL) -> Floats:
    r"""Mean regret in the worst worlds: those where a point falls shortest of what could have been reached.

    .. math:: \frac{1}{k} \sum_{i=1}^{k} (b - s)_{(i)}, \quad k = \lceil \text{tail} \cdot n \rceil

    scores : (draws, ...), fractions; best : (draws,), the best that was to be had in each world
    returns : (...), the same unit
    source : conditional value at risk (Rockafellar and Uryasev 2000) of Savage's (1951) regret. With
        `tail` 1 it is expected regret, which is least exactly where the mean score is highest; the
        mean over a tail is steadier than the very worst of 400 draws

    >>> tail_regret([[0.5], [0.4], [0.9], [0.9]], [0.9, 0.9, 0.9, 0.9], 0.5).round(3).tolist()
    [0.45]
    """
    s = np.asarray(scores, dtype=np.float64)
    regret = np.asarray(best, dtype=np.float64).reshape(-1, *[1] * (s.ndim - 1)) - s
    k = max(math.ceil(tail * len(s) - 1e-9), 1)
    out: Floats = np.partition(regret, len(s) - k, axis=0)[len(s) - k :].mean(axis=0)
    return out


def chance_of(scores: ArrayLike, target: float) -> Floats:
    """Share of worlds (first axis) in which a score reaches the target.

    >>> chance_of([[0.5], [0.7]], 0.6).tolist()
    [0.5]
    """
    out: Floats = (np.asarray(scores, dtype=np.float64) >= target).mean(axis=0)
    return out


def attained(scores: ArrayLike, chance: float) -> Floats:
    """The highest score that is reached in at least a share `chance` of worlds (first axis).

    >>> attained([[0.1], [0.2], [0.3], [0.4]], 0.75).tolist()
    [0.2]
    """
    s = np.asarray(scores, dtype=np.float64)
    place = min(math.floor(len(s) * (1 - chance) + 1e-9), len(s) - 1)
    out: Floats = np.partition(s, place, axis=0)[place]
    return out


def runs_of(surface: Surface) -> Surface:
    """The surface of one new run: each world's mean with the deviation of its run."""
    return replace(surface, draws=surface.draws + np.multiply.outer(surface.run_noise, surface.scatter))


def closer(surface: Surface) -> Surface:
    """The same surface on knots laid closer, whole counts from one up."""
    fine = _FINE[len(surface.knots)]
    knots = tuple(candidates(k, fine) for k in surface.knots)
    return replace(surface, knots=knots, draws=regrid(surface.knots, surface.draws, knots))


def search(option: Option, over_worlds: OverWorlds, *, runs: bool = False) -> Search:
    """An option made ready to be searched for the highest of a number over worlds.

    runs : take the score of one new run, not its mean
    """
    surface = closer(runs_of(option.surface) if runs else option.surface)
    return prepare(surface, over_worlds(surface.draws), option.cost, _PRIMARY)

"""How many labels a target takes: the size at which a fitted curve first comes down to an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.errors import InputError
from budgetsim.laws.curve import CurveFit

REACH: Final = 1000.0  # times the largest size: how far is looked
_PER_FOLD: Final = 40  # sizes looked at, an e-fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Sizes that a target takes; None where it is not reached within `furthest`.

    size : by which the asked chance of all worlds have reached it; lower, upper : the central interval over worlds.
        A size equal to `smallest` means that size or fewer
    """

    target: float  # error
    chance: float
    size: float | None
    lower: float | None
    upper: float | None
    reached: float  # share of the worlds that reach it within `furthest`
    smallest: float  # size from which it was looked: that of the data
    furthest: float


def labels_for(fit: CurveFit, target: float, chance: float = 0.5, level: float = 0.9) -> Requirement:
    """The size at which the expected error is `target` or less.

    Each draw of the curve is one world; its size is the first at which it comes down to the target. A run
    scatters about the expected error. Beyond the data a world may rise again, as the interval of `predict` widens: then
    the larger sizes of the interval are None.

    target : an error in the unit of the fit, above 0; chance : share of the worlds that are to have reached it
    level : share of the worlds between lower and upper
    raises : InputError where a number is out of its range

    >>> from budgetsim.laws.curve import fit_curve
    >>> n = 100.0 * 2.0 ** np.arange(10)
    >>> need = labels_for(fit_curve(n, 3.0 * n**-0.5), 0.02)
    >>> bool(0.9 < need.size / 22_500 < 1.1)
    True
    """
    if not (np.isfinite(target) and target > 0):
        raise InputError(f"target is {target}; give an error above 0 in the unit of the curve.")
    for name, value in (("chance", chance), ("level", level)):
        if not 0 < value < 1:
            raise InputError(f"{name} is {value}; give a share between 0 and 1, e.g. 0.9.")
    smallest, furthest = float(fit.sizes[fit.sizes > 0].min()), REACH * float(fit.sizes.max())
    grid = np.geomspace(smallest, furthest, round(_PER_FOLD * np.log(furthest / smallest)) + 1)
    needed = _first_sizes(grid, np.log(np.maximum(fit.curve_draws(grid), 1e-300)), float(np.log(target)))
    sizes = [
        float(v) if np.isfinite(v) else None
        for v in np.quantile(needed, [chance, (1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    ]
    return Requirement(
        target=target,
        chance=chance,
        size=sizes[0],
        lower=sizes[1],
        upper=sizes[2],
        reached=float(np.isfinite(needed).mean()),
        smallest=smallest,
        furthest=furthest,
    )


def _first_sizes(sizes: Floats, log_errors: Floats, log_target: float) -> Floats:
    """Size at which each curve (draws, sizes) first comes down to the target, linear in between; inf where never."""
    down = log_errors <= log_target
    after = down.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(log_errors))
    high, low = log_errors[rows, before], log_errors[rows, after]
    share = np.where(high > low, (high - log_target) / np.where(high > low, high - low, 1.0), 1.0).clip(0.0, 1.0)
    at = sizes[before] * (sizes[after] / sizes[before]) ** share
    return np.where(down.any(axis=1), at, np.inf)

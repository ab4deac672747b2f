"""Draws made small for a page: whole steps of a score, told as what their neighbours do not foretell.

A table of 400 draws is smooth along its knots, so each value is stored as its difference from the
plane through three neighbours (the Lorenzo predictor), around the mean over draws; low bytes stand
apart from high ones, most of which are zero. `web/surface.js` undoes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Surface

UNIT: Final = 1e-4  # of a score: a hundredth of a percent point, as fits are stored
STEPS: Final = (1, 2, 4, 5)  # in units, finest first; half the last is 0.025 points
_MEANS: Final = 1e-8  # unit of the means over draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Surfaces as bytes.

    step : of the draws, in `UNIT`; a draw is off by half of it at most
    data : deflated; for each surface its means (int32 of 1e-8), run noise (uint16, zigzag, of `UNIT`) and draws
        (zigzag; the lowest bytes of all, then the middle, then the highest)
    """

    step: int
    data: bytes


def pack(surfaces: Sequence[Surface], most_bytes: int) -> Packed:
    """Pack surfaces with the finest step that keeps within a size; with the coarsest where none does.

    raises : ValueError for a score that is no finite fraction
    """
    for step in STEPS:
        packed = Packed(step=step, data=zlib.compress(b"".join(_bytes(s, step) for s in surfaces), 9))
        if len(packed.data) <= most_bytes:
            break
    return packed


def shape_of(surface: Surface) -> dict[str, Any]:
    """What is needed to find a surface in the data, the scatter of its runs, and its means without own runs if any."""
    before = {} if surface.before is None else {"before": [round(v, 8) for v in surface.before.ravel().tolist()]}
    knots = [[_plain(v) for v in k] for k in surface.knots]
    return {"n_draws": surface.n_draws, "knots": knots, "few": surface.few, **before}


def _plain(value: float) -> float | int:
    """A count without a needless `.0`."""
    return int(value) if float(value).is_integer() else float(value)


def _bytes(surface: Surface, step: int) -> bytes:
    if not (np.abs(surface.draws) <= 1).all() or not (np.abs(surface.run_noise) <= 1).all():  # also catches NaN
        raise ValueError("a score to be packed is not a finite fraction; fix the fit.")
    means = np.rint(surface.mean_table() / _MEANS).astype("<i4")
    noise = _zigzag(_whole(surface.run_noise, 1)).astype("<u2")
    left = _zigzag(_unforetold(_whole(surface.draws, step) - _whole(means * _MEANS, step)))
    planes = [(left >> shift & 255).astype("u1").tobytes() for shift in (0, 8, 16)]
    return b"".join([means.tobytes(), noise.tobytes(), *planes])


def _whole(scores: Floats, step: int) -> NDArray[np.int32]:
    return np.rint(scores / (UNIT * step)).astype(np.int32)


def _unforetold(tables: NDArray[np.int32]) -> NDArray[np.int32]:
    """Differences along every axis of the grid, (draws, *grid)."""
    out = tables
    for axis in range(1, tables.ndim):
        out = np.diff(out, axis=axis, prepend=0)
    return out


def _zigzag(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Whole numbers of either sign as ones of zero or more: 0, -1, 1, -2 ... as 0, 1, 2, 3 ...

    >>> _zigzag(np.array([0, -1, 1, -2])).tolist()
    [0, 1, 2, 3]
    """
    return np.where(values < 0, -2 * values - 1, 2 * values)

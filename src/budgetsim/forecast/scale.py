"""The scale on which tasks are compared: a softened logit of the share of what lies above the floor."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.design.arrays import Floats

SOFT: Final = 0.1  # how far a share may lie outside 0 to 1: scores below the floor are seen
_EDGE: Final = 0.02  # and how near it comes to that


def to_scale(score: ArrayLike, floor: ArrayLike) -> Floats:
    r"""Scores, fractions of the metric, on the scale where effects of tasks and learners add up.

    .. math:: z = \log\frac{p + c}{1 - p + c}, \quad p = \frac{s - f}{1 - f}

    >>> to_scale([0.5, 0.75, 1.0], 0.5).round(3).tolist()
    [-2.398, 0.0, 2.398]
    """
    f = np.asarray(floor, dtype=np.float64)
    share = np.clip((np.asarray(score, dtype=np.float64) - f) / (1 - f), -SOFT + _EDGE, 1 + SOFT - _EDGE)
    out: Floats = np.log(share + SOFT) - np.log(1 - share + SOFT)
    return out


def to_score(z: ArrayLike, floor: ArrayLike) -> Floats:
    """Scores as fractions; the inverse of `to_scale`, never outside 0 to 1.

    >>> to_score(to_scale([0.47, 0.6, 0.99], 0.5), 0.5).round(3).tolist()
    [0.47, 0.6, 0.99]
    """
    f = np.asarray(floor, dtype=np.float64)
    share = (1 + 2 * SOFT) / (1 + np.exp(-np.asarray(z, dtype=np.float64))) - SOFT
    out: Floats = np.clip(f + (1 - f) * share, 0.0, 1.0)
    return out


def stretch(z: ArrayLike, floor: ArrayLike) -> Floats:
    """How far the scale moves for a move of the score: dz/ds, for noise that is known in scores."""
    share = (1 + 2 * SOFT) / (1 + np.exp(-np.asarray(z, dtype=np.float64))) - SOFT
    share = np.clip(share, 0.0, 1.0)
    out: Floats = (1 / (share + SOFT) + 1 / (1 - share + SOFT)) / (1 - np.asarray(floor, dtype=np.float64))
    return out

"""Where the evidence lies: the convex hull of the observed inputs on log(1 + n) axes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Support, axis_scale


def support_of(points: Floats) -> Support:
    """The hull of observed inputs (n, axes) as half-spaces; their box where they lie on a line.

    >>> support_of(np.array([[100.0], [1000.0]])).classify([[300.0], [2002.0]])[0]
    ['interpolated', 'extrapolated']
    """
    at = axis_scale(points)
    try:
        if at.shape[1] == 1 or len(at) <= at.shape[1]:
            return _box(points, at)
        faces = np.unique(ConvexHull(at).equations.round(12), axis=0)
    except QhullError:
        return _box(points, at)
    return Support(points=points, normals=faces[:, :-1], offsets=-faces[:, -1])


def _box(points: Floats, at: Floats) -> Support:
    unit = np.eye(at.shape[1])
    return Support(
        points=points,
        normals=np.concatenate([unit, -unit]),
        offsets=np.concatenate([at.max(axis=0), -at.min(axis=0)]),
    )

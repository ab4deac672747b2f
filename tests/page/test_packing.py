"""Draws packed for a page come back within half a step; a plain second reader says so."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from budgetsim.page.packing import STEPS, UNIT, Packed, pack
from made import make_surface


def surface(seed: int = 0, n_draws: int = 30):
    random = np.random.default_rng(seed)
    knots = (np.array([0.0, 10, 100, 1000]), np.array([0.0, 50, 5000]))
    draws = random.uniform(0, 1, (n_draws, 4, 3)).round(4)
    return make_surface(draws, knots, strategy="distill")


def unpacked(packed: Packed, like) -> np.ndarray:
    """The draws, read by the plainest loop."""
    data = zlib.decompress(packed.data)
    n, cells = like.n_draws, like.draws[0].size
    means = np.frombuffer(data, "<i4", cells) * 1e-8
    flat = np.frombuffer(data, "u1", 3 * n * cells, 4 * cells + 2 * n).astype(int)
    planes = flat.reshape(3, n, *like.draws.shape[1:])
    coded = planes[0] + 256 * planes[1] + 65536 * planes[2]
    left = np.where(coded % 2, -(coded + 1) // 2, coded // 2)
    whole = left.cumsum(axis=1).cumsum(axis=2)
    unit = packed.step * UNIT
    return (whole + np.rint(means / unit).reshape(like.draws.shape[1:])) * unit


@pytest.mark.parametrize("most", [10**6, 2050, 1])
def test_draws_come_back_within_half_a_step(most: int) -> None:
    made = surface()
    packed = pack([made], most)
    assert np.abs(unpacked(packed, made) - made.draws).max() <= packed.step * UNIT / 2 + 1e-9


def test_the_finest_step_that_fits_is_taken_and_the_coarsest_where_none_does() -> None:
    sizes = {step: len(pack([surface()], size).data) for step, size in zip(STEPS[::3], (10**6, 1), strict=True)}
    assert sizes[5] < sizes[1]
    assert [pack([surface()], size).step for size in (10**6, sizes[5], 1)] == [1, 5, 5]


@pytest.mark.parametrize("score", [np.nan, 3.0])
def test_a_score_that_is_none_is_refused(score: float) -> None:
    made = surface()
    made.draws[0, 0, 0] = score
    with pytest.raises(ValueError, match="not a finite fraction"):
        pack([made], 10**6)

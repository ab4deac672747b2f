"""Where evidence lies: hulls whose faces are known, and that every observed point lies inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.fitting.hull import support_of

COUNTS = st.floats(0, 1e6)


def test_the_hull_of_a_triangle_on_log_axes():
    """Corners at logs (0, 0), (4, 0), (0, 4): the slanted face is where the logs add up to 4."""
    support = support_of(np.expm1([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]))
    inside, outside, edge = np.expm1([[1.9, 1.9], [3.0, 3.0], [1.0, 0.0]])
    kinds, factor = support.classify([inside, outside, edge])
    assert kinds == ["interpolated", "extrapolated", "interpolated"]
    np.testing.assert_allclose(factor, [1, np.exp(2 / np.sqrt(2)), 1])
    np.testing.assert_allclose(np.linalg.norm(support.normals, axis=1), 1)
    assert len(support.offsets) == 3


@pytest.mark.parametrize(
    ("points", "asked", "factors"),
    [
        ([[99.0], [999.0]], [[9.0], [49.0], [199.0], [9999.0]], [10, 2, 1, 10]),
        (
            [[99.0, 9.0], [99.0, 999.0], [99.0, 99.0]],
            [[99.0, 49.0], [9.0, 49.0], [199.0, 49.0], [99.0, 4.0]],
            [1, 10, 2, 2],
        ),
        ([[99.0, 9.0]], [[99.0, 9.0], [9.0, 99.0]], [1, 10]),
    ],
)
def test_one_axis_and_points_in_a_row_have_their_box(points, asked, factors):
    """1 + n is ten times 100 or a tenth of it: ten fold outside, whichever end."""
    np.testing.assert_allclose(support_of(np.array(points)).classify(asked)[1], factors)


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_what_was_observed_and_what_lies_between_two_of_them_is_inside(rows, data):
    points = np.array(rows)
    support = support_of(points)
    assert set(support.classify(points)[0]) == {"observed"}
    one, two = (points[data.draw(st.integers(0, len(rows) - 1))] for _ in range(2))
    between = np.expm1((np.log1p(one) + np.log1p(two)) / 2)
    assert support.classify([between])[1] == [1]

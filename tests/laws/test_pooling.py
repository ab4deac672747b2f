"""Priors pooled from related curves: the shapes that were put in, seen from every cut, and how spreads add up."""

import numpy as np
import pytest

from budgetsim.laws.library import LAWS
from budgetsim.laws.pooling import _shapes_from_cuts, shapes_of, summarise

SIZES = 100.0 * 2.0 ** np.arange(12)


def seen(name, errors, shape):
    return np.array([value for found, value in _shapes_from_cuts(name, SIZES, errors) if found == shape])


def largest():
    """Largest size of each cut that leaves four sizes: all, a half, a quarter, an eighth, 1/16, 1/64 of them."""
    return SIZES[-1] / np.array([1, 2, 4, 8, 16, 64])


def test_a_floor_is_the_same_error_whichever_cut_it_is_seen_from():
    """In a cut it is a share of that cut's smallest error; share times smallest is the floor that was put in."""
    errors = 0.1 + 3.0 * SIZES**-0.5
    share = 1 / (1 + np.exp(-seen("power_floor", errors, "floor")))
    np.testing.assert_allclose(share * np.interp(largest(), SIZES, errors), 0.1, rtol=0.03)
    np.testing.assert_allclose(np.exp(seen("power_floor", errors, "log_exponent")), 0.5, rtol=0.03)


def test_a_shift_is_how_far_beyond_a_cut_the_curve_levels_off():
    """(1/x + g)^c levels off at 1/g = 5000: log(largest size / 5000) from each cut."""
    errors = 2.0 * (1 / SIZES + 1 / 5000) ** 0.4
    np.testing.assert_allclose(seen("shifted_power", errors, "log_shift"), np.log(largest() / 5000), atol=0.1)


def test_a_curve_of_few_sizes_tells_nothing_of_laws_with_many_parameters():
    found = shapes_of([(SIZES[:6], 0.1 + 3.0 * SIZES[:6] ** -0.5)])
    assert {name for name, shapes in found.items() if shapes} == {
        name for name, law in LAWS.items() if law.n_parameters <= 4
    }


def test_spreads_within_tasks_and_between_them_add_in_squares():
    """Even values on (0, 1) and (2, 6): medians 0.5 and 4, half of the middle 68 % 0.34 and 1.36; 30 % more, twice."""
    tasks = [{name: {} for name in LAWS} for _ in range(2)]
    tasks[0]["rectified"] = {"floor": np.linspace(0, 1, 101).tolist(), "top": [0.2]}
    tasks[1]["rectified"] = {"floor": np.linspace(2, 6, 101).tolist()}
    table = summarise(tasks, 2.0)
    sd = 1.3 * np.sqrt((0.34**2 + 1.36**2) / 2 + 1.75**2)
    assert table["rectified"]["floor"] == pytest.approx((2.25, 2 * sd), abs=0.011)
    assert table["rectified"]["top"] == (0.2, 0.05)  # one value spreads by the least
    assert table["one_break"] == {}

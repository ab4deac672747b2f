"""The walk that finds break-even factors and prices, against thresholds that are known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.choosing.bisect import first_change


@given(st.floats(1.001, 31.9), st.sampled_from([1.005, 1.02]), st.booleans())
def test_a_threshold_is_found_from_beyond_it_and_as_closely_as_asked(at, close, up):
    """Rising from 1 to 32 or falling from 1 to a 32nd: the place found has the new winner, one closer the old."""
    sign = 1 if up else -1
    tried = [1.0, 4.0**sign, 32.0**sign]
    place, who = first_change(lambda x: "then" if x**sign >= at else "now", "now", tried, close)
    assert who == "then"
    assert 1 <= place**sign / at <= close


def test_of_two_changes_the_first_one_met_counts():
    def winner(x):
        return "a" if x < 10 else "b" if x < 100 else "c"

    place, who = first_change(winner, "a", [1.0, 5.0, 50.0, 500.0], 1.01)
    assert (place, who) == (pytest.approx(10, rel=0.01), "b")
    # where nobody looks between, the bisection still ends at the first: from the far side it walks back
    place, who = first_change(winner, "a", [1.0, 500.0], 1.01)
    assert (place, who) == (pytest.approx(10, rel=0.01), "b")


def test_no_change_is_none_and_nothing_beyond_the_walk_is_asked():
    asked = []
    assert first_change(lambda x: asked.append(x), None, [1.0, 4.0, 32.0], 1.02) is None
    assert asked == [4.0, 32.0]


def test_from_nothing_on_a_log_scale():
    """A price of zero: steps start at a millionth, and below that nothing is told apart."""
    place, who = first_change(lambda usd: usd >= 0.02, False, [0.0, 1e-6, 1e-3, 1.0], 1.005, 1e-6)
    assert (place, who) == (pytest.approx(0.02, rel=0.005), True)
    place, _ = first_change(lambda usd: usd > 0, False, [0.0, 1e-6, 1.0], 1.005, 1e-6)
    assert place == 1e-6


@pytest.mark.parametrize(("close", "least", "tried"), [(1.0, 0.0, [1.0, 4.0]), (1.02, 0.0, [0.0, 4.0])])
def test_a_walk_whose_bisection_would_never_end_is_refused(close, least, tried):
    """The middle between nothing and anything is nothing on a log scale, and no two places are closer than equal."""
    with pytest.raises(ValueError, match="wanted above 1, and above 0"):
        first_change(lambda x: x > 1, False, tried, close, least)


@pytest.mark.parametrize("ratio", [4.0, 8.0])
def test_a_factor_is_narrowed_by_seven_halvings(ratio):
    """As many as the break-even factors of `optimize` had before there was one walk: to 1.02 from 4 or 8."""
    seen = []
    first_change(lambda x: seen.append(x) or x > 1.5, False, [1.0, ratio], 1.02)
    assert len(seen) == 1 + 7
    assert ratio ** (1 / 2**7) < 1.02 < ratio ** (1 / 2**6)
    assert math.isclose(seen[1], ratio**0.5)

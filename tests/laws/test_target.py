"""labels_for: closed forms of noiseless curves, and what a quantile over worlds must keep to."""

import numpy as np
import pytest

from budgetsim.errors import InputError
from budgetsim.laws.curve import fit_curve
from budgetsim.laws.target import REACH, labels_for

SIZES = 100.0 * 2.0 ** np.arange(10)
RNG = np.random.default_rng(3)
NOISY = fit_curve(SIZES, (0.05 + 3.0 * SIZES**-0.5) * np.exp(0.02 * RNG.standard_normal(10)))


def _or_infinite(size):
    return np.inf if size is None else size


@pytest.mark.parametrize(("a", "c"), [(3.0, 0.5), (1.0, 0.2)])
def test_a_noiseless_power_law_is_inverted(a, c):
    """e = a n^-c takes n = (a / e)^(1 / c): among the data to a percent, twofold beyond them to ten."""
    fit = fit_curve(SIZES, a * SIZES**-c)
    for n, tolerance in ((300.0, 0.01), (7000.0, 0.01), (2 * SIZES[-1], 0.1)):
        need = labels_for(fit, a * n**-c)
        assert need.size == pytest.approx(n, rel=tolerance)
        assert need.lower <= n * 1.001
        assert _or_infinite(need.upper) >= n * 0.999


def test_a_floor_that_is_known_is_never_passed():
    fit = fit_curve(SIZES, 0.1 + 3.0 * SIZES**-0.5, floor=0.1)
    need = labels_for(fit, 0.09)
    assert (need.size, need.lower, need.upper, need.reached) == (None, None, None, 0.0)
    assert need.furthest == REACH * SIZES[-1]


def test_a_target_that_the_smallest_size_reaches_takes_no_more_than_that():
    need = labels_for(NOISY, 0.9)
    assert need.size == need.lower == need.upper == need.smallest == SIZES[0]
    assert need.reached == 1.0


def test_a_harder_target_never_takes_fewer_labels_and_is_reached_no_more_often():
    needs = [labels_for(NOISY, target) for target in np.geomspace(0.5, 0.01, 40)]
    for name in ("size", "lower", "upper"):
        sizes = [_or_infinite(getattr(need, name)) for need in needs]
        assert sizes == sorted(sizes)
    reached = [need.reached for need in needs]
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] < 1


def test_more_certainty_takes_no_fewer_labels_and_the_interval_holds_the_middle():
    sizes = [_or_infinite(labels_for(NOISY, 0.065, chance).size) for chance in (0.05, 0.25, 0.5, 0.75, 0.95)]
    assert sizes == sorted(sizes)
    need = labels_for(NOISY, 0.065)
    assert (need.lower, need.size, _or_infinite(need.upper)) == (sizes[0], sizes[2], sizes[4])


def test_the_size_that_half_of_the_worlds_need_is_where_the_curve_comes_down_to_the_target():
    """Beyond the data draws are centred on the prediction, so the two agree."""
    need = labels_for(NOISY, 0.065)
    assert NOISY.predict([need.size]).mean[0] == pytest.approx(0.065, rel=0.01)


def test_a_world_is_one_curve_whatever_sizes_are_asked_together():
    alone, together = NOISY.curve_draws([1e6]), NOISY.curve_draws([500.0, 1e5, 1e6])
    np.testing.assert_allclose(together[:, 2:], alone)


def test_a_curve_scatters_less_than_a_run():
    at = [800.0, 2 * SIZES[-1]]
    assert (NOISY.curve_draws(at).std(axis=0) < NOISY.predict(at).draws.std(axis=0)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0.0,), "target is 0.0"), ((np.nan,), "target is nan"), ((0.1, 1.0), "chance is 1.0"), ((0.1, 0.5, 0), "level")],
)
def test_numbers_out_of_range_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        labels_for(NOISY, *arguments)

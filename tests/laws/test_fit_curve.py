"""fit_curve: what it returns, what it refuses, and that it does not depend on units or order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.errors import InputError
from budgetsim.laws.cautions import ErrorRise
from budgetsim.laws.curve import _curve_data, _largest_rise, _weights, fit_curve
from budgetsim.laws.ensemble import DEFAULT, drift
from budgetsim.laws.pooling import pool_prior
from budgetsim.report.cautions import curve_caution_words

SIZES = 100.0 * 2.0 ** np.arange(9)
LATER = np.array([0.0, 50.0, 300.0, 1e5, 1e9])


def _errors(seed=0, noise=0.01, c=0.5):
    rng = np.random.default_rng(seed)
    return (0.1 + 3.0 * SIZES**-c) * np.exp(noise * rng.standard_normal(len(SIZES)))


def test_a_curve_is_carried_on_within_its_interval():
    found = fit_curve(SIZES, _errors()).predict([2 * SIZES[-1]])
    truth = 0.1 + 3.0 * (2 * SIZES[-1]) ** -0.5
    assert found.lower[0] < truth < found.upper[0]
    assert found.kind == ["extrapolated"]
    assert found.factor[0] == pytest.approx(2.0)


def test_an_observed_point_returns_its_mean_within_noise():
    errors = _errors()
    found = fit_curve(SIZES, errors).predict(SIZES)
    assert np.abs(np.log(found.mean / errors)).max() < 0.03
    assert set(found.kind) == {"observed"}


@given(st.permutations(range(len(SIZES))))
@settings(max_examples=5, deadline=None)
def test_the_order_of_rows_does_not_matter(order):
    order = list(order)
    one = fit_curve(SIZES, _errors()).predict(LATER)
    other = fit_curve(SIZES[order], _errors()[order]).predict(LATER)
    np.testing.assert_array_equal(one.draws, other.draws)


@pytest.mark.parametrize(("size_unit", "error_unit"), [(1e6, 1.0), (1.0, 100.0), (1e-3, 1e-4)])
def test_units_do_not_matter(size_unit, error_unit):
    one = fit_curve(SIZES, _errors()).predict(LATER)
    other = fit_curve(SIZES * size_unit, _errors() * error_unit).predict(LATER * size_unit)
    np.testing.assert_allclose(other.mean, one.mean * error_unit, rtol=1e-3)
    np.testing.assert_allclose(other.upper, one.upper * error_unit, rtol=2e-2)


def test_the_same_seed_gives_the_same_bits():
    one, two = (fit_curve(SIZES, _errors(), seed=3).predict(LATER) for _ in range(2))
    np.testing.assert_array_equal(one.draws, two.draws)
    other = fit_curve(SIZES, _errors(), seed=4).predict(LATER)
    assert (one.draws != other.draws).any()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_few_points_give_a_wide_interval_and_say_so(n):
    fit = fit_curve(SIZES[:n], _errors()[:n])
    found = fit.predict([64 * SIZES[n - 1]])
    assert np.isfinite(found.draws).all()
    assert found.upper[0] / found.lower[0] > 2
    assert (n >= 4) or any("rests on the prior" in w for w in curve_caution_words(fit.cautions))


@pytest.mark.parametrize(
    ("sizes", "errors"),
    [
        (SIZES, np.full(9, 0.3)),  # constant
        (np.repeat(SIZES[:3], 3), np.tile([0.5, 0.52, 0.48], 3)),  # replicates
        (SIZES * 1e30, _errors()),
        (np.concatenate([[0.0], SIZES]), np.concatenate([[5.0], _errors()])),
        (SIZES, _errors()[::-1]),  # rising
        (SIZES, np.where(SIZES < 3000, 1.0, 1e-6)),  # a cliff
        (np.arange(1.0, 400.0), 1 / np.arange(1.0, 400.0)),  # many
        (np.array([100.0, 100.0]), np.array([0.5, 0.6])),  # one size
    ],
)
def test_odd_data_are_survived(sizes, errors):
    found = fit_curve(sizes, errors).predict(np.concatenate([LATER, sizes[:2], [sizes.max() * 1e6]]))
    for values in (found.mean, found.lower, found.upper, found.draws):
        assert np.isfinite(values).all()
    assert (found.lower <= found.upper).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sizes": [100, np.nan], "errors": [1, 1]}, "not finite"),
        ({"sizes": [100, 200], "errors": [1, np.inf]}, "not finite"),
        ({"sizes": [100, -2], "errors": [1, 1]}, "a size is"),
        ({"sizes": [100, 200], "errors": [1, 0]}, "Give n_test"),
        ({"sizes": [100], "errors": [1, 2]}, "one error a size"),
        ({"sizes": [], "errors": []}, "no row of positive size"),
        ({"sizes": [0], "errors": [1]}, "no row of positive size"),
        ({"sizes": ["many"], "errors": [1]}, "must be numbers"),
        ({"sizes": [100, 200], "errors": [0.5, 0.4], "floor": 0.45}, "floor is"),
        ({"sizes": [100, 200], "errors": [0.5, 0.4], "ceiling": 0.3}, "ceiling is"),
        ({"sizes": [100, 200], "errors": [0.5, 0.4], "n_test": -1}, "n_test must be positive"),
        ({"sizes": [100, 200], "errors": [0.5, 0.4], "prior": "guess"}, "no prior"),
    ],
)
def test_bad_input_is_refused_with_advice(arguments, words):
    with pytest.raises(InputError, match=words):
        fit_curve(**arguments)


@pytest.mark.parametrize("sizes", [[-1.0], [np.nan], ["x"]])
def test_bad_sizes_to_predict_at_are_refused(sizes):
    with pytest.raises(InputError):
        fit_curve(SIZES, _errors()).predict(sizes)


def test_zero_error_rates_are_counted_where_the_test_size_is_known():
    found = fit_curve(SIZES, np.maximum(_errors() - 0.2, 0.0), n_test=500).predict(SIZES)
    assert (found.mean > 0).all()


def test_limits_hold_for_every_draw():
    found = fit_curve(SIZES, _errors(), floor=0.09, ceiling=0.9).predict(LATER)
    assert found.draws.min() >= 0.09
    assert found.draws.max() <= 0.9


def test_a_rise_is_told_and_kept():
    errors = _errors(noise=0.002)
    errors[5:] *= 1.3
    fit = fit_curve(SIZES, errors)
    assert any("not monotone" in w for w in curve_caution_words(fit.cautions))
    assert not any(isinstance(c, ErrorRise) for c in fit_curve(SIZES, _errors(noise=0.002)).cautions)
    assert fit.predict(SIZES).mean[5] > fit.predict(SIZES).mean[4]


def test_intervals_grow_outside_the_data():
    found = fit_curve(SIZES, _errors()).predict(SIZES[-1] * 4.0 ** np.arange(6))
    width = np.log(found.upper / found.lower)
    assert (np.diff(width) > 0).all()


def test_an_interval_does_not_depend_on_what_else_is_asked():
    """Alone, among others, in any order, twice: the same draws at the same size; new runs at two sizes are two."""
    fit = fit_curve(SIZES, _errors())
    sizes = [6000.0, SIZES[0] * 1.5, 1e6, SIZES[-1] * 8, 6000.0]
    together, turned = fit.predict(sizes), fit.predict(sizes[::-1])
    np.testing.assert_allclose(together.draws, turned.draws[:, ::-1], rtol=1e-12)
    for i, size in enumerate(sizes):
        np.testing.assert_allclose(fit.predict([size]).draws[:, 0], together.draws[:, i], rtol=1e-12)
        np.testing.assert_allclose(fit.predict([size]).lower[0], together.lower[i], rtol=1e-12)


def test_widths_beyond_the_data_are_not_left_to_chance():
    """Independent Student draws, 40 of each growth, scatter by a tenth from seed to seed; evenly spread ones by less."""
    fits = [fit_curve(SIZES, _errors(), seed=seed) for seed in range(8)]
    far = [fit.predict([SIZES[-1] * 64]) for fit in fits]
    widths = [float(np.log(p.upper[0] / p.lower[0])) for p in far]
    assert np.std(widths) / np.mean(widths) < 0.05


def test_draws_take_the_growths_in_turn():
    """With a noise of .01 and a slope of .04 the cube root of .02 x .01 x .04 is .02: two e-folds beyond, .04."""
    options = replace(DEFAULT, growths=(0.5, 5.0), grow_power=1.0)
    scale = drift(options, noise=0.01, slope=0.04, beyond=np.array([0.0, 2.0]), n=5)
    assert scale == pytest.approx(np.array([[0.0, v] for v in (0.02, 0.2, 0.02, 0.2, 0.02)]))


def test_growths_widen_the_interval_and_leave_the_centre():
    later = SIZES[-1] * np.array([8.0, 64.0])
    calm, wild = (
        fit_curve(SIZES, _errors(), options=replace(DEFAULT, growths=(growth,))).predict(later) for growth in (0.5, 4.0)
    )
    assert wild.mean == pytest.approx(calm.mean)
    assert (wild.upper / wild.lower > calm.upper / calm.lower).all()


def test_exponents_are_recovered_at_the_nominal_rate():
    """90 % intervals of the exponent of made power laws hold it in 80 to 99 % of 60 curves."""
    options = replace(DEFAULT, laws=("power_floor",), tails=(0.0,), prior="weak")
    sizes = 100.0 * 2.0 ** np.arange(14)
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        c = float(np.exp(np.log(0.4) + 0.3 * rng.standard_normal()))
        errors = (0.1 + 3.0 * sizes**-c) * np.exp(0.01 * rng.standard_normal(len(sizes)))
        draws = np.exp(fit_curve(sizes, errors, options=options).parameters("power_floor")["log_exponent"])
        low, high = np.quantile(draws, [0.05, 0.95])
        held.append(low <= c <= high)
    assert 0.8 <= np.mean(held) <= 0.99


def test_an_absent_law_has_no_parameters():
    with pytest.raises(InputError, match="not in this fit"):
        fit_curve(SIZES, _errors()).parameters("one_break")


def test_a_prior_pooled_from_related_curves_carries_few_points_further():
    related = [(SIZES, _errors(seed, c=0.5)) for seed in range(6)]
    truth = 0.1 + 3.0 * SIZES[-1] ** -0.5
    gap = []
    for prior in ("weak", pool_prior([related])):
        found = fit_curve(SIZES[:4], _errors(9)[:4], prior=prior).predict(SIZES[-1:])
        gap.append(abs(float(np.log(found.mean[0] / truth))))
    assert gap[1] < gap[0]


def test_too_few_curves_are_not_pooled():
    with pytest.raises(InputError, match="at least 4 curves"):
        pool_prior([[(SIZES, _errors())]])


def test_rows_weigh_as_the_noise_of_their_size_and_count():
    """Variance of a log error: s0^2 (largest / size)^(2 tail) of a run, and (1 - e) / (n e) of counting n items."""
    x, e = np.array([100.0, 400.0, 6400.0]), np.array([0.5, 0.2, 0.1])
    data = _curve_data(x, e, None, None)
    options = replace(DEFAULT, noise_prior=0.02)
    run = 0.02**2 * (6400 / x) ** (2 * 0.3)
    np.testing.assert_allclose(_weights(data, None, options, 0.3), 0.02**2 / run)
    counted = np.array([500.0, 2000.0, 2000.0])
    wanted = 0.02**2 / (run + (1 - e) / (counted * e))
    np.testing.assert_allclose(_weights(data, counted, options, 0.3), wanted)


def test_an_error_that_never_came_counts_as_half_an_item():
    fit = fit_curve(SIZES[:4], [0.2, 0.1, 0.01, 0.0], n_test=500)
    assert fit.errors.tolist() == [0.2, 0.1, 0.01, 0.5 / 500]


def test_the_interval_is_central_and_holds_its_level_of_the_draws():
    found = fit_curve(SIZES, _errors()).predict([0.3 * SIZES[0], 700.0, 50 * SIZES[-1]], level=0.8)
    np.testing.assert_allclose((found.draws < found.lower).mean(axis=0), 0.1, atol=0.005)
    np.testing.assert_allclose((found.draws > found.upper).mean(axis=0), 0.1, atol=0.005)
    np.testing.assert_allclose(np.median(found.draws, axis=0), found.mean, rtol=1e-3)


def test_an_interval_at_an_observed_size_holds_the_noise_of_a_new_run():
    """36 runs that scatter by 5 % about a power law: 90 % of new ones lie within 1.645 x 5 % of it."""
    rng = np.random.default_rng(8)
    sizes = np.repeat(SIZES, 4)
    errors = (0.1 + 3.0 * sizes**-0.5) * np.exp(0.05 * rng.standard_normal(36))
    fit = fit_curve(sizes, errors, options=replace(DEFAULT, tails=(0.0,), n_draws=2000))
    found = fit.predict(SIZES[3:6])
    np.testing.assert_allclose(np.log(found.upper / found.lower) / 2, 1.645 * 0.05, rtol=0.25)
    assert fit.noise == pytest.approx(0.05, rel=0.25)


def test_factors_count_from_either_end_of_the_data():
    found = fit_curve(SIZES, _errors()).predict([SIZES[0] / 4, 1.1 * SIZES[2], 8 * SIZES[-1]])
    assert found.kind == ["extrapolated", "interpolated", "extrapolated"]
    np.testing.assert_allclose(found.factor, [4, 1, 8])


def test_the_noise_of_a_point_is_read_off_its_bends():
    """Second differences of white noise have six times its variance, whatever straight line it lies about."""
    x = np.exp(np.linspace(0, 9, 3000))
    y = -0.5 * np.log(x) + 0.02 * np.random.default_rng(5).standard_normal(3000)
    _, noise, _ = _largest_rise(x, y)
    assert noise == pytest.approx(0.02 * np.sqrt(2), rel=0.07)  # of the difference of two points
    rise, _, at = _largest_rise(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.0, -0.5, -0.1, -0.3]))
    assert (rise, at) == (pytest.approx(0.4), 4.0)


def test_a_bump_that_no_family_has_is_kept():
    """An error 20 % higher over two e-folds in the middle of exact values: no noise, so it is returned as it was."""
    sizes = 100.0 * 2.0 ** np.arange(17)
    bump = 0.2 * np.exp(-((np.log(sizes / sizes[8]) / 1.5) ** 2))
    errors = (0.1 + 3.0 * sizes**-0.5) * np.exp(bump)
    np.testing.assert_allclose(fit_curve(sizes, errors).predict(sizes).mean, errors, rtol=0.02)

"""fit_surface: recovers made surfaces, refuses bad input, says what it leans on."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.errors import InputError
from budgetsim.laws.additive import additive
from budgetsim.laws.cautions import FormsDisagree
from budgetsim.laws.surface import SURFACE, _frame, _miss_dearest, _search, fit_surface
from budgetsim.report.cautions import curve_caution_words

N, U = (m.ravel() for m in np.meshgrid(10.0 ** np.arange(2, 6), 10.0 ** np.arange(3, 7)))
TRUTH = 0.1 + 2.0 * N**-0.4 + 3.0 * U**-0.3


def test_an_additive_surface_is_carried_on():
    fit = fit_surface({"n": N, "u": U}, TRUTH)
    found = fit.predict({"n": [1e6, 3e3], "u": [1e7, 3e4]})
    truth = 0.1 + 2.0 * np.array([1e6, 3e3]) ** -0.4 + 3.0 * np.array([1e7, 3e4]) ** -0.3
    assert ((found.lower < truth) & (truth < found.upper)).all()
    assert found.kind == ["extrapolated", "interpolated"]
    assert "additive" in fit.laws


def test_an_input_may_be_one_in_which_the_error_rises():
    teacher = np.repeat([0.1, 0.2, 0.4, 0.8], 4)
    errors = 0.05 + 0.5 * teacher + 2.0 * N**-0.4
    found = fit_surface({"n": N, "teacher_error": teacher}, errors, rising=["teacher_error"])
    low, high = found.predict({"n": [1e3, 1e3], "teacher_error": [0.15, 0.6]}).mean
    assert low < high


def test_an_input_that_rises_is_one_over_it_that_falls():
    teacher = np.repeat([0.1, 0.2, 0.4, 0.8], 4)
    errors = 0.05 + 0.5 * teacher + 2.0 * N**-0.4
    one = fit_surface({"n": N, "teacher_error": teacher}, errors, rising=["teacher_error"])
    two = fit_surface({"n": N, "one_over": 1 / teacher}, errors)
    asked = np.array([0.05, 0.15, 2.0])
    found = one.predict({"n": [3e3], "teacher_error": asked}), two.predict({"n": [3e3], "one_over": 1 / asked})
    np.testing.assert_allclose(found[0].mean, found[1].mean, rtol=1e-4)
    np.testing.assert_allclose(found[0].factor, found[1].factor)
    np.testing.assert_allclose(found[0].factor, [2, 1, 2.5], rtol=1e-6)


def test_rows_may_come_in_any_order_and_units():
    order = np.random.default_rng(0).permutation(len(N))
    at = {"n": [3e3], "u": [3e4]}
    one = fit_surface({"n": N, "u": U}, TRUTH).predict(at).mean
    two = fit_surface({"n": N[order], "u": U[order]}, TRUTH[order]).predict(at).mean
    three = fit_surface({"n": N / 10, "u": U}, 100 * TRUTH).predict({"n": [3e2], "u": [3e4]}).mean / 100
    np.testing.assert_allclose(two, one, rtol=1e-3)
    np.testing.assert_allclose(three, one, rtol=1e-3)


def test_the_same_seed_gives_the_same_bits():
    one, two = (fit_surface({"n": N, "u": U}, TRUTH).predict({"n": [1e6], "u": [1e7]}).draws for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_few_rows_are_survived_and_told(rows):
    fit = fit_surface({"n": N[:rows], "u": U[:rows]}, TRUTH[:rows])
    assert np.isfinite(fit.predict({"n": [1e6], "u": [1e7]}).draws).all()
    assert fit.cautions


@pytest.mark.parametrize(
    ("inputs", "errors", "words"),
    [
        ({}, [1.0], "no inputs"),
        ({"n": [1.0, 2.0]}, [1.0], "one error a row"),
        ({"n": [0.0, 2.0]}, [1.0, 1.0], "finite and positive"),
        ({"n": [1.0, np.nan]}, [1.0, 1.0], "finite and positive"),
        ({"n": [1.0, 2.0]}, [1.0, 0.0], "errors must be finite and positive"),
        ({"n": [1.0, 2.0], "u": [1.0, 2.0, 3.0]}, [1.0, 1.0], "numbers of one length"),
    ],
)
def test_bad_input_is_refused(inputs, errors, words):
    with pytest.raises(InputError, match=words):
        fit_surface(inputs, errors)


def test_a_missing_input_is_named():
    with pytest.raises(InputError, match="lack u"):
        fit_surface({"n": N, "u": U}, TRUTH).predict({"n": [1.0]})


AT = np.log(np.stack([N, U], axis=1)) - np.log(np.stack([N, U], axis=1)).mean(axis=0)
Y = np.log(TRUTH / TRUTH.min())
FRAME = _frame(AT, Y, TRUTH.min(), None, None)


def test_dear_rows_weigh_as_their_size():
    """A tail of one half: noise falls as the root of the inputs' geometric mean, so rows weigh as that mean."""
    options = replace(SURFACE, robust_rounds=0)
    (found,) = _search([additive(2)], AT, Y, FRAME, options, np.random.default_rng(0))
    np.testing.assert_allclose(found.weight[0], np.sqrt(N * U) / np.sqrt(N * U).max())


def test_forms_are_screened_by_the_dearest_rows():
    """Exact sums of powers, but the three dearest rows are e times as large: the form that fits the rest misses by 1."""
    dear = np.argsort(AT.sum(axis=1), kind="stable")[-3:]
    off = Y.copy()
    off[dear] += 1
    (miss,) = _miss_dearest([additive(2)], AT, off, FRAME, 0.2, SURFACE, 0)
    assert miss == pytest.approx(1, abs=0.1)


def test_factors_of_one_input_count_from_either_end():
    sizes = 100.0 * 2.0 ** np.arange(7)
    found = fit_surface({"n": sizes}, 0.1 + 2.0 * sizes**-0.4).predict({"n": [sizes[0] / 10, 500.0, 10 * sizes[-1]]})
    assert found.kind == ["extrapolated", "interpolated", "extrapolated"]
    np.testing.assert_allclose(found.factor, [10, 1, 10])


def test_the_interval_holds_new_runs_at_its_level():
    """64 runs that scatter by 10 %: 80 % of new ones within 1.28 x 10 % of the truth, a tenth on either side."""
    rng = np.random.default_rng(1)
    n, u, truth = (np.tile(v, 4) for v in (N, U, TRUTH))
    options = replace(SURFACE, tails=(0.0,), n_draws=2000)
    fit = fit_surface({"n": n, "u": u}, truth * np.exp(0.1 * rng.standard_normal(64)), options=options)
    found = fit.predict({"n": [2e3, 2e4], "u": [2e4, 2e5]}, level=0.8)
    np.testing.assert_allclose(np.log(found.upper / found.lower) / 2, 1.282 * 0.1, rtol=0.25)
    np.testing.assert_allclose((found.draws < found.lower).mean(axis=0), 0.1, atol=0.005)
    np.testing.assert_allclose(np.median(found.draws, axis=0), found.mean, rtol=1e-3)


def test_forms_that_miss_the_dearest_rows_by_unlike_amounts_are_told():
    """An exact sum of powers: it misses by next to nothing what a plane misses; on an exact plane all others bend less."""
    (told,) = (c for c in fit_surface({"n": N, "u": U}, TRUTH).cautions if isinstance(c, FormsDisagree))
    assert told.best == "additive"
    assert told.worst_error > 2 * told.best_error
    (words,) = curve_caution_words([told])
    assert words.startswith("forms disagree: from the cheaper rows the dearest are missed additive by")


def test_a_plane_is_carried_on_as_a_plane():
    """Errors that fall as a power of each input and have no floor: out to a hundredfold, within 5 %."""
    errors = 3.0 * N**-0.2 * U**-0.1
    fit = fit_surface({"n": N, "u": U}, errors)
    assert "plane" in fit.laws
    assert fit.predict({"n": [1e6], "u": [1e7]}).mean[0] == pytest.approx(3.0 * 1e6**-0.2 * 1e7**-0.1, rel=0.05)

"""fit_surface: recovers made surfaces, refuses bad input, says what it leans on."""

import numpy as np
import pytest

from budgetsim.errors import InputError
from budgetsim.laws.surface import fit_surface

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

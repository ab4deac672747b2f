import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from budgetsim.choosing.simulate import chance_of_best, expected_regret, run_interval

scores = arrays(float, (7, 3), elements=st.floats(0, 1))


@given(scores)
def test_least_regret_is_highest_mean_score(score):
    regret = expected_regret(score)
    assert regret[score.mean(axis=0).argmax()] == pytest.approx(regret.min(), abs=1e-12)
    assert (regret >= 0).all()


@given(scores)
def test_regret_against_a_better_reference_rises_by_the_difference(score):
    best = score.max(axis=1) + 0.25
    assert expected_regret(score, best) == pytest.approx(expected_regret(score) + 0.25)


@given(scores)
def test_chances_add_up_to_one(score):
    assert chance_of_best(score).sum() == pytest.approx(1)


def test_chance_of_best_of_two_normals_is_the_closed_form():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.6, 0.03, 200_000), rng.normal(0.57, 0.04, 200_000)
    # P(a > b) = Phi(0.03 / sqrt(0.03^2 + 0.04^2)) = Phi(0.6) = 0.72575
    assert chance_of_best(np.stack([a, b], axis=1))[0] == pytest.approx(0.72575, abs=0.003)


def test_regret_of_two_normals_is_the_closed_form():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.6, 0.03, 200_000), rng.normal(0.57, 0.04, 200_000)
    # E[max(b - a, 0)] with b - a ~ N(-0.03, 0.05): 0.05 (phi(0.6) - 0.6 Phi(-0.6)) = 0.0084335
    assert expected_regret(np.stack([a, b], axis=1))[0] == pytest.approx(0.0084335, rel=0.02)


def test_interval_is_numpys_quantile_and_stays_within_the_scale():
    rng = np.random.default_rng(3)
    means, noise = rng.normal(0.5, 0.1, (401, 5)), rng.normal(0, 0.05, 401)
    lower, upper = run_interval(means, noise)
    wanted = np.quantile(means + noise[:, None], [0.05, 0.95], axis=0)
    assert np.stack([lower, upper]) == pytest.approx(wanted)
    lower, upper = run_interval(np.full((10, 1), 0.99), np.linspace(-1, 1, 10))
    assert lower[0] >= 0
    assert upper[0] <= 1


def test_a_failed_draw_is_refused_with_advice():
    with pytest.raises(ValueError, match="drop failed draws"):
        expected_regret([[np.nan, 0.5]])

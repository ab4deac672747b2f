"""Draws conditioned on a run: against Gaussian formulas, and what no way of learning may break."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.pilots.condition import RunOutlook, observe, run_outlook, slices
from made import make_surface

KNOTS = (np.array([0.0, 100.0, 1000.0]),)
EVENLY = {n: [i / n for i in range(1, n)] for n in range(2, 41)}  # cuts into n slices of equal chance


def gaussian_surface(n_draws, noise, seed=0):
    """Scores at three knots, jointly normal with known mean and covariance, and their runs' noise."""
    rng = np.random.default_rng(seed)
    mean = np.array([0.3, 0.5, 0.6])
    root = 0.02 * np.array([[1.0, 0, 0], [0.8, 0.6, 0], [0.4, 0.7, 0.5]])
    surface = make_surface(mean + rng.standard_normal((n_draws, 3)) @ root.T, KNOTS)
    object.__setattr__(surface, "run_noise", noise * rng.standard_normal(n_draws))
    return surface, mean, root @ root.T


def test_a_real_result_gives_the_conditional_normal():
    surface, mean, cov = gaussian_surface(200_000, 0.015)
    (after,) = observe([surface], surface, [100], 0.54)
    gain = cov[:, 1] / (cov[1, 1] + 0.015**2)
    assert after.mean_table() == pytest.approx(mean + gain * (0.54 - 0.5), abs=3e-4)
    wanted = cov - np.outer(gain, cov[1])
    assert np.cov(after.draws.T, bias=True) == pytest.approx(wanted, abs=6e-6)  # variances are 4e-4


def test_a_result_moves_nothing_that_is_unrelated():
    surface, *_ = gaussian_surface(400, 0.01)
    other, *_ = gaussian_surface(400, 0.01, seed=1)
    _, after = observe([surface, other], surface, [100], 0.56)
    told = run_outlook(surface, [100])
    moved = np.abs(after.mean_table() - other.mean_table())
    assert (moved <= 0.001).all()
    assert np.abs(told.slopes(surface.draws)[1]) == pytest.approx(told.mean.var() / told.spread, rel=0.01)


def test_slices_give_the_value_of_information_of_two_normal_arms():
    # arm 0 is known at 0; arm 1 is N(-0.01, 0.03) and a run of it has noise 0.04. With s~ = .03^2 / .05 = .018
    # E[max(0, E[arm 1 | y])] = s~ (phi(d) - d Phi(-d)), d = .01 / .018   (Frazier, Powell & Dayanik 2009)
    from statistics import NormalDist

    rng = np.random.default_rng(3)
    arm = rng.normal(-0.01, 0.03, 40_000)
    cut = slices(RunOutlook(arm, 0.04), EVENLY[40])
    worth = cut.chance @ np.maximum(cut.expected(arm), 0.0)
    unit, d = NormalDist(), 0.01 / 0.018
    assert worth == pytest.approx(0.018 * (unit.pdf(d) - d * unit.cdf(-d)), rel=0.03)


def test_fewer_slices_never_tell_more():
    rng = np.random.default_rng(4)
    arm = rng.normal(-0.01, 0.03, 20_000)
    worth = [
        (c := slices(RunOutlook(arm, 0.02), EVENLY[n])).chance @ np.maximum(c.expected(arm), 0.0) for n in (2, 4, 8, 16)
    ]
    assert (np.diff(worth) > -2e-5).all()  # of .006: the share taken off for accident differs a little
    assert worth[-1] > 1.05 * worth[0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.1), st.integers(2, 12))
def test_learning_for_free_never_loses_and_never_beats_perfect_knowledge(seed, noise, n):
    rng = np.random.default_rng(seed)
    plans = rng.normal(0.5, 0.05, (200, 3)) @ rng.normal(0, 0.6, (3, 6)) + 0.5
    cut = slices(RunOutlook(plans[:, 0], noise), EVENLY[n])
    after = cut.expected(plans)
    assert cut.chance.sum() == pytest.approx(1)
    assert cut.chance @ after == pytest.approx(plans.mean(axis=0))
    worth = cut.chance @ after.max(axis=1) - plans.mean(axis=0).max()
    assert worth >= -1e-12
    assert worth <= (plans.max(axis=1).mean() - plans.mean(axis=0).max()) + 0.002


def test_a_run_that_always_ends_the_same_teaches_nothing():
    flat = np.full(50, 0.4)
    cut = slices(RunOutlook(flat, 0.0))
    scores = np.random.default_rng(0).normal(0.5, 0.1, (50, 2))
    assert cut.expected(scores) == pytest.approx(np.tile(scores.mean(axis=0), (len(cut.chance), 1)))
    assert RunOutlook(flat, 0.0).slopes(scores) == pytest.approx([0, 0])


def test_more_seeds_are_less_noise():
    surface, *_ = gaussian_surface(1000, 0.02)
    assert run_outlook(surface, [100], 4).noise == pytest.approx(run_outlook(surface, [100]).noise / 2)

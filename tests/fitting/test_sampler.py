"""Tempering on posteriors that are known in closed form, and its parts one at a time."""

import numpy as np
import pytest

from budgetsim.fitting.sampler import _KEEP, _correlation, _move, _next_step, _settle, systematic, temper


@pytest.mark.parametrize("offset", [0.0, -700.0])
def test_a_normal_posterior_and_its_evidence_are_those_of_conjugacy(offset):
    """y = z + e of deviation s in three coordinates: evidence N(y; 0, 1 + s^2), posterior y / (1 + s^2) wide s^2 / (1 + s^2).

    A constant factor of the likelihood, even one as small as exp(-700), multiplies the evidence and moves nothing.
    """
    y, variance = np.array([1.5, -0.5, 2.0]), 0.05**2

    def log_likelihood(z):
        return (-0.5 * (z - y) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)).sum(axis=1) + offset

    found = [temper(log_likelihood, 3, np.random.default_rng(seed), n_particles=2000) for seed in range(2)]
    wanted = offset + (-0.5 * y**2 / (1 + variance) - 0.5 * np.log(2 * np.pi * (1 + variance))).sum()
    assert np.mean([f.log_evidence for f in found]) == pytest.approx(wanted, abs=0.25)
    for f in found:
        np.testing.assert_allclose(f.z.mean(axis=0), y / (1 + variance), atol=0.006)
        np.testing.assert_allclose(f.z.std(axis=0), np.sqrt(variance / (1 + variance)), rtol=0.08)


def test_two_explanations_keep_their_odds():
    """A likelihood with a peak either side of zero, one three times as good: three quarters of the draws."""

    def log_likelihood(z):
        near = [np.exp(-0.5 * ((z[:, 0] - at) / 0.2) ** 2) for at in (-1.0, 1.0)]
        return np.log(near[0] + 3 * near[1] + 1e-300)

    found = temper(log_likelihood, 1, np.random.default_rng(1), n_particles=3000)
    assert (found.z > 0).mean() == pytest.approx(0.75, abs=0.03)


def test_a_step_in_power_keeps_the_share_of_effective_particles():
    """(sum w)^2 / (n sum w^2) of the weights of a step is what is to be kept; where all is kept, the step is all there is."""
    fit = 30 * np.random.default_rng(2).standard_normal(5000)
    step = _next_step(fit, 1.0)
    weight = np.exp(step * fit)
    assert 0 < step < 1
    assert weight.sum() ** 2 / (5000 * (weight**2).sum()) == pytest.approx(_KEEP, abs=1e-3)
    assert _next_step(fit / 1e4, 0.7) == 0.7


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0])
def test_moves_leave_prior_times_powered_likelihood_as_it_is(power):
    """N(0, 1) times N(2; z, 1/2)^p is N(4p / (1 + 2p), 1 / (1 + 2p)); particles that start elsewhere end there."""

    def log_likelihood(z):
        return -((z[:, 0] - 2) ** 2)

    rng = np.random.default_rng(3)
    z = rng.standard_normal((4000, 1)) + 1
    fit = log_likelihood(z)
    for _ in range(80):
        z, fit = _move(log_likelihood, z, fit, power, rng)
    np.testing.assert_array_equal(fit, log_likelihood(z))
    assert z.mean() == pytest.approx(4 * power / (1 + 2 * power), abs=0.06)
    assert z.var() == pytest.approx(1 / (1 + 2 * power), rel=0.1)


def test_particles_move_until_they_have_forgotten_where_they_stood():
    """Two coordinates that the data tie to a line a hundredth wide: a few moves are not enough, and it is noticed."""

    def log_likelihood(z):
        return -0.5 * ((z[:, 0] - z[:, 1]) / 0.01) ** 2

    rng = np.random.default_rng(5)
    z = np.repeat(rng.standard_normal((1000, 1)), 2, axis=1) / np.sqrt(2) + 0.002 * rng.standard_normal((1000, 2))
    moved, _ = _settle(log_likelihood, z, log_likelihood(z), 1.0, rng, 0.3)
    assert np.abs(_correlation(moved, z)).mean() < 0.3
    np.testing.assert_allclose(_correlation(moved, z), [np.corrcoef(moved[:, i], z[:, i])[0, 1] for i in range(2)])
    assert moved[:, 0].var() == pytest.approx(0.5, rel=0.2)


def test_rows_are_drawn_as_often_as_they_weigh_give_or_take_one():
    weight = np.random.default_rng(4).exponential(size=50)
    for seed in range(20):
        drawn = systematic(weight, 1000, np.random.default_rng(seed))
        assert len(drawn) == 1000
        assert np.abs(np.bincount(drawn, minlength=50) - 1000 * weight / weight.sum()).max() < 1

"""The residual process against multivariate normals written out in full."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from budgetsim.fitting.residual import Residual, correlation

RNG = np.random.default_rng(0)
SEEN, NEW = RNG.uniform(0, 4, (6, 2)), RNG.uniform(-1, 6, (4, 2))
LENGTHS = (2.0, 3.0)
WEIGHT = np.array([1.0, 0.3, 2.0, 1.0, 0.5, 4.0])
LEFT = 0.1 * RNG.standard_normal((3, 6))
AMPLITUDE, NOISE = np.array([0.05, 0.2, 1.0]), np.array([0.03, 0.01, 0.3])
RESIDUAL = Residual.over(SEEN, LENGTHS, WEIGHT)


def matern(a, b):
    """(1 + sqrt(3) d) exp(-sqrt(3) d) of the distance in lengths, a factor an axis."""
    d = np.sqrt(3) * np.abs(a - b) / LENGTHS
    return float(np.prod((1 + d) * np.exp(-d)))


def covariances(k):
    """Of what is seen, of new with seen, of new: amplitude^2 times the correlation, and noise^2 / weight on the seen."""
    both = np.concatenate([SEEN, NEW])
    full = AMPLITUDE[k] ** 2 * np.array([[matern(a, b) for b in both] for a in both])
    return full[:6, :6] + np.diag(NOISE[k] ** 2 / WEIGHT), full[6:, :6], full[6:, 6:]


def test_correlation_is_a_product_over_axes():
    np.testing.assert_allclose(correlation(SEEN, NEW, LENGTHS), [[matern(a, b) for b in NEW] for a in SEEN])


def test_the_density_is_that_of_a_multivariate_normal():
    """Rows times the square root of their weight, so densities differ by the constant of that scale."""
    wanted = [multivariate_normal(cov=covariances(k)[0]).logpdf(LEFT[k]) - 0.5 * np.log(WEIGHT).sum() for k in range(3)]
    np.testing.assert_allclose(RESIDUAL.log_likelihood(LEFT, AMPLITUDE, NOISE), wanted)


def test_a_row_left_out_is_predicted_by_the_others():
    gap, sd = RESIDUAL.leave_one_out(LEFT, AMPLITUDE, NOISE)
    for k in range(3):
        seen, _, _ = covariances(k)
        for i in range(6):
            rest = np.arange(6) != i
            gain = np.linalg.solve(seen[np.ix_(rest, rest)], seen[rest, i])
            assert gap[k, i] == pytest.approx(LEFT[k, i] - gain @ LEFT[k, rest])
            assert sd[k, i] == pytest.approx(np.sqrt(seen[i, i] - gain @ seen[rest, i]))


def conditional(k):
    seen, cross, new = covariances(k)
    gain = np.linalg.solve(seen, cross.T).T
    return gain @ LEFT[k], new - gain @ cross.T


def test_mean_and_deviation_at_new_sizes_are_those_of_a_conditional_normal():
    mean, sd = RESIDUAL.conditional(NEW, LEFT, AMPLITUDE, NOISE)
    for k in range(3):
        wanted, covariance = conditional(k)
        np.testing.assert_allclose(mean[k], wanted)
        np.testing.assert_allclose(sd[k], np.sqrt(np.diag(covariance)))
        np.testing.assert_allclose(RESIDUAL.mean(NEW, LEFT, AMPLITUDE, NOISE)[k], wanted)


@pytest.mark.parametrize("k", range(3))
def test_draws_have_the_mean_and_covariance_of_the_conditional_normal(k):
    many = 40_000
    draws = RESIDUAL.draw(
        NEW, np.tile(LEFT[k], (many, 1)), np.full(many, AMPLITUDE[k]), np.full(many, NOISE[k]), np.random.default_rng(k)
    )
    mean, covariance = conditional(k)
    scale = AMPLITUDE[k]
    np.testing.assert_allclose(draws.mean(axis=0) / scale, mean / scale, atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T) / scale**2, covariance / scale**2, atol=0.025)

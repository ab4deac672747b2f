"""The process against a plain second implementation, and at its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from budgetsim.forecast.process import (
    CENTRE,
    JITTER,
    Cells,
    Hypers,
    condition,
    covariance,
    error_variance,
    probe_error,
    start,
)
from budgetsim.forecast.scale import stretch, to_scale, to_score
from budgetsim.forecast.tune import fit_hypers, log_likelihood
from made_cells import made, varied


def plain(a: Cells, i: int, b: Cells, j: int, h: Hypers) -> float:
    """Covariance of two cells, written out effect by effect."""
    same_task, same_learner, same_family = (
        a.task[i] == b.task[j],
        a.learner[i] == b.learner[j],
        a.family[i] == b.family[j],
    )
    like = np.exp(-np.sum((a.traits[i] - b.traits[j]) ** 2) / (2 * h.like**2))
    shared = [1, same_family, same_learner, like, same_task, like * same_family,
              same_task and same_family, same_task and same_learner]  # fmt: skip
    p, q = a.x[i] - CENTRE, b.x[j] - CENTRE
    slope = p[0] * q[0] + (p[1] * q[1] if a.x[i, 1] > 0 and b.x[j, 1] > 0 else 0)
    bend = np.exp(-sum((a.x[i, k] - b.x[j, k]) ** 2 / (2 * h.length[k] ** 2) for k in range(2)))
    early = bend / np.sqrt((1 + np.expm1(a.x[i, 0]) / 1000) * (1 + np.expm1(b.x[j, 0]) / 1000))
    return sum(g * (v @ [1, slope, bend, early]) for g, v in zip(shared, h.variance, strict=True))


def test_the_covariance_is_the_sum_of_its_effects():
    a, b, h = made(7, 1), made(5, 2), varied()
    by_hand = [[plain(a, i, b, j, h) for j in range(5)] for i in range(7)]
    np.testing.assert_allclose(covariance(a, b, h), by_hand, rtol=1e-12)


def test_the_posterior_is_that_of_the_joint_normal():
    """Dense second form: partition the joint covariance and invert it."""
    seen, at, h = made(20, 3), made(6, 4), varied()
    z, n = np.random.default_rng(5).normal(size=20), np.tile([1.0, 3.0], 10)
    k = np.array([[plain(seen, i, seen, j, h) for j in range(20)] for i in range(20)])
    rough = h.scatter[(seen.learner % 2).astype(int)] * (1 + h.few / np.expm1(seen.x[:, 0]))
    noise = np.diag(rough * (h.noise * stretch(z, seen.floor) ** 2 / n + h.misfit) + JITTER)
    for i, j in np.ndindex(20, 20):  # what a probe of one task is off by, two points of the metric, at all its sizes
        if seen.probed[i] and seen.probed[j] and seen.task[i] == seen.task[j]:
            noise[i, j] += 0.02**2 * stretch(z[i], 0.3) * stretch(z[j], 0.3)
    cross = np.array([[plain(at, i, seen, j, h) for j in range(20)] for i in range(6)])
    own = np.array([[plain(at, i, at, j, h) for j in range(6)] for i in range(6)])
    weights = cross @ np.linalg.inv(k + noise)
    got = condition(seen, z, n, at, h)
    np.testing.assert_allclose(got.mean, h.mean + weights @ (z - h.mean), rtol=1e-8)
    np.testing.assert_allclose(got.covariance, own - weights @ cross.T, atol=1e-8)


def test_without_data_the_posterior_is_the_prior():
    at, h = made(6, 4), varied()
    got = condition(at.pick(slice(0, 0)), np.empty(0), np.empty(0), at, h)
    np.testing.assert_allclose(got.mean, h.mean)
    np.testing.assert_allclose(got.covariance, covariance(at, at, h))


def test_with_many_runs_a_task_is_what_its_own_runs_say_whatever_others_did():
    """Partial pooling at its end: the noise of a cell goes to nothing and so does what is borrowed."""
    h = replace(varied(), misfit=1e-9)
    seen = made(30, 6)
    z = np.random.default_rng(7).normal(size=30)
    one = seen.pick(slice(0, 1))
    got = condition(seen, z, np.full(30, 1e9), one, h)
    assert got.mean[0] == pytest.approx(z[0], abs=1e-3)
    others = condition(seen.pick(slice(1, None)), z[1:], np.ones(29), one, h)
    assert abs(others.mean[0] - z[0]) > 0.1


@given(st.integers(1, 50))
def test_more_runs_of_a_cell_pull_it_nearer_to_their_mean(n):
    h, seen = varied(), made(12, 8)
    z = np.random.default_rng(9).normal(size=12)
    runs = np.ones(12)
    near, nearer = (
        abs(condition(seen, z, np.concatenate([[k], runs[1:]]), seen.pick([0]), h).mean[0] - z[0])
        for k in (float(n), n + 5.0)
    )
    assert nearer <= near + 1e-12


def test_draws_have_the_posteriors_mean_exactly_and_about_its_covariance():
    seen, h = made(15, 10), varied()
    posterior = condition(seen, np.random.default_rng(1).normal(size=15), np.ones(15), made(4, 11), h)
    draws = posterior.draws(20_000, np.random.default_rng(2))
    np.testing.assert_allclose(draws.mean(axis=0), posterior.mean, atol=1e-12)
    c, v = posterior.covariance, np.diag(posterior.covariance)
    error = np.sqrt((np.outer(v, v) + c**2) / 10_000)  # of a covariance from as many independent pairs
    assert (np.abs(np.cov(draws.T) - c) < 5 * error).all()


def test_the_likelihood_is_that_of_the_multivariate_normal():
    seen, h = made(14, 12), varied()
    z, n = np.random.default_rng(3).normal(size=14), np.full(14, 3.0)
    cov = covariance(seen, seen, h) + np.diag(error_variance(z, seen, n, h)) + probe_error(z, seen)
    expected = multivariate_normal(np.full(14, h.mean), cov).logpdf(z)
    assert log_likelihood(seen, z, n, h) == pytest.approx(expected, rel=1e-9)


def test_the_search_raises_the_likelihood_and_finds_the_noise_it_was_made_with():
    """120 cells drawn from the process itself with a small misfit: the fitted one is near it."""
    h = replace(varied(), misfit=0.05, scatter=np.ones(3))
    cells = made(120, 13, n_tasks=8)
    rng = np.random.default_rng(14)
    cov = covariance(cells, cells, h) + np.diag(np.full(120, h.misfit))
    z = h.mean + np.linalg.cholesky(cov) @ rng.standard_normal(120)
    found = fit_hypers(cells, z, np.full(120, 1e6), steps=60)
    assert log_likelihood(cells, z, np.full(120, 1e6), found) > log_likelihood(cells, z, np.full(120, 1e6), start())
    assert found.misfit == pytest.approx(0.05, rel=0.7)


def test_the_gradient_of_the_search_is_the_slope_of_the_likelihood():
    from budgetsim.forecast import tune

    cells = made(25, 15)
    z, n = np.random.default_rng(16).normal(size=25), np.full(25, 2.0)
    loss = tune.loss_of(cells, z, n, start())
    theta = tune.pack(varied(17))
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], theta) < 1e-3 * np.abs(loss(theta)[1]).max()


@given(st.floats(0, 1), st.floats(0, 0.9))
def test_scores_come_back_from_the_scale(score, floor):
    share = (score - floor) / (1 - floor)
    if share >= -0.07:
        assert to_score(to_scale(score, floor), floor) == pytest.approx(score, abs=1e-9)


@given(st.floats(-2, 2), st.floats(0, 0.9))
def test_the_stretch_is_the_slope_of_the_scale(z, floor):
    s = to_score(np.array([z]), floor)[0]
    if floor + 0.01 < s < 0.99:
        slope = (to_scale(s + 1e-6, floor) - to_scale(s - 1e-6, floor)) / 2e-6
        assert stretch(np.array([z]), floor)[0] == pytest.approx(float(slope), rel=1e-3)


def test_stored_hyperparameters_come_back_as_they_were():
    h = varied()
    again = Hypers.from_json(h.to_json())
    np.testing.assert_array_equal(again.variance, h.variance)
    assert (again.mean, again.noise, again.misfit, again.like) == (h.mean, h.noise, h.misfit, h.like)
    with pytest.raises(ValueError, match="variance has shape"):
        Hypers.from_json({**h.to_json(), "variance": [[1.0]]})

"""Levenberg-Marquardt on problems whose solution linear algebra or another minimiser gives."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from budgetsim.laws.levenberg import Problem, solve

RNG = np.random.default_rng(0)
DESIGN = RNG.standard_normal((8, 3))
Y = DESIGN @ [1.0, -0.5, 2.0] + 0.1 * RNG.standard_normal(8)
WEIGHT = np.array([[1.0, 1.0, 0.2, 3.0, 1.0, 0.0, 0.5, 1.0], [1.0] * 8])
SET = Problem(
    y=Y,
    weight=WEIGHT,
    mean=np.array([[0.3, 0.0, -0.4], [0.0, 1.0, 0.0]]),
    precision=np.array([[4.0, 1.0, 0.25], [1.0, 1.0, 9.0]]),
    noise_prior=0.2,
    noise_rows=3.0,
)


def linear(theta):
    return theta @ DESIGN.T, np.broadcast_to(DESIGN, (len(theta), *DESIGN.shape))


def cost_of(theta, k, problem=SET, predict=lambda theta: DESIGN @ theta):
    """Minus log posterior with the noise integrated out, as the docstring of `solve` prints it."""
    w = problem.weight[k]
    spread = problem.noise_rows * problem.noise_prior**2 + (w * (predict(theta) - problem.y) ** 2).sum()
    prior = (problem.precision[k] * (theta - problem.mean[k]) ** 2).sum()
    return 0.5 * (problem.noise_rows + (w > 0).sum()) * np.log(spread) + 0.5 * prior


def test_it_finds_the_least_cost_that_a_general_minimiser_finds():
    found = solve(linear, np.zeros((2, 3)), SET)
    for k in range(2):
        best = minimize(cost_of, np.zeros(3), args=(k,), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
        np.testing.assert_allclose(found.theta[k], best.x, atol=2e-3)
        assert found.cost[k] == pytest.approx(cost_of(found.theta[k], k))
        assert found.cost[k] == pytest.approx(best.fun, abs=1e-5)


def test_noise_and_curvature_at_the_best_are_those_of_a_weighted_regression():
    """s^2 = (nu s0^2 + sum w r^2) / (nu + n), of the seven rows that weigh; curvature X' W X / s^2 + prior."""
    found = solve(linear, np.zeros((2, 3)), SET)
    r = DESIGN @ found.theta[0] - Y
    variance = (3 * 0.2**2 + (WEIGHT[0] * r**2).sum()) / (3 + 7)
    assert found.noise[0] == pytest.approx(np.sqrt(variance))
    wanted = DESIGN.T @ np.diag(WEIGHT[0]) @ DESIGN / variance + np.diag(SET.precision[0])
    np.testing.assert_allclose(found.hessian[0], wanted)


def test_known_noise_gives_the_posterior_mean_of_a_linear_model():
    """Very many rows' worth of noise prior fix the noise; the best is (X'WX / s^2 + P)^-1 (X'Wy / s^2 + P m)."""
    sure = replace(SET, noise_rows=1e7)
    found = solve(linear, np.zeros((2, 3)), sure, n_steps=200)
    for k in range(2):
        precise = DESIGN.T @ np.diag(WEIGHT[k]) / 0.2**2
        wanted = np.linalg.solve(
            precise @ DESIGN + np.diag(SET.precision[k]), precise @ Y + SET.precision[k] * SET.mean[k]
        )
        np.testing.assert_allclose(found.theta[k], wanted, atol=1e-3)


def banana(theta):
    """Residuals of Rosenbrock's valley, 10 (b - a^2) and 1 - a: least, zero, at (1, 1)."""
    a, b = theta.T
    jac = np.stack(
        [np.stack([-20 * a, np.full_like(a, 10.0)], axis=1), np.stack([-np.ones_like(a), 0 * a], axis=1)], axis=1
    )
    return np.stack([10 * (b - a**2), 1 - a], axis=1), jac


def test_a_bent_valley_is_followed_to_its_end_beside_a_problem_that_is_done_at_once():
    """One of two problems starts at its solution; the other goes on until it is there as well."""
    problem = Problem(
        y=np.zeros(2),
        weight=np.ones((2, 2)),
        mean=np.ones((2, 2)),
        precision=np.full((2, 2), 1e-6),
        noise_prior=0.1,
        noise_rows=2.0,
    )
    found = solve(banana, np.array([[1.0, 1.0], [-1.2, 1.0]]), problem, n_steps=60)
    np.testing.assert_allclose(found.theta, 1.0, atol=1e-3)


def test_steps_into_the_undefined_are_taken_back():
    """log(a) = 1 from a = 10: the full step lands below zero, where there is no logarithm."""

    def model(theta):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(theta), (1 / theta)[..., None]

    problem = Problem(
        y=np.ones(1),
        weight=np.ones((1, 1)),
        mean=np.full((1, 1), 3.0),
        precision=np.full((1, 1), 1e-4),
        noise_prior=0.01,
        noise_rows=2.0,
    )
    assert solve(model, np.full((1, 1), 10.0), problem, n_steps=80).theta[0, 0] == pytest.approx(np.e, rel=1e-3)

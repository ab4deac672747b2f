"""Levenberg-Marquardt on many small least-squares problems at once.

Every problem has the same number of residuals and parameters (padded where laws differ), so
one pass of array operations steps them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats

# theta (problems, p) -> predictions (problems, n), derivatives (problems, n, p)
Model = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Solution:
    """Best parameters found, what they cost, and the curvature there."""

    theta: Floats  # (problems, p)
    cost: Floats  # (problems,), minus log posterior up to a constant
    hessian: Floats  # (problems, p, p), Gauss-Newton
    noise: Floats  # (problems,), standard deviation of a residual of weight 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Observations with relative precisions, a Gaussian prior, and a scaled-chi-square noise prior."""

    y: Floats  # (n,)
    weight: Floats  # (problems, n), relative precision of each observation; 0 leaves it out
    mean: Floats  # (problems, p)
    precision: Floats  # (problems, p), prior; large where a parameter is padding
    noise_prior: float  # standard deviation expected of a residual of weight 1
    noise_rows: float  # how many observations that expectation is worth


def solve(model: Model, start: Floats, problem: Problem, *, n_steps: int = 40) -> Solution:
    """Minimise 0.5 (nu + n) log(nu s0^2 + sum w r^2) + 0.5 |theta - mean|^2 for every problem.

    The noise is integrated out, so its level follows the residuals; steps use it as it stands.
    source : Marquardt (1963); gain-ratio damping of Nielsen (1999)
    """
    theta = start.copy()
    damping = np.full(len(theta), 1e-2)
    y, jac = model(theta)
    cost, gradient, hessian, noise = _normal(problem, theta, y, jac)
    eye = np.eye(theta.shape[1])
    quiet = np.zeros(len(theta), dtype=int)
    for _ in range(n_steps):
        scale = np.einsum("bii->bi", hessian)
        step = np.linalg.solve(hessian + (damping[:, None] * scale)[:, :, None] * eye, gradient[..., None])[..., 0]
        step = np.clip(step, -3.0 / np.sqrt(problem.precision), 3.0 / np.sqrt(problem.precision))
        trial = theta - step
        y, jac = model(trial)
        new_cost, new_gradient, new_hessian, new_noise = _normal(problem, trial, y, jac)
        better = new_cost < cost
        quiet = np.where(better & (cost - new_cost > 1e-4), 0, quiet + 1)
        theta = np.where(better[:, None], trial, theta)
        gradient = np.where(better[:, None], new_gradient, gradient)
        hessian = np.where(better[:, None, None], new_hessian, hessian)
        noise = np.where(better, new_noise, noise)
        cost = np.where(better, new_cost, cost)
        damping = np.clip(np.where(better, damping * 0.3, damping * 4.0), 1e-9, 1e6)
        if (quiet >= 5).all():
            break
    return Solution(theta, cost, hessian, noise)


def _normal(problem: Problem, theta: Floats, y: Floats, jac: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Cost, gradient, Gauss-Newton matrix and noise at theta."""
    r = y - problem.y
    bad: NDArray[np.bool_] = np.asarray(~np.isfinite(r).all(axis=1))
    if bad.any():
        r = np.where(bad[:, None], 1e6, r)
        jac = np.where(bad[:, None, None], 0.0, jac)
    w = problem.weight
    rows = (w > 0).sum(axis=1) + problem.noise_rows
    spread = problem.noise_rows * problem.noise_prior**2 + (w * r * r).sum(axis=1)
    variance = spread / rows
    each = w / variance[:, None]
    off = (theta - problem.mean) * problem.precision
    cost = 0.5 * rows * np.log(spread) + 0.5 * (off * (theta - problem.mean)).sum(axis=1)
    wj = jac * each[..., None]
    gradient = np.einsum("bnp,bn->bp", wj, r) + off
    hessian = wj.transpose(0, 2, 1) @ jac
    index = np.arange(theta.shape[1])
    hessian[:, index, index] += problem.precision
    return cost, gradient, hessian, np.sqrt(variance)

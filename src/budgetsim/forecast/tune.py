"""The hyperparameters of the process by marginal likelihood over all tasks: SciPy, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from budgetsim.design.arrays import Floats
from budgetsim.forecast.process import (
    JITTER,
    Cells,
    Hypers,
    covariance,
    error_variance,
    groups,
    parts,
    probe_error,
    roughness,
    start,
)
from budgetsim.forecast.scale import stretch

PRIOR_SD: Final = 1.5  # of a logarithm about the start: a variance that nothing tells stays near it
STEPS: Final = 120
LEAST_FEW: Final = 0.1  # labels: fewer cannot be told from none


def fit_hypers(cells: Cells, z: Floats, n_runs: Floats, begin: Hypers | None = None, steps: int = STEPS) -> Hypers:
    """The most probable hyperparameters, lengths in texts and in labels and of traits left as they are.

    z, n_runs : (n,), means of cells on the scale, and how many runs each is of
    source : Rasmussen and Williams (2006), eq. 5.9, with a normal prior on each logarithm
    """
    h0 = begin or start()
    found = minimize(loss_of(cells, z, n_runs, h0), pack(h0), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return unpack(found.x, h0)


def loss_of(cells: Cells, z: Floats, n_runs: Floats, h0: Hypers) -> Callable[[Floats], tuple[float, Floats]]:
    """Minus the log posterior of the hyperparameters, up to a constant, with its gradient, as a function of `pack`."""
    gs, ps = groups(cells, cells, h0.like), parts(cells, cells, h0.length)
    wide = stretch(z, cells.floor) ** 2 / n_runs
    common = probe_error(z, cells)
    theta0 = pack(h0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        h = unpack(theta, h0)
        noisy = common.copy()
        for g, weights in zip(gs, h.variance, strict=True):
            noisy += g * np.tensordot(weights, ps, axes=1)
        rough = roughness(cells, h)
        noisy[np.diag_indices_from(noisy)] += rough * (h.noise * wide + h.misfit) + JITTER
        root = cholesky(noisy, lower=True, check_finite=False)
        inverse = cho_solve((root, True), np.eye(len(z)), check_finite=False)
        alpha = inverse @ (z - h.mean)
        slope = inverse - np.outer(alpha, alpha)
        value = 0.5 * (z - h.mean) @ alpha + np.log(np.diag(root)).sum()
        by_variance = np.array([[0.5 * np.vdot(slope, g * p) for p in ps] for g in gs]) * h.variance
        ends = by_scatter(0.5 * np.diag(slope), cells, wide, h)
        gradient = np.concatenate([by_variance.ravel(), ends, [-alpha.sum()]])
        away = (theta[:-1] - theta0[:-1]) / PRIOR_SD
        gradient[:-1] += away / PRIOR_SD
        return float(value + 0.5 * away @ away), gradient

    return loss


def by_scatter(by_diagonal: Floats, cells: Cells, wide: Floats, h: Hypers) -> Floats:
    """Slopes by the logarithms of noise, misfit, few labels and the kinds' scatter, as `pack` orders them.

    by_diagonal, wide : (n,), slope by the variance of each cell's error; `stretch` squared over its runs
    """
    rough, few = roughness(cells, h), h.few / np.expm1(cells.x[:, 0]).clip(1.0)
    each = by_diagonal * rough * (h.noise * wide + h.misfit)
    ends = [h.noise * (by_diagonal @ (rough * wide)), h.misfit * (by_diagonal @ rough), each @ (few / (1 + few))]
    return np.concatenate([ends, np.bincount(cells.scatter.astype(np.intp), each, len(h.scatter))])


def log_likelihood(cells: Cells, z: Floats, n_runs: Floats, h: Hypers) -> float:
    """Of the means of cells, natural logarithm: the plain form."""
    noisy = covariance(cells, cells, h) + np.diag(error_variance(z, cells, n_runs, h)) + probe_error(z, cells)
    root = cholesky(noisy, lower=True)
    half = np.linalg.solve(root, z - h.mean)
    return float(-0.5 * half @ half - np.log(np.diag(root)).sum() - 0.5 * len(z) * np.log(2 * np.pi))


def pack(h: Hypers) -> Floats:
    """What is searched for: logarithms of variances, noise, misfit, few labels and kinds' scatter, and the mean."""
    ends = np.log([h.noise, h.misfit, max(h.few, LEAST_FEW), *h.scatter])
    return np.concatenate([np.log(h.variance).ravel(), ends, [h.mean]])


def unpack(theta: Floats, h: Hypers) -> Hypers:
    """The hyperparameters that `pack` told; lengths are those of h."""
    v = np.exp(theta[: h.variance.size]).reshape(h.variance.shape)
    noise, misfit, few, *scatter = np.exp(theta[h.variance.size : -1]).tolist()
    return Hypers(float(theta[-1]), v, h.length, h.like, noise, misfit, few, np.array(scatter))

"""The hyperparameters once more, by what they are for: whole tasks left out and forecast, with few runs and with none.

The marginal likelihood weighs every cell alike, so that it is about the many cells of tasks that are known; a forecast
is about a task that is not. Each task in turn is hidden, but for a few cells of its own, and its other cells are held
against the forecast, every task counting the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from budgetsim.design.arrays import Floats
from budgetsim.forecast.gather import Seen
from budgetsim.forecast.process import JITTER, Hypers, groups, parts, probe_error, roughness
from budgetsim.forecast.scale import stretch
from budgetsim.forecast.tune import by_scatter, pack, unpack

Mask = NDArray[np.bool_]

OWN: Final = (0, 1, 2, 4)  # cells of its own that are known of a task
CHEAP: Final = ("counts", "frozen")  # families that a probe can teach
PROBE_LABELS: Final = 1000.0
WORTH: Final = 3.0  # of a task, in cells: those of a task miss alike, whatever is known of it
PRIOR_SD: Final = 1.0  # of a logarithm about the most likely value
STEPS: Final = 40


class Hidden(NamedTuple):
    """A task but for what is known of it: cells that are hidden, which of them are asked about, and their weight."""

    cells: NDArray[np.intp]
    asked: Mask
    weight: float


def calibrate(seen: Seen, h: Hypers, steps: int = STEPS) -> Hypers:
    """The hyperparameters that forecast whole tasks best, near those that were found by the marginal likelihood.

    source : Rasmussen and Williams (2006), section 5.4.2, cross-validation by blocks of the inverse
    """
    loss = loss_of(seen, h, hidden_tasks(seen))
    found = minimize(loss, pack(h), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return unpack(found.x, h)


def hidden_tasks(seen: Seen) -> list[Hidden]:
    """Every task with 0, 1, 2 and 4 cells known, with the cells of a probe and without them."""
    cheap = np.isin(seen.cells.family, [i for name, i in seen.names.families.items() if name in CHEAP])
    cheap &= seen.cells.x[:, 1] == 0  # nobody distils a probe
    probed = cheap & (seen.cells.x[:, 0] <= np.log1p(PROBE_LABELS) + 1e-9)
    out: list[Hidden] = []
    for task in np.unique(seen.cells.task):
        mine = seen.cells.task == task
        dear = mine & ~cheap if (mine & ~cheap).any() else mine
        stages = [(dear, spread(seen, dear, n)) for n in OWN]
        if (mine & probed & ~dear).any():
            stages += [(dear, own | (mine & probed)) for _, own in stages]
        for asked, known in stages:
            cells = np.flatnonzero(mine & ~known)
            wanted = (asked & ~known)[cells]
            if wanted.any():
                out.append(Hidden(cells, wanted, WORTH / len(stages)))
    return out


def spread(seen: Seen, target: Mask, n: int) -> Mask:
    """n of the target cells, evenly over their sizes, the learners in turn."""
    out = np.zeros(len(target), dtype=bool)
    learners = np.unique(seen.cells.learner[target])
    for k in range(n):
        cells = np.flatnonzero(target & (seen.cells.learner == learners[k % len(learners)]) & ~out)
        cells = cells[np.argsort(seen.cells.x[cells].sum(axis=1), kind="stable")]
        out[cells[int((k + 1) * len(cells) / (n + 1))] if len(cells) else []] = True
    return out


def loss_of(seen: Seen, h0: Hypers, hidden: Sequence[Hidden]) -> Callable[[Floats], tuple[float, Floats]]:
    r"""Minus the log density of what is hidden, each cell by itself, with its gradient, as a function of `tune.pack`.

    .. math:: z_B - \mu_B = S\,(C^{-1} (z - m))_B, \quad S = ((C^{-1})_{BB})^{-1}

    is what the block B of a task misses by if nothing of it is known, S its covariance: one inverse serves all tasks.
    """
    cells, z = seen.cells, seen.z
    gs, ps = groups(cells, cells, h0.like), parts(cells, cells, h0.length)
    wide = stretch(z, cells.floor) ** 2 / seen.n_runs
    common = probe_error(z, cells)
    theta0 = pack(h0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        h = unpack(theta, h0)
        rough = roughness(cells, h)
        noisy = common.copy()
        for g, weights in zip(gs, h.variance, strict=True):
            noisy += g * np.tensordot(weights, ps, axes=1)
        noisy[np.diag_indices_from(noisy)] += rough * (h.noise * wide + h.misfit) + JITTER
        inverse = cho_solve(cho_factor(noisy, lower=True, check_finite=False), np.eye(len(z)), check_finite=False)
        solved = inverse @ (z - h.mean)
        value, by_inverse, by_solved = 0.0, np.zeros_like(noisy), np.zeros(len(z))
        for block in hidden:
            at = np.ix_(block.cells, block.cells)
            one, to_inverse, to_solved = _missed(block, inverse[at], solved[block.cells])
            value += one
            by_inverse[at] += to_inverse
            by_solved[block.cells] += to_solved
        by_inverse += np.outer(by_solved, z - h.mean)
        slope = -inverse @ (by_inverse @ inverse)  # of the value by the covariance
        by_variance = np.array([[np.vdot(slope, g * p) for p in ps] for g in gs]) * h.variance
        ends = by_scatter(np.diag(slope), cells, wide, h)
        gradient = np.concatenate([by_variance.ravel(), ends, [-float(by_solved @ inverse.sum(axis=1))]])
        away = (theta[:-1] - theta0[:-1]) / PRIOR_SD
        gradient[:-1] += away / PRIOR_SD
        return float(value + 0.5 * away @ away), gradient

    return loss


def _missed(block: Hidden, inverse: Floats, solved: Floats) -> tuple[float, Floats, Floats]:
    """Minus the mean log density of the cells asked about, with its slopes by the block's inverse and solved values."""
    s = np.linalg.inv(inverse)
    missed, variance = s @ solved, np.diag(s)
    weight = block.weight * block.asked / block.asked.sum()
    value = float(weight @ (0.5 * missed**2 / variance + 0.5 * np.log(variance)))
    by_missed = weight * missed / variance
    by_variance = weight * (0.5 / variance - 0.5 * missed**2 / variance**2)
    by_s = np.outer(by_missed, solved) + np.diag(by_variance)
    return value, -s @ (0.5 * (by_s + by_s.T)) @ s, s @ by_missed

"""Several laws fitted to the same log errors: search, average, draws, and what is left over.

Curves and surfaces share this: a law only needs log errors and derivatives at its log sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Kind
from budgetsim.fitting.residual import Residual
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.levenberg import Problem, Solution, solve
from budgetsim.laws.priors import PRIORS, Table

Mask = NDArray[np.bool_]


# of the discrepancy beyond the data, as multiples of what a curve's own noise and slope suggest (`drift`): what each
# task of lcdb11 (8) and rectified_sft (2) is best served by (bench/studies/coverage.py)
GROWTHS: Final = (2.0, 0.7, 1.0, 2.0, 0.5, 2.0, 0.7, 0.7, 0.7, 1.0)
USUAL_ERROR: Final = 0.02  # log error that a discrepancy is compared with: multiples are then near 1
_LEAST_NOISE, _LEAST_SLOPE = 0.0005, 0.005  # no curve is taken for steadier or flatter


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The one frozen default; benches change a field to show what it is worth."""

    laws: tuple[str, ...] = ("power_floor", "shifted_power", "bounded_power", "rectified")
    tails: tuple[float, ...] = (0.5,)  # noise falls as size^-tail; of several the likelihood chooses
    n_starts: int = 6  # for each tail
    n_steps: int = 40
    robust_rounds: int = 0  # times that rows far off are given less weight
    n_draws: int = 400
    noise_prior: float = 0.01  # relative deviation of rows about a law
    noise_rows: float = 2.0  # what that is worth in observations
    lengths: tuple[float, ...] = (3.0, 1.0)  # of the residual process, e-folds; the likelihood weighs them
    amplitude_prior: float = 0.01
    run_noise: float = 0.005  # relative deviation of a run about law and residual (bench/studies/inside_width.py)
    vague: float = 1.5  # log standard deviation of both expectations
    spike: float = 3.0  # prior odds that nothing is left over but noise
    growths: tuple[float, ...] = GROWTHS  # of the discrepancy; draws take them in turn
    grow_power: float = 1.5  # how it grows with e-folds
    tolerate: float = 1.5  # excess residual, as a ratio to the best, that costs no weight
    screen: float = 0.0  # laws weigh as their residual to the power of minus this
    prior: str | Table = "finetuning"  # of `curves.priors`, or pooled from related curves


DEFAULT: Final = Options()
_FREEDOM = 4.0  # degrees of freedom of the discrepancy
_SAME = 1e-6  # log sizes: closer points are the same, whatever their unit
_BASIN = 3.0  # explanations this much worse than the best are dropped


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one new run would give at some sizes."""

    mean: Floats  # (sizes,), centre: the exponential of the mean log error
    lower: Floats  # (sizes,)
    upper: Floats  # (sizes,)
    draws: Floats  # (draws, sizes), new runs
    kind: list[Kind]
    factor: Floats  # (sizes,), how many fold outside the data, 1 inside


@dataclass(frozen=True, slots=True)
class LawFit:
    """What the search found of one law."""

    law: Law
    theta: Floats  # (basins, p)
    cost: Floats  # (basins,)
    hessian: Floats  # (basins, p, p)
    weight: Floats  # (basins, rows)
    noise: float
    agree: float


def search(
    laws: Sequence[Law],
    x: Floats,
    lx: Floats,
    y: Floats,
    weight: Floats,
    frame: Frame,
    options: Options,
    rng: np.random.Generator,
) -> list[LawFit]:
    """Every law from every start, in one batch padded to the widest law."""
    width, k = max(f.n_parameters for f in laws), options.n_starts * len(options.tails)
    by_start = np.repeat(weight, options.n_starts, axis=0)
    n = len(laws) * k
    mean, precision = np.zeros((n, width)), np.ones((n, width))
    start, rows = np.zeros((n, width)), np.empty((n, len(x)))
    for i, f in enumerate(laws):
        part, p = slice(i * k, (i + 1) * k), f.n_parameters
        centre, sd = prior_of(f, frame, options)
        mean[part, :p], precision[part, :p] = centre, sd**-2.0
        start[part, :p] = _starts(f, centre, sd, lx, y, k, rng)
        rows[part] = by_start if f.has_origin else np.where(x > 0, by_start, 0.0)

    by_row = rows

    def model(theta: Floats) -> tuple[Floats, Floats]:
        out, jac = np.empty((n, len(x))), np.zeros((n, len(x), width))
        for i, f in enumerate(laws):
            part, p = slice(i * k, (i + 1) * k), f.n_parameters
            out[part], jac[part, :, :p] = f.log_error(theta[part, :p], lx, frame)
        return out, jac

    problem = Problem(
        y=y,
        weight=rows,
        mean=mean,
        precision=precision,
        noise_prior=options.noise_prior,
        noise_rows=options.noise_rows,
    )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        solution = solve(model, start, problem, n_steps=options.n_steps)
        for _ in range(options.robust_rounds):
            rows = _downweight(model(solution.theta)[0] - y, by_row)
            problem = replace(problem, weight=rows)
            solution = solve(model, solution.theta, problem, n_steps=options.n_steps // 4)
    with np.errstate(divide="ignore"):
        bonus = 0.5 * np.where(rows > 0, np.log(rows), 0.0).sum(axis=1)
    solution = replace(solution, cost=solution.cost - bonus)
    return [_basins(f, solution, slice(i * k, (i + 1) * k), rows) for i, f in enumerate(laws)]


def _downweight(r: Floats, weight: Floats) -> Floats:
    """Weights of rows, less for those far off: the soft absolute loss with a robust scale of 2."""
    size = np.abs(r) * np.sqrt(weight)
    scale = 1.4826 * np.median(size, axis=1, keepdims=True) + 1e-6
    out: Floats = weight / np.sqrt(1.0 + (size / (2.0 * scale)) ** 2)
    return out


def prior_of(law: Law, frame: Frame, options: Options) -> tuple[Floats, Floats]:
    """Prior mean and standard deviation of a law's parameters."""
    mean, sd = law.prior(frame)
    table = PRIORS[options.prior] if isinstance(options.prior, str) else options.prior
    for name, (centre, spread) in table.get(law.name, {}).items():
        i = law.names.index(name)
        mean[i], sd[i] = centre, spread
        if name == "log_shift":
            mean[i] -= frame.last
        if name == "top" and frame.ceiling is not None:
            mean[i], sd[i] = law.prior(frame)[0][i], law.prior(frame)[1][i]
    return mean, sd


def _starts(law: Law, mean: Floats, sd: Floats, lx: Floats, y: Floats, k: int, rng: np.random.Generator) -> Floats:
    """The prior's centre with the slope of the data, and jittered copies."""
    start = mean + 0.8 * sd * rng.standard_normal((k, len(mean)))
    start[0] = mean
    for i, name in enumerate(law.names):
        if name in ("log_exponent", "log_late_exponent"):
            start[: k // 2, i] = np.log(np.clip(_slope(lx, y), 0.03, 2.0)) + 0.3 * start[: k // 2, i]
            start[: k // 2, i] -= 0.3 * mean[i]
    return start


def _slope(lx: Floats, y: Floats) -> float:
    """Fall of the log error an e-fold of size, over the later half of the sizes."""
    late = lx >= np.median(lx)
    at, v = lx[late] - lx[late].mean(), y[late] - y[late].mean()
    return float(-(at * v).sum() / max(float((at * at).sum()), 1e-9))


def _basins(law: Law, solution: Solution, part: slice, rows: Floats) -> LawFit:
    """The best end points of a law that differ from each other."""
    p = law.n_parameters
    cost = solution.cost[part]
    order = np.argsort(cost, kind="stable")
    kept: list[int] = []
    for i in order:
        near = any(abs(cost[i] - cost[j]) < 0.1 for j in kept)
        if cost[i] <= cost[order[0]] + _BASIN and not near:
            kept.append(int(i))
    theta = solution.theta[part][kept, :p]
    hessian = solution.hessian[part][kept][:, :p, :p]
    agree = float((cost < cost[order[0]] + 0.1).mean())
    noise = float(solution.noise[part][order[0]])
    return LawFit(law, theta, cost[kept], hessian, rows[part][kept], noise, agree)


def screen(fits: Sequence[LawFit], n: int, options: Options) -> tuple[list[LawFit], Floats]:
    """Laws worth averaging, with weights: less for one that leaves more over than the best."""
    rows = n + options.noise_rows
    spread = np.array([f.noise * np.sqrt(rows / max(rows - f.law.n_parameters, 1.0)) for f in fits])
    excess = np.maximum(spread / spread.min() / options.tolerate, 1.0)
    weight = excess**-options.screen
    keep = weight > 0.02 * weight.max()
    weight = weight[keep] / weight[keep].sum()
    return [f for f, k in zip(fits, keep, strict=True) if k], weight


def draw_parameters(
    f: LawFit,
    n: int,
    lx: Floats,
    y: Floats,
    trained: NDArray[np.bool_],
    frame: Frame,
    options: Options,
    rng: np.random.Generator,
) -> Floats:
    """Draws about each basin's best, resampled by how well they fit: a basin's share is its posterior mass.

    source : importance resampling from a mixture of normals; Robert & Casella (2004), section 3.3
    """
    many = 3 * n
    odds = np.exp(f.cost.min() - f.cost)
    basin = rng.choice(len(odds), size=many, p=odds / odds.sum())
    p = f.theta.shape[1]
    z = rng.standard_normal((many, p))
    roots = np.linalg.inv(np.linalg.cholesky(f.hessian)).transpose(0, 2, 1)
    theta = f.theta[basin] + np.einsum("nij,nj->ni", roots[basin], z)
    mean, sd = prior_of(f.law, frame, options)
    use = trained if not f.law.has_origin else np.ones_like(trained)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        r = f.law.log_error(theta, lx[use], frame)[0] - y[use]
    spread = options.noise_rows * options.noise_prior**2 + (f.weight[basin][:, use] * r * r).sum(axis=1)
    rows = options.noise_rows + use.sum()
    log_post = -0.5 * rows * np.log(spread) - 0.5 * (((theta - mean) / sd) ** 2).sum(axis=1)
    proposed = np.log(odds) + 0.5 * np.linalg.slogdet(f.hessian)[1] - 0.5 * _log_sums(f.weight[:, use])
    log_weight = np.where(np.isfinite(log_post), log_post, -np.inf) + 0.5 * (z * z).sum(axis=1) - proposed[basin]
    log_weight -= log_weight.max()
    w = np.exp(log_weight)
    w = np.minimum(w, w.mean() * np.sqrt(many))
    comb = (np.arange(n) + rng.random()) / n
    pick = np.searchsorted(np.cumsum(w) / w.sum(), comb).clip(0, many - 1)
    chosen: Floats = theta[pick]
    return chosen


def _log_sums(weight: Floats) -> Floats:
    """Sum of the logarithms of each basin's weights of rows, (basins,): what its robust density lacks."""
    with np.errstate(divide="ignore"):
        out: Floats = np.where(weight > 0, np.log(weight), 0.0).sum(axis=1)
    return out


def drift(options: Options, noise: float, slope: float, beyond: Floats, n: int) -> Floats:
    r"""Scale of the discrepancy of each draw at each size, (n, sizes).

    .. math:: \tau_d(h) = k_d\,(e_0\,\sigma\,\beta)^{1/3}\,h^{p}

    A curve that strays inside the data, or still falls at their end, strays more beyond them.

    noise, slope : sigma and beta, log error: of a run about the curve, and its fall an e-fold at the end of the data
    beyond : (sizes,), h, e-folds outside the data
    """
    usual = np.cbrt(USUAL_ERROR * max(noise, _LEAST_NOISE) * max(slope, _LEAST_SLOPE))
    out: Floats = usual * np.resize(np.array(options.growths), n)[:, None] * beyond**options.grow_power
    return out


def discrepancies(options: Options, n: int, seed: int) -> Floats:
    """The discrepancy of each draw in units of its scale, (n, 1): Student-t (4), evenly spread over those of a growth.

    Independent draws would leave the width of an interval to chance, as few of each growth lie in the tails.
    """
    rng, k, out = np.random.default_rng([seed, 2]), len(options.growths), np.empty(n)
    for growth in range(min(k, n)):
        many = len(out[growth::k])
        out[growth::k] = stdtrit(_FREEDOM, (rng.permutation(many) + 0.5) / many)
    return out[:, None]


def deviations(points: Floats, n: int, seed: int) -> Floats:
    """What a new run at each point deviates in each draw, in units of its noise: quantiles of a normal, (n, points).

    Their order is the point's own, so a run at one point does not depend on what else is asked.
    points : (points, inputs), log sizes; those that differ by less than _SAME are one
    """
    quantiles = ndtri((np.arange(n) + 0.5) / n)
    names = np.round(points / _SAME).astype(np.int64).view(np.uint64).tolist()
    orders = [np.random.default_rng([seed, 1, *name]).permutation(quantiles) for name in names]
    return np.stack(orders, axis=1) if orders else np.empty((n, 0))


_RATIOS = np.exp(np.linspace(-4.5, 4.5, 13))  # of amplitude and noise to what is expected of them


@dataclass(frozen=True, slots=True)
class Process:
    """Draws of the residual process's settings, one a draw of the law."""

    residual: Residual
    amplitude: Floats  # (draws,)
    noise: Floats  # (draws,)


def process(
    f: LawFit, residuals: Sequence[Residual], left: Floats, options: Options, n: int, rng: np.random.Generator
) -> list[Process]:
    """Length, amplitude and noise drawn from their posterior on a grid, n draws in all, grouped by length.

    left : (rows,) what the law's best leaves over
    """
    amplitude = np.repeat(options.amplitude_prior * _RATIOS, len(_RATIOS))
    noise = np.tile(options.run_noise * _RATIOS, len(_RATIOS))
    many = np.repeat(left[None], len(amplitude), axis=0)
    prior = -0.5 * (np.log(amplitude / options.amplitude_prior) / options.vague) ** 2
    prior -= 0.5 * (np.log(noise / options.run_noise) / options.vague) ** 2
    absent = amplitude == amplitude.min()
    prior += np.where(absent, 0.5 * (4.5 / options.vague) ** 2 + np.log(options.spike), 0.0)
    log_post = np.concatenate([r.log_likelihood(many, amplitude, noise) + prior for r in residuals])
    w = np.exp(log_post - log_post.max())
    pick = np.sort(rng.choice(len(w), size=n, p=w / w.sum()))
    which, cell = np.divmod(pick, len(amplitude))
    return [
        Process(residual, amplitude[cell[which == i]], noise[cell[which == i]])
        for i, residual in enumerate(residuals)
        if (which == i).any()
    ]


def expected(processes: Sequence[Process], at: Floats, left: Floats) -> Floats:
    """Mean of the residual at log sizes (m, axes), averaged over its settings: (m,)."""
    total: Floats = np.zeros(len(at))
    count_all = 0
    for p in processes:
        pairs, count = np.unique(np.stack([p.amplitude, p.noise], axis=1), axis=0, return_counts=True)
        many = np.repeat(left[None], len(pairs), axis=0)
        total += count @ p.residual.mean(at, many, pairs[:, 0], pairs[:, 1])
        count_all += int(count.sum())
    return total / count_all

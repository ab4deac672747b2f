"""Fit one learning curve by several laws at once, and say what a new run would give.

Log errors are fitted by every law from several starts in one batch; the laws are averaged
with equal weights, a Gaussian process takes what they leave over, and beyond the data the interval
grows by a discrepancy learnt from other curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Kind
from budgetsim.errors import InputError
from budgetsim.fitting.residual import Residual
from budgetsim.laws.cautions import CurveCaution, ErrorRise, FewSizes
from budgetsim.laws.ensemble import (
    DEFAULT,
    LawFit,
    Options,
    Prediction,
    deviations,
    discrepancies,
    draw_parameters,
    drift,
    expected,
    process,
    screen,
    search,
)
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.library import LAWS
from budgetsim.laws.priors import PRIORS, Table

ENOUGH_SIZES: Final = 4  # with fewer the interval rests on the prior
_FAR = 300.0  # log errors are cut here
_ORIGIN = -60.0  # log size that stands for zero
_ORIGIN_NOISE = 0.1  # how far a run without training lies off the curve, log error


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFit:
    """Draws of a curve; `predict` turns them into errors at sizes."""

    sizes: Floats  # as given, finite and sorted
    errors: Floats
    laws: tuple[str, ...]
    weights: tuple[float, ...]  # of the laws in the average
    agree: tuple[float, ...]  # share of starts of each law that found its best
    cautions: tuple[CurveCaution, ...]
    noise: float  # relative deviation of one run at the largest size
    options: Options
    seed: int
    _scale: _Scale
    _frame: Frame
    _best: tuple[Floats, ...]  # parameters of each law
    _theta: tuple[Floats, ...]  # (draws of this law, parameters)
    _knots: Floats
    _centre_path: Floats  # (laws, knots), residual expected of each law
    _paths: Floats  # (draws, knots), residual of each draw
    _noise_draws: Floats  # (draws,), standard deviation of a run
    _limits: tuple[float, float]

    def predict(self, sizes: ArrayLike, level: float = 0.9) -> Prediction:
        """Errors of one new run at `sizes`, with the central interval that holds it at `level`.

        sizes : (n,), positive, or 0 for no training
        raises : InputError if a size is negative or not finite, or level is not within (0, 1)
        """
        x = _sizes_to_predict(sizes)
        if not 0 < level < 1:
            raise InputError(f"level is {level}; give the share of runs the interval holds, e.g. 0.9.")
        lx = self._scale.log_size(x)
        beyond = self._beyond(lx)
        centre = self._centre(lx)
        draws = self._draws(lx, beyond, centre)
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        unit = self._scale.unit
        lo, hi = self._limits
        kinds, factor = self._kinds(x, beyond)
        back = [np.clip(unit * np.exp(np.clip(v, -_FAR, _FAR)), lo, hi) for v in (centre, low, high, draws)]
        return Prediction(back[0], back[1], back[2], back[3], kinds, factor)

    def curve_draws(self, sizes: ArrayLike) -> Floats:
        """Expected errors in every world, (draws, n): as the draws of `predict`, without the deviation of a run.

        A world is the same curve whatever sizes are asked together.
        raises : InputError if a size is negative or not finite
        """
        lx = self._scale.log_size(_sizes_to_predict(sizes))
        draws = self._worlds(lx, self._beyond(lx))
        draws += self._centre(lx) - np.median(draws, axis=0)
        out: Floats = np.clip(self._scale.unit * np.exp(np.clip(draws, -_FAR, _FAR)), *self._limits)
        return out

    @property
    def n_draws(self) -> int:
        return len(self._noise_draws)

    def parameters(self, law: str) -> dict[str, Floats]:
        """Draws of a law's parameters, without bounds, in the units of `laws.law.Frame`.

        raises : InputError if the law is not in the average
        """
        if law not in self.laws:
            raise InputError(f"{law} is not in this fit; it averages {', '.join(self.laws)}.")
        draws = self._theta[self.laws.index(law)]
        return dict(zip(LAWS[law].names, draws.T, strict=True))

    def best(self, law: str) -> dict[str, float]:
        """A law's best parameters, as `parameters` names them."""
        if law not in self.laws:
            raise InputError(f"{law} is not in this fit; it averages {', '.join(self.laws)}.")
        theta = self._best[self.laws.index(law)]
        return dict(zip(LAWS[law].names, theta.tolist(), strict=True))

    def _beyond(self, lx: Floats) -> Floats:
        out: Floats = np.maximum(lx - self._frame.last, 0.0) + np.maximum(self._frame.first - lx, 0.0)
        return np.minimum(out, 25.0)

    def _kinds(self, x: Floats, beyond: Floats) -> tuple[list[Kind], Floats]:
        seen = (np.abs(np.log1p(x)[:, None] - np.log1p(self.sizes)[None]) < 0.005).any(axis=1)
        if (self.sizes == 0).any():
            beyond = np.where(x < np.exp(self._frame.first) * self._scale.x0, 0.0, beyond)
        factor = np.where(seen, 1.0, np.exp(np.where(beyond < 0.005, 0.0, beyond)))
        kinds: list[Kind] = [
            "observed" if s else "interpolated" if f == 1 else "extrapolated" for s, f in zip(seen, factor, strict=True)
        ]
        return kinds, factor

    def _centre(self, lx: Floats) -> Floats:
        each = [
            LAWS[name].log_error(best[None], lx, self._frame)[0][0] + np.interp(lx, self._knots, path)
            for name, best, path in zip(self.laws, self._best, self._centre_path, strict=True)
        ]
        out: Floats = np.average(each, axis=0, weights=self.weights)
        return out

    def _draws(self, lx: Floats, beyond: Floats, centre: Floats) -> Floats:
        """Log errors of new runs."""
        run = self._noise_draws[:, None] * deviations(lx[:, None], self.n_draws, self.seed)
        out: Floats = self._worlds(lx, beyond) + run
        return out - (np.median(out, axis=0) - centre)

    def _worlds(self, lx: Floats, beyond: Floats) -> Floats:
        """Expected log errors of every draw: law, residual, and beyond the data a discrepancy."""
        curves = np.concatenate(
            [LAWS[n].log_error(t, lx, self._frame)[0] for n, t in zip(self.laws, self._theta, strict=True)]
        )
        paths = _interpolate(lx, self._knots, self._paths)
        end = self._centre(np.array([self._frame.last - 1.0, self._frame.last]))
        scale = drift(self.options, self.noise, abs(end[1] - end[0]), beyond, len(curves))
        out: Floats = curves + paths + discrepancies(self.options, len(curves), self.seed) * scale
        return out


def _sizes_to_predict(sizes: ArrayLike) -> Floats:
    try:
        x = np.atleast_1d(np.asarray(sizes, dtype=np.float64)).ravel()
    except (TypeError, ValueError) as problem:
        raise InputError(f"sizes to predict at must be numbers ({problem}).") from None
    if not (np.isfinite(x).all() and (x >= 0).all()):
        raise InputError("sizes to predict at must be finite and not negative; drop the others.")
    return x


def _interpolate(at: Floats, knots: Floats, tables: Floats) -> Floats:
    """Rows of tables (n, knots), linear in between and flat outside: (n, at)."""
    high = np.clip(np.searchsorted(knots, at), 1, len(knots) - 1)
    share = np.clip((at - knots[high - 1]) / (knots[high] - knots[high - 1]), 0.0, 1.0)
    out: Floats = tables[:, high - 1] * (1 - share) + tables[:, high] * share
    return out


@dataclass(frozen=True, slots=True)
class _Scale:
    """Units in which a law sees the data."""

    x0: float
    unit: float  # smallest error

    def log_size(self, x: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            out: Floats = np.maximum(np.log(x / self.x0), _ORIGIN)
        return out


def fit_curve(
    sizes: ArrayLike,
    errors: ArrayLike,
    *,
    n_test: ArrayLike | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
    prior: str | Table | None = None,
    seed: int = 0,
    options: Options = DEFAULT,
) -> CurveFit:
    """Fit errors (losses or error rates, lower is better) against training sizes.

    sizes : (n,), positive, or 0 for a model that was not trained; any order, replicates welcome
    errors : (n,), positive
    n_test : items each error rate was counted on, one number or one a row; adds their noise
    floor, ceiling : known limits of the error, in its unit
    prior : name of a set of prior parameters, or those that `pool_prior` learnt from related
        curves; by default the one of `options`
    raises : InputError for a row that cannot be used, or no row of positive size

    >>> import numpy as np
    >>> n = np.array([200, 400, 800, 1600, 3200, 6400])
    >>> fit = fit_curve(n, 0.1 + 2.0 * n**-0.4)
    >>> prediction = fit.predict([12800])
    >>> bool(prediction.lower[0] < 0.1 + 2.0 * 12800**-0.4 < prediction.upper[0]), prediction.kind
    (True, ['extrapolated'])
    """
    x, e, counted = _read(sizes, errors, n_test, floor, ceiling)
    options = options if prior is None else replace(options, prior=prior)
    if isinstance(options.prior, str) and options.prior not in PRIORS:
        raise InputError(f"there is no prior {options.prior!r}; known are {', '.join(sorted(PRIORS))}.")
    data = _curve_data(x, e, floor, ceiling)
    rng = np.random.default_rng([seed, 0])
    weight = np.array([_weights(data, counted, options, tail) for tail in options.tails])
    laws = _select_laws(x, options)
    fits = search(laws, x, data.log_sizes, data.log_errors, weight, data.frame, options, rng)
    return _assemble(data, fits, options, seed, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CurveData:
    """The rows of a curve as given, and as a law sees them."""

    sizes: Floats
    errors: Floats
    log_sizes: Floats
    log_errors: Floats
    scale: _Scale
    frame: Frame
    limits: tuple[float, float]  # of the error


def _curve_data(x: Floats, e: Floats, floor: float | None, ceiling: float | None) -> _CurveData:
    scale = _Scale(float(np.exp(np.log(x[x > 0]).mean())), float(e.min()))
    lx, y = scale.log_size(x), np.log(e / scale.unit)
    return _CurveData(
        sizes=x,
        errors=e,
        log_sizes=lx,
        log_errors=y,
        scale=scale,
        frame=_frame(x, lx, y, scale, floor, ceiling),
        limits=(floor or 0.0, np.inf if ceiling is None else max(ceiling, float(e.max()))),
    )


def _read(
    sizes: ArrayLike, errors: ArrayLike, n_test: ArrayLike | None, floor: float | None, ceiling: float | None
) -> tuple[Floats, Floats, Floats | None]:
    """Sorted finite data, or an error that says which row is in the way."""
    try:
        x = np.asarray(sizes, dtype=np.float64).ravel()
        e = np.asarray(errors, dtype=np.float64).ravel()
        counted = None if n_test is None else np.broadcast_to(np.asarray(n_test, dtype=np.float64), x.shape)
    except (TypeError, ValueError) as problem:
        raise InputError(f"sizes, errors and n_test must be numbers of matching shape ({problem}).") from None
    if x.shape != e.shape:
        raise InputError(f"there are {x.size} sizes and {e.size} errors; give one error a size.")
    if not (np.isfinite(x).all() and np.isfinite(e).all()):
        row = int(np.flatnonzero(~(np.isfinite(x) & np.isfinite(e)))[0])
        raise InputError(f"row {row} is size {x[row]}, error {e[row]}; drop rows that are not finite.")
    if (x < 0).any():
        raise InputError(f"a size is {x.min()}; sizes are positive, or 0 for no training.")
    if not (x > 0).any():
        raise InputError("there is no row of positive size; a curve needs at least one trained model.")
    if counted is not None:
        if not (np.isfinite(counted).all() and (counted > 0).all()):
            raise InputError("n_test must be positive: how many items each error rate was counted on.")
        e = np.maximum(e, 0.5 / counted)
    if (e <= 0).any():
        raise InputError("an error is zero or below; its log is needed. Give n_test, or drop the row.")
    if floor is not None and not 0 <= floor <= e.min():
        raise InputError(
            f"floor is {floor}; the smallest error is {e.min():.6g}, and a floor lies in between 0 and it."
        )
    if ceiling is not None and not ceiling > e.min():
        raise InputError(f"ceiling is {ceiling}; it must lie above the smallest error, {e.min():.6g}.")
    order = np.lexsort((e, x))
    return x[order], e[order], None if counted is None else counted[order]


def _frame(x: Floats, lx: Floats, y: Floats, scale: _Scale, floor: float | None, ceiling: float | None) -> Frame:
    trained = x > 0
    at = lx[trained]
    return Frame(
        first=float(at.min()),
        last=float(at.max()),
        level=float(np.interp(0.0, at, y[trained])),
        highest=float(y[trained].max()),
        floor=0.0 if floor is None else min(floor / scale.unit, 0.999),
        ceiling=None if ceiling is None else float(np.log(ceiling / scale.unit)),
    )


def _select_laws(x: Floats, options: Options) -> list[Law]:
    """Laws with no more parameters than the sizes can bear; priors carry the rest."""
    n = len(np.unique(x[x > 0]))
    wanted = [LAWS[name] for name in options.laws]
    return [f for f in wanted if f.n_parameters <= max(n - 2, 4)] or wanted


def _weights(data: _CurveData, counted: Floats | None, options: Options, tail: float) -> Floats:
    """Relative precision of each row: late sizes are steadier, counted error rates noisier."""
    e, frame = data.errors, data.frame
    weight = np.exp(2 * tail * (np.maximum(data.log_sizes, frame.first) - frame.last))
    if counted is not None:
        binomial = np.clip(1 - e, 0.0, 1.0) / (counted * e)
        weight /= 1 + weight * binomial / options.noise_prior**2
    weight = np.where(data.sizes > 0, weight, weight / (1 + (_ORIGIN_NOISE / options.noise_prior) ** 2))
    out: Floats = weight
    return out


def _assemble(
    data: _CurveData, fits: Sequence[LawFit], options: Options, seed: int, rng: np.random.Generator
) -> CurveFit:
    """Draws of every law, with the residual process that goes with each."""
    trained = data.sizes > 0
    at, target = data.log_sizes[trained], data.log_errors[trained]
    residuals = [Residual.over(at[:, None], (length,)) for length in options.lengths]
    knots = _knots(data.frame, options)
    fits, law_weights = screen(fits, len(data.sizes), options)
    counts = np.diff(np.round(options.n_draws * np.concatenate([[0.0], np.cumsum(law_weights)])).astype(int))
    thetas, centre_path, paths, noises = [], [], [], []
    for f, n in zip(fits, counts, strict=True):
        theta = draw_parameters(f, int(n), data.log_sizes, data.log_errors, trained, data.frame, options, rng)
        left = target - f.law.log_error(theta, at, data.frame)[0]
        best_left = target - f.law.log_error(f.theta[:1], at, data.frame)[0][0]
        processes = process(f, residuals, best_left, options, int(n), rng)
        centre_path.append(expected(processes, knots[:, None], best_left))
        stops = np.cumsum([0, *(len(p.noise) for p in processes)])
        for p, start, stop in zip(processes, stops[:-1], stops[1:], strict=True):
            paths.append(p.residual.draw(knots[:, None], left[start:stop], p.amplitude, p.noise, rng))
            noises.append(p.noise)
        thetas.append(theta)
    noise_draws = np.concatenate(noises)
    return CurveFit(
        sizes=data.sizes,
        errors=data.errors,
        laws=tuple(f.law.name for f in fits),
        weights=tuple(float(v) for v in law_weights),
        agree=tuple(f.agree for f in fits),
        cautions=_cautions(data.sizes, data.log_errors),
        noise=float(np.sqrt((noise_draws**2).mean())),
        options=options,
        seed=seed,
        _scale=data.scale,
        _frame=data.frame,
        _best=tuple(f.theta[0] for f in fits),
        _theta=tuple(thetas),
        _knots=knots,
        _centre_path=np.array(centre_path),
        _paths=np.concatenate(paths),
        _noise_draws=noise_draws,
        _limits=data.limits,
    )


def _knots(frame: Frame, options: Options) -> Floats:
    """Log sizes at which the residual is drawn: fine among the data, out to where it has died away."""
    reach = 5 * max(options.lengths)
    n = int(np.clip(round((frame.last - frame.first) / (0.2 * min(options.lengths))), 2, 60)) + 1
    inside = np.linspace(frame.first, frame.last, n)
    out = reach * np.array([0.04, 0.1, 0.2, 0.35, 0.6, 1.0])
    return np.concatenate([frame.first - out[::-1], inside, frame.last + out])


def _cautions(x: Floats, y: Floats) -> tuple[CurveCaution, ...]:
    """Too few sizes, or an error that rises with size. x : sizes; y : log errors"""
    trained = x > 0
    n_sizes = len(np.unique(x[trained]))
    few = (FewSizes(n_sizes, ENOUGH_SIZES),) if n_sizes < ENOUGH_SIZES else ()
    rise, noise, at = _largest_rise(x[trained], y[trained])
    rises = (ErrorRise(float(np.expm1(rise)), at),) if rise > max(4 * noise, 0.02) else ()
    return *few, *rises


def _largest_rise(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Largest rise of the log error over an earlier size, the noise of a point, and where."""
    sizes, inverse = np.unique(x, return_inverse=True)
    mean = np.bincount(inverse, weights=y) / np.bincount(inverse)
    if len(sizes) < 3:
        return 0.0, 0.0, float(sizes[-1])
    bends = np.diff(mean, 2)
    noise = 1.4826 * float(np.median(np.abs(bends - np.median(bends)))) / np.sqrt(6.0)
    rise = mean - np.minimum.accumulate(mean)
    at = int(rise.argmax())
    return float(rise[at]), noise * np.sqrt(2.0), float(sizes[at])

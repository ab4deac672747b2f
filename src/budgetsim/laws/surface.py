"""Fit an error to several named inputs: labels, texts, model size, teacher error.

Additive, crossed and series power laws are fitted in one batch, screened by how they predict the
dearest part of the data from the rest, averaged, and corrected by a Gaussian process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull, QhullError

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Kind
from budgetsim.errors import InputError
from budgetsim.fitting.residual import Residual
from budgetsim.laws.additive import additive
from budgetsim.laws.cautions import CurveCaution, FewPoints, FormsDisagree, SingleValue
from budgetsim.laws.crossed import crossed, product
from budgetsim.laws.ensemble import (
    DEFAULT,
    LawFit,
    Options,
    Prediction,
    Process,
    deviations,
    discrepancies,
    draw_parameters,
    drift,
    expected,
    process,
    search,
)
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.plane import plane
from budgetsim.laws.series import series

HELD_OUT: Final = (0.2, 0.3)  # shares of the rows, the dearest, that screening predicts from the others
SCREEN_RATIO: Final = 2.0  # forms whose error there exceeds the best's by more are dropped
FORMS: Final = {"additive": additive, "product": product, "crossed": crossed, "series": series, "plane": plane}
SURFACE: Final = replace(
    DEFAULT,
    laws=tuple(FORMS),
    tails=(0.5,),
    lengths=(1.0,),
    robust_rounds=4,
    n_starts=12,
    n_steps=80,
    prior="weak",
    growths=(1.4,),
)
_FAR = 300.0  # log errors are cut here
_MOST_ROWS = 300  # of the residual process


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceFit:
    """Draws of a surface; `predict` turns them into errors at inputs."""

    inputs: tuple[str, ...]
    points: Floats  # (rows, inputs) as given
    errors: Floats
    laws: tuple[str, ...]
    screen_errors: Mapping[str, float]  # mean absolute log error of each form on the dearest rows
    cautions: tuple[CurveCaution, ...]
    options: Options
    seed: int
    _rising: tuple[bool, ...]
    _centre_at: Floats
    _unit: float
    _frame: Frame
    _fits: tuple[LawFit, ...]
    _theta: tuple[Floats, ...]
    _left: tuple[Floats, ...]  # what each law's best leaves over
    _left_draws: tuple[Floats, ...]
    _processes: tuple[tuple[Process, ...], ...]
    _faces: Floats  # half-spaces around the log inputs, normals and offsets
    _limits: tuple[float, float]

    def predict(self, inputs: Mapping[str, ArrayLike], level: float = 0.9) -> Prediction:
        """Errors of one new run, with the central interval that holds it at `level`.

        inputs : for every name of the fit, numbers that broadcast to one length
        raises : InputError for a missing name, a number that is not positive, or a level off (0, 1)
        """
        if not 0 < level < 1:
            raise InputError(f"level is {level}; give the share of runs the interval holds, e.g. 0.9.")
        x = _matrix(inputs, self.inputs)
        at = _orient(np.log(x), self._rising) - self._centre_at
        beyond = np.maximum((at @ self._faces[:, :-1].T + self._faces[:, -1]).max(axis=1), 0.0)
        beyond = np.where(beyond < 0.005, 0.0, beyond)
        centre = self._centre(at)
        draws = self._draws(at, beyond, centre)
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        lo, hi = self._limits
        back = [np.clip(self._unit * np.exp(np.clip(v, -_FAR, _FAR)), lo, hi) for v in (centre, low, high, draws)]
        seen = (np.abs(np.log(x)[:, None] - np.log(self.points)[None]).max(axis=2) < 0.005).any(axis=1)
        factor = np.where(seen, 1.0, np.exp(beyond))
        kinds: list[Kind] = [
            "observed" if s else "interpolated" if f == 1 else "extrapolated" for s, f in zip(seen, factor, strict=True)
        ]
        return Prediction(back[0], back[1], back[2], back[3], kinds, factor)

    def _centre(self, at: Floats) -> Floats:
        out = np.zeros(len(at))
        for f, left, processes in zip(self._fits, self._left, self._processes, strict=True):
            out += f.law.log_error(f.theta[:1], at, self._frame)[0][0] + expected(processes, at, left)
        return out / len(self._fits)

    def _draws(self, at: Floats, beyond: Floats, centre: Floats) -> Floats:
        n = sum(len(theta) for theta in self._theta)
        unit, parts, done = deviations(at, n, self.seed), [], 0
        for f, theta, left, processes in zip(self._fits, self._theta, self._left_draws, self._processes, strict=True):
            curves = f.law.log_error(theta, at, self._frame)[0]
            stops = np.cumsum([0, *(len(p.noise) for p in processes)])
            for p, start, stop in zip(processes, stops[:-1], stops[1:], strict=True):
                mean, sd = p.residual.conditional(at, left[start:stop], p.amplitude, p.noise)
                run = np.hypot(sd, p.noise[:, None]) * unit[done + start : done + stop]
                parts.append(curves[start:stop] + mean + run)
            done += len(theta)
        out = np.concatenate(parts)
        slope = (self._frame.highest + 1e-9) / max(self._frame.last - self._frame.first, 1.0)
        noise = float(np.sqrt(np.mean(np.concatenate([p.noise for ps in self._processes for p in ps]) ** 2)))
        scale = drift(self.options, noise, slope, np.minimum(beyond, 25.0), len(out))
        out += discrepancies(self.options, len(out), self.seed) * scale
        shifted: Floats = out - (np.median(out, axis=0) - centre)
        return shifted


def fit_surface(
    inputs: Mapping[str, ArrayLike],
    errors: ArrayLike,
    *,
    rising: Sequence[str] = (),
    floor: float | None = None,
    ceiling: float | None = None,
    seed: int = 0,
    options: Options = SURFACE,
) -> SurfaceFit:
    """Fit errors (lower is better) to named positive inputs.

    inputs : name -> (n,); errors : (n,), positive
    rising : names of inputs in which the error rises, such as a teacher's error
    floor, ceiling : known limits of the error
    raises : InputError for a row or name that cannot be used

    >>> n, u = np.meshgrid(10.0 ** np.arange(2, 5), 10.0 ** np.arange(3, 6))
    >>> e = 0.1 + n.ravel() ** -0.3 + u.ravel() ** -0.25
    >>> fit = fit_surface({"n": n.ravel(), "u": u.ravel()}, e)
    >>> bool(abs(fit.predict({"n": [3e3], "u": [3e4]}).mean[0] / (0.1 + 3e3**-0.3 + 3e4**-0.25) - 1) < 0.05)
    True
    """
    names, x, e = _read(inputs, errors, rising, floor, ceiling)
    signs = tuple(name in rising for name in names)
    scaled = _orient(np.log(x), signs)
    centre_at = scaled.mean(axis=0)
    at, unit = scaled - centre_at, float(e.min())
    y = np.log(e / unit)
    frame = _frame(at, y, unit, floor, ceiling)
    laws, screen_errors = _screen(at, y, frame, options, seed)
    rng = np.random.default_rng([seed, 0])
    fits = _search(laws, at, y, frame, options, rng)
    residual_rows = _thin(len(y))
    share = np.diff(np.linspace(0, options.n_draws, len(fits) + 1).round().astype(int))
    theta, left, left_draws, processes = [], [], [], []
    for f, n in zip(fits, share, strict=True):
        draws = draw_parameters(f, int(n), at, y, np.ones(len(y), dtype=bool), frame, options, rng)
        seen, target = at[residual_rows], y[residual_rows]
        weight = f.weight[0][residual_rows]
        residuals = [Residual.over(seen, (length,) * at.shape[1], weight) for length in options.lengths]
        theta.append(draws)
        left.append(target - f.law.log_error(f.theta[:1], seen, frame)[0][0])
        left_draws.append(target - f.law.log_error(draws, seen, frame)[0])
        processes.append(tuple(process(f, residuals, left[-1], options, int(n), rng)))
    return SurfaceFit(
        inputs=names,
        points=x,
        errors=e,
        laws=tuple(f.law.name for f in fits),
        screen_errors=screen_errors,
        cautions=(*_cautions(x, names), *_disagreement(screen_errors, fits)),
        options=options,
        seed=seed,
        _rising=signs,
        _centre_at=centre_at,
        _unit=unit,
        _frame=frame,
        _fits=tuple(fits),
        _theta=tuple(theta),
        _left=tuple(left),
        _left_draws=tuple(left_draws),
        _processes=tuple(processes),
        _faces=_faces(at),
        _limits=(floor or 0.0, np.inf if ceiling is None else max(ceiling, float(e.max()))),
    )


def _read(
    inputs: Mapping[str, ArrayLike],
    errors: ArrayLike,
    rising: Sequence[str],
    floor: float | None,
    ceiling: float | None,
) -> tuple[tuple[str, ...], Floats, Floats]:
    names = tuple(inputs)
    if not names:
        raise InputError("there are no inputs; give at least one name with its numbers.")
    if set(rising) - set(names):
        raise InputError(f"rising names {sorted(set(rising) - set(names))}, which are no inputs.")
    x = _matrix(inputs, names)
    e = np.asarray(errors, dtype=np.float64).ravel()
    if len(e) != len(x):
        raise InputError(f"there are {len(x)} rows of inputs and {len(e)} errors; give one error a row.")
    if not (np.isfinite(e).all() and (e > 0).all()):
        raise InputError("errors must be finite and positive; drop the others.")
    if floor is not None and not 0 <= floor <= e.min():
        raise InputError(f"floor is {floor}; it lies between 0 and the smallest error, {e.min():.6g}.")
    if ceiling is not None and not ceiling > e.min():
        raise InputError(f"ceiling is {ceiling}; it must lie above the smallest error, {e.min():.6g}.")
    return names, x, e


def _matrix(inputs: Mapping[str, ArrayLike], names: Sequence[str]) -> Floats:
    """The inputs as (n, names), positive and finite."""
    missing = [name for name in names if name not in inputs]
    if missing:
        raise InputError(f"inputs lack {', '.join(missing)}; the surface has {', '.join(names)}.")
    try:
        columns = [np.asarray(inputs[name], dtype=np.float64).ravel() for name in names]
        x = np.column_stack(np.broadcast_arrays(*columns))
    except (TypeError, ValueError) as problem:
        raise InputError(f"inputs must be numbers of one length ({problem}).") from None
    if len(x) == 0 or not (np.isfinite(x).all() and (x > 0).all()):
        raise InputError("inputs must be finite and positive, at least one row; their logs are needed.")
    return x


def _orient(log_x: Floats, rising: Sequence[bool]) -> Floats:
    """Log inputs, turned round where the error rises with them."""
    return log_x * np.where(np.asarray(rising), -1.0, 1.0)


def _frame(at: Floats, y: Floats, unit: float, floor: float | None, ceiling: float | None) -> Frame:
    cost = at.sum(axis=1)
    return Frame(
        first=float(cost.min()),
        last=float(cost.max()),
        level=float(y.mean()),
        highest=float(y.max()),
        floor=0.0 if floor is None else min(floor / unit, 0.999),
        ceiling=None if ceiling is None else float(np.log(ceiling / unit)),
    )


def _search(
    laws: Sequence[Law], at: Floats, y: Floats, frame: Frame, options: Options, rng: np.random.Generator
) -> list[LawFit]:
    cost = at.mean(axis=1)
    weight = np.exp(2 * np.array(options.tails)[:, None] * (cost - cost.max()))
    return search(laws, np.ones(len(y)), at, y, weight, frame, options, rng)


def _candidates(k: int, options: Options) -> list[Law]:
    """Forms for a number of inputs: with one they are all the same, with two series is additive."""
    if k == 1:
        return [additive(1)]
    return [FORMS[name](k) for name in options.laws if name != "series" or k > 2] or [additive(k)]


def _screen(at: Floats, y: Floats, frame: Frame, options: Options, seed: int) -> tuple[list[Law], dict[str, float]]:
    """Forms that predict the dearest rows about as well as the best does, and how well each did."""
    forms = _candidates(at.shape[1], options)
    if len(forms) == 1 or 0.7 * len(y) < max(f.n_parameters for f in forms):
        return forms[:2], {}
    miss = np.mean([_miss_dearest(forms, at, y, frame, share, options, seed) for share in HELD_OUT], axis=0)
    kept = [f for f, m in zip(forms, miss, strict=True) if m <= SCREEN_RATIO * miss.min()]
    return kept, {f.name: round(float(m), 5) for f, m in zip(forms, miss, strict=True)}


def _miss_dearest(
    forms: Sequence[Law], at: Floats, y: Floats, frame: Frame, share: float, options: Options, seed: int
) -> list[float]:
    """Error of each form, fitted to the cheaper rows, on the dearest share of them."""
    order = np.argsort(at.sum(axis=1), kind="stable")
    dear = np.zeros(len(y), dtype=bool)
    dear[order[-max(int(share * len(y)), 1) :]] = True
    fits = _search(forms, at[~dear], y[~dear], frame, options, np.random.default_rng([seed, 2]))
    return [float(np.abs(f.law.log_error(f.theta[:1], at[dear], frame)[0] - y[dear]).mean()) for f in fits]


def _thin(n: int) -> NDArray[np.intp]:
    """Rows of the residual process: all, or evenly spaced where there are very many."""
    return np.unique(np.linspace(0, n - 1, min(n, _MOST_ROWS)).round().astype(np.intp))


def _faces(at: Floats) -> Floats:
    """Half-spaces around the data, their bounding box where the points lie in a plane."""
    k = at.shape[1]
    if k > 1 and len(at) > k:
        try:
            hull: Floats = np.asarray(ConvexHull(at).equations, dtype=np.float64)
            return hull
        except QhullError:
            pass
    unit = np.eye(k)
    box: Floats = np.concatenate([np.column_stack([unit, -at.max(axis=0)]), np.column_stack([-unit, at.min(axis=0)])])
    return box


def _cautions(x: Floats, names: Sequence[str]) -> tuple[CurveCaution, ...]:
    """Inputs that do not vary, or too few rows. x : (rows, inputs)"""
    single = [SingleValue(name) for name, column in zip(names, x.T, strict=True) if np.ptp(np.log(column)) == 0]
    few = [FewPoints(len(x), len(names))] if len(x) < 2 * len(names) + 2 else []
    return *single, *few


def _disagreement(screen_errors: Mapping[str, float], kept: Sequence[LawFit]) -> tuple[FormsDisagree, ...]:
    """Whether forms predict the dearest rows unlike each other, so that no one knows which holds beyond them."""
    if not screen_errors:
        return ()
    best, worst = min(screen_errors, key=screen_errors.__getitem__), max(screen_errors, key=screen_errors.__getitem__)
    if screen_errors[worst] <= SCREEN_RATIO * screen_errors[best]:
        return ()
    return (FormsDisagree(best, screen_errors[best], worst, screen_errors[worst], tuple(f.law.name for f in kept)),)

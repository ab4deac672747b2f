"""One learner's curve carried on: scores at sizes nobody ran, and the size that a target takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.data.curvefile import MOST, CurveFile
from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Kind
from budgetsim.errors import InputError
from budgetsim.laws.cautions import CurveCaution
from budgetsim.laws.curve import CurveFit, fit_curve
from budgetsim.laws.target import Requirement, labels_for

AHEAD: Final = (1.0, 2.0, 4.0, 10.0)  # times the largest size: where is looked unless somebody asks
PICTURE_BEYOND: Final = 10.0  # times the largest size: how far a picture reaches
_PICTURE_POINTS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The metric of one new run at a size, percent or a loss in its own unit."""

    size: float
    value: float
    lower: float  # 90 % interval
    upper: float
    kind: Kind
    factor: float  # how many fold outside the data, 1 inside


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAnswer:
    """Sizes that a target takes, and the target in the unit of the answer."""

    value: float
    needed: Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveAnswer:
    """Everything the command prints."""

    file: CurveFile
    points: tuple[CurvePoint, ...]
    target: TargetAnswer | None
    laws: tuple[tuple[str, float], ...]  # names and weights
    cautions: tuple[CurveCaution, ...]
    picture: tuple[CurvePoint, ...]  # finely spaced, through the data and beyond
    observed: tuple[tuple[float, float], ...]  # sizes and values of the rows


def answer_curve(
    file: CurveFile,
    *,
    at: Sequence[float] = (),
    target: float | None = None,
    n_test: int | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
) -> CurveAnswer:
    """Fit the curve of a file and say what is asked.

    at : sizes; none for those of the file's largest size and beyond
    target, floor, ceiling : of the metric; of a file of fractions up to 1 a fraction and above it percent, of a file
        of percent always percent, for a loss its own unit
    n_test : items that each score was counted on
    raises : InputError where a number is out of its range
    """
    lowest = None if floor is None else _from_outside(floor, file, "--floor")
    highest = None if ceiling is None else _from_outside(ceiling, file, "--ceiling")
    fit = _fit(file, n_test, lowest, highest)
    wanted = None if target is None else _target_error(target, file)
    largest = max(file.sizes)
    sizes = tuple(at) or tuple(_round_up(largest * ahead) if ahead > 1 else largest for ahead in AHEAD)
    _check_sizes(sizes)
    smallest = float(fit.sizes[fit.sizes > 0].min())
    picture = np.geomspace(smallest, PICTURE_BEYOND * largest, _PICTURE_POINTS)
    unit = 1.0 if file.unit == "own" else 100.0
    return CurveAnswer(
        file=file,
        points=_points(fit, np.array(sizes, dtype=np.float64), file),
        target=None if wanted is None else _target_answer(fit, wanted, file),
        laws=tuple(zip(fit.laws, fit.weights, strict=True)),
        cautions=fit.cautions,
        picture=_points(fit, picture, file),
        observed=tuple((n, unit * v) for n, v in zip(file.sizes, file.values, strict=True)),
    )


def _fit(file: CurveFile, n_test: int | None, lowest: float | None, highest: float | None) -> CurveFit:
    """lowest, highest : known limits of the metric, in the file's fractions"""
    values = np.array(file.values)
    if lowest is not None and not lowest <= values.min():
        raise InputError(f"--floor: found {_words(lowest, file)}, wanted no more than the lowest value, "
                         f"{_words(values.min(), file)}.")  # fmt: skip
    if highest is not None and not highest >= values.max():
        raise InputError(f"--ceiling: found {_words(highest, file)}, wanted no less than the highest value, "
                         f"{_words(values.max(), file)}.")  # fmt: skip
    if n_test is not None and file.unit == "own":
        raise InputError("--n-test counts the items of a score or an error rate; leave it out for a loss.")
    errors = 1.0 - values if file.kind == "score" else values
    if n_test is None and (errors <= 0).any():
        perfect = "a score of 100 %" if file.kind == "score" else "an error of 0"
        raise InputError(f"{file.value_column} holds {perfect}, whose log error has no limit; give --n-test, how many "
                         "items it was counted on, or drop the row.")  # fmt: skip
    low, high = (lowest, highest) if file.kind == "error" else (_rest(highest), _rest(lowest))
    high = None if high is not None and not high > errors.min() else high  # all rows at the limit: it tells nothing
    return fit_curve(np.array(file.sizes), errors, n_test=n_test, floor=low, ceiling=high)


def _rest(value: float | None) -> float | None:
    return None if value is None else max(1.0 - value, 0.0)


def _from_outside(value: float, file: CurveFile, option: str) -> float:
    """A number of the command line as the file's fractions.

    raises : InputError out of range, or where a fraction seems to be meant of scores that are percent
    """
    if not math.isfinite(value) or value < 0 or (file.unit != "own" and value > 100):
        wanted = "a number above zero" if file.unit == "own" else "a fraction up to 1 or percent up to 100"
        raise InputError(f"{option}: found {value:g}, wanted {wanted}.")
    if file.unit == "percent" and file.kind == "score" and 0 < value < 1:
        raise InputError(f"{option}: found {value:g}; scores of the file are percent: did you mean {100 * value:g}?")
    return value if file.unit == "own" or (file.unit == "fraction" and value <= 1) else value / 100


def _target_error(target: float, file: CurveFile) -> float:
    value = _from_outside(target, file, "--target")
    error = 1.0 - value if file.kind == "score" else value
    if not error > 0:
        wanted = "below 100 %" if file.kind == "score" else "above 0"
        raise InputError(f"--target: found {_words(value, file)}, wanted {wanted}: no curve is expected to be perfect.")
    return error


def _target_answer(fit: CurveFit, error: float, file: CurveFile) -> TargetAnswer:
    return TargetAnswer(value=float(_to_outside(error, file)), needed=labels_for(fit, error))


def _words(value: float, file: CurveFile) -> str:
    return f"{value:g}" if file.unit == "own" else f"{100 * value:g} %"


def _check_sizes(sizes: Sequence[float]) -> None:
    for size in sizes:
        if not math.isfinite(size) or not 0 < size <= MOST:
            raise InputError(f"--at: found {size:g}, wanted a size above zero, up to {MOST:.0e}.")


def _to_outside(errors: Floats | float, file: CurveFile) -> Floats:
    """Percent of the metric, or a loss as it is."""
    e = np.asarray(errors, dtype=np.float64)
    if file.unit == "own":
        return e
    out: Floats = 100 * np.clip(1.0 - e if file.kind == "score" else e, 0.0, 1.0)
    return out


def _points(fit: CurveFit, sizes: Floats, file: CurveFile) -> tuple[CurvePoint, ...]:
    p = fit.predict(sizes)
    value, one, other = (_to_outside(v, file) for v in (p.mean, p.lower, p.upper))
    lower, upper = np.minimum(one, other), np.maximum(one, other)
    columns = (sizes, value, lower, upper)
    rows = zip(*(c.tolist() for c in columns), p.kind, p.factor.tolist(), strict=True)
    return tuple(CurvePoint(size=n, value=v, lower=a, upper=b, kind=k, factor=f) for n, v, a, b, k, f in rows)


def _round_up(size: float) -> float:
    """Two digits, as people ask."""
    unit = 10.0 ** (math.floor(math.log10(size)) - 1)
    return float(math.ceil(size / unit - 1e-9) * unit)

"""One learner's curve for people, for programs and as a picture."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from budgetsim.answers.curves import CurveAnswer, CurvePoint, TargetAnswer
from budgetsim.data.curvefile import CurveFile
from budgetsim.report.cautions import curve_caution_words
from budgetsim.report.plot import Curve
from budgetsim.report.table import Page, Table, kind_words, rounded

_UNITS: Final = {"fraction": "fractions", "percent": "percent", "own": "its own unit"}


def curve_page(answer: CurveAnswer, name: str) -> Page:
    """What was read, scores at sizes, the size a target takes, laws and warnings; lines of at most 80 columns."""
    file = answer.file
    runs = f"{len(file.sizes)} rows at {file.n_sizes} sizes from {min(file.sizes):,.6g} to {max(file.sizes):,.6g}"
    better = "higher is better" if file.kind == "score" else "lower is better"
    page: Page = [
        f"{name}: {file.value_column} against {file.size_column}",
        f"{runs}, read as {_UNITS[file.unit]}; {better}.",
        _grid(answer),
    ]
    if answer.target is not None:
        page += _target_lines(answer.target, file)
    page += ["Laws: " + ", ".join(f"{law} {weight:.2f}" for law, weight in answer.laws) + "."]
    page += [f"Warning: {words}" for words in curve_caution_words(answer.cautions)]
    return page


def _grid(answer: CurveAnswer) -> Table:
    file = answer.file
    unit = "" if file.unit == "own" else ", %"
    rows = tuple(
        (
            f"{p.size:,.6g}",
            _value(p.value, file),
            f"{_value(p.lower, file)} to {_value(p.upper, file)}",
            kind_words(p.kind, p.factor),
        )
        for p in answer.points
    )
    headings = (file.size_column[:18], file.value_column[:18] + unit, "90 % of runs", "from")
    return Table(title="", headings=headings, rows=rows, text_columns=frozenset({3}))


def _value(value: float, file: CurveFile) -> str:
    return f"{value:.4g}" if file.unit == "own" else f"{value:.1f}"


def _target_lines(target: TargetAnswer, file: CurveFile) -> list[str]:
    """How many it takes, and the chance that it is ever reached."""
    need, goal = target.needed, f"{target.value:.4g}" + ("" if file.unit == "own" else " %")
    furthest = f"{_count(need.furthest)} {file.size_column}"
    if need.reached == 0:
        return [f"{goal} is not reached within {furthest} in any case."]
    ends = f"90 % of cases {_end(need.lower, need.smallest)} to {_end(need.upper, need.smallest)}"
    if need.size is None:
        first = f"{goal} is not reached in most cases ({ends})."
    else:
        first = f"{goal} takes {_end(need.size, need.smallest)} {file.size_column} ({ends})."
    return [first, f"It is reached within {furthest} in {need.reached:.0%} of cases."]


def _end(size: float | None, smallest: float) -> str:
    if size is None:
        return "not reached"
    return f"{_count(size)} or fewer" if size <= smallest * (1 + 1e-9) else _count(size)


def _count(size: float) -> str:
    """Three digits, as more would promise too much."""
    return f"{float(f'{size:.3g}'):,.15g}"


def curve_json(answer: CurveAnswer, name: str) -> dict[str, Any]:
    """A curve for programs: percent, but for a loss, which stays in its own unit."""
    file, target = answer.file, answer.target
    out: dict[str, Any] = {
        "file": name,
        "size_column": file.size_column,
        "value_column": file.value_column,
        "metric_kind": file.kind,
        "read_as": file.unit,
        "unit": "own" if file.unit == "own" else "percent",
        "n_rows": len(file.sizes),
        "n_sizes": file.n_sizes,
        "points": [_point_json(p) for p in answer.points],
        "target": None if target is None else _target_json(target),
        "laws": [{"law": law, "weight": weight} for law, weight in answer.laws],
        "warnings": curve_caution_words(answer.cautions),
    }
    rounding: dict[str, Any] = rounded(out)
    return rounding


def _point_json(p: CurvePoint) -> dict[str, Any]:
    return {"size": p.size, "value": p.value, "lower": p.lower, "upper": p.upper, "kind": p.kind, "factor": p.factor}


def _target_json(target: TargetAnswer) -> dict[str, Any]:
    need = target.needed
    return {
        "value": target.value,
        "size": need.size,
        "lower": need.lower,
        "upper": need.upper,
        "chance_reached": need.reached,
        "smallest": need.smallest,
        "furthest": need.furthest,
    }


def curve_picture(answer: CurveAnswer) -> Curve:
    """The curve as `report/plot.py` draws it."""
    file, points = answer.file, answer.picture
    observed = [(n, v) for n, v in answer.observed if n > 0]
    n, mean, lower, upper = np.array([(p.size, p.value, p.lower, p.upper) for p in points]).T
    return Curve(
        label=file.value_column,
        axis=file.size_column,
        n=n,
        mean=mean,
        lower=lower,
        upper=upper,
        points_n=np.array([n for n, _ in observed]),
        points_score=np.array([v for _, v in observed]),
        unit="" if file.unit == "own" else ", %",
    )

"""Pictures of fitted curves: plain text for a terminal, PNG or SVG for a page.

A curve is a cut through a surface along its first input; a surface of two inputs is cut at the
second counts that most of its rows share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from budgetsim.choosing.simulate import run_interval
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.errors import InputError, MissingExtraError

_POINTS = 60  # along a curve
_BEYOND = 3.0  # how many fold a curve is drawn beyond the evidence
_CUTS = 2  # curves of a surface with two inputs
FORMATS = (".png", ".svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One cut: expected score and 90 % interval of a run along the first input, and the rows on it."""

    label: str
    axis: str
    n: Floats
    mean: Floats
    lower: Floats
    upper: Floats
    points_n: Floats
    points_score: Floats
    unit: str = ", %"  # behind the metric's name


def curves_of(fit: TaskFit, rows: Sequence[Measurement]) -> list[Curve]:
    """The curves of every surface of a fit with at least two sizes along its first input."""
    return [
        curve
        for surface in fit.surfaces
        for cut in _cuts(surface)
        if (curve := _curve(surface, cut, [m for m in rows if m.route == surface.route])) is not None
    ]


def _cuts(surface: Surface) -> list[float | None]:
    if len(surface.inputs) == 1:
        return [None]
    values, counts = np.unique(surface.support.points[:, 1], return_counts=True)
    return list(np.sort(values[np.argsort(-counts, kind="stable")][:_CUTS]).tolist())


def _curve(surface: Surface, cut: float | None, rows: Sequence[Measurement]) -> Curve | None:
    first = surface.support.points[:, 0]
    first = first[first > 0]
    if len(np.unique(first)) < 2:
        return None
    n = np.geomspace(first.min() / _BEYOND, first.max() * _BEYOND, _POINTS)
    at = n[:, None] if cut is None else np.stack([n, np.full(_POINTS, cut)], axis=1)
    means = surface.at(at)
    lower, upper = run_interval(means, surface.deviations(at))
    on_cut = [m for m in rows if cut is None or getattr(m, surface.inputs[1]) == cut]
    points = [(getattr(m, surface.inputs[0]), m.score) for m in on_cut]
    name = surface.route.label
    return Curve(
        label=name if cut is None else f"{name}, {surface.inputs[1]} {cut:,.0f}",
        axis=surface.inputs[0],
        n=n,
        mean=100 * means.mean(axis=0),
        lower=100 * lower,
        upper=100 * upper,
        points_n=np.array([x for x, _ in points], dtype=np.float64),
        points_score=100 * np.array([s for _, s in points], dtype=np.float64),
    )


def text_plot(curve: Curve, metric: str, width: int = 72) -> list[str]:
    """A curve as plain text: `+` the expected score, `.` the 90 % interval of a run, `o` rows."""
    from uniplot import plot_to_string

    series = [(curve.n, curve.lower, "."), (curve.n, curve.upper, "."), (curve.n, curve.mean, "+")]
    if len(curve.points_n):
        series.append((curve.points_n, curve.points_score, "o"))
    text = plot_to_string(
        xs=[np.log10(x) for x, _, _ in series],
        ys=[y for _, y, _ in series],
        force_ascii_characters=[mark for _, _, mark in series],
        character_set="ascii",
        color=False,
        width=width,
        height=14,
        title=f"{curve.label}: {metric} against log10 {curve.axis}",
    )
    return [line.rstrip() for line in text.splitlines()]


def save_plot(curves: Sequence[Curve], metric: str, file: Path) -> Path:
    """Draw curves with their intervals and rows, one panel each.

    raises : InputError where the file is no PNG or SVG or there is no curve, MissingExtraError without matplotlib
    """
    return save_panels([partial(_draw, curve, metric) for curve in curves], file)


def _draw(curve: Curve, metric: str, axes: Any) -> None:
    axes.fill_between(curve.n, curve.lower, curve.upper, alpha=0.2, label="90 % of runs")
    axes.plot(curve.n, curve.mean, label="expected")
    axes.plot(curve.points_n, curve.points_score, "o", markersize=3, label="rows")
    axes.set(xscale="log", title=curve.label, xlabel=curve.axis, ylabel=metric + curve.unit)
    axes.legend(fontsize="small")


def check_format(file: Path) -> None:
    """Only a PNG or an SVG is drawn.

    raises : InputError for another ending
    """
    if file.suffix.lower() not in FORMATS:
        raise InputError(f"--plot: found {file.name!r}, wanted a name that ends in {' or '.join(FORMATS)}.")


def save_panels(
    panels: Sequence[Callable[[Any], None]], file: Path, *, width: float = 6.0, height: float = 3.2, columns: int = 1
) -> Path:
    """Write panels, row by row from the top, to a PNG or SVG file; the same panels give the same bytes.

    panels : each draws on the axes of matplotlib that it is given
    width, height : inches, of a row of panels
    raises : InputError where the file is no PNG or SVG or there is no panel, MissingExtraError without matplotlib
    """
    check_format(file)
    if not panels:
        raise InputError("--plot: no surface has two sizes to draw a curve through; measure another size.")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("Pictures need matplotlib: pip install 'budgetsim[plot]'.") from None
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    places = np.ravel(figure.subplots(rows, columns))
    for axes, draw in zip(places, panels, strict=False):
        draw(axes)
    for axes in places[len(panels) :]:
        axes.axis("off")
    undated = {"Date": None} if file.suffix.lower() == ".svg" else None
    try:
        with rc_context({"svg.hashsalt": "budgetsim"}):
            figure.savefig(file, metadata=undated)
    except OSError as error:
        raise InputError(f"--plot: {file} cannot be written ({error.strerror}); name a folder that exists.") from None
    return file

"""Pictures of answers: what budgets buy, the frontier, sensitivities, runs worth measuring. PNG, SVG or plain text.

matplotlib draws them, as it draws curves (`report.plot`): it is the extra `plot` already, writes both formats without a
browser, and a second library would say the same.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from budgetsim.choosing.options import Option
from budgetsim.choosing.simulate import run_interval
from budgetsim.choosing.winners import rows_by_route
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.economics.expansion import better_scores, path_deviations, path_scores
from budgetsim.report.plot import save_panels

if TYPE_CHECKING:
    from budgetsim.answers.sensitivity import Sensitivity
    from budgetsim.economics.frontier import Frontier
    from budgetsim.pilots.nextrun import NextAnswer

_BUDGETS: Final = 40  # along a line
_BARS: Final = 10  # runs that are shown
_WIDE: Final = 8.0  # inches
_TEXT_WIDTH: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line over dollars, percent, with the band of 90 % of runs or of worlds; NaN where there is nothing."""

    label: str
    usd: Floats
    score: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over dollars; `here` is the budget that was asked about, `points` are single ones (dollars, percent)."""

    title: str
    metric: str
    band: str  # what the bands hold
    lines: tuple[Line, ...]
    here_usd: float | None = None
    points: tuple[tuple[float, float], ...] = ()
    points_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars from a low to a high end, the first on top; `now` is what both are measured against."""

    title: str
    unit: str
    rows: tuple[tuple[str, float, float], ...]
    now: float


Picture = Chart | Bars


def budget_chart(
    task: Task, options: Sequence[Option], budget_usd: float, points: Sequence[tuple[float, float]] = ()
) -> Chart:
    """What each route scores with budgets around one.

    points : dollars and percent of students that were measured beside
    """
    budgets = np.geomspace(max(budget_usd / 30, 1.0), budget_usd * 8, _BUDGETS)
    lines = []
    for route, rows in rows_by_route(options).items():
        scores = better_scores([path_scores(options[i], budgets) for i in rows])  # (draws, budgets)
        bought = scores[0] >= 0
        lower, upper = run_interval(scores, path_deviations(options[rows[0]], budgets))
        columns = (np.where(bought, 100 * y, np.nan) for y in (scores.mean(axis=0), lower, upper))
        lines.append(_line(route.label, budgets, *columns))
    return Chart(
        title=f"{task.name}: the best that a budget buys",
        metric=task.metric,
        band="90 % of runs",
        lines=tuple(lines),
        here_usd=budget_usd,
        points=tuple(points),
        points_label="measured here",
    )


def _line(label: str, usd: Floats, score: Floats, lower: Floats, upper: Floats) -> Line:
    return Line(label=label, usd=usd, score=score, lower=lower, upper=upper)


def frontier_chart(frontier: Frontier, metric: str) -> Chart:
    """The frontier with the band that 90 % of worlds reach; a line for each route on it."""
    points = [p for p in frontier.points if p.allocation.cost_usd > 0]
    usd = np.array([p.allocation.cost_usd for p in points])
    table = np.array([(p.allocation.score, p.attained[0], p.attained[2]) for p in points]).reshape(-1, 3)
    labels = [p.allocation.label for p in points]
    lines = []
    for label in dict.fromkeys(labels):
        on = np.array([name == label for name in labels])
        lines.append(_line(label, usd, *(np.where(on, column, np.nan) for column in table.T)))
    return Chart(title=f"{frontier.task}: frontier", metric=metric, band="90 % of cases", lines=tuple(lines))


def tornado_bars(sensitivity: Sensitivity, metric: str) -> Bars:
    """The best plan's score with each assumption at its two ends."""
    rows = [
        (f"{s.name} {_number(s.low)} to {_number(s.high)}", s.at_low.score, s.at_high.score) for s in sensitivity.swings
    ]
    title = f"{sensitivity.task} at ${sensitivity.budget_usd:,.0f}: what the score is sensitive to"
    return Bars(title=title, unit=f"{metric}, %", rows=tuple(rows), now=sensitivity.plan.score)


def _number(value: float) -> str:
    """
    >>> _number(50000.0), _number(0.18200001)
    ('50,000', '0.182')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def next_bars(answer: NextAnswer) -> Bars:
    """The points that each run is expected to add to the best plan, its money taken from the budget."""
    rows = [
        (f"{r.route.label} {'/'.join(f'{n:,}' for n in r.design.inputs)}", 0.0, r.fall) for r in answer.runs[:_BARS]
    ]
    return Bars(title=f"{answer.task}: what a run is worth", unit="points", rows=tuple(rows), now=0.0)


def save_pictures(pictures: Sequence[Picture], file: Path) -> Path:
    """Write pictures one below the other to a PNG or SVG file.

    raises : InputError, MissingExtraError as `report.plot.save_panels`
    """
    return save_panels([partial(_draw, picture) for picture in pictures], file, width=_WIDE)


def _draw(picture: Picture, axes: Any) -> None:
    if isinstance(picture, Chart):
        _draw_chart(picture, axes)
    else:
        _draw_bars(picture, axes)


def _draw_chart(chart: Chart, axes: Any) -> None:
    for line in chart.lines:
        (drawn,) = axes.plot(line.usd, line.score, label=line.label)
        axes.fill_between(line.usd, line.lower, line.upper, alpha=0.15, color=drawn.get_color(), linewidth=0)
    if chart.points:
        axes.plot(*zip(*chart.points, strict=True), "x", color="black", markersize=4, label=chart.points_label)
    if chart.here_usd is not None:
        axes.axvline(chart.here_usd, color="grey", linestyle=":")
    axes.set(xscale="log", title=chart.title, xlabel=f"US dollars (band: {chart.band})", ylabel=f"{chart.metric}, %")
    if chart.lines or chart.points:
        axes.legend(fontsize="x-small")


def _draw_bars(bars: Bars, axes: Any) -> None:
    names = [name for name, _, _ in bars.rows]
    ends = np.array([(low, high) for _, low, high in bars.rows]).reshape(-1, 2)
    axes.barh(range(len(names)), ends.max(axis=1) - ends.min(axis=1), left=ends.min(axis=1))
    axes.axvline(bars.now, color="black", linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.invert_yaxis()
    axes.set(title=bars.title, xlabel=bars.unit)


def picture_text(picture: Picture) -> list[str]:
    """A picture as plain text."""
    return _chart_text(picture) if isinstance(picture, Chart) else _bars_text(picture)


def _chart_text(chart: Chart) -> list[str]:
    """Lines of letters over the logarithm of dollars, what each letter is below."""
    from uniplot import plot_to_string

    marks = string.ascii_lowercase
    series = [(line.usd, line.score, marks[i % 26]) for i, line in enumerate(chart.lines)]
    series += [(np.array([x]), np.array([y]), "x") for x, y in chart.points if x > 0]
    known = [(x[np.isfinite(y)], y[np.isfinite(y)], mark) for x, y, mark in series if np.isfinite(y).any()]
    if not known:
        return [f"{chart.title}: nothing to draw"]
    text = plot_to_string(
        xs=[np.log10(x) for x, _, _ in known],
        ys=[y for _, y, _ in known],
        force_ascii_characters=[mark for _, _, mark in known],
        character_set="ascii",
        color=False,
        width=_TEXT_WIDTH,
        height=16,
        title=f"{chart.title}: {chart.metric}, %, against log10 dollars",
    )
    key = [f"  {marks[i % 26]} {line.label}" for i, line in enumerate(chart.lines)]
    key += [f"  x {chart.points_label}"] if any(x > 0 for x, _ in chart.points) else []
    return [*(line.rstrip() for line in text.splitlines()), *key]


def _bars_text(bars: Bars) -> list[str]:
    """Bars of signs, from the least to the most."""
    ends = [bars.now, *(v for _, low, high in bars.rows for v in (low, high))]
    least, span = min(ends), max(max(ends) - min(ends), 1e-9)
    width = 30
    names = max((len(name) for name, _, _ in bars.rows), default=0)

    def at(value: float) -> int:
        return round((value - least) / span * (width - 1))

    lines = [f"{bars.title} ({bars.unit})"]
    for name, low, high in bars.rows:
        row = [" "] * width
        row[at(min(low, high)) : at(max(low, high)) + 1] = "=" * (at(max(low, high)) - at(min(low, high)) + 1)
        row[at(bars.now)] = "|"
        lines.append(f"{name:<{names}} {''.join(row)} {low:.2f} to {high:.2f}")
    return lines

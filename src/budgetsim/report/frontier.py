"""Frontiers for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from budgetsim.economics.crossings import Spread
from budgetsim.economics.frontier import Frontier, FrontierPoint
from budgetsim.economics.switches import Switch
from budgetsim.economics.tradeoff import IndifferenceCurve, IndifferencePoint
from budgetsim.report.allocation import allocation_json
from budgetsim.report.remarks import OWNED_TEACHER_WORDS
from budgetsim.report.table import Page, Table, design_cells, interval_words, kind_words, may_go, rounded, usd

SECOND = {"n_unlabeled": "texts", "n_llm_labels": "LLM labels"}


def frontier_page(front: Frontier, metric: str, curves: Sequence[IndifferenceCurve] = ()) -> Page:
    """A frontier for people: where each strategy wins, the expansion path, indifference curves where asked for.

    The interval of a row is of one new run of its plan, as `optimize` has it; what worlds attain at its cost or less,
    with whichever of the plans, is in JSON and in the picture.
    """
    lines: Page = [f"{front.task}: where each strategy wins"]
    lines += [f"  {usd(r.from_usd)} to {usd(r.to_usd)}: {r.route.short}" for r in front.regions]
    lines += [f"  {_switch_words(s)}" for s in front.switches]
    timed = any(p.allocation.days is not None for p in front.points)
    rows = tuple(_point_row(p, timed) for p in front.points)
    headings = ("cost", "compute", "share", *(("days",) if timed else ()), "strategy", "labels", "LLM", "texts", metric)
    headings = (*headings, "90 % of runs", "from")
    text = frozenset({headings.index("strategy"), len(headings) - 1})
    optional = may_go(("share", "compute", "from", "days"), headings, rows)
    lines.append(Table(title="", headings=headings, rows=rows, text_columns=text, optional=optional))
    for curve in curves:
        lines += curve_page(curve, metric)
    return lines


def _point_row(p: FrontierPoint, timed: bool) -> tuple[str, ...]:
    a = p.allocation
    return (
        usd(a.cost_usd),
        usd(p.compute_usd),
        "-" if p.compute_share is None else f"{p.compute_share:.0%}",
        *(("-" if a.days is None else f"{a.days:.1f}",) if timed else ()),
        *design_cells(a.design),
        f"{a.score:.1f}",
        interval_words(a),
        kind_words(a.kind, a.factor),
    )


def _switch_words(s: Switch) -> str:
    return f"Break-even {usd(s.break_even_usd)}, {s.before.short} to {s.after.short}: {spread_words(s.worlds)}"


def spread_words(worlds: Spread) -> str:
    """Where something lies over worlds, in dollars.

    >>> spread_words(Spread(lower=3.0, upper=500.0, happens=0.9))
    '$3.00 to $500 in 90 % of cases where it happens, which it does in 90 %'
    """
    if worlds.lower is None or worlds.upper is None:
        return "it never happens"
    where = f"{usd(worlds.lower)} to {usd(worlds.upper)} in 90 % of cases"
    return where if worlds.happens == 1 else f"{where} where it happens, which it does in {100 * worlds.happens:.0f} %"


def curve_page(curve: IndifferenceCurve, metric: str) -> Page:
    """An indifference curve for people; the cheapest bundle is marked."""
    second, words = SECOND[curve.second], _teacher_words(curve)
    name = curve.route.short if words is None else f"{curve.route.short}, {words}"
    if curve.highest is None:
        return [f"{name}: no bundle can be had: limits or deadline leave no labels or no {second}."]
    if not curve.points:
        short = f"no bundle of {curve.start:,} {second} or more is expected to score {curve.score:g}"
        return [f"{name}: {short}; the highest is {curve.highest:.1f}."]
    rows = tuple(_curve_row(p, i == curve.cheapest) for i, p in enumerate(curve.points))
    grid = Table(
        title=f"Equal {metric} {curve.score:g}, {name}: labels against {second}, from {curve.start:,} on",
        headings=(
            second, "labels", "90 % interval", "cost",
            f"labels 1,000 {second} replace", "worth", "for", "",
        ),
        rows=rows,
        text_columns=frozenset({7}),
    )  # fmt: skip
    return [grid]


def _curve_row(p: IndifferencePoint, cheapest: bool) -> tuple[str, ...]:
    upper = "never" if p.labels_upper is None else f"{p.labels_upper:,.0f}"
    return (
        f"{p.n_second:,}",
        f"{p.n_labels:,.0f}",
        f"{p.labels_lower:,.0f} to {upper}",
        usd(p.cost_usd),
        "-" if p.substitution_rate is None else f"{1000 * p.substitution_rate:,.3g}",
        "-" if p.saved_usd is None else usd(1000 * p.saved_usd),
        "-" if p.spent_usd is None else usd(1000 * p.spent_usd),
        "cheapest" if cheapest else "",
    )


NO_CURVE = (
    "no curve of equal score: none of the strategies looked at takes labels and a second input (distill and "
    "annotate_plus_llm do)."
)


def frontier_json(front: Frontier, curves: Sequence[IndifferenceCurve] = ()) -> dict[str, Any]:
    """A frontier for programs; docs/reference/schemas/frontier.json describes it."""
    data: dict[str, Any] = rounded(
        {
            "points": [
                {
                    "budget_usd": p.budget_usd,
                    "attained": {"lower": p.attained[0], "median": p.attained[1], "upper": p.attained[2]},
                    "compute_usd": p.compute_usd,
                    "compute_share": p.compute_share,
                    "allocation": allocation_json(p.allocation),
                }
                for p in front.points
            ],
            "regions": [{"from_usd": r.from_usd, "to_usd": r.to_usd, "label": r.route.label} for r in front.regions],
            "switches": [{**asdict(s), "before": s.before.label, "after": s.after.label} for s in front.switches],
        }
    )
    return {**data, "indifference": [curve_json(c) for c in curves]}


def curve_json(curve: IndifferenceCurve) -> dict[str, Any]:
    """A curve for programs; rates are not cut, they may be small."""
    return {
        "label": curve.route.label,
        "way": _teacher_words(curve),
        "second": curve.second,
        "score": curve.score,
        "start": curve.start,
        "points": [asdict(p) for p in curve.points],
        "highest": curve.highest,
        "cheapest": curve.cheapest,
    }


def _teacher_words(curve: IndifferenceCurve) -> str | None:
    return None if curve.teacher is None else OWNED_TEACHER_WORDS[curve.teacher]

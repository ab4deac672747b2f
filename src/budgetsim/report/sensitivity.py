"""How an answer moves with what it takes for granted, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from budgetsim.answers.choices import Choices
from budgetsim.answers.rivals import Rival
from budgetsim.answers.sensitivity import Case, CaseKind, Sensitivity
from budgetsim.choosing.options import Allocation
from budgetsim.costs.rates import RateCard
from budgetsim.design.strategies import CONSTANT
from budgetsim.economics.pricebreaks import PriceBreak
from budgetsim.economics.tornado import Swing
from budgetsim.report.allocation import allocation_json, describe_allocation
from budgetsim.report.notes import (
    choice_notes,
    compute_model,
    moot_note,
    note_lines,
    reach_notes,
    sentence,
    with_unpriced,
)
from budgetsim.report.table import BRIEF, Page, Showing, Table, design_cells, interval_words, kind_words, usd
from budgetsim.report.wording import note_words

_BAR = 31  # characters of a tornado's bar
_TITLES: dict[CaseKind, str] = {
    "card": "Rate cards side by side",
    "compute": "Compute models side by side",
    "llm_accuracy": "An LLM of another accuracy (modelled)",
    "teacher_plateau": "A teacher that stops getting better (modelled)",
}


def sensitivity_page(
    report: Sensitivity,
    choices: Choices,
    card: RateCard,
    compute: str,
    rivals: Sequence[Rival] = (),
    showing: Showing = BRIEF,
) -> Page:
    """A sensitivity report for people."""
    metric = choices.task.metric
    page: Page = [
        f"{report.task} at {usd(report.budget_usd)}: card {card.name}, evidence {choices.fit.evidence_set}, "
        f"compute {compute_model(choices, compute)}",
        with_unpriced(f"Best plan: {describe_allocation(report.plan, metric)}.", choices),
        breaks_table(report.breaks),
        swings_table(report.swings, report.plan, metric),
    ]
    for kind, title in _TITLES.items():
        cases = [c for c in report.cases if c.kind == kind]
        if cases:
            page.append(cases_table(title, cases, metric))
    notes = [sentence(f"{c.name}: {note}") for c in report.cases for note in _case_notes(c)]
    notes += _notes(report, choices, card, compute, rivals)
    return [*page, *note_lines(list(dict.fromkeys(notes)), showing)]


def sensitivity_json(
    report: Sensitivity, choices: Choices, card: RateCard, compute: str, rivals: Sequence[Rival] = ()
) -> dict[str, Any]:
    """A sensitivity report for programs; docs/reference/schemas/sensitivity.json describes it. Prices are not cut."""
    return {
        "budget_usd": report.budget_usd,
        "metric": choices.task.metric,
        "rates": card.name,
        "evidence_set": choices.fit.evidence_set,
        "compute": compute_model(choices, compute),
        "plan": _plan_json(report.plan),
        "break_even_prices": [_break_json(b) for b in report.breaks],
        "tornado": [_swing_json(s) for s in report.swings],
        "cases": [_case_json(c) for c in report.cases],
        "notes": _notes(report, choices, card, compute, rivals),
    }


def _notes(report: Sensitivity, choices: Choices, card: RateCard, compute: str, rivals: Sequence[Rival]) -> list[str]:
    reach = reach_notes(choices, report.infeasible, constant=report.plan.route.kind is CONSTANT)
    moot = moot_note(rivals, report.budget_usd, report.plan.score)
    return [*reach, *moot, *choice_notes(choices, compute, card)]


def price_words(amount: float) -> str:
    """A price for people, three digits where it is below a dollar.

    >>> price_words(0.0599), price_words(12.5), price_words(0.0)
    ('$0.0599', '$12.50', '$0')
    """
    if amount == 0:
        return "$0"
    return usd(amount) if amount >= 1 else f"${amount:.3g}"


def breaks_table(breaks: Sequence[PriceBreak]) -> Table:
    """Break-even prices, down and up."""
    return Table(
        title="Prices at which the plan recommended for the whole budget changes: the nearest below "
        "and above the card's",
        headings=("price", "card", "", "break-even", "90 % of cases", "happens in", "instead"),
        rows=tuple(_break_row(b) for b in breaks),
        text_columns=frozenset({0, 2, 6}),
    )


def _break_row(b: PriceBreak) -> tuple[str, ...]:
    start = (b.price, f"{price_words(b.now_usd)} {b.unit}", "above" if b.up else "below")
    if b.instead is None:
        reach = f"never up to {price_words(b.limit_usd)}" if b.now_usd == 0 else "never within 100x"
        return (*start, reach, "-", "-", "")
    worlds = "-"
    spread = b.instead.worlds
    if spread.lower is not None and spread.upper is not None:
        worlds = f"{price_words(spread.lower)} to {price_words(spread.upper)}"
    return (*start, price_words(b.instead.usd), worlds, f"{spread.happens:.0%}", b.instead.route.short)


def swings_table(swings: Sequence[Swing], plan: Allocation, metric: str) -> Table:
    """The tornado: bars from the score at the low end (-) to that at the high end (+), | being now."""
    now = plan.score
    free = ", a free text at one cent" if any(s.name == "texts" and s.low == 0 for s in swings) else ""
    scores = [now, *(p.score for s in swings for p in (s.at_low, s.at_high))]
    return Table(
        title=f"Best plan's {metric} where each number is halved and doubled{free} (now {now:.1f}); * extrapolated",
        headings=("", "low", metric, "high", metric, "swing", f"{min(scores):.1f} to {max(scores):.1f}", "choice"),
        rows=tuple(_swing_row(s, plan, min(scores), max(scores)) for s in swings),
        text_columns=frozenset({0, 6, 7}),
    )


def _swing_row(s: Swing, plan: Allocation, low: float, high: float) -> tuple[str, ...]:
    ends = [p.score for p in (s.at_low, s.at_high)]
    return (
        s.name,
        _amount(s, s.low),
        _end_words(s.at_low),
        _amount(s, s.high),
        _end_words(s.at_high),
        f"{s.points:.1f}",
        bar(ends[0], plan.score, ends[1], low, high),
        _choice_words(s, plan),
    )


def _end_words(plan: Allocation) -> str:
    """The score of a plan, `*` where it lies outside the evidence."""
    return f"{plan.score:.1f}{'*' if plan.kind == 'extrapolated' else ''}"


def _amount(s: Swing, value: float) -> str:
    if s.name == "pool":
        return f"{value:,.0f} texts"
    return f"{value:.3g} {s.unit}" if s.name == "utilisation" else f"{price_words(value)} {s.unit}"


def _choice_words(s: Swing, plan: Allocation) -> str:
    """Who is chosen instead, and at which end."""
    changed = [(end, p.route.short) for end, p in (("low", s.at_low), ("high", s.at_high)) if p.route != plan.route]
    return "; ".join(f"{end}: {label}" for end, label in changed) or "the same"


def bar(at_low: float, now: float, at_high: float, low: float, high: float) -> str:
    """A bar on the scale from low to high: `-` towards the score at the low end, `+` towards the high one.

    >>> bar(40.0, 50.0, 55.0, 40.0, 60.0)
    '---------------|+++++++        '
    """
    places = [round((_BAR - 1) * (v - low) / (high - low)) if high > low else 0 for v in (at_low, now, at_high)]
    cells = [" "] * _BAR
    for end, mark in ((places[0], "-"), (places[2], "+")):
        for i in range(min(end, places[1]), max(end, places[1]) + 1):
            cells[i] = mark
    cells[places[1]] = "|"
    return "".join(cells)


def cases_table(title: str, cases: Sequence[Case], metric: str) -> Table:
    """Plans of the same budget side by side."""
    priced = any(c.kind == "card" for c in cases)
    prices = ("label", "device-hour", "LLM label") if priced else ()
    rows = [row for c in cases for row in _case_rows(c, priced)]
    headings = ("", *prices, "best plan", "labels", "LLM", "texts", "cost", metric, "90 % of runs", "best", "from")
    text = frozenset({0, 1 + len(prices), len(headings) - 1})
    return Table(title=title, headings=headings, rows=tuple(rows), text_columns=text)


def _case_rows(c: Case, priced: bool) -> list[tuple[str, ...]]:
    prices = tuple(
        "-" if usd_each is None else price_words(usd_each)
        for usd_each in ((c.label_usd, c.device_hour_usd, c.llm_label_usd) if priced else ())
    )
    rows = [(c.name, *prices, *_plan_cells(c.plan))]
    blank = ("",) * len(prices)
    others = [b for b in c.beside if c.plan is None or b.route != c.plan.route]
    rows += [("  that strategy alone", *blank, *_plan_cells(b)) for b in others]
    return rows


def _plan_cells(a: Allocation | None) -> tuple[str, ...]:
    if a is None:
        return ("none: see the notes", "-", "-", "-", "-", "-", "-", "-", "-")
    return (
        *design_cells(a.design),
        usd(a.cost_usd),
        f"{a.score:.1f}",
        interval_words(a),
        "-" if a.standing is None else f"{a.standing.p_best:.0%}",
        kind_words(a.kind, a.factor),
    )


def _case_notes(c: Case) -> list[str]:
    return [note_words(note) for note in ((c.reason, *c.notes) if c.reason else c.notes)]


def _case_json(c: Case) -> dict[str, Any]:
    return {
        **asdict(c),
        "plan": _plan_json(c.plan),
        "reason": note_words(c.reason) if c.reason else None,
        "beside": [_plan_json(b) for b in c.beside],
        "notes": [note_words(note) for note in c.notes],
    }


def _break_json(b: PriceBreak) -> dict[str, Any]:
    other = b.instead
    return {
        "price": b.price,
        "unit": b.unit,
        "now_usd": b.now_usd,
        "up": b.up,
        "limit_usd": b.limit_usd,
        "choice": b.choice.label,
        "usd": None if other is None else other.usd,
        "instead": None if other is None else other.route.label,
        "worlds": None if other is None else asdict(other.worlds),
    }


def _swing_json(s: Swing) -> dict[str, Any]:
    return {**asdict(s), "points": s.points, "at_low": _plan_json(s.at_low), "at_high": _plan_json(s.at_high)}


def _plan_json(a: Allocation | None) -> dict[str, Any] | None:
    return None if a is None else allocation_json(a)

"""How an answer moves with what it takes for granted, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from budgetsim.answers.choices import Choices, Rival
from budgetsim.answers.sensitivity import Case, CaseKind, Sensitivity
from budgetsim.choosing.options import Allocation
from budgetsim.choosing.winners import HAIR
from budgetsim.costs.rates import RateCard
from budgetsim.economics.pricebreaks import PriceBreak
from budgetsim.economics.tornado import Swing
from budgetsim.report.answer import allocation_json, describe_allocation
from budgetsim.report.notes import choice_notes, compute_model, moot_note, reach_notes, sentence, with_unpriced
from budgetsim.report.table import Grid, Page, interval_words, kind_words, plan_cells, usd
from budgetsim.report.wording import note_words

_BAR = 31  # characters of a tornado's bar
_TITLES: dict[CaseKind, str] = {
    "card": "Rate cards side by side",
    "compute": "Compute models side by side",
    "llm_accuracy": "An LLM of another accuracy (modelled)",
    "teacher_plateau": "A teacher that stops getting better (modelled)",
}


def sensitivity_page(
    found: Sensitivity, choices: Choices, card: RateCard, compute: str, rivals: Sequence[Rival] = ()
) -> Page:
    """A sensitivity report for people."""
    metric = choices.task.metric
    page: Page = [
        f"{found.task} at {usd(found.budget_usd)}: card {card.name}, evidence {choices.fit.evidence_set}, "
        f"compute {compute_model(choices, compute)}",
        with_unpriced(f"Best plan: {describe_allocation(found.plan, metric)}.", choices),
        breaks_grid(found.breaks),
        swings_grid(found.swings, found.plan, metric),
    ]
    for kind, title in _TITLES.items():
        cases = [c for c in found.cases if c.kind == kind]
        if cases:
            page.append(cases_grid(title, cases, metric))
    notes = [sentence(f"{c.name}: {note}") for c in found.cases for note in _case_notes(c)]
    notes += _notes(found, choices, card, compute, rivals)
    return [*page, *(f"Note: {note}" for note in dict.fromkeys(notes))]


def sensitivity_json(
    found: Sensitivity, choices: Choices, card: RateCard, compute: str, rivals: Sequence[Rival] = ()
) -> dict[str, Any]:
    """A sensitivity report for programs; docs/schemas/sensitivity.json describes it. Prices are not cut."""
    return {
        "budget_usd": found.budget_usd,
        "metric": choices.task.metric,
        "rates": card.name,
        "evidence_set": choices.fit.evidence_set,
        "compute": compute_model(choices, compute),
        "plan": _plan_json(found.plan),
        "break_even_prices": [asdict(b) for b in found.breaks],
        "tornado": [_swing_json(s) for s in found.swings],
        "cases": [_case_json(c) for c in found.cases],
        "notes": _notes(found, choices, card, compute, rivals),
    }


def _notes(found: Sensitivity, choices: Choices, card: RateCard, compute: str, rivals: Sequence[Rival]) -> list[str]:
    reach = reach_notes(choices, found.infeasible, constant=found.plan.strategy == "constant")
    moot = moot_note(rivals, found.budget_usd, found.plan.score or 0.0)
    return [*reach, *moot, *choice_notes(choices, compute, card)]


def price_words(amount: float) -> str:
    """A price for people, three digits where it is below a dollar.

    >>> price_words(0.0599), price_words(12.5), price_words(0.0)
    ('$0.0599', '$12.50', '$0')
    """
    if amount == 0:
        return "$0"
    return usd(amount) if amount >= 1 else f"${amount:.3g}"


def breaks_grid(breaks: Sequence[PriceBreak]) -> Grid:
    """Break-even prices, down and up."""
    return Grid(
        title=f"Prices at which the choice changes, another being better by {100 * HAIR:g} points: the nearest below "
        "and above the card's",
        headings=("price", "card", "", "break-even", "5 to 95 % of worlds", "happens in", "instead"),
        rows=tuple(_break_row(b) for b in breaks),
        text_columns=frozenset({0, 2, 6}),
    )


def _break_row(b: PriceBreak) -> tuple[str, ...]:
    start = (b.price, f"{price_words(b.now_usd)} {b.unit}", "above" if b.up else "below")
    if b.usd is None or b.worlds is None:
        reach = f"never up to {price_words(b.limit_usd)}" if b.now_usd == 0 else "never within 100x"
        return (*start, reach, "-", "-", "")
    worlds = "-"
    if b.worlds.lower is not None and b.worlds.upper is not None:
        worlds = f"{price_words(b.worlds.lower)} to {price_words(b.worlds.upper)}"
    return (*start, price_words(b.usd), worlds, f"{b.worlds.happens:.0%}", b.instead or "")


def swings_grid(swings: Sequence[Swing], plan: Allocation, metric: str) -> Grid:
    """The tornado: bars from the score at the low end (-) to that at the high end (+), | being now."""
    now = plan.score or 0.0
    free = ", a free text at one cent" if any(s.name == "texts" and s.low == 0 for s in swings) else ""
    scores = [now, *(p.score or 0.0 for s in swings for p in (s.at_low, s.at_high))]
    return Grid(
        title=f"Best plan's {metric} where each number is halved and doubled{free} (now {now:.1f}); * extrapolated",
        headings=("", "low", metric, "high", metric, "swing", f"{min(scores):.1f} to {max(scores):.1f}", "choice"),
        rows=tuple(_swing_row(s, plan, min(scores), max(scores)) for s in swings),
        text_columns=frozenset({0, 6, 7}),
    )


def _swing_row(s: Swing, plan: Allocation, low: float, high: float) -> tuple[str, ...]:
    ends = [p.score or 0.0 for p in (s.at_low, s.at_high)]
    return (
        s.name,
        _amount(s, s.low),
        _end_words(s.at_low),
        _amount(s, s.high),
        _end_words(s.at_high),
        f"{s.points:.1f}",
        bar(ends[0], plan.score or 0.0, ends[1], low, high),
        _choice_words(s, plan),
    )


def _end_words(plan: Allocation) -> str:
    """The score of a plan, `*` where it lies outside the evidence."""
    return f"{plan.score or 0.0:.1f}{'*' if plan.kind == 'extrapolated' else ''}"


def _amount(s: Swing, value: float) -> str:
    if s.name == "pool":
        return f"{value:,.0f} texts"
    return f"{value:.3g} {s.unit}" if s.name == "utilisation" else f"{price_words(value)} {s.unit}"


def _choice_words(s: Swing, plan: Allocation) -> str:
    """Who is chosen instead, and at which end."""
    changed = [(end, p.label) for end, p in (("low", s.at_low), ("high", s.at_high)) if p.label != plan.label]
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


def cases_grid(title: str, cases: Sequence[Case], metric: str) -> Grid:
    """Plans of the same budget side by side."""
    priced = any(c.kind == "card" for c in cases)
    prices = ("label", "device-hour", "LLM label") if priced else ()
    rows = [row for c in cases for row in _case_rows(c, priced)]
    headings = ("", *prices, "best plan", "labels", "LLM", "texts", "cost", metric, "90 % of runs", "best", "from")
    text = frozenset({0, 1 + len(prices), len(headings) - 1})
    return Grid(title=title, headings=headings, rows=tuple(rows), text_columns=text)


def _case_rows(c: Case, priced: bool) -> list[tuple[str, ...]]:
    prices = tuple(
        "-" if usd_each is None else price_words(usd_each)
        for usd_each in ((c.label_usd, c.device_hour_usd, c.llm_label_usd) if priced else ())
    )
    rows = [(c.name, *prices, *_plan_cells(c.plan))]
    blank = ("",) * len(prices)
    others = [b for b in c.beside if c.plan is None or b.label != c.plan.label]
    rows += [("  that strategy alone", *blank, *_plan_cells(b)) for b in others]
    return rows


def _plan_cells(a: Allocation | None) -> tuple[str, ...]:
    if a is None:
        return ("none: see the notes", "-", "-", "-", "-", "-", "-", "-", "-")
    return (
        *plan_cells(a),
        usd(a.cost_usd),
        f"{a.score:.1f}",
        interval_words(a),
        "-" if a.p_best is None else f"{a.p_best:.0%}",
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


def _swing_json(s: Swing) -> dict[str, Any]:
    return {**asdict(s), "points": s.points, "at_low": _plan_json(s.at_low), "at_high": _plan_json(s.at_high)}


def _plan_json(a: Allocation | None) -> dict[str, Any] | None:
    return None if a is None else allocation_json(a)

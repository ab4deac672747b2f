"""The next run for people and for programs."""

from __future__ import annotations

from typing import Any

from budgetsim.pilots.nextrun import LEAST_FALL, NextAnswer, NextRun
from budgetsim.report.allocation import design_json
from budgetsim.report.table import Page, Table, design_cells, may_go, rounded, usd


def next_page(answer: NextAnswer, header: str, metric: str, top: int) -> Page:
    """Runs for people: what to measure, the best plans so far, then the ranked runs."""
    return [
        f"{answer.task} at {_budgets(answer)}: {header}",
        *_advice(answer),
        _best_plans(answer, metric),
        _ranked(answer, metric, top),
    ]


def next_json(answer: NextAnswer, top: int) -> dict[str, Any]:
    """Runs for programs; scores and falls are percent points."""
    now = zip(answer.budgets_usd, answer.best_now, answer.plans_now, answer.regret_now, strict=True)
    data: dict[str, Any] = rounded(
        {
            "measure": bool(answer.worth),
            "least_fall": LEAST_FALL,
            "n_candidates": len(answer.runs),
            "n_worth": len(answer.worth),
            "now": [
                {"budget_usd": budget, "score": score, "plan": plan.label, "expected_regret": regret}
                for budget, score, plan, regret in now
            ],
            "runs": [_run_json(r) for r in answer.runs[:top]],
        }
    )
    return data


def _run_json(r: NextRun) -> dict[str, Any]:
    return {
        **design_json(r.design),
        "another_seed": r.again,
        "cost_usd": r.cost_usd,
        "days": r.days,
        "kept_usd": r.kept_usd,
        "score": r.score,
        "lower": r.lower,
        "upper": r.upper,
        "fall": r.fall,
        "fall_per_100_usd": r.fall_per_100_usd,
        "falls": list(r.falls),
        "information": list(r.information),
        "p_switch": r.p_switch,
        "worth": r.fall >= LEAST_FALL,
    }


def _budgets(answer: NextAnswer) -> str:
    low, high = answer.budgets_usd[0], answer.budgets_usd[-1]
    return usd(low) if low == high else f"{usd(low)} to {usd(high)}, {len(answer.budgets_usd)} budgets"


def _advice(answer: NextAnswer) -> list[str]:
    worth = answer.worth
    if not answer.runs:
        return ["No run is within budget, pools, bounds and deadline."]
    if not worth:
        return [
            f"Measure nothing: spend it. Of {len(answer.runs):,} runs, none is expected to raise the best plan's score "
            f"by {LEAST_FALL:g} points once its money is gone from the budget."
        ]
    first, largest = worth[0], max(worth, key=lambda r: r.fall)
    lines = [f"Measure next: {_in_words(first)}, {_rate(first.fall_per_100_usd)} a $100."]
    if largest is not first:
        lines.append(f"Largest gain: {_in_words(largest)}.")
    lines.append(f"{len(worth):,} of {len(answer.runs):,} runs are expected to pay for themselves.")
    return lines


def _in_words(r: NextRun) -> str:
    d = r.design
    sizes = [(d.n_labels, "labels"), (d.n_llm_labels, "LLM labels"), (d.n_unlabeled, "texts")]
    parts = ", ".join(f"{n:,} {what}" for n, what in sizes if n)
    seed = ", another seed" if r.again else ""
    return (
        f"{d.route.short}, {parts}{seed}, for {usd(r.cost_usd)} (of which {usd(r.kept_usd)} stays owned): the plan "
        f"is expected to gain {r.fall:.2f} points"
    )


def _best_plans(answer: NextAnswer, metric: str) -> Table:
    now = zip(answer.budgets_usd, answer.best_now, answer.regret_now, answer.plans_now, strict=True)
    rows = tuple((usd(b), f"{s:.1f}", f"{r:.1f}", plan.short) for b, s, r, plan in now)
    return Table(title="", headings=("budget", metric, "may lose", "best now"), rows=rows, text_columns=frozenset({3}))


def _ranked(answer: NextAnswer, metric: str, top: int) -> Table:
    timed = any(r.days is not None for r in answer.runs)
    rows = tuple(
        (
            *design_cells(r.design),
            "again" if r.again else "new",
            usd(r.cost_usd),
            *(("-" if r.days is None else f"{r.days:.1f}",) if timed else ()),
            usd(r.kept_usd),
            f"{r.score:.1f} ({r.lower:.1f} to {r.upper:.1f})",
            _points(max(r.information)),
            _points(r.fall),
            _points(r.fall_per_100_usd),
            f"{r.p_switch:.0%}",
        )
        for r in answer.runs[:top]
    )
    headings = ("run", "labels", "LLM", "texts", "size", "cost", *(("days",) if timed else ()), "kept")
    headings = (*headings, f"{metric} (90 % of runs)", "if free, at most", "gain", "a $100", "switch")
    text = frozenset({0, 4, headings.index("kept") + 1})
    optional = may_go(("if free, at most", "switch", "size", "kept", "a $100", "days"), headings, rows)
    return Table(title="", headings=headings, rows=rows, text_columns=text, optional=optional)


def _rate(value: float) -> str:
    """Points for $100 in two digits, without an exponent: a run that costs cents gains hundreds.

    >>> _rate(0.3812), _rate(3.81), _rate(312.4), _rate(48231.0)
    ('0.38', '3.8', '312', '48,231')
    """
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def _points(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text

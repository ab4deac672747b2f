"""How a target is reached, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from budgetsim.answers.choices import Choices
from budgetsim.answers.learners import cheapest_reaching
from budgetsim.answers.rivals import Rival
from budgetsim.choosing.goals import Goal, GoalPlan
from budgetsim.costs.rates import RateCard
from budgetsim.report.allocation import allocation_json, allocation_notes, describe_allocation
from budgetsim.report.notes import (
    choice_notes,
    compute_model,
    learner_words,
    note_lines,
    sentence,
    unpriced_words,
    with_unpriced,
)
from budgetsim.report.table import (
    BRIEF,
    Headline,
    Page,
    Showing,
    Table,
    design_cells,
    interval_words,
    kind_words,
    may_go,
    rounded,
    usd,
)

_NO_CHANCE = 0.005  # two worlds of 400


def goal_page(
    goal: Goal,
    choices: Choices,
    card: RateCard,
    compute: str,
    rivals: Sequence[Rival] = (),
    showing: Showing = BRIEF,
    *,
    alone: bool,
) -> Page:
    """How a target is reached, for people.

    alone : nothing else is said of the task, so what holds of the evidence is said here
    """
    metric = choices.task.metric
    prices = (
        f"Prices: card {card.name}; evidence: {choices.fit.evidence_set}; compute: {compute_model(choices, compute)}."
    )
    notes = [sentence(n) for n in _plan_notes(goal)]
    notes += choice_notes(choices, compute, card) if alone else []
    return [
        Headline(goal_words(goal, metric)),
        *(sentence(n) for n in _rival_notes(goal, rivals)),
        *_budget_words(goal, metric),
        *unpriced_words(choices),
        goal_table(goal, metric),
        *([prices] if alone else []),
        *note_lines(notes, showing),
    ]


def goal_json(
    goal: Goal, choices: Choices, card: RateCard, compute: str, rivals: Sequence[Rival] = (), *, alone: bool
) -> dict[str, Any]:
    """The key `target` of docs/reference/schemas/optimize.json, and what stands beside it where it stands alone."""
    data: dict[str, Any] = {
        "target": {
            "score": goal.target,
            "wanted_chance": goal.wanted_chance,
            "summary": with_unpriced(goal_words(goal, choices.task.metric), choices),
            "reached": [_plan_json(p) for p in goal.reached],
            "short": [_plan_json(p) for p in goal.short],
            "suffices": goal.suffices,
            "at_budget": None if goal.at_budget is None else _plan_json(goal.at_budget),
        }
    }
    if alone:
        data |= {
            "metric": choices.task.metric,
            "rates": card.name,
            "evidence_set": choices.fit.evidence_set,
            "compute": {"model": compute_model(choices, compute)},
            "notes": [sentence(n) for n in _rival_notes(goal, rivals)] + choice_notes(choices, compute, card),
        }
    rounded_data: dict[str, Any] = rounded(data)
    return rounded_data


def goal_words(goal: Goal, metric: str) -> str:
    """The answer in one sentence."""
    wanted = f"{metric} {goal.target:g} or more in one new run"
    plan = goal.plan
    if plan is not None:
        a = plan.allocation
        reach = (
            f"Spend {usd(a.cost_usd)} on {goal.task} to reach {wanted} with a chance of {100 * goal.wanted_chance:g} %"
        )
        return f"{reach}: {describe_allocation(a, metric)}. Chance {plan.chance:.0%}."
    likeliest = goal.short[0]
    a = likeliest.allocation
    return (
        f"Out of reach on {goal.task}, whatever is spent within tables, pools and bounds: the highest chance of "
        f"{wanted} is {likeliest.chance:.0%}, at {usd(a.cost_usd)} ({describe_allocation(a, metric)})."
    )


def _budget_words(goal: Goal, metric: str) -> list[str]:
    at = goal.at_budget
    if at is None or goal.budget_usd is None:
        return []
    if at.chance < _NO_CHANCE:
        return [f"{usd(goal.budget_usd)} is not enough: no plan within it has a chance worth a number (0.5 % or more)."]
    words = "is enough" if goal.suffices else "is not enough"
    return [
        f"{usd(goal.budget_usd)} {words}: the likeliest plan within it reaches the target with a chance of "
        f"{at.chance:.0%} ({describe_allocation(at.allocation, metric)})."
    ]


def goal_table(goal: Goal, metric: str) -> Table:
    """The cheapest plan of each strategy that gets there, then the likeliest of those that do not."""
    plans = [*goal.reached, *goal.short]
    timed = any(p.allocation.days is not None for p in plans)
    headings = ("strategy", "labels", "LLM", "texts", "cost", *(("days",) if timed else ()), metric, "90 % of runs")
    headings = (*headings, "chance", "enough", "from")
    rows = tuple(_row(p, p in goal.reached, timed) for p in plans)
    return Table(
        title="",
        headings=headings,
        rows=rows,
        text_columns=frozenset({0, len(headings) - 2, len(headings) - 1}),
        optional=may_go(("enough", "from", "days"), headings, rows),
        roles={0: "best"} if goal.reached else {},
    )


def _row(plan: GoalPlan, enough: bool, timed: bool) -> tuple[str, ...]:
    a = plan.allocation
    return (
        *design_cells(a.design),
        usd(a.cost_usd),
        *(("-" if a.days is None else f"{a.days:.1f}",) if timed else ()),
        f"{a.score:.1f}",
        interval_words(a),
        f"{plan.chance:.0%}",
        "yes" if enough else "no",
        f"{a.evidence.source}, {kind_words(a.kind, a.factor)}",
    )


def _rival_notes(goal: Goal, rivals: Sequence[Rival]) -> list[str]:
    """The cheapest cheap student that reaches the target on average for less than the plan; none where none does."""
    row = cheapest_reaching(rivals, goal.target)
    if row is None or (goal.plan is not None and row.cost_usd >= goal.plan.allocation.cost_usd):
        return []
    return [f"{learner_words(row)}: the target, on average, for less."]


def _plan_notes(goal: Goal) -> list[str]:
    plan = goal.plan or goal.short[0]
    return [
        *allocation_notes(plan.allocation),
        "the chance is that of one new run: what is not known of the mean, and the noise of a run",
    ]


def _plan_json(plan: GoalPlan) -> dict[str, Any]:
    return {"chance": plan.chance, "allocation": allocation_json(plan.allocation)}

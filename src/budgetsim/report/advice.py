"""The advice of an answer in words: what to spend, what it buys, what it beats, rests on and would change with."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from typing import Any

from budgetsim.answers.advice import Advice
from budgetsim.answers.choices import Choices
from budgetsim.answers.evidence import is_published
from budgetsim.answers.forecasting import FORECAST
from budgetsim.answers.learners import LearnerRow, Serving
from budgetsim.answers.llm_labels import LlmNeeded
from budgetsim.choosing.breakeven import FURTHEST
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation
from budgetsim.choosing.remarks import ConstantAnswer
from budgetsim.design.cautions import Caution, FewRows, FromOtherTasks, PooledGain
from budgetsim.design.stages import LABELS
from budgetsim.design.strategies import CONSTANT
from budgetsim.report.allocation import allocation_json, bought
from budgetsim.report.table import interval_words, usd
from budgetsim.store.probes import is_probe

FEW_RUNS = 4  # with fewer a fit leans on other tasks, other students or the prior
FAR_OUT = 1.05  # fold outside the data from where on it is said first
_PRICE_WORDS = {"labels": "human labels", "LLM": "LLM labels", "compute": "compute"}  # of `breakeven.PRICED_STAGES`


def headline(advice: Advice, answer: TaskAnswer, metric: str) -> str:
    """What to do, in one sentence that stands alone."""
    task, plan = answer.task, advice.plan
    if advice.learner is not None:
        return f"{_spend(advice, task)}: {learner_words(advice.learner, metric)}{_other_money(advice)}."
    if plan.route.kind is CONSTANT:
        return f"Spend nothing on {task}: {_nothing_beats(plan, advice, metric)}."
    bounds = f"{interval_words(plan)} in 90 % of runs"
    return (
        f"{_spend(advice, task)}: {plan.route.short} buys {metric} {plan.score:.1f} ({bounds})"
        f"{_far_words(plan)}{_other_money(advice)}."
    )


def _nothing_beats(plan: Allocation, advice: Advice, metric: str) -> str:
    said = next(r.answer for r in plan.remarks if isinstance(r, ConstantAnswer))
    if advice.gain:
        return (
            f"answering {said} always scores {metric} {plan.score:.1f}, and {usd(advice.budget_usd)} would add no more "
            f"than {advice.gain:.1f}"
        )
    return (
        f"nothing that {usd(advice.budget_usd)} buys is expected to beat answering {said} always, {metric} "
        f"{plan.score:.1f}"
    )


def _spend(advice: Advice, task: str) -> str:
    if advice.saves:
        amount = round_usd(about(advice.cost_usd))
        nearly = "" if amount.startswith("under") else "about "
        return f"Spend {nearly}{amount} on {task}, not {usd(advice.budget_usd)}"
    return f"Spend {usd(advice.budget_usd)} on {task}"


def _other_money(advice: Advice) -> str:
    if not advice.saves:
        return ""
    rest = round_usd(advice.budget_usd - about(advice.cost_usd))
    if not advice.gain:
        return f"; the other {rest} would add nothing to speak of"
    return f"; the other {rest} would add {advice.gain:.1f}"


def about(amount: float) -> float:
    """An amount in two digits, rounded up so that it is enough.

    >>> about(929.0), about(10.92), about(1234.0), about(0.0)
    (930.0, 11.0, 1300.0, 0.0)
    """
    if amount <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(amount)) - 1)
    return round(math.ceil(amount / unit - 1e-9) * unit, 10)


def round_usd(amount: float) -> str:
    """Dollars without cents where there are ten of them or more.

    >>> round_usd(20.0), round_usd(1.5)
    ('$20', '$1.50')
    """
    return f"${amount:,.0f}" if amount >= 10 else usd(amount)


def _far_words(plan: Allocation) -> str:
    """That a plan lies far outside what was measured, or that hardly a run stands behind it."""
    far = _fold(plan.factor)
    words = (
        f", but that is {far} outside what was run" if plan.kind == "extrapolated" and plan.factor >= FAR_OUT else ""
    )
    n = plan.evidence.n_rows
    few = f", on {n} run{'s' * (n != 1)} alone" if n < FEW_RUNS else ""
    return words + few


def learner_words(row: LearnerRow, metric: str) -> str:
    """What a measured student reaches, and on what that rests."""
    bounds = "" if row.lower is None else f"{row.lower:.1f} to {row.upper:.1f} in 90 % of runs; "
    on = "" if row.n_test is None else f" on {row.n_test:,} test items"
    runs = "probed on your labels" if is_probe(row.evidence_set) else "measured here"
    return (
        f"{row.student} from {row.n_labels:,} labels scores {metric} {row.score:.1f} ({bounds}{runs}, "
        f"{runs_words(row)}{on})"
    )


def runs_words(row: LearnerRow) -> str:
    """What a measured student's score is a mean of."""
    kind = "fold" if is_probe(row.evidence_set) else "run"
    return f"{row.n_runs} {kind}{'s' * (row.n_runs != 1)}"


def advice_lines(advice: Advice, answer: TaskAnswer, choices: Choices, learners: list[LearnerRow]) -> list[str]:
    """Below the headline: the plan, what it beats, what it rests on, what would change it."""
    if advice.learner is not None:
        return [
            f"The plan: {learner_plan(advice.learner)}.",
            *_beaten_words(advice, answer, learners),
            f"It rests on {_rests_on_learner(advice.learner, choices)}.",
        ]
    if advice.plan.route.kind is CONSTANT:
        return _beaten_by_constant(answer)
    plan = advice.plan
    return [
        f"The plan: {bought(plan)}. To do: {plan.route.kind.summary} ({models_words(plan)}).",
        *_aim_words(answer),
        *_beaten_words(advice, answer, learners),
        f"It rests on {rests_on(plan, choices)}.",
        *changes_words(answer),
    ]


def caller_words(advice: Advice, serving: Serving) -> list[str]:
    """That an LLM which answers every text itself scores more than what is advised, and what that takes."""
    better = [c for c in serving.callers if c.score is not None and c.score > advice.score]
    if not better:
        return []
    best = max(better, key=lambda c: c.score or 0.0)
    price = "" if best.usd_per_text is None else f", for {usd(1e6 * best.usd_per_text)} a million texts"
    return [f"An LLM on every text scores more: {best.model}, {best.score:.1f} ({best.source}){price}."]


def needed_words(needed: LlmNeeded | None) -> list[str]:
    """How good an LLM has to be for its labels to do as well; nothing where one in a hundred wrong is too many."""
    if needed is None or needed.accuracy > 0.99:
        return []
    return [
        f"Labels of an LLM would do as well from {100 * needed.accuracy:.0f} % right on ({needed.plan.route.student}, "
        f"{round_usd(needed.plan.cost_usd)}, modelled); --llm-accuracy says how often yours is right."
    ]


def learner_plan(row: LearnerRow) -> str:
    """What a measured student takes."""
    hours = "" if row.hours is None else f", {max(row.hours * 60, 0.1):,.1f} minutes of a CPU"
    labels = row.costs.get(LABELS, row.cost_usd)
    rest = row.cost_usd - labels
    more = f", {usd(rest)} of dev and test labels, fixed costs and compute" if rest >= 0.005 else ""  # half a cent
    return f"{row.n_labels:,} human labels ({usd(labels)}){more}{hours}; train {row.student} on them"


def models_words(plan: Allocation) -> str:
    """The models of a plan by their full names."""
    r = plan.route
    source = r.teacher or r.labeler
    return f"{source} for {r.student}" if source else r.student


def _rests_on_learner(row: LearnerRow, choices: Choices) -> str:
    """The evidence behind a measured student in plain words."""
    if is_probe(row.evidence_set):
        return "a probe: taught on a part of your labels and scored on another, five times; no test file was read"
    return f"runs of this task made here{_other_items(row, choices)}"


def _other_items(row: LearnerRow, choices: Choices) -> str:
    """That the test items are not those of the published scores beside it."""
    known = choices.task.n_test
    if row.n_test is None or row.n_test == known or choices.fit.evidence_set == row.evidence_set:
        return ""
    return (
        f"; its {row.n_test:,} test items are not the {known:,} of the scores of {choices.fit.evidence_set} beside it, "
        f"so compare to a few points only"
    )


def _fold(factor: float) -> str:
    """How far outside, in two digits.

    >>> _fold(1.26), _fold(123.4)
    ('1.3-fold', '123-fold')
    """
    return f"{factor:,.2g}-fold" if factor < 100 else f"{factor:,.0f}-fold"


def _beaten_words(advice: Advice, answer: TaskAnswer, learners: list[LearnerRow]) -> list[str]:
    """The next best thing for the same budget, and the answer that costs nothing."""
    own = None if advice.learner is not None else advice.plan.route
    plans = [(a.score, a.route.short) for a in answer.distinct if a.route != own and a.route.kind is not CONSTANT]
    taken = None if advice.learner is None else advice.learner.student
    others = [(r.score, f"{r.student} from {r.n_labels:,} labels") for r in learners if r.student != taken]
    free = [a for a in answer.allocations if a.route.kind is CONSTANT]
    names = [max(plans + others)] if plans + others else []
    names += [(a.score, "the answer that never reads a text") for a in free]
    parts = [f"{name} ({score:.1f}) by {advice.score - score:.1f}" for score, name in names if score < advice.score]
    better = [f"{name} is at {score:.1f}" for score, name in names if score >= advice.score]
    words = [f"For {usd(answer.budget_usd)} or less it beats {' and '.join(parts)} points."] if parts else []
    words += [f"For {usd(answer.budget_usd)} {better[0]}."] if better else []
    return words


def _beaten_by_constant(answer: TaskAnswer) -> list[str]:
    rest = [a for a in answer.allocations if a.route.kind is not CONSTANT]
    return [f"The best that trains is {rest[0].route.short}, {rest[0].score:.1f}."] if rest else []


def rests_on(plan: Allocation, choices: Choices) -> str:
    """The evidence behind a plan in plain words."""
    n, e = plan.evidence.n_rows, plan.evidence
    if is_published(e.set):
        year = re.search(r"(?:19|20)\d\d", e.set)
        with_t5 = " with T5" if plan.route.student.startswith("t5") else ""
        words = f"{n} results on this task published in {year.group()}{with_t5}" if year else f"{n} results of {e.set}"
    elif e.set == FORECAST:
        words = _other_tasks(n, choices)
    else:
        words = f"{n} run{'s' * (n != 1)} of this task measured on a {(e.device or 'computer').upper()}"
    words += ", and a rule on top of them" if e.source == "modelled" else ""
    lean = ", and in part on other tasks" if any(_leans(c, plan) for c in choices.fit.cautions) else ""
    where = {"observed": "the plan is one that was run", "interpolated": "the plan lies between them"}.get(plan.kind)
    return f"{words}{lean}; {where or f'the plan lies {_fold(plan.factor)} outside them'}"


def _other_tasks(n_rows: int, choices: Choices) -> str:
    """That a plan is forecast, and from what."""
    caution = next((c for c in choices.fit.cautions if isinstance(c, FromOtherTasks)), None)
    n_own = 0 if caution is None else caution.n_own
    own = f", and {n_own} design{'s' * (n_own != 1)} of its own" if n_own else "; nothing of it was run on this task"
    return f"{n_rows} results of the same models on other tasks{own}"


def _leans(caution: Caution, plan: Allocation) -> bool:
    """Whether a caution says that the score of a plan's route comes in part from other tasks."""
    match caution:
        case PooledGain(route=route):
            return route == plan.route
        case FewRows(group=group, n_tasks=n) if n is not None:
            own = group.route.student == plan.route.student
            return own and (group.kind == "labels" or group.route == plan.route)
    return False


def _aim_words(answer: TaskAnswer) -> list[str]:
    """What it was chosen for, where that is not the expected score."""
    objective = None if answer.best.standing is None else answer.best.standing.objective
    if objective is None:
        return []
    if answer.choose == "quantile":
        share = f"{100 * (1 - answer.level):g} % of cases"
        return [f"Chosen for bad luck: its expected score is {objective:.1f} or more in {share}."]
    return [
        f"Chosen to be least sorry about: in the worst {100 * answer.level:g} % of cases it gives up {objective:.1f} "
        f"points on average against perfect knowledge."
    ]


def changes_words(answer: TaskAnswer) -> list[str]:
    """The prices at which another plan would be advised."""
    if answer.changes is None:
        return []
    if not answer.scaled_prices:
        return ["What would change it: no price could be scaled to see, all are 0."]
    if not answer.changes:
        prices = [_PRICE_WORDS[price] for price in answer.scaled_prices]
        named = " or ".join([", ".join(prices[:-1]), prices[-1]] if prices[1:] else prices)
        return [f"What would change it: no price of {named} between 1/{FURTHEST} and {FURTHEST} times the card's."]
    words = [
        f"{_PRICE_WORDS[c.price]} {'above' if c.factor > 1 else 'below'} {_times(c.factor)} times the card's price "
        f"(then {c.instead.short})"
        for c in answer.changes
    ]
    return [f"What would change it: {'; '.join(words)}."]


def _times(factor: float) -> str:
    """A factor in two digits, in three where it is nearly one.

    >>> _times(2.46), _times(1.016), _times(0.996)
    ('2.5', '1.02', '0.996')
    """
    short = f"{factor:.2g}"
    return short if short != "1" else f"{factor:.3g}"


def advice_json(advice: Advice) -> dict[str, Any]:
    """The advice for programs: the plan, or the measured student to take instead of it."""
    row = advice.learner
    return {
        "spend_usd": advice.cost_usd,
        "score": advice.score,
        "lower": advice.plan.lower if row is None else row.lower,
        "upper": advice.plan.upper if row is None else row.upper,
        "kept_usd": advice.budget_usd - advice.cost_usd,
        "gain_of_kept": advice.gain,
        "plan": allocation_json(advice.plan) if row is None else None,
        "learner": None if row is None else asdict(row),
    }

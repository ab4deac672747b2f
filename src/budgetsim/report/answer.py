"""What a budget buys, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from budgetsim.answers.choices import Choices
from budgetsim.answers.llm_labels import LlmNeeded
from budgetsim.answers.reply import Reply
from budgetsim.choosing.breakeven import PriceChange
from budgetsim.choosing.corners import Corner
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation
from budgetsim.choosing.targets import StopHere
from budgetsim.choosing.winners import HAIR
from budgetsim.costs.rates import RateCard
from budgetsim.design.models import T5_SHAPES
from budgetsim.report.advice import advice_json, advice_lines, caller_words, headline, needed_words
from budgetsim.report.allocation import allocation_json, allocation_notes, infeasible_json
from budgetsim.report.answer_table import allocation_table
from budgetsim.report.notes import choice_notes, compute_model, note_lines, sentence, unpriced_words
from budgetsim.report.remarks import answer_words
from budgetsim.report.table import BRIEF, Headline, Page, Showing, Table, rounded, usd

if TYPE_CHECKING:
    from budgetsim.choosing.owning import Owning


EXPLAINED = (
    "How to read it: every row is one plan, chosen before the truth is known, and judged in the same 400 possible "
    "worlds (joint draws of all learning curves). `best` is the share of worlds in which a row has the highest mean "
    "score, `regret` the points it gives up on average against somebody who knew the truth beforehand; what was "
    "measured beside the evidence has neither. Of hidden pairs called with 90 to 97 % between two strategies 65 % came "
    "true, above 97 % all (docs/method/promises.md). `90 % of runs` is the interval of one new training run."
)


def answer_page(reply: Reply, showing: Showing = BRIEF) -> Page:
    """An answer for people: the advice, what stands behind it, the rows it was chosen from, notes."""
    answer, choices, pricing = reply.answer, reply.choices, reply.choices.pricing
    lines: Page = [
        *_advice_words(reply),
        *needed_words(reply.needed),
        *caller_words(reply.advice, reply.serving),
        *unpriced_words(choices),
        allocation_table(reply, explain=showing.explain),
    ]
    if answer.corners:
        lines.append(corner_table(answer, choices.task.metric))
    lines += [_owning_words(reply.owning)] if reply.owning else []
    if showing.explain:
        lines += [EXPLAINED, *_stop_words(answer), *_shadow_words(answer)]
    lines.append(
        f"Prices: card {pricing.card.name}; evidence: {choices.fit.evidence_set}; "
        f"compute: {compute_model(choices, pricing.compute)}."
        + ("" if showing.explain else " --explain tells how to read it.")
    )
    return lines + note_lines(_all_notes(reply), showing)


def answer_json(reply: Reply) -> dict[str, Any]:
    """An answer for programs; docs/reference/schemas/optimize.json describes it."""
    answer, choices, pricing = reply.answer, reply.choices, reply.choices.pricing
    data: dict[str, Any] = {
        "recommended": answer.recommended,
        "summary": recommendation(reply),
        "advice": advice_json(reply.advice),
        "learners": [asdict(row) for row in reply.learners],
        "llm_on_every_text": [asdict(caller) for caller in reply.serving.callers],
        "budget_usd": answer.budget_usd,
        "choose": answer.choose,
        "level": None if answer.choose == "mean" else answer.level,
        "metric": choices.task.metric,
        "rates": pricing.card.name,
        "evidence_set": choices.fit.evidence_set,
        "compute": {"model": compute_model(choices, pricing.compute), **_utilisation(choices, pricing.card)},
        "allocations": [*map(allocation_json, answer.allocations), *map(infeasible_json, answer.infeasible)],
        "changes": None if answer.changes is None else [_change_json(c) for c in answer.changes],
        "stop_here": None if answer.stop_here is None else _stop_json(answer.stop_here),
        "shadow_price": None if answer.shadow is None else asdict(answer.shadow),
        "llm_needed": _needed_json(reply.needed),
        "owning": None if reply.owning is None else _owning_json(reply.owning),
        "rivals": [asdict(r) for r in reply.rivals],
        "notes": _all_notes(reply),
    }
    if answer.corners:
        data["pure"] = [_corner_json(c, answer.best) for c in answer.corners]
    rounded_data: dict[str, Any] = rounded(data)
    return rounded_data


def recommendation(reply: Reply) -> str:
    """The advice as one paragraph."""
    return " ".join([*map(str, _advice_words(reply)), *unpriced_words(reply.choices)])


def _advice_words(reply: Reply) -> Page:
    head = headline(reply.advice, reply.answer, reply.choices.task.metric)
    return [Headline(head), *advice_lines(reply.advice, reply.answer, reply.choices, reply.learners)]


def _needed_json(needed: LlmNeeded | None) -> dict[str, Any] | None:
    if needed is None:
        return None
    return {"accuracy": 100 * needed.accuracy, "plan": allocation_json(needed.plan)}


def _stop_words(answer: TaskAnswer) -> list[str]:
    s = answer.stop_here
    if s is None:
        return []
    return [
        f"Stop here: {usd(s.budget_usd)} already buys {_measured_by(answer)}{s.score:.1f} ({s.route.short}), "
        "within 1 point."
    ]


def _shadow_words(answer: TaskAnswer) -> list[str]:
    """Worth of the next and the last hundred dollars."""
    s = answer.shadow
    if s is None:
        return []
    least = 100 * HAIR / 2
    points = "points" if answer.choose == "mean" else f"points of the {_quantile(answer)}"
    gain = f"add {s.gain:.2g} {points}" if s.gain >= least else "add nothing to speak of"
    loss = f"cost {s.loss:.2g} {points}" if s.loss >= least else "cost nothing to speak of"
    less = f"{usd(s.step_usd)} less" if answer.budget_usd >= s.step_usd else "no money at all"
    return [f"The next {usd(s.step_usd)} would {gain}; {less} would {loss}."]


def _measured_by(answer: TaskAnswer) -> str:
    """What a number is, where it is not the expected score."""
    return f"a {_quantile(answer)} of " if answer.choose == "quantile" else ""


def _quantile(answer: TaskAnswer) -> str:
    return f"{100 * answer.level:g} % quantile"


def _owning_words(o: Owning) -> str:
    if o.worth_usd is None:
        worth = "no amount of money makes up for it"
    else:
        worth = f"worth {usd(o.worth_usd)}, the further money that reaches the same score without it"
    return (
        f"What you own: {o.score:.1f} with it, {o.score_without:.1f} without it at the same budget "
        f"({o.route_without.short}); {worth}."
    )


def corner_table(answer: TaskAnswer, metric: str) -> Table:
    """The paper's own comparison beside the mix: extra money in labels only, or in compute only."""
    mix = f"{answer.best.score:.1f}"
    rows = tuple(
        (f"{c.initial_n_labels:,}", *_corner_cells(c.annotate), *_corner_cells(c.distill), mix) for c in answer.corners
    )
    return Table(
        title="Pure corners: from the same initial labels, the rest of the money buys only labels, or only compute",
        headings=("initial labels", "all labels", metric, "all compute", metric, "recommended"),
        rows=rows,
    )


def _corner_cells(a: Allocation | None) -> tuple[str, str]:
    if a is None:
        return ("not affordable", "-")
    return (
        f"{a.design.n_unlabeled:,} texts" if a.design.n_unlabeled else f"{a.design.n_labels:,} labels",
        f"{a.score:.1f}",
    )


def _all_notes(reply: Reply) -> list[str]:
    """What is to be said besides, the most important first."""
    answer, pricing = reply.answer, reply.choices.pricing
    notes = [answer_words(remark) for remark in answer.remarks]
    notes += [f"{note}." for note in allocation_notes(answer.best)]
    notes += size_notes(answer)
    return [sentence(n) for n in notes] + choice_notes(reply.choices, pricing.compute, pricing.card)


def size_notes(answer: TaskAnswer) -> list[str]:
    """Where the best student is not the smallest one, say what the smallest would reach."""
    student = answer.best.route.student
    if student not in T5_SHAPES:
        return []
    students = [a.route.student for a in answer.allocations]
    sizes = {name: T5_SHAPES[name].n_parameters for name in students if name in T5_SHAPES}
    least, own = min(sizes.values()), sizes[student]
    if own == least:
        return []
    small = next(a for a in answer.allocations if sizes.get(a.route.student) == least)
    name = small.route.student
    return [
        f"{student} has {own / least:.1f} times the parameters of {name}, whose best is {small.route.short} "
        f"with {small.score:.1f}; --student {name} keeps to it."
    ]


def _utilisation(choices: Choices, card: RateCard) -> dict[str, Any]:
    modelled = sorted({part for o in choices.options if o.hours for part in o.hours.modelled})
    use = card.utilisation if modelled else None
    used = None if use is None else use.model_dump(exclude={"measured"}, exclude_none=True)
    return {"modelled": modelled, "utilisation": used}


def _change_json(change: PriceChange) -> dict[str, Any]:
    return {**asdict(change), "instead": change.instead.label}


def _stop_json(stop: StopHere) -> dict[str, Any]:
    return {"budget_usd": stop.budget_usd, "score": stop.score, "label": stop.route.label}


def _owning_json(o: Owning) -> dict[str, Any]:
    return {
        "score": o.score,
        "score_without": o.score_without,
        "label_without": o.route_without.label,
        "worth_usd": o.worth_usd,
    }


def _corner_json(corner: Corner, best: Allocation) -> dict[str, Any]:
    top = max((a.score for a in (corner.annotate, corner.distill) if a is not None), default=None)
    gain = None if top is None else best.score - top
    return {
        "initial_n_labels": corner.initial_n_labels,
        "annotate": None if corner.annotate is None else allocation_json(corner.annotate),
        "distill": None if corner.distill is None else allocation_json(corner.distill),
        "mix_gain": gain,
    }

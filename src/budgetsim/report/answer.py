"""What a budget buys, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from budgetsim.answers.choices import Choices, Rival
from budgetsim.choosing.breakeven import FURTHEST, PriceChange
from budgetsim.choosing.corners import Corner
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation, Infeasible
from budgetsim.choosing.targets import StopHere
from budgetsim.choosing.winners import HAIR
from budgetsim.costs.rates import RateCard
from budgetsim.design.models import T5_SHAPES
from budgetsim.design.strategies import CONSTANT
from budgetsim.report.allocation import allocation_json, allocation_notes, describe_allocation, infeasible_json
from budgetsim.report.notes import affordable, choice_notes, compute_model, rival_words, sentence, with_unpriced
from budgetsim.report.remarks import answer_words, shortfall_words
from budgetsim.report.table import Page, Table, design_cells, interval_words, kind_words, rounded, usd

if TYPE_CHECKING:
    from budgetsim.choosing.owning import Owning


FEW_RUNS = 4  # with fewer a fit leans on other tasks, other students or the prior
_PRICE_WORDS = {"labels": "labels", "LLM": "LLM labels", "compute": "compute"}  # of `breakeven.PRICED_STAGES`


def answer_page(
    answer: TaskAnswer,
    choices: Choices,
    card: RateCard,
    rivals: Sequence[Rival],
    compute: str,
    owning: Owning | None = None,
) -> Page:
    """An answer for people."""
    fit, metric = choices.fit, choices.task.metric
    lines: Page = [
        f"{answer.task} at {usd(answer.budget_usd)}: card {card.name}, evidence {fit.evidence_set}, "
        f"compute {compute_model(choices, compute)}",
        with_unpriced(recommendation(answer, metric, rivals), choices),
        allocation_table(answer, metric),
    ]
    if answer.corners:
        lines.append(corner_table(answer, metric))
    lines += [*_stop_words(answer), *_shadow_words(answer), *([_owning_words(owning)] if owning else [])]
    lines += [f"Note: {note}" for note in _all_notes(answer, choices, rivals, compute, card)]
    return lines


def answer_json(
    answer: TaskAnswer,
    choices: Choices,
    card: RateCard,
    rivals: Sequence[Rival],
    compute: str,
    owning: Owning | None = None,
) -> dict[str, Any]:
    """An answer for programs; docs/schemas/optimize.json describes it."""
    data: dict[str, Any] = {
        "recommended": answer.recommended,
        "summary": with_unpriced(recommendation(answer, choices.task.metric, rivals), choices),
        "budget_usd": answer.budget_usd,
        "choose": answer.choose,
        "level": None if answer.choose == "mean" else answer.level,
        "metric": choices.task.metric,
        "rates": card.name,
        "evidence_set": choices.fit.evidence_set,
        "compute": {"model": compute_model(choices, compute), **_utilisation(choices, card)},
        "allocations": [*map(allocation_json, answer.allocations), *map(infeasible_json, answer.infeasible)],
        "changes": None if answer.changes is None else [_change_json(c) for c in answer.changes],
        "stop_here": None if answer.stop_here is None else _stop_json(answer.stop_here),
        "shadow_price": None if answer.shadow is None else asdict(answer.shadow),
        "owning": None if owning is None else _owning_json(owning),
        "rivals": [asdict(r) for r in rivals],
        "notes": _all_notes(answer, choices, rivals, compute, card),
    }
    if answer.corners:
        data["pure"] = [_corner_json(c, answer.best) for c in answer.corners]
    rounded_data: dict[str, Any] = rounded(data)
    return rounded_data


def recommendation(answer: TaskAnswer, metric: str, rivals: Sequence[Rival] = ()) -> str:
    """The answer in one sentence, with what would change it, and whether something cheap makes it moot."""
    best = answer.best
    words = f"Recommended: {describe_allocation(best, metric)}."
    if best.route.kind is CONSTANT:
        return words
    rival = moot(answer, rivals)
    doubt = f" But {rival_words(rival)}: no less than this." if rival is not None else ""
    return f"{words}{_aim_words(answer, best)}{_few_words(answer, best)}{doubt}{_what_changes(answer)}"


def _few_words(answer: TaskAnswer, best: Allocation) -> str:
    """That a plan is hardly measured, which its score does not show."""
    n = best.evidence.n_rows
    if n >= FEW_RUNS:
        return ""
    runs = "1 run" if n == 1 else f"{n} runs"
    return f" Only {runs} of {best.label} on {answer.task} stand{'s' * (n == 1)} behind it: see the notes."


def _aim_words(answer: TaskAnswer, best: Allocation) -> str:
    """What it was chosen for, where that is not the expected score."""
    objective = None if best.standing is None else best.standing.objective
    if objective is None:
        return ""
    if answer.choose == "quantile":
        return f" Its expected score is {objective:.1f} or more in {100 * (1 - answer.level):g} % of worlds."
    return (
        f" In the worst {100 * answer.level:g} % of worlds it gives up {objective:.1f} points on average against "
        f"perfect knowledge."
    )


def _what_changes(answer: TaskAnswer) -> str:
    if answer.changes is None:
        return ""
    if not answer.scaled_prices:
        return " No price could be scaled to see whether the choice would change: all are 0."
    if not answer.changes:
        prices = [_PRICE_WORDS[price] for price in answer.scaled_prices]
        named = " or ".join([", ".join(prices[:-1]), prices[-1]] if prices[1:] else prices)
        return f" No price of {named} between 1/{FURTHEST} and {FURTHEST} times the card's would change the choice."
    words = [
        f"{'above' if c.factor > 1 else 'below'} {_times(c.factor)} x the card's price of {_PRICE_WORDS[c.price]}, "
        f"{c.instead.label}"
        for c in answer.changes
    ]
    return f" It would change: {'; '.join(words)}."


def _times(factor: float) -> str:
    """A factor in two digits, in three where it is nearly one.

    >>> _times(2.46), _times(1.016), _times(0.996)
    ('2.5', '1.02', '0.996')
    """
    short = f"{factor:.2g}"
    return short if short != "1" else f"{factor:.3g}"


def _stop_words(answer: TaskAnswer) -> list[str]:
    s = answer.stop_here
    if s is None:
        return []
    return [
        f"Stop here: {usd(s.budget_usd)} already buys {_measured_by(answer)}{s.score:.1f} ({s.route.label}), "
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
        f"({o.route_without.label}); {worth}."
    )


def allocation_table(answer: TaskAnswer, metric: str) -> Table:
    """All allocations of a task, the best first."""
    timed = any(a.days is not None for a in answer.allocations)
    headings_of = {
        "mean": (),
        "quantile": (f"{100 * answer.level:g} % quantile",),
        "regret": (f"worst {100 * answer.level:g} % regret",),
    }
    aim = headings_of[answer.choose]
    headings = ("strategy", "labels", "LLM", "texts", "cost", *(("days",) if timed else ()), metric, "90 % of runs")
    headings = (*headings, *aim, "best", "regret", "from")
    rows = [_allocation_row(a, timed, bool(aim)) for a in answer.allocations]
    rows += [_infeasible_row(entry, len(headings)) for entry in answer.infeasible]
    return Table(title="", headings=headings, rows=tuple(rows), text_columns=frozenset({0, len(headings) - 1}))


def _infeasible_row(entry: Infeasible, width: int) -> tuple[str, ...]:
    return (entry.route.label, *["-"] * (width - 2), f"infeasible: {shortfall_words(entry.reason)}")


def _allocation_row(a: Allocation, timed: bool, aimed: bool) -> tuple[str, ...]:
    standing = a.standing
    objective, regret = (None, None) if standing is None else (standing.objective, standing.expected_regret)
    return (
        *design_cells(a.design),
        usd(a.cost_usd),
        *(("-" if a.days is None else f"{a.days:.1f}",) if timed else ()),
        f"{a.score:.1f}",
        interval_words(a),
        *(("-" if objective is None else f"{objective:.1f}",) if aimed else ()),
        "-" if standing is None else f"{standing.p_best:.0%}",
        "-" if regret is None else f"{regret:.1f}",
        f"{a.evidence.source}, {kind_words(a.kind, a.factor)}",
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


def _all_notes(
    answer: TaskAnswer, choices: Choices, rivals: Sequence[Rival], compute: str, card: RateCard
) -> list[str]:
    notes = [f"{note}." for note in allocation_notes(answer.best)]
    notes += [answer_words(remark) for remark in answer.remarks]
    notes += _rival_notes(answer, rivals)
    notes += size_notes(answer)
    return [sentence(n) for n in notes] + choice_notes(choices, compute, card)


def moot(answer: TaskAnswer, rivals: Sequence[Rival]) -> Rival | None:
    """The cheap student that scores as much as what is recommended, if there is one."""
    rival = affordable(rivals, answer.budget_usd)
    return None if rival is None or answer.best.score > rival.score else rival


def _rival_notes(answer: TaskAnswer, rivals: Sequence[Rival]) -> list[str]:
    """What a cheap student reaches, where the recommendation has not said it already."""
    r = affordable(rivals, answer.budget_usd)
    if r is None or moot(answer, rivals) is not None:
        return []
    beaten = [a.route for a in answer.allocations if a.route.kind is not CONSTANT and a.score <= r.score]
    names = ", ".join(dict.fromkeys(route.strategy for route in beaten))
    return [rival_words(r) + (f"; it beats {names} here." if names else ".")]


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
        f"{student} has {own / least:.1f} times the parameters of {name}, whose best is {small.label} "
        f"with {small.score:.1f}; --student {name} keeps to it."
    ]


def _utilisation(choices: Choices, card: RateCard) -> dict[str, Any]:
    modelled = sorted({part for o in choices.options if o.hours for part in o.hours.modelled})
    used = card.utilisation.model_dump() if modelled and card.utilisation else None
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

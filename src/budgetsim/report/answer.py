"""What a budget buys, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from budgetsim.answers.choices import Choices, Rival
from budgetsim.choosing.breakeven import FURTHEST
from budgetsim.choosing.corners import Corner
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation
from budgetsim.choosing.winners import HAIR
from budgetsim.costs.rates import RateCard
from budgetsim.design.models import T5_SHAPES
from budgetsim.design.stages import COMPUTE_STAGES, DEV_AND_TEST_LABELS, FIXED, LABELS, LLM_LABELS, TEXTS
from budgetsim.report.notes import affordable, choice_notes, compute_model, rival_words, sentence, with_unpriced
from budgetsim.report.table import Grid, Page, interval_words, kind_words, plan_cells, rounded, usd

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
        allocation_grid(answer, metric),
    ]
    if answer.corners:
        lines.append(corner_grid(answer, metric))
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
    best = answer.best
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
        "allocations": [allocation_json(a) for a in answer.allocations],
        "changes": None if answer.changes is None else [asdict(c) for c in answer.changes],
        "stop_here": None if answer.stop_here is None else asdict(answer.stop_here),
        "shadow_price": None if answer.shadow is None else asdict(answer.shadow),
        "owning": None if owning is None else asdict(owning),
        "rivals": [asdict(r) for r in rivals],
        "notes": _all_notes(answer, choices, rivals, compute, card),
    }
    if answer.corners:
        data["pure"] = [_corner_json(c, best) for c in answer.corners]
    rounded_data: dict[str, Any] = rounded(data)
    return rounded_data


def describe_allocation(a: Allocation, metric: str) -> str:
    """One allocation in a sentence."""
    if a.strategy == "constant":
        return f"spend nothing: {a.notes[0]}, {metric} {a.score:.1f}"
    parts = []
    if a.n_labels:
        parts.append(f"{a.n_labels:,} human labels ({usd(a.costs.get(LABELS, 0.0))})")
    if a.n_llm_labels:
        parts.append(f"{a.n_llm_labels:,} LLM labels ({usd(a.costs.get(LLM_LABELS, 0.0))})")
    if a.n_unlabeled:
        parts.append(f"{a.n_unlabeled:,} unlabelled texts")
    compute = sum(a.costs.get(stage, 0.0) for stage in COMPUTE_STAGES)
    parts.append(f"{usd(compute)} of compute")
    rest = sum(a.costs.get(stage, 0.0) for stage in (TEXTS, FIXED, DEV_AND_TEST_LABELS))
    if rest:
        parts.append(f"{usd(rest)} of texts, fixed costs and dev and test labels")
    if a.days is not None:
        parts.append(f"{a.days:.1f} days")
    return f"{a.label}: {', '.join(parts)}; {metric} {a.score:.1f} (90 % of runs {interval_words(a)})"


def recommendation(answer: TaskAnswer, metric: str, rivals: Sequence[Rival] = ()) -> str:
    """The answer in one sentence, with what would change it, and whether something cheap makes it moot."""
    best = answer.best
    if best is None:
        return "Nothing fits this budget."
    words = f"Recommended: {describe_allocation(best, metric)}."
    if best.strategy == "constant":
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
    if best.objective is None:
        return ""
    if answer.choose == "quantile":
        return f" Its expected score is {best.objective:.1f} or more in {100 * (1 - answer.level):g} % of worlds."
    return (
        f" In the worst {100 * answer.level:g} % of worlds it gives up {best.objective:.1f} points on average against "
        f"perfect knowledge."
    )


def _what_changes(answer: TaskAnswer) -> str:
    if answer.changes is None:
        return ""
    if not answer.tried:
        return " No price was turned to see whether the choice would change: all are 0."
    if not answer.changes:
        prices = [_PRICE_WORDS[price] for price in answer.tried]
        named = " or ".join([", ".join(prices[:-1]), prices[-1]] if prices[1:] else prices)
        return f" No price of {named} from a {FURTHEST}nd to {FURTHEST} times the card's would change the choice."
    said = [
        f"{'above' if c.factor > 1 else 'below'} {_times(c.factor)} x the card's price of {_PRICE_WORDS[c.price]}, "
        f"{c.instead}"
        for c in answer.changes
    ]
    return f" It would change: {'; '.join(said)}."


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
        f"Stop here: {usd(s.budget_usd)} already buys {_measured_by(answer)}{s.score:.1f} ({s.label}), within 1 point."
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
        f"({o.label_without}); {worth}."
    )


def allocation_grid(answer: TaskAnswer, metric: str) -> Grid:
    """All allocations of a task, the best first."""
    timed = any(a.days is not None for a in answer.allocations)
    asked = {
        "mean": (),
        "quantile": (f"{100 * answer.level:g} % quantile",),
        "regret": (f"worst {100 * answer.level:g} % regret",),
    }
    aim = asked[answer.choose]
    headings = ("strategy", "labels", "LLM", "texts", "cost", *(("days",) if timed else ()), metric, "90 % of runs")
    headings = (*headings, *aim, "best", "regret", "from")
    rows = tuple(_allocation_row(a, timed, bool(aim), len(headings)) for a in answer.allocations)
    return Grid(title="", headings=headings, rows=rows, text_columns=frozenset({0, len(headings) - 1}))


def _allocation_row(a: Allocation, timed: bool, aimed: bool, width: int) -> tuple[str, ...]:
    if not a.feasible:
        return (a.label, *["-"] * (width - 2), f"infeasible: {a.reason}")
    return (
        *plan_cells(a),
        usd(a.cost_usd),
        *(("-" if a.days is None else f"{a.days:.1f}",) if timed else ()),
        f"{a.score:.1f}",
        interval_words(a),
        *((f"{a.objective:.1f}",) if aimed else ()),
        f"{a.p_best:.0%}" if a.p_best is not None else "-",
        f"{a.expected_regret:.1f}" if a.expected_regret is not None else "-",
        f"{a.evidence.source}, {kind_words(a.kind, a.factor)}",
    )


def corner_grid(answer: TaskAnswer, metric: str) -> Grid:
    """The paper's own comparison beside the mix: extra money in labels only, or in compute only."""
    best = answer.best
    mix = "-" if best is None or best.score is None else f"{best.score:.1f}"
    rows = tuple(
        (f"{c.initial_n_labels:,}", *_corner_cells(c.annotate), *_corner_cells(c.distill), mix) for c in answer.corners
    )
    return Grid(
        title="Pure corners: from the same initial labels, the rest of the money buys only labels, or only compute",
        headings=("initial labels", "all labels", metric, "all compute", metric, "recommended"),
        rows=rows,
    )


def _corner_cells(a: Allocation | None) -> tuple[str, str]:
    if a is None:
        return ("not affordable", "-")
    return (f"{a.n_unlabeled:,} texts" if a.n_unlabeled else f"{a.n_labels:,} labels", f"{a.score:.1f}")


def _all_notes(
    answer: TaskAnswer, choices: Choices, rivals: Sequence[Rival], compute: str, card: RateCard
) -> list[str]:
    best = answer.best
    notes = [f"{n}." for n in best.notes] if best is not None and best.strategy != "constant" else []
    notes += answer.notes
    notes += _rival_notes(answer, rivals)
    notes += size_notes(answer)
    return [sentence(n) for n in notes] + choice_notes(choices, compute, card)


def moot(answer: TaskAnswer, rivals: Sequence[Rival]) -> Rival | None:
    """The cheap student that scores as much as what is recommended, if there is one."""
    best, rival = answer.best, affordable(rivals, answer.budget_usd)
    if best is None or best.score is None or rival is None or best.score > rival.score:
        return None
    return rival


def _rival_notes(answer: TaskAnswer, rivals: Sequence[Rival]) -> list[str]:
    """What a cheap student reaches, where the recommendation has not said it already."""
    r = affordable(rivals, answer.budget_usd)
    if r is None or moot(answer, rivals) is not None:
        return []
    beaten = [a for a in answer.allocations if a.strategy != "constant" and a.score is not None and a.score <= r.score]
    names = ", ".join(dict.fromkeys(a.strategy for a in beaten))
    return [rival_words(r) + (f"; it beats {names} here." if names else ".")]


def size_notes(answer: TaskAnswer) -> list[str]:
    """Where the best student is not the smallest one, say what the smallest would reach."""
    best = answer.best
    if best is None or best.student not in T5_SHAPES:
        return []
    students = [a.student for a in answer.allocations if a.feasible and a.student]
    sizes = {name: T5_SHAPES[name].n_parameters for name in students if name in T5_SHAPES}
    least, own = min(sizes.values()), sizes[best.student or ""]
    if own == least:
        return []
    small = next(a for a in answer.allocations if a.feasible and sizes.get(a.student or "") == least)
    return [
        f"{best.student} has {own / least:.1f} times the parameters of {small.student}, whose best is {small.label} "
        f"with {small.score:.1f}; --student {small.student} keeps to it."
    ]


def _utilisation(choices: Choices, card: RateCard) -> dict[str, Any]:
    modelled = sorted({part for o in choices.options if o.hours for part in o.hours.modelled})
    used = card.utilisation.model_dump() if modelled and card.utilisation else None
    return {"modelled": modelled, "utilisation": used}


def allocation_json(a: Allocation) -> dict[str, Any]:
    return {**asdict(a), "costs": dict(a.costs), "notes": list(a.notes)}


def _corner_json(corner: Corner, best: Allocation | None) -> dict[str, Any]:
    pure = [a for a in (corner.annotate, corner.distill) if a is not None and a.score is not None]
    top = max((a.score for a in pure if a.score is not None), default=None)
    gain = None if top is None or best is None or best.score is None else best.score - top
    return {
        "initial_n_labels": corner.initial_n_labels,
        "annotate": None if corner.annotate is None else allocation_json(corner.annotate),
        "distill": None if corner.distill is None else allocation_json(corner.distill),
        "mix_gain": gain,
    }

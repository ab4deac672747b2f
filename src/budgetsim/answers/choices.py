"""The conductor of answers: evidence and fits from the store, prices from the card, options out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from budgetsim.answers.evidence import Evidence, Say, task_fit
from budgetsim.answers.pricing import evidence_note, is_uncharged, priced_option, priced_options, uncharged_words
from budgetsim.choosing.options import Option
from budgetsim.costs.hours import ComputeModel
from budgetsim.costs.model import NO_TERMS, Terms, llm_usd_per_label
from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task, get_task
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.errors import BudgetsimError, MissingPriceError, NoEvidenceError
from budgetsim.store.published import PAPER_LLM_USD_PER_MTOK, PAPER_POOL_SIZE, PAPER_PROMPT_TEXTS

if TYPE_CHECKING:
    from budgetsim.answers.points import Point, PointAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What money can buy on one task, and what was left out and why.

    unpriced : surfaces that were left out for want of a price
    """

    task: Task
    fit: TaskFit
    options: tuple[Option, ...]
    notes: tuple[str, ...] = field(default=())
    unpriced: tuple[Surface, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A cheap student beside the T5 ones: seconds on a CPU. Percent, mean over runs."""

    student: str
    n_labels: int
    score: float
    n_runs: int
    cost_usd: float | None  # None where the card has no price of a label
    evidence_set: str


def answer_points(
    evidence: Evidence,
    points: Sequence[Point],
    card: RateCard,
    *,
    compute: ComputeModel = "published",
    say: Say = lambda _: None,
) -> list[PointAnswer]:
    """Answer points in their order; one that no evidence covers says so in its reason."""
    fits: dict[str, TaskFit] = {}  # a stale fit is made again once, not once a point
    return [_answer_point(evidence, point, card, compute, fits, say) for point in points]


def _answer_point(
    evidence: Evidence, point: Point, card: RateCard, compute: ComputeModel, fits: dict[str, TaskFit], say: Say
) -> PointAnswer:
    from budgetsim.answers.points import (  # only `simulate` needs it
        answer_constant,
        answer_point,
        find_surface,
        unanswered,
    )

    try:
        if point.strategy == "constant":
            return answer_constant(point, get_task(point.task))
        if point.task not in fits:
            fits[point.task] = task_fit(evidence, point.task, say)
        surface = find_surface(fits[point.task], point)
    except NoEvidenceError as error:
        return unanswered(point, str(error))
    note = evidence_note(evidence, surface, point.task)
    try:
        option = priced_option(evidence, surface, get_task(point.task), card, compute, 0.0)
    except MissingPriceError as error:
        return answer_point(point, surface, note, None, reason=f"no cost: {str(error).rstrip('.')}")
    uncharged = uncharged_words(option, card).rstrip(".") if is_uncharged(option, card) else None
    return answer_point(point, surface, note, option.cost, reason=uncharged)


def open_choices(
    evidence: Evidence,
    tasks: Sequence[str] | None,
    card: RateCard,
    *,
    compute: ComputeModel = "published",
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
    strategies: Sequence[str] = (),
    students: Sequence[str] = (),
    say: Say = lambda _: None,
) -> list[Choices]:
    """What money can buy on several tasks.

    tasks : those asked for by name; None for all with evidence, of which those that cannot be
        answered are passed over with a word
    raises : as `choices`, for a task that was asked for, or where no task can be answered
    """
    found: list[Choices] = []
    refused: BudgetsimError | None = None
    for name in dict.fromkeys(evidence.tasks if tasks is None else tasks):
        try:
            found.append(
                choices(
                    evidence,
                    name,
                    card,
                    compute=compute,
                    owned_labels=owned_labels,
                    terms=terms,
                    strategies=strategies,
                    students=students,
                    say=say,
                )
            )
        except (MissingPriceError, NoEvidenceError) as error:
            if tasks is not None:
                raise
            refused = error
            say(f"{name} passed over: {error}")
    if not found and refused is not None:
        raise refused
    return found


def choices(
    evidence: Evidence,
    task: str,
    card: RateCard,
    *,
    compute: ComputeModel = "published",
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
    strategies: Sequence[str] = (),
    students: Sequence[str] = (),
    fit: TaskFit | None = None,
    say: Say = lambda _: None,
) -> Choices:
    """Price every fitted strategy of a task.

    strategies : those asked for by name; empty for all. One that is asked for and has no price is an
        error; one that is not is left out with a note.
    students : those to choose among; empty for all
    terms : an owned teacher, bounds of labels and texts, time
    fit : another than the stored one of the evidence
    raises : MissingPriceError, NoEvidenceError
    """
    fit = fit or task_fit(evidence, task, say)
    facts = get_task(task)
    options, unpriced, notes = [], [], []
    missing = [s for s in strategies if s != "constant" and s not in {f.route.strategy for f in fit.surfaces}]
    if missing:
        raise NoEvidenceError(f"Evidence {evidence.set_of(task)} has no fitted {missing[0]} on {task}; leave it out.")
    unknown = [s for s in students if s not in {f.route.student for f in fit.surfaces}]
    if unknown:
        raise NoEvidenceError(
            f"Evidence {evidence.set_of(task)} has no fitted student {unknown[0]} on {task}; it has "
            f"{', '.join(sorted({f.route.student for f in fit.surfaces}))}."
        )
    _check_teacher(terms, fit)
    refused: MissingPriceError | None = None
    for surface in fit.surfaces:
        if (strategies and surface.route.strategy not in strategies) or (
            students and surface.route.student not in students
        ):
            continue
        try:
            options += priced_options(evidence, surface, facts, card, compute, owned_labels, terms)
        except MissingPriceError as error:
            if strategies:
                raise
            refused = error
            unpriced.append(surface)
            notes.append(f"{surface.route.strategy} left out: {error}")
    if not options and refused is not None:
        raise refused  # nothing at all has a price: no answer is better than a wrong one
    notes += [] if strategies else _never_run(evidence, fit)
    notes += _assumptions(evidence, facts, card, options) + _term_notes(terms, owned_labels)
    return Choices(
        task=facts,
        fit=fit,
        options=tuple(options),
        notes=tuple(dict.fromkeys(notes)),
        unpriced=tuple(unpriced),
    )


def reprice(
    evidence: Evidence, open_to: Choices, card: RateCard, compute: ComputeModel, terms: Terms = NO_TERMS
) -> list[Option]:
    """The same options under other terms, and with no owned labels.

    raises : MissingPriceError
    """
    surfaces = {o.surface.route: o.surface for o in open_to.options}  # an owned teacher makes two options of one
    return [priced_option(evidence, s, open_to.task, card, compute, 0.0, terms) for s in surfaces.values()]


def _never_run(evidence: Evidence, fit: TaskFit) -> list[str]:
    """Strategies that other tasks have runs of, in sets of the same kind, and this one has not."""
    if fit.task not in evidence.sets:
        return []
    names = sorted({m.route.strategy for m in evidence.others(fit.task)} - {s.route.strategy for s in fit.surfaces})
    if not names:
        return []
    return [
        f"no run of {' or '.join(names)} on {fit.task}, though on other tasks: not looked at, also not as a next run."
    ]


def _check_teacher(terms: Terms, fit: TaskFit) -> None:
    teachers = sorted({s.route.teacher for s in fit.surfaces if s.route.teacher})
    if terms.owned_teacher is not None and terms.owned_teacher[0] not in teachers:
        raise NoEvidenceError(
            f"Evidence {fit.evidence_set} has no fitted teacher {terms.owned_teacher[0]} on {fit.task}; it has "
            f"{', '.join(teachers) or 'none'}."
        )
    if terms.owned_teacher is not None:
        name, n = terms.owned_teacher
        known = max(float(s.knots[0][-1]) for s in fit.surfaces if s.route.teacher == name)
        if n > known:
            raise NoEvidenceError(
                f"--owned-teacher {name}:{n}: scores are known up to {known:,.0f} n_labels; the owned teacher has "
                f"more. Name a teacher on {known:,.0f} labels or fewer, or leave it out."
            )


def _assumptions(evidence: Evidence, task: Task, card: RateCard, options: Sequence[Option]) -> list[str]:
    """What an answer takes for granted, said with it."""
    notes = [uncharged_words(o, card) for o in options if is_uncharged(o, card)]
    strategies = {o.surface.route.strategy for o in options}
    derived = [m for m in evidence.rows(task.name) if m.derived]
    llm = [m for m in derived if "n_llm_labels" in m.derived]
    texts = [m for m in derived if "n_unlabeled" in m.derived]
    if llm and card.llm is not None and strategies & {"llm_annotate", "annotate_plus_llm"}:
        notes.append(
            f"the paper prints dollars, not LLM labels: their number is implied by a prompt of {PAPER_PROMPT_TEXTS} "
            f"texts at ${PAPER_LLM_USD_PER_MTOK:g} a million tokens; here one costs "
            f"${llm_usd_per_label(card.llm, task):.3g} ({card.llm.model})."
        )
    if texts and "distill" in strategies:
        capped = sum("capped:n_unlabeled" in m.derived for m in texts)
        notes.append(
            f"the texts of {len(texts)} distilled rows are implied by dollars, {capped} of them cut at the pool of "
            f"{PAPER_POOL_SIZE:,}."
        )
    return notes


def _term_notes(terms: Terms, owned_labels: float) -> list[str]:
    """What is taken for granted of an owned teacher and of time."""
    notes = []
    if terms.owned_teacher is not None and owned_labels < terms.owned_teacher[1]:
        notes.append("the labels of the owned teacher do not count as owned; --owned-labels would say that they do.")
    if terms.labels_per_day is not None:
        notes.append(
            f"days are labels at {terms.labels_per_day:g} a day, then tuning, labelling and training, one after the "
            f"other; device-hours are taken to divide by the devices, {terms.gpus} of them day and night; LLM labels "
            f"take no time."
        )
    return notes


def rivals(
    evidence: Evidence, task: str, card: RateCard, *, owned_labels: float = 0.0, terms: Terms = NO_TERMS
) -> list[Rival]:
    """Cheap students measured on the task, best first; their labels priced by the card, besides those owned.

    terms : those whose labels nobody can give, or not in time, are left out
    """
    price = card.label_price(task)
    available = card.available(task) if terms.max_labels is None else terms.max_labels
    most = min(
        math.inf if available is None else available,
        math.inf if terms.labels_per_day is None else terms.labels_per_day * terms.deadline_days,
    )
    found = [
        Rival(
            student=row.student,
            n_labels=row.n_labels,
            score=row.score,
            n_runs=row.n_runs,
            cost_usd=None if price is None else max(row.n_labels - owned_labels, 0.0) * float(price.usd),
            evidence_set=row.evidence_set,
        )
        for row in evidence.cheap
        if row.task == task and row.n_labels - owned_labels <= most
    ]
    return sorted(found, key=lambda r: (-r.score, r.n_labels))

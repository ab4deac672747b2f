"""What money can buy: evidence and fits from the store, prices from the card, options out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from budgetsim.answers.evidence import Evidence, Say, fit_and_store, is_published, stored_fit, task_fit
from budgetsim.answers.llm_labels import repriced, tried_llm_options
from budgetsim.answers.notes import (
    BeyondPool,
    BeyondTexts,
    ChoiceNote,
    DaysInSequence,
    ImpliedLlmLabels,
    ImpliedTexts,
    LeftOut,
    NeverRun,
    NoCost,
    OtherGpu,
    OtherLlm,
    OwnedTeacherLabels,
    OwnPool,
    OwnTexts,
    PointNote,
    SimulatedLeftOut,
)
from budgetsim.answers.pricing import (
    Pricing,
    evidence_note,
    priced_option,
    priced_options,
    priced_route,
    uncharged_training,
)
from budgetsim.choosing.options import Option
from budgetsim.costs.model import llm_usd_per_label, price_lines
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import Terms, label_bound, own_pool
from budgetsim.data.tasks import Task, get_task
from budgetsim.design.points import Route
from budgetsim.design.strategies import CONSTANT
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.doors.amounts import did_you_mean
from budgetsim.economics.levers import POOLED
from budgetsim.errors import BudgetsimError, InputError, MissingPriceError, NoEvidenceError
from budgetsim.store.published import (
    PAPER_GPU,
    PAPER_LLM_USD_PER_MTOK,
    PAPER_LLMS,
    PAPER_POOL_SIZE,
    PAPER_PROMPT_TEXTS,
)

if TYPE_CHECKING:
    from budgetsim.answers.points import Point, PointAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The strategies and students to choose among, by name; empty for all."""

    strategies: tuple[str, ...] = ()
    students: tuple[str, ...] = ()

    def admits(self, route: Route) -> bool:
        """Whether a route is among them."""
        strategy = not self.strategies or route.strategy in self.strategies
        return strategy and (not self.students or route.student in self.students)


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What money can buy on one task, and what was left out and why.

    pricing : that the options were priced with
    unpriced : surfaces that were left out for want of a price
    """

    task: Task
    fit: TaskFit
    pricing: Pricing
    options: tuple[Option, ...]
    notes: tuple[ChoiceNote, ...] = field(default=())
    unpriced: tuple[Surface, ...] = field(default=())


def answer_points(
    evidence: Evidence, points: Sequence[Point], pricing: Pricing, *, say: Say = lambda _: None
) -> list[PointAnswer]:
    """Answer points in their order; one that no evidence covers says so in its notes.

    A point that leaves its models open is answered for each that is fitted, where the paper's are not.
    """
    fits: dict[str, TaskFit] = {}  # a stale fit is made again once, not once a point
    points = [point for asked in points for point in _spelt_out(evidence, asked, fits, say)]
    by_route: dict[tuple[str, Route], list[Point]] = {}
    for point in points:
        by_route.setdefault((point.design.task, point.design.route), []).append(point)
    answers = {
        id(answer.point): answer
        for same in by_route.values()
        for answer in _answer_route(evidence, same, pricing, fits, say)
    }
    return [answers[id(point)] for point in points]


def _spelt_out(evidence: Evidence, point: Point, fits: dict[str, TaskFit], say: Say) -> list[Point]:
    """The points that one asks about; itself where nothing is known of its task."""
    from budgetsim.answers.points import spelt_out

    name = point.design.task
    if not point.left_open or not point.design.route.kind.is_trained:
        return [point]
    try:
        if name not in fits:
            evidence.set_of(name)
            fits[name] = task_fit(evidence, name, say)
    except (InputError, NoEvidenceError):
        return [point]
    return spelt_out(fits[name], point)


def _answer_route(
    evidence: Evidence, points: Sequence[Point], pricing: Pricing, fits: dict[str, TaskFit], say: Say
) -> list[PointAnswer]:
    """Answer points of one route on one task."""
    from budgetsim.answers.points import (  # only `simulate` needs it
        answer_constant,
        answer_surface,
        find_surface,
        refuse_points,
    )

    name = points[0].design.task
    try:
        if points[0].design.route.kind.is_trained:
            evidence.set_of(name)
        facts = get_task(name)
    except (InputError, NoEvidenceError) as error:  # of a task nobody knows; the others of a file are answered
        return refuse_points(points, str(error))
    try:
        if not points[0].design.route.kind.is_trained:
            return [answer_constant(point, facts) for point in points]
        if name not in fits:
            fits[name] = task_fit(evidence, name, say)
        surface = find_surface(fits[name], points[0])
    except NoEvidenceError as error:
        return refuse_points(points, str(error))
    note = evidence_note(evidence, surface, name)
    try:
        option = priced_option(evidence, surface, facts, pricing)
    except MissingPriceError as error:
        return answer_surface(points, surface, note, None, [NoCost(reason=str(error))])
    uncharged = uncharged_training(option, pricing.card)
    notes: list[PointNote] = [uncharged] if uncharged else []
    return answer_surface(points, surface, note, option.cost, notes, lambda point: _beyond(point, pricing, facts))


def _beyond(point: Point, pricing: Pricing, task: Task) -> list[PointNote]:
    """That a point asks for more texts than a user's own task has, or for more labels than it has texts."""
    pool, texts = own_pool(pricing.terms, pricing.card, task), label_bound(pricing.terms, pricing.card, task)
    inputs = [] if pool is None else [name for name in POOLED if getattr(point.design, name) > pool]
    beyond: list[PointNote] = [BeyondPool(name=name, n=pool) for name in inputs if pool is not None]
    return beyond + ([BeyondTexts(n=texts)] if texts is not None and point.design.n_labels > texts else [])


def open_choices(
    evidence: Evidence,
    tasks: Sequence[str] | None,
    pricing: Pricing,
    selection: Selection = EVERYTHING,
    *,
    say: Say = lambda _: None,
) -> list[Choices]:
    """What money can buy on several tasks.

    tasks : those named; None for all with evidence, of which those that cannot be answered are passed over with a word
    raises : as `choices`, for a task that was named, or where no task can be answered; InputError where more labels are
        owned than a task has texts
    """
    answered: list[Choices] = []
    refusal: BudgetsimError | None = None
    for name in dict.fromkeys(_passing_over(evidence, pricing, say) if tasks is None else tasks):
        try:
            opened = choices(evidence, name, pricing, selection, say=say)
            _check_owned(pricing, opened.task)
            answered.append(opened)
        except (MissingPriceError, NoEvidenceError, InputError) as error:
            if tasks is not None:
                raise
            refusal = error
            say(f"{name} passed over: {error}")
    if not answered and refusal is not None:
        raise refusal
    return answered


def priced_tasks(sets: Mapping[str, str], card: RateCard) -> list[str]:
    """The tasks that need no price that the card lacks: nothing is read or fitted for the rest. All where it has none.

    sets : task -> its evidence set
    """
    return [task for task, name in sets.items() if is_published(name) or card.label_price(task)] or list(sets)


def _passing_over(evidence: Evidence, pricing: Pricing, say: Say) -> list[str]:
    """The priced tasks, after a word on the others."""
    priced = set(priced_tasks({task: evidence.set_of(task) for task in evidence.tasks}, pricing.card))
    left = [task for task in evidence.tasks if task not in priced]
    if left:
        say(
            f"Passed over, measured but without a label price in card {pricing.card.name}: {', '.join(left)}. "
            f"{price_lines(left[0])}"
        )
    return [task for task in evidence.tasks if task in priced]


def choices(
    evidence: Evidence,
    task: str,
    pricing: Pricing,
    selection: Selection = EVERYTHING,
    *,
    fit: TaskFit | None = None,
    say: Say = lambda _: None,
) -> Choices:
    """Price every fitted strategy of a task.

    selection : strategies and students to choose among. A strategy that is named and has no price is an error; one
        that is not is left out with a note
    fit : another than the stored one of the evidence
    raises : MissingPriceError, NoEvidenceError
    """
    evidence.set_of(task)  # a name that nobody knows has no evidence
    facts = get_task(task)
    fit = fit or stored_fit(evidence, task)
    if fit is None:
        _check_prices(evidence, facts, pricing, selection)  # a fit takes seconds
        fit = fit_and_store(evidence, task, say)
    _check_selection(selection, fit, evidence.set_of(task))
    _check_teacher(pricing.terms, fit)
    options: list[Option] = []
    unpriced: list[Surface] = []
    notes: list[ChoiceNote] = []
    refusal: MissingPriceError | None = None
    admitted = [s for s in fit.surfaces if selection.admits(s.route)]
    simulated = [s.route for s in admitted if s.route.is_simulated and s.route.strategy not in selection.strategies]
    for surface in (s for s in admitted if s.route not in simulated):
        try:
            options += priced_options(evidence, surface, facts, pricing)
        except MissingPriceError as error:
            if selection.strategies:
                raise
            refusal = error
            unpriced.append(surface)
            notes.append(LeftOut(strategy=surface.route.strategy, reason=str(error)))
    if not options and refusal is not None:
        raise refusal  # nothing at all has a price: no answer is better than a wrong one
    notes += [] if selection.strategies else _never_run(evidence, fit)
    if simulated:
        names = ({str(r.labeler) for r in simulated}, {r.strategy for r in simulated})
        notes.append(SimulatedLeftOut(*(tuple(sorted(each)) for each in names)))
    if not any(s.route.kind.has_labeler and not s.route.is_simulated for s in fit.surfaces):
        tried, said = tried_llm_options(evidence, facts, pricing, options)
        tried = [o for o in tried if selection.admits(o.route)]
        options += tried
        notes += said if tried or not selection.strategies else []
    notes += _assumptions(evidence, facts, pricing.card, options) + _term_notes(pricing.terms)
    n_texts = own_pool(pricing.terms, pricing.card, facts)
    if n_texts is not None and any({*POOLED} & {*o.surface.inputs} for o in options):
        notes.append(OwnPool(task=task, n=n_texts))
    notes += _text_notes(facts, pricing, options)
    return Choices(
        task=facts,
        fit=fit,
        pricing=pricing,
        options=tuple(options),
        notes=tuple(dict.fromkeys(notes)),
        unpriced=tuple(unpriced),
    )


def _check_owned(pricing: Pricing, task: Task) -> None:
    """A label is of a text: of a task whose texts are counted nobody owns more labels than there are texts.

    raises : InputError
    """
    owned = pricing.terms.owned_labels
    there = label_bound(pricing.terms._replace(owned_labels=0.0), pricing.card, task)
    if there is not None and owned > there:
        raise InputError(
            f"--owned-labels: found {owned:,.0f}, and {task.name} has {there:,.0f} texts, of which {task.n_train:,} "
            f"have a label in its files. Give how many labels are paid for, e.g. --owned-labels {task.n_train}; "
            f"--pool N says that there are more unlabelled texts."
        )


def _text_notes(task: Task, pricing: Pricing, options: Sequence[Option]) -> list[ChoiceNote]:
    """That the texts of a user's own task bound the labels of a plan, where a curve goes further."""
    n = label_bound(pricing.terms, pricing.card, task)
    surfaces = [o.surface for o in options if o.cost.limits.get("n_labels") == n]
    ends = [float(s.knots[s.inputs.index("n_labels")][-1]) for s in surfaces if "n_labels" in s.inputs]
    if n is None or task.n_train is None or max(ends, default=0.0) <= n:
        return []
    return [OwnTexts(task=task.name, n=int(n), n_train=task.n_train)]


def reprice(evidence: Evidence, open_to: Choices, pricing: Pricing) -> list[Option]:
    """The same options under another pricing, of which an owned teacher makes no second one.

    raises : MissingPriceError
    """
    options = {o.route: o for o in open_to.options}  # an owned teacher makes two options of one
    return [
        repriced(o, open_to.task, pricing)
        if o.evidence.source == "modelled"
        else priced_option(evidence, o.surface, open_to.task, pricing)
        for o in options.values()
    ]


def _check_prices(evidence: Evidence, task: Task, pricing: Pricing, selection: Selection) -> None:
    """Refuse before any fit what `choices` would refuse after it for want of a price."""
    rows = [m for m in evidence.rows(task.name) if m.route.kind.is_trained and None not in m.inputs]
    refusals: list[MissingPriceError] = []
    routes = [route for route in dict.fromkeys(m.route for m in rows) if selection.admits(route)]
    for route in routes:
        try:
            priced_route(evidence, route, task, pricing)
        except MissingPriceError as error:
            refusals.append(error)
    if refusals and (selection.strategies or len(refusals) == len(routes)):
        raise refusals[-1]


def _check_selection(selection: Selection, fit: TaskFit, evidence_set: str) -> None:
    trained = {name for name in selection.strategies if name != CONSTANT.name}
    missing = [name for name in selection.strategies if name in trained - {s.route.strategy for s in fit.surfaces}]
    if missing:
        raise NoEvidenceError(f"Evidence {evidence_set} has no fitted {missing[0]} on {fit.task}; leave it out.")
    students = {s.route.student for s in fit.surfaces}
    unknown = [name for name in selection.students if name not in students]
    if unknown:
        raise NoEvidenceError(
            f"Evidence {evidence_set} has no fitted student {unknown[0]} on {fit.task}; it has "
            f"{', '.join(sorted(students))}.{did_you_mean(unknown[0], students)}"
        )


def _never_run(evidence: Evidence, fit: TaskFit) -> list[ChoiceNote]:
    if fit.task not in evidence.sets:
        return []
    names = {d.route.strategy for d in evidence.elsewhere(fit.task)} - {s.route.strategy for s in fit.surfaces}
    return [NeverRun(strategies=tuple(sorted(names)), task=fit.task)] if names else []


def _check_teacher(terms: Terms, fit: TaskFit) -> None:
    teachers = sorted({s.route.teacher for s in fit.surfaces if s.route.teacher})
    if terms.owned_teacher is not None and terms.owned_teacher[0] not in teachers:
        raise NoEvidenceError(
            f"Evidence {fit.evidence_set} has no fitted teacher {terms.owned_teacher[0]} on {fit.task}; it has "
            f"{', '.join(teachers) or 'none'}.{did_you_mean(terms.owned_teacher[0], teachers)}"
        )
    if terms.owned_teacher is not None:
        name, n = terms.owned_teacher
        largest = max(float(s.knots[0][-1]) for s in fit.surfaces if s.route.teacher == name)
        if n > largest:
            raise NoEvidenceError(
                f"--owned-teacher {name}:{n}: scores are known up to {largest:,.0f} labels; the owned teacher has "
                f"more. Name a teacher on {largest:,.0f} labels or fewer, or leave it out."
            )


def _assumptions(evidence: Evidence, task: Task, card: RateCard, options: Sequence[Option]) -> list[ChoiceNote]:
    """What an answer takes for granted, said with it."""
    notes: list[ChoiceNote] = [note for o in options if (note := uncharged_training(o, card)) is not None]
    kinds = [o.surface.route.kind for o in options]
    derived = [m for m in evidence.rows(task.name) if m.derived]
    llm = [m for m in derived if "n_llm_labels" in m.derived]
    texts = [m for m in derived if "n_unlabeled" in m.derived]
    if llm and card.llm is not None and any(kind.has_labeler for kind in kinds):
        notes.append(
            ImpliedLlmLabels(
                prompt_texts=PAPER_PROMPT_TEXTS,
                usd_per_mtok=PAPER_LLM_USD_PER_MTOK,
                usd_per_label=llm_usd_per_label(card.llm, task),
                model=card.llm.model,
            )
        )
    scored = sorted({o.route.llm for o in options if o.route.llm})
    if card.llm is not None:
        notes += [OtherLlm(scored=n, priced=card.llm.model) for n in scored if not same_llm(n, card.llm.model)]
    billed = any(o.hours is not None and o.hours.model in ("published", "cached") for o in options)
    if billed and card.gpu is not None and PAPER_GPU not in card.gpu.model.upper():
        notes.append(OtherGpu(billed=PAPER_GPU, priced=card.gpu.model))
    if texts and any(kind.has_teacher for kind in kinds):
        capped = sum("capped:n_unlabeled" in m.derived for m in texts)
        notes.append(ImpliedTexts(n_rows=len(texts), n_capped=capped, pool_size=PAPER_POOL_SIZE))
    return notes


def same_llm(scored: str, priced: str) -> bool:
    """Whether a labeler of the evidence is the LLM that a card prices, as far as their names tell.

    >>> same_llm("gpt-3.5", "openai/text-davinci-003"), same_llm("chat:acme/large", "acme/large")
    (True, True)
    >>> same_llm("gpt-3.5", "openai/gpt-6.1-terra"), same_llm("simulated:accuracy=0.8", "openai/gpt-6.1-terra")
    (False, True)
    """
    if scored.startswith("simulated"):
        return True
    names = {scored, *PAPER_LLMS} if scored in PAPER_LLMS else {scored}
    return any(priced in name or priced.rpartition("/")[2] in name or name in priced for name in names)


def _term_notes(terms: Terms) -> list[ChoiceNote]:
    """What is taken for granted of an owned teacher and of time."""
    notes: list[ChoiceNote] = []
    if terms.owned_teacher is not None and terms.owned_labels < terms.owned_teacher[1]:
        notes.append(OwnedTeacherLabels())
    if terms.labels_per_day is not None:
        notes.append(DaysInSequence(labels_per_day=terms.labels_per_day, gpus=terms.gpus))
    return notes

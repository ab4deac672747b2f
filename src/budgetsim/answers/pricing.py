"""A fitted surface with its price: hours of compute from the evidence or modelled, dollars from the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from budgetsim.answers.evidence import Evidence, device_class, is_published
from budgetsim.answers.notes import TrainingNotCharged
from budgetsim.choosing.options import EvidenceNote, Option
from budgetsim.costs.hours import (
    ComputeModel,
    Hours,
    MeasuredStage,
    ModelledSpeed,
    PublishedHours,
    distill_hours,
    measured_hours,
    published_hours,
    scaled_hours,
    student_only,
)
from budgetsim.costs.model import CostModel, cost_model
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import NO_TERMS, Terms, apply, label_bound, own_pool
from budgetsim.data.tasks import Task, get_task
from budgetsim.design.models import T5_SHAPES
from budgetsim.design.points import Route
from budgetsim.design.surface import Surface
from budgetsim.errors import MissingPriceError
from budgetsim.store.query import StageRow

NOT_CHARGED = "not charged"  # compute model of a student whose training is free


@dataclass(frozen=True, slots=True)
class Pricing:
    """What turns a fitted surface into an option that money can buy.

    compute : how hours of published evidence are billed; measured ones are as they were measured
    terms : what a project owns and must keep to
    """

    card: RateCard
    compute: ComputeModel = "published"
    terms: Terms = NO_TERMS


def priced_option(evidence: Evidence, surface: Surface, task: Task, pricing: Pricing) -> Option:
    """One way to use money: a fitted surface with its hours and its costs.

    raises : MissingPriceError where a price or the hours of its compute are not known
    """
    cost, hours = priced_route(evidence, surface.route, task, pricing)
    return Option(
        surface=surface,
        cost=cost,
        evidence=evidence_note(evidence, surface, task.name),
        hours=hours,
        most_labels=label_bound(pricing.terms, pricing.card, task),
    )


def priced_route(evidence: Evidence, route: Route, task: Task, pricing: Pricing) -> tuple[CostModel, Hours]:
    """What a route costs, which no fit changes.

    raises : MissingPriceError where a price or the hours of its compute are not known
    """
    card = pricing.card
    hours = _hours(evidence, route, task, pricing)
    if hours is None:
        raise MissingPriceError(
            f"no {pricing.compute} compute is known for {route.teacher} into {route.student} on {task.name}; "
            f"give the card a utilisation, or choose another --compute."
        )
    if not route.kind.always_charged and not card.has_device(hours.device_class):
        hours = Hours(model=NOT_CHARGED, device_class=hours.device_class)
    asks = route.kind.has_teacher and route.llm is not None
    cost = cost_model(route.kind, task, card, hours, asks_teacher=asks)
    return apply(cost, card, hours, bounded(pricing, task), route), hours


def bounded(pricing: Pricing, task: Task) -> Terms:
    """The terms of a project, its pool and labels bounded by the texts that a task has."""
    terms, card = pricing.terms, pricing.card
    n = own_pool(terms, card, task)
    return terms._replace(pool=terms.pool if n is None else n, most_labels=label_bound(terms, card, task))


def priced_options(evidence: Evidence, surface: Surface, task: Task, pricing: Pricing) -> list[Option]:
    """As `priced_option`; where its teacher is owned, also without it: fewer labels may do with more texts.

    raises : MissingPriceError where a price or the hours of its compute are not known
    """
    option, terms = priced_option(evidence, surface, task, pricing), pricing.terms
    if terms.owned_teacher is None or not terms.owns_teacher(surface.route.teacher):
        return [option]
    without = replace(pricing, terms=terms._replace(owned_teacher=None))
    anew = priced_option(evidence, surface, task, without)
    return [option, replace(anew, left_aside=terms.owned_teacher[1])]


def evidence_note(evidence: Evidence, surface: Surface, task: str) -> EvidenceNote:
    """Where the scores of a surface come from."""
    name = evidence.set_of(task)
    if task in evidence.forecasts:
        return EvidenceNote(set=name, source="other tasks", device=None, n_rows=surface.n_rows)
    published = is_published(name)
    return EvidenceNote(
        set=name,
        source="published" if published else "measured",
        device=None if published else device_class(name),
        n_rows=surface.n_rows,
    )


def uncharged_training(option: Option, card: RateCard) -> TrainingNotCharged | None:
    """That the student's training is left out of the cost although the card wants it charged; None where it is not."""
    hours = option.hours
    if hours is None or hours.model != NOT_CHARGED or not card.overheads.charge_student_training:
        return None
    return TrainingNotCharged(device_class=None if card.has_device(hours.device_class) else hours.device_class)


def _hours(evidence: Evidence, route: Route, task: Task, pricing: Pricing) -> Hours | None:
    if task.name in evidence.forecasts:
        return _others_hours(evidence, route, task, pricing)
    if not is_published(evidence.set_of(task.name)):
        return _measured(evidence, route, task.name)
    card, speed = pricing.card, modelled_speed(pricing.card)
    if not route.kind.has_teacher:
        modelled = student_only(route.student, task, speed) if card.overheads.charge_student_training else None
        return modelled or Hours(model=NOT_CHARGED, device_class="gpu")
    if route.teacher is None:
        return None
    bills = _published(evidence, task.name, route.teacher, route.student)
    return distill_hours(pricing.compute, route.teacher, route.student, task, bills, speed)


def _others_hours(evidence: Evidence, route: Route, task: Task, pricing: Pricing) -> Hours | None:
    """Hours on a task that is forecast: clocks of the same route on any task; for T5s bills, by their operations."""
    card, speed = pricing.card, modelled_speed(pricing.card)
    if route.student not in T5_SHAPES:
        stages = [s for s in evidence.stages if s.route == route]
        device = device_class(stages[0].evidence_set) if stages else "cpu"
        return _hours_of(stages, device) or Hours(model=NOT_CHARGED, device_class=device)
    if not route.kind.has_teacher:
        modelled = student_only(route.student, task, speed) if card.overheads.charge_student_training else None
        return modelled or Hours(model=NOT_CHARGED, device_class="gpu")
    teacher, student = route.teacher, route.student
    if teacher is None or teacher not in T5_SHAPES:
        return None
    rows = [r for r in evidence.compute if r.kind == "distill_text" and (r.teacher, r.student) == (teacher, student)]
    billed = [(get_task(r.task), _bills(evidence, r.source, r.task, teacher, student)) for r in rows]
    bills = [(other, hours) for other, hours in billed if hours is not None]
    scaled = scaled_hours(bills, teacher, student, task) if bills else None
    return distill_hours(pricing.compute, teacher, student, task, scaled, speed)


def _measured(evidence: Evidence, route: Route, task: str) -> Hours | None:
    """Hours of the stages that the runs of a route rest on, whatever the compute model asked for."""
    stages = [s for s in evidence.stages if s.task == task and s.route == route]
    return _hours_of(stages, device_class(evidence.set_of(task)))


def _hours_of(stages: Sequence[StageRow], device: str) -> Hours | None:
    return measured_hours(
        [
            MeasuredStage(
                kind=s.kind, model=s.model, n=_stage_size(s), examples=s.examples, hours=s.hours, n_stages=s.n_stages
            )
            for s in stages
        ],
        device,
    )


def _stage_size(stage: StageRow) -> float:
    """The size that a stage's hours depend on: all that the student is trained on, or the teacher's labels."""
    if stage.kind != "train_student":
        return stage.n_labels
    return float(sum(getattr(stage, name) for name in stage.route.kind.trains_on))


def _published(evidence: Evidence, task: str, teacher: str, student: str) -> PublishedHours | None:
    source = evidence.set_of(task).replace("published-", "published:", 1)
    return _bills(evidence, source, task, teacher, student)


def _bills(evidence: Evidence, source: str, task: str, teacher: str, student: str) -> PublishedHours | None:
    return published_hours(
        [
            (row.kind, row.n_labels, row.gpu_hours)
            for row in evidence.compute
            if (row.source, row.task, row.teacher, row.student) == (source, task, teacher, student)
        ]
    )


def modelled_speed(card: RateCard) -> ModelledSpeed | None:
    """The card's utilisation in the form that hours are modelled with; None where the card has none."""
    use = card.utilisation
    if use is None:
        return None
    return ModelledSpeed(
        peak_tflops=use.peak_tflops,
        teacher_training=use.teacher_training,
        labelling=use.labelling,
        student_training=use.student_training,
        seconds_per_step=use.seconds_per_step,
    )

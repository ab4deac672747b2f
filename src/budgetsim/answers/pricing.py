"""A fitted surface with its price: hours of compute from the evidence or modelled, dollars from the card."""

from __future__ import annotations

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
    student_only,
)
from budgetsim.costs.model import cost_model
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import NO_TERMS, Terms, apply, own_pool
from budgetsim.data.tasks import Task
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
    route, card = surface.route, pricing.card
    hours = compute_hours(evidence, route, task, pricing)
    cost = cost_model(route.kind, task, card, hours)
    return Option(
        surface=surface,
        cost=apply(cost, card, hours, bounded(pricing, task), route),
        evidence=evidence_note(evidence, surface, task.name),
        hours=hours,
    )


def compute_hours(evidence: Evidence, route: Route, task: Task, pricing: Pricing) -> Hours:
    """Hours of compute of a route on a task, from the evidence or modelled; those of training on labels may be free.

    raises : MissingPriceError where they are not known
    """
    hours = _hours(evidence, route, task, pricing)
    if hours is None:
        raise MissingPriceError(
            f"no {pricing.compute} compute is known for {route.teacher} into {route.student} on {task.name}; "
            f"give the card a utilisation, or choose another --compute."
        )
    if not route.kind.always_charged and not pricing.card.has_device(hours.device_class):
        return Hours(model=NOT_CHARGED, device_class=hours.device_class)
    return hours


def bounded(pricing: Pricing, task: Task) -> Terms:
    """The terms of a project, its pool bounded by the texts that a task has."""
    n = own_pool(pricing.terms, pricing.card, task)
    return pricing.terms if n is None else pricing.terms._replace(pool=n)


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


def _measured(evidence: Evidence, route: Route, task: str) -> Hours | None:
    """Hours of the stages that the runs of a route rest on, whatever the compute model asked for."""
    stages = [s for s in evidence.stages if s.task == task and s.route == route]
    return measured_hours(
        [MeasuredStage(kind=s.kind, n=_stage_size(s), examples=s.examples, hours=s.hours) for s in stages],
        device_class(evidence.set_of(task)),
    )


def _stage_size(stage: StageRow) -> float:
    """The size that a stage's hours depend on: all that the student is trained on, or the teacher's labels."""
    if stage.kind != "train_student":
        return stage.n_labels
    return float(sum(getattr(stage, name) for name in stage.route.kind.trains_on))


def _published(evidence: Evidence, task: str, teacher: str, student: str) -> PublishedHours | None:
    source = evidence.set_of(task).replace("published-", "published:", 1)
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

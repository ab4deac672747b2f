"""A fitted surface with its price: hours of compute from the evidence or modelled, dollars from the card."""

from __future__ import annotations

from dataclasses import replace

from budgetsim.answers.evidence import Evidence, device_class, is_published
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
from budgetsim.costs.model import NO_TERMS, CostModel, Terms, cost_model
from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task
from budgetsim.design.surface import Surface
from budgetsim.errors import MissingPriceError

NOT_CHARGED = "not charged"  # compute model of a student whose training is free
_SIZE_OF = {"distill": "n_unlabeled", "llm_annotate": "n_llm_labels"}  # what a student trains on; else its labels


def priced_option(
    evidence: Evidence,
    surface: Surface,
    task: Task,
    card: RateCard,
    compute: ComputeModel,
    owned_labels: float,
    terms: Terms = NO_TERMS,
) -> Option:
    """One way to use money: a fitted surface with its hours and its costs.

    compute : how hours of published evidence are billed; measured ones are as they were measured
    owned_labels : labels already paid for
    raises : MissingPriceError where a price or the hours of its compute are not known
    """
    hours = _hours(evidence, surface, task, card, compute)
    if hours is None:
        raise MissingPriceError(
            f"no {compute} compute is known for {surface.route.teacher} into {surface.route.student} on {task.name}; "
            f"give the card a utilisation, or choose another --compute."
        )
    if surface.route.strategy != "distill" and not card.has_device(hours.device_class):
        hours = Hours(model=NOT_CHARGED, device_class=hours.device_class)
    cost = cost_model(surface.route.strategy, task, card, hours, owned_labels=owned_labels, terms=terms)
    return Option(
        surface=surface,
        cost=_under_terms(cost, card, hours, terms, surface.route.teacher, owned_labels),
        evidence=evidence_note(evidence, surface, task.name),
        hours=hours,
    )


def priced_options(
    evidence: Evidence,
    surface: Surface,
    task: Task,
    card: RateCard,
    compute: ComputeModel,
    owned_labels: float,
    terms: Terms,
) -> list[Option]:
    """As `priced_option`; where its teacher is owned, also without it: fewer labels may do with more texts.

    raises : MissingPriceError where a price or the hours of its compute are not known
    """
    option = priced_option(evidence, surface, task, card, compute, owned_labels, terms)
    if terms.owned_teacher is None or terms.owned_teacher[0] != surface.route.teacher:
        return [option]
    free = terms._replace(owned_teacher=None)
    anew = priced_option(evidence, surface, task, card, compute, owned_labels, free)
    return [option, replace(anew, left_aside=terms.owned_teacher[1])]


def _under_terms(
    cost: CostModel, card: RateCard, hours: Hours, terms: Terms, teacher: str | None, owned_labels: float
) -> CostModel:
    if terms.owned_teacher is None and terms.labels_per_day is None:
        return cost
    from budgetsim.costs.terms import under  # only where time or a teacher is spoken of

    return under(cost, card, hours, terms, teacher, owned_labels)


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


def is_uncharged(option: Option, card: RateCard) -> bool:
    """Whether the student's training on labels is left out of the cost although the card wants it charged."""
    return card.overheads.charge_student_training and option.hours is not None and option.hours.model == NOT_CHARGED


def uncharged_words(option: Option, card: RateCard) -> str:
    """What a card lacks that the student's training is not charged."""
    lacks = "no utilisation to model it with"
    if option.hours is not None and not card.has_device(option.hours.device_class):
        lacks = f"no price for a {option.hours.device_class}; add a `{option.hours.device_class}:`"
    return f"training the student on labels is not charged: the card has {lacks}."


def _hours(evidence: Evidence, surface: Surface, task: Task, card: RateCard, compute: ComputeModel) -> Hours | None:
    if not is_published(evidence.set_of(task.name)):
        return _measured(evidence, surface, task.name)
    speed = modelled_speed(card)
    if surface.route.strategy != "distill":
        modelled = student_only(surface.route.student, task, speed) if card.overheads.charge_student_training else None
        return modelled or Hours(model=NOT_CHARGED, device_class="gpu")
    if surface.route.teacher is None:
        return None
    bills = _published(evidence, task.name, surface.route.teacher, surface.route.student)
    return distill_hours(compute, surface.route.teacher, surface.route.student, task, bills, speed)


def _measured(evidence: Evidence, surface: Surface, task: str) -> Hours | None:
    """Hours of the stages that the runs of a surface rest on, whatever the compute model asked for."""
    stages = [s for s in evidence.stages if s.task == task and s.route == surface.route]
    size = _SIZE_OF.get(surface.route.strategy, "n_labels")
    return measured_hours(
        [
            MeasuredStage(
                kind=s.kind,
                n=getattr(s, size if s.kind == "train_student" else "n_labels"),
                examples=s.examples,
                hours=s.hours,
            )
            for s in stages
        ],
        device_class(evidence.set_of(task)),
    )


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
    """The card's utilisation as the mathematics wants it, or None."""
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

"""The conductor of what-ifs: one budget under other prices, cards, compute models, LLMs and teachers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from budgetsim.answers.choices import Choices
from budgetsim.answers.llm_labels import check_accuracy, is_annotated, labelled_options, rule_note
from budgetsim.answers.notes import (
    CaseNote,
    ImpliedLabeler,
    LeftOut,
    NoAccuracyScale,
    NoAnnotation,
    NoTeacher,
    PlateauRule,
    Refusal,
)
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.options import Allocation, Infeasible, Option
from budgetsim.choosing.recommend import best_plan, out_of_reach
from budgetsim.choosing.winners import rows_by_route
from budgetsim.costs.hours import COMPUTE_MODELS
from budgetsim.costs.model import llm_usd_per_label
from budgetsim.costs.rates import RateCard, Utilisation
from budgetsim.data.tasks import Task
from budgetsim.design.strategies import CONSTANT
from budgetsim.economics.levers import price_levers
from budgetsim.economics.noisy_labels import Errors, implied_accuracy, n_classes
from budgetsim.economics.pricebreaks import PriceBreak, price_breaks
from budgetsim.economics.tornado import Assumption, Swing, money_assumptions, tornado
from budgetsim.economics.whatif import with_plateau
from budgetsim.errors import MissingPriceError, NoEvidenceError

CaseKind = Literal["card", "compute", "llm_accuracy", "teacher_plateau"]
_ERRORS: dict[Errors, str] = {"random": "at random", "learnable": "that a student learns", "real": "as of real LLMs"}
_MISFIT = 0.02  # beyond what the noise of runs explains
_SHARES = ("teacher_training", "labelling", "student_training")  # of the utilisation

Reprice: TypeAlias = Callable[[Pricing], Choices]  # opens the same choices under another pricing


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The best plan of the same budget in one world of prices or assumptions; None where there is none."""

    kind: CaseKind
    name: str
    plan: Allocation | None
    reason: CaseNote | None = None  # why there is no plan
    label_usd: float | None = None  # of a card
    device_hour_usd: float | None = None
    llm_label_usd: float | None = None
    beside: tuple[Allocation, ...] = ()  # best plans of the strategies that the assumption changes
    notes: tuple[CaseNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How one answer moves with what it takes for granted.

    infeasible : routes of which the budget buys nothing, and why
    """

    task: str
    budget_usd: float
    plan: Allocation
    breaks: tuple[PriceBreak, ...]
    swings: tuple[Swing, ...]
    cases: tuple[Case, ...]
    infeasible: tuple[Infeasible, ...] = ()


def trace_sensitivity(
    open_to: Choices,
    budget_usd: float,
    reprice: Reprice,
    *,
    cards: Sequence[RateCard] = (),
    llm_accuracies: Sequence[float] = (),
    plateaus: Sequence[float] = (),
) -> Sensitivity:
    """Break-even prices, tornado, cards and compute models side by side, and what-ifs asked for.

    reprice : opens the same choices under another card or compute model
    llm_accuracies, plateaus : fractions
    raises : InputError for an accuracy at or below chance
    """
    task, options, pricing = open_to.task, open_to.options, open_to.pricing
    levers = price_levers(task, options, pricing.card)
    assumptions = money_assumptions(options, levers, budget_usd)
    assumptions += _utilisation(pricing, budget_usd, reprice)
    compute_models = COMPUTE_MODELS if _is_published(options) else ()
    cases = [_priced("card", c.name, replace(pricing, card=c), budget_usd, reprice) for c in cards]
    cases += [_priced("compute", m, replace(pricing, compute=m), budget_usd, reprice) for m in compute_models]
    cases += [llm_case(open_to, budget_usd, a, e) for a in llm_accuracies for e in _ERRORS]
    cases += [plateau_case(task, options, budget_usd, p) for p in plateaus]
    return Sensitivity(
        task=task.name,
        budget_usd=budget_usd,
        plan=best_plan(task, options, budget_usd),
        breaks=tuple(price_breaks(task, options, levers, budget_usd)),
        swings=tuple(tornado(task, assumptions)),
        cases=tuple(cases),
        infeasible=out_of_reach(options, budget_usd),
    )


def _is_published(options: Sequence[Option]) -> bool:
    """Measured evidence has hours of its own, whatever the compute model."""
    return all(o.evidence.source != "measured" for o in options)


def _priced(kind: CaseKind, name: str, pricing: Pricing, budget_usd: float, reprice: Reprice) -> Case:
    """The best plan under a card and a compute model, with the card's main prices."""
    try:
        open_to = reprice(pricing)
    except (MissingPriceError, NoEvidenceError) as error:
        return Case(kind=kind, name=name, plan=None, reason=Refusal(message=str(error)))
    task, card = open_to.task, pricing.card
    label = card.label_price(task.name)
    classes = {o.hours.device_class for o in open_to.options if o.hours is not None}
    device = min((float(card.device(c).usd_per_device_hour) for c in classes if card.has_device(c)), default=None)
    return Case(
        kind=kind,
        name=name,
        plan=best_plan(task, open_to.options, budget_usd),
        label_usd=None if label is None else float(label.usd),
        device_hour_usd=device,
        llm_label_usd=None if card.llm is None else llm_usd_per_label(card.llm, task),
        notes=tuple(n for n in open_to.notes if isinstance(n, LeftOut)),
    )


def _utilisation(pricing: Pricing, budget_usd: float, reprice: Reprice) -> list[Assumption]:
    """The stated utilisation halved and doubled, or up to where one of its shares is whole; where hours rest on it."""
    card, use = pricing.card, pricing.card.utilisation
    if use is None or pricing.compute != "modern":
        return []
    low, high = 0.5, min(2.0, 1 / max(getattr(use, name) for name in _SHARES))
    ends = [reprice(replace(pricing, card=_with_use(card, use, factor))).options for factor in (low, high)]
    return [
        Assumption(
            name="utilisation",
            unit="times the card's",
            low=low,
            high=high,
            at_low=(ends[0], budget_usd),
            at_high=(ends[1], budget_usd),
        )
    ]


def _with_use(card: RateCard, use: Utilisation, factor: float) -> RateCard:
    shares = {name: getattr(use, name) * factor for name in _SHARES}
    return card.model_copy(update={"utilisation": use.model_copy(update=shares)})


def plateau_case(task: Task, options: Sequence[Option], budget_usd: float, plateau: float) -> Case:
    """The best plan if no teacher scored above a plateau (fraction)."""
    capped = with_plateau(options, plateau)
    name = f"teacher never above {100 * plateau:g}"
    taught = [o for o in capped if o.surface.route.kind.has_teacher]
    if not taught:
        return Case(kind="teacher_plateau", name=name, plan=None, reason=NoTeacher())
    return Case(
        kind="teacher_plateau",
        name=name,
        plan=best_plan(task, capped, budget_usd),
        beside=_beside(task, taught, budget_usd),
        notes=(PlateauRule(),),
    )


def llm_case(open_to: Choices, budget_usd: float, accuracy: float, errors: Errors) -> Case:
    """The best plan if the LLM were right in a share of its labels.

    raises : InputError for an accuracy at or below chance
    """
    task, name = open_to.task, f"LLM right in {100 * accuracy:g} %, errors {_ERRORS[errors]}"
    classes = n_classes(task)
    if classes is None or not any(is_annotated(o) for o in open_to.options):
        why = NoAccuracyScale(task=task.name) if classes is None else NoAnnotation()
        return Case(kind="llm_accuracy", name=name, plan=None, reason=why)
    check_accuracy(task, accuracy, classes)
    try:
        llm = labelled_options(task, open_to.pricing, open_to.options, accuracy, errors)
    except MissingPriceError as error:
        return Case(kind="llm_accuracy", name=name, plan=None, reason=Refusal(message=str(error)))
    others = [o for o in open_to.options if not o.surface.route.kind.has_labeler]
    return Case(
        kind="llm_accuracy",
        name=name,
        plan=best_plan(task, [*others, *llm], budget_usd),
        beside=_beside(task, llm, budget_usd),
        notes=(rule_note(accuracy, classes, errors), *_implied_notes(open_to.options, classes, errors)),
    )


def _implied_notes(options: Sequence[Option], classes: int, errors: Errors) -> list[ImpliedLabeler]:
    """What a rule says of the evidence's own LLM."""
    curves = {o.surface.route.student: o.surface for o in options if is_annotated(o)}
    notes = []
    for surface in (o.surface for o in options if _llm_labels_alone(o)):
        curve = curves.get(surface.route.student)
        implied = None if curve is None else implied_accuracy(curve, surface, classes, errors)
        if implied is not None:
            is_described = implied.misfit <= _MISFIT
            labeler = str(surface.route.labeler)
            notes.append(ImpliedLabeler(labeler=labeler, implied=implied, is_described=is_described))
    return notes


def _llm_labels_alone(option: Option) -> bool:
    return option.surface.route.kind.inputs == ("n_llm_labels",)


def _beside(task: Task, options: Sequence[Option], budget_usd: float) -> tuple[Allocation, ...]:
    """The best plan of each route alone, where it beats the constant answer; a chance of being best means nothing."""
    ways = ([options[i] for i in same] for same in rows_by_route(options).values())
    plans = [replace(best_plan(task, same, budget_usd), standing=None) for same in ways]
    return tuple(p for p in plans if p.route.kind is not CONSTANT)

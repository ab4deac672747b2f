"""The conductor of what-ifs: one budget under other prices, cards, compute models, LLMs and teachers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from budgetsim.answers.choices import Choices
from budgetsim.choosing.options import Allocation, Infeasible, Option
from budgetsim.choosing.recommend import best_plan, out_of_reach
from budgetsim.choosing.winners import rows_by_route
from budgetsim.costs.hours import COMPUTE_MODELS, ComputeModel
from budgetsim.costs.model import NO_TERMS, Terms, cost_model, llm_usd_per_label
from budgetsim.costs.rates import RateCard, Utilisation
from budgetsim.costs.terms import under
from budgetsim.data.tasks import Task
from budgetsim.design.strategies import CONSTANT
from budgetsim.design.surface import Surface
from budgetsim.economics.levers import price_levers
from budgetsim.economics.pricebreaks import PriceBreak, price_breaks
from budgetsim.economics.tornado import Assumption, Swing, money_assumptions, tornado
from budgetsim.economics.whatif import (
    Errors,
    ImpliedAccuracy,
    implied_accuracy,
    label_worth,
    llm_surface,
    mixed_surface,
    modelled,
    n_classes,
    with_plateau,
)
from budgetsim.errors import InputError, MissingPriceError, NoEvidenceError

CaseKind = Literal["card", "compute", "llm_accuracy", "teacher_plateau"]
_ERRORS: dict[Errors, str] = {"random": "at random", "learnable": "that a student learns"}
_MISFIT = 0.02  # beyond what the noise of runs explains
_SHARES = ("teacher_training", "labelling", "student_training")  # of the utilisation
LLM_STRATEGIES = ("llm_annotate", "annotate_plus_llm")


class Reprice(Protocol):
    """Opens the same choices under another card and compute model (`advise.choices`, with the rest filled in)."""

    def __call__(self, card: RateCard, *, compute: ComputeModel) -> Choices: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The best plan of the same budget in one world of prices or assumptions; None where there is none."""

    kind: CaseKind
    name: str
    plan: Allocation | None
    reason: str | None = None  # why there is no plan
    label_usd: float | None = None  # of a card
    device_hour_usd: float | None = None
    llm_label_usd: float | None = None
    beside: tuple[Allocation, ...] = ()  # best plans of the strategies that the assumption changes
    notes: tuple[str, ...] = ()


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
    card: RateCard,
    budget_usd: float,
    reprice: Reprice,
    *,
    compute: ComputeModel,
    cards: Sequence[RateCard] = (),
    llm_accuracies: Sequence[float] = (),
    plateaus: Sequence[float] = (),
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
) -> Sensitivity:
    """Break-even prices, tornado, cards and compute models side by side, and what-ifs asked for.

    reprice : under the same owned labels and terms as these
    llm_accuracies, plateaus : fractions
    raises : InputError for an accuracy at or below chance
    """
    task, options = open_to.task, open_to.options
    levers = price_levers(task, options, card)
    assumptions = money_assumptions(options, levers, budget_usd)
    assumptions += _utilisation(card, budget_usd, reprice, compute)
    cases = [_priced("card", c.name, c, compute, budget_usd, reprice) for c in cards]
    cases += [_priced("compute", m, card, m, budget_usd, reprice) for m in COMPUTE_MODELS if _is_published(options)]
    cases += [llm_case(open_to, card, budget_usd, a, e, owned_labels, terms) for a in llm_accuracies for e in _ERRORS]
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


def _priced(
    kind: CaseKind, name: str, card: RateCard, compute: ComputeModel, budget_usd: float, reprice: Reprice
) -> Case:
    """The best plan under a card and a compute model, with the card's main prices."""
    try:
        open_to = reprice(card, compute=compute)
    except (MissingPriceError, NoEvidenceError) as error:
        return Case(kind=kind, name=name, plan=None, reason=str(error))
    task, label = open_to.task, card.label_price(open_to.task.name)
    classes = {o.hours.device_class for o in open_to.options if o.hours is not None}
    device = min((float(card.device(c).usd_per_device_hour) for c in classes if card.has_device(c)), default=None)
    return Case(
        kind=kind,
        name=name,
        plan=best_plan(task, open_to.options, budget_usd),
        label_usd=None if label is None else float(label.usd),
        device_hour_usd=device,
        llm_label_usd=None if card.llm is None else llm_usd_per_label(card.llm, task),
        notes=tuple(n for n in open_to.notes if " left out: " in n),
    )


def _utilisation(card: RateCard, budget_usd: float, reprice: Reprice, compute: ComputeModel) -> list[Assumption]:
    """The stated utilisation halved and doubled, or up to where one of its shares is whole; where hours rest on it."""
    use = card.utilisation
    if use is None or compute != "modern":
        return []
    low, high = 0.5, min(2.0, 1 / max(getattr(use, name) for name in _SHARES))
    ends = [reprice(_used(card, use, factor), compute=compute).options for factor in (low, high)]
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


def _used(card: RateCard, use: Utilisation, factor: float) -> RateCard:
    shares = {name: getattr(use, name) * factor for name in _SHARES}
    return card.model_copy(update={"utilisation": use.model_copy(update=shares)})


def plateau_case(task: Task, options: Sequence[Option], budget_usd: float, plateau: float) -> Case:
    """The best plan if no teacher scored above a plateau (fraction)."""
    held = with_plateau(options, plateau)
    name = f"teacher never above {100 * plateau:g}"
    if not any(o.surface.route.strategy == "distill" for o in held):
        return Case(kind="teacher_plateau", name=name, plan=None, reason="no distilled student is among the options")
    return Case(
        kind="teacher_plateau",
        name=name,
        plan=best_plan(task, held, budget_usd),
        beside=_beside(task, [o for o in held if o.surface.route.strategy == "distill"], budget_usd),
        notes=("the rule: a student scores at most what its teacher does, and below that as before.",),
    )


def llm_case(
    open_to: Choices,
    card: RateCard,
    budget_usd: float,
    accuracy: float,
    errors: Errors,
    owned_labels: float = 0.0,
    terms: Terms = NO_TERMS,
) -> Case:
    """The best plan if the LLM were right in a share of its labels.

    raises : InputError for an accuracy at or below chance
    """
    task, name = open_to.task, f"LLM right in {100 * accuracy:g} %, errors {_ERRORS[errors]}"
    classes = n_classes(task)
    annotate = [o for o in open_to.options if o.surface.route.strategy == "annotate"]
    if classes is None or not annotate:
        why = (
            f"an answer of {task.name} is text: no share of right labels links it to a score"
            if classes is None
            else "no annotation curve is among the options"
        )
        return Case(kind="llm_accuracy", name=name, plan=None, reason=why)
    if accuracy <= 1 / classes:
        raise InputError(
            f"--llm-accuracy: found {100 * accuracy:g}, wanted more than chance on {task.name}: {100 / classes:.3g}."
        )
    try:
        llm = [
            o
            for a in _of_llm_students(open_to.options, annotate)
            for o in _llm_options(
                task, card, a, _llm_surfaces(a.surface, accuracy, classes, errors), owned_labels, terms
            )
        ]
    except MissingPriceError as error:
        return Case(kind="llm_accuracy", name=name, plan=None, reason=str(error))
    others = [o for o in open_to.options if o.surface.route.strategy not in LLM_STRATEGIES]
    return Case(
        kind="llm_accuracy",
        name=name,
        plan=best_plan(task, [*others, *llm], budget_usd),
        beside=_beside(task, llm, budget_usd),
        notes=(_rule_words(accuracy, classes, errors), *_implied_notes(open_to.options, classes, errors)),
    )


def _of_llm_students(options: Sequence[Option], annotate: Sequence[Option]) -> list[Option]:
    """Annotation options of the students that the evidence's LLM labelled for; of all where there is none."""
    students = {o.surface.route.student for o in options if o.surface.route.strategy in LLM_STRATEGIES}
    return [o for o in annotate if not students or o.surface.route.student in students]


def _llm_surfaces(annotate: Surface, accuracy: float, classes: int, errors: Errors) -> list[Surface]:
    """LLM labels alone, and beside human ones where their errors are random: learnt errors do not average out."""
    labeler = f"LLM at {100 * accuracy:g} %"
    alone = llm_surface(annotate, accuracy, classes, errors, labeler)
    if errors == "learnable":
        return [alone]
    return [alone, mixed_surface(annotate, label_worth(accuracy, classes), labeler)]


def _llm_options(
    task: Task, card: RateCard, annotate: Option, surfaces: Sequence[Surface], owned_labels: float, terms: Terms
) -> list[Option]:
    """Options of modelled surfaces, priced by the card under the same terms."""
    hours, found = annotate.hours, []
    for s in surfaces:
        cost = cost_model(s.route.strategy, task, card, hours, owned_labels=owned_labels, terms=terms)
        found.append(
            replace(modelled(annotate, s), cost=under(cost, card, hours, terms, s.route.teacher, owned_labels))
        )
    return found


def _rule_words(accuracy: float, classes: int, errors: Errors) -> str:
    if errors == "random":
        return (
            f"a label is worth {label_worth(accuracy, classes):.2f} true ones, its errors random among {classes} "
            "labels: on the high side."
        )
    return "the student learns the errors like all else, and so scores at most what the LLM does: on the low side."


def _implied_notes(options: Sequence[Option], classes: int, errors: Errors) -> list[str]:
    """What a rule says of the evidence's own LLM."""
    notes = []
    curves = {o.surface.route.student: o.surface for o in options if o.surface.route.strategy == "annotate"}
    for o in options:
        if o.surface.route.strategy == "llm_annotate" and o.surface.route.student in curves:
            seen = implied_accuracy(curves[o.surface.route.student], o.surface, classes, errors)
            if seen is not None:
                notes.append(_implied_words(str(o.surface.route.labeler), seen))
    return notes


def _implied_words(labeler: str, seen: ImpliedAccuracy) -> str:
    misfit = f"misfit {100 * seen.misfit:.1f} points, {seen.n_points} sizes"
    if seen.misfit > _MISFIT:
        return f"no accuracy makes this rule describe {labeler} of the evidence ({misfit})."
    return (
        f"by this rule {labeler} of the evidence works like labels right in {100 * seen.lower:.0f} to "
        f"{100 * seen.upper:.0f} % of cases ({misfit})."
    )


def _beside(task: Task, options: Sequence[Option], budget_usd: float) -> tuple[Allocation, ...]:
    """The best plan of each route alone, where it beats the constant answer; a chance of being best means nothing."""
    ways = ([options[i] for i in same] for same in rows_by_route(options).values())
    plans = [replace(best_plan(task, same, budget_usd), standing=None) for same in ways]
    return tuple(p for p in plans if p.route.kind is not CONSTANT)

"""Labels of an LLM that nobody measured on a task: options modelled from the curves of people's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from budgetsim.answers.evidence import Evidence
from budgetsim.answers.notes import ChoiceNote, ImpliedLlmLabels, LeftOut, LlmRule, OtherLlm
from budgetsim.answers.pricing import Pricing, bounded
from budgetsim.choosing.options import Allocation, Option
from budgetsim.choosing.recommend import best_plan
from budgetsim.costs.model import cost_model
from budgetsim.costs.terms import apply
from budgetsim.data.tasks import Task
from budgetsim.design.strategies import LLM_ANNOTATE
from budgetsim.economics.noisy_labels import Errors, label_worth, llm_surface, mixed_surface, n_classes, tells
from budgetsim.economics.whatif import modelled
from budgetsim.errors import InputError, MissingPriceError

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices

_CLOSE: Final = 0.005  # an accuracy is told to half a percent


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmNeeded:
    """How good an LLM has to be for its labels to do as well as a plan, for no more money.

    accuracy : fraction of its labels that are right
    plan : what they would be used for
    """

    accuracy: float
    plan: Allocation


def with_llm_accuracy(open_to: Choices, accuracy: float) -> Choices:
    """The same choices with an LLM right in a share of its labels in place of the evidence's.

    Its errors are taken to be as those of real LLMs were, alone and beside labels of people.

    accuracy : fraction
    raises : InputError where it is at or below chance, or answers are texts; MissingPriceError
    """
    task, classes = open_to.task, n_classes(open_to.task)
    if classes is None:
        raise InputError(
            f"--llm-accuracy: answers of {task.name} are texts, so no share of right labels tells a score."
        )
    check_accuracy(task, accuracy, classes)
    llm = labelled_options(task, open_to.pricing, open_to.options, accuracy, "real")
    others = [o for o in open_to.options if not o.route.kind.has_labeler]
    notes = [n for n in open_to.notes if not isinstance(n, OtherLlm | ImpliedLlmLabels)]
    return replace(open_to, options=(*others, *llm), notes=(rule_note(accuracy, classes, "real"), *notes))


def llm_needed(open_to: Choices, cost_usd: float, score: float) -> LlmNeeded | None:
    """The least accuracy at which labels of the card's LLM reach a score for a cost, modelled.

    score : percent
    None where labels of an LLM are among the options, or cannot be: answers are texts, nobody's labels were learnt
    from, the card names no LLM; and where no accuracy is enough.
    """
    task, pricing, options = open_to.task, open_to.pricing, open_to.options
    classes = n_classes(task)
    if classes is None or pricing.card.llm is None or any(o.route.kind.has_labeler for o in options):
        return None
    found: dict[float, Allocation] = {}

    def alone(accuracy: float) -> list[Option]:
        return labelled_options(task, pricing, options, accuracy, "real", beside=False)

    def is_enough(accuracy: float) -> bool:
        found[accuracy] = best_plan(task, alone(accuracy), cost_usd)
        return found[accuracy].score >= score

    low, high = 1 / classes, 1.0
    if not any(is_annotated(o) for o in options) or not is_enough(high):
        return None
    while high - low > _CLOSE:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return LlmNeeded(accuracy=high, plan=found[high])


def check_accuracy(task: Task, accuracy: float, classes: int) -> None:
    """Refuse an LLM that is no better than a guess."""
    if not tells(accuracy, classes):
        raise InputError(
            f"--llm-accuracy: found {100 * accuracy:g}, wanted more than chance on {task.name}: {100 / classes:.3g}, "
            f"by a tenth of a point or more."
        )


def is_annotated(option: Option) -> bool:
    """Whether a student is trained on labels of people, and on nothing else."""
    return option.surface.route.kind.inputs == ("n_labels",)


def labelled_options(
    task: Task,
    pricing: Pricing,
    options: Sequence[Option],
    accuracy: float,
    errors: Errors,
    labeler: str | None = None,
    *,
    beside: bool = True,
) -> list[Option]:
    """Options of each student on labels of an LLM, and beside people's, under the same pricing and hours of annotating.

    options : those of the task; students that the evidence's LLM labelled for, or all where there is none
    accuracy : fraction, above chance; labeler : its name; beside : whether people may label, too
    raises : MissingPriceError
    """
    name = labeler or f"LLM at {100 * accuracy:g} %"
    classes = n_classes(task) or 0
    made = (llm_surface, mixed_surface) if beside else (llm_surface,)
    return [
        repriced(modelled(o, surface_of(o.surface, accuracy, classes, errors, name)), task, pricing)
        for o in _students(options)
        for surface_of in made
    ]


def tried_llm_options(
    evidence: Evidence, task: Task, pricing: Pricing, options: Sequence[Option]
) -> tuple[list[Option], list[ChoiceNote]]:
    """Labels of the LLM that was found most often right, modelled."""
    classes, tried = n_classes(task), _tried_llms(evidence, task)
    if classes is None or not tried:
        return [], []
    best = max(tried, key=lambda name: tried[name])
    accuracy = tried[best]
    if not tells(accuracy, classes):
        return [], []
    try:
        found = labelled_options(task, pricing, options, accuracy, "real", best)
    except MissingPriceError as error:
        return [], [LeftOut(strategy=LLM_ANNOTATE.name, reason=str(error))]
    return found, [rule_note(accuracy, classes, "real")] if found else []


def _tried_llms(evidence: Evidence, task: Task) -> dict[str, float]:
    """How often each LLM was right on labels of people, a fraction: in own runs on its labels, or in a probe."""
    runs: dict[str, list[float]] = {}
    for m in evidence.rows(task.name):
        if m.route.labeler is not None and not m.route.is_simulated and m.labeler_accuracy is not None:
            runs.setdefault(m.route.labeler, []).append(m.labeler_accuracy)
    probed = {c.model: c.score / 100 for c in evidence.callers if c.task == task.name and c.is_probed}
    return {name: sum(each) / len(each) for name, each in runs.items()} | probed


def repriced(option: Option, task: Task, pricing: Pricing) -> Option:
    """A modelled option under another pricing, with the hours that it has.

    raises : MissingPriceError
    """
    card, hours, route = pricing.card, option.hours, option.route
    cost = apply(cost_model(route.kind, task, card, hours), card, hours, bounded(pricing, task), route)
    return replace(option, cost=cost)


def rule_note(accuracy: float, classes: int, errors: Errors) -> LlmRule:
    """What is said of a rule."""
    return LlmRule(errors=errors, classes=classes, worth=label_worth(accuracy, classes) if errors == "random" else None)


def _students(options: Sequence[Option]) -> list[Option]:
    """Annotation options of the students that the evidence's LLM labelled for; of all where there is none."""
    students = {o.surface.route.student for o in options if o.surface.route.kind.has_labeler}
    return [o for o in options if is_annotated(o) and (not students or o.surface.route.student in students)]

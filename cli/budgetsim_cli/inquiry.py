"""What the commands that answer from evidence share: a question checked, what money can buy, and the answers shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from budgetsim_cli.console import (
    check_amount,
    check_finite,
    find_store,
    print_json,
    print_page,
    read_rates,
    say,
    show_pictures,
)
from budgetsim_cli.question import named_tasks

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices, Selection
    from budgetsim.answers.evidence import Evidence
    from budgetsim.answers.pricing import Pricing
    from budgetsim.answers.rivals import Rival
    from budgetsim.choosing.options import Infeasible
    from budgetsim.costs.hours import ComputeModel
    from budgetsim.costs.rates import RateCard
    from budgetsim.costs.terms import Terms
    from budgetsim.design.surface import TaskFit
    from budgetsim.report.pictures import Picture
    from budgetsim.report.table import Page
    from budgetsim_cli.question import Question

# Ways of using money that somebody may ask for by name, and that nothing is known of.
UNMEASURED = {
    "distill_plus_llm": "distilling from a teacher whose training labels are partly an LLM's",
}


class Inquiry(NamedTuple):
    """A question with the evidence and prices to answer it, and what they open for each task."""

    question: Question
    evidence: Evidence
    pricing: Pricing
    selection: Selection
    tasks: list[Choices]

    @property
    def card(self) -> RateCard:
        return self.pricing.card

    def choices(self, task: str, pricing: Pricing) -> Choices:
        """What was selected of a task, under another pricing."""
        from budgetsim.answers.choices import choices

        return choices(self.evidence, task, pricing, self.selection)

    def rivals(self, task: str) -> list[Rival]:
        """Students measured on labels of a task beside its evidence, of those asked about, as far as its labels go."""
        from budgetsim.answers.rivals import rivals
        from budgetsim.design.points import Route

        measured = rivals(self.evidence, task, self.pricing)
        return [r for r in measured if self.selection.admits(Route(strategy="annotate", student=r.student))]


class TaskReport(NamedTuple):
    """The answer to one task, for programs and for people.

    buys : whether the budget buys anything that trains; reaches : whether the target is reached
    picture : where one was asked for; plan_share : chance that the plan is the best, where a budget has one
    """

    data: Mapping[str, Any]
    page: Page
    buys: bool = True
    reaches: bool = True
    picture: Picture | None = None
    plan_share: float | None = None


def open_inquiry(question: Question) -> Inquiry:
    """Read the card and the store, and price what was asked for.

    raises : InputError and what `load_evidence` and `open_choices` raise
    """
    from budgetsim.answers.choices import Selection, open_choices, priced_tasks
    from budgetsim.answers.evidence import load_evidence
    from budgetsim.answers.pricing import Pricing

    question = question._replace(task=named_tasks(question.task, question.like))
    terms = read_terms(question)
    compute = check_compute(question.compute)
    check_strategies(question.strategy)
    pricing = Pricing(read_rates(question.rates), compute, terms)
    selection = Selection(strategies=tuple(question.strategy or ()), students=tuple(question.student or ()))
    asked = question.task or partial(priced_tasks, card=pricing.card)
    evidence = load_evidence(find_store(question.store, question.create), question.evidence, say, asked)
    tasks = open_choices(evidence, question.task or None, pricing, selection, say=say)
    return Inquiry(question, evidence, pricing, selection, tasks)


def report_tasks(
    inquiry: Inquiry, answer: Callable[[Choices], TaskReport], plot: Path | None = None, **head: object
) -> list[TaskReport]:
    """Answer every task of an inquiry and print the answers, as JSON or as pages.

    plot : where the pictures of the answers go
    head : what stands before the tasks in JSON
    """
    reports = {open_to.task.name: answer(open_to) for open_to in inquiry.tasks}
    check_finite([report.data for report in reports.values()])
    if inquiry.question.as_json:
        print_json({**head, "tasks": {task: report.data for task, report in reports.items()}})
    else:
        first = {c.task.name: forecast_line(c.fit, reports[c.task.name].plan_share) for c in inquiry.tasks}
        print_page([line for task, report in reports.items() for line in ("", *first[task], *report.page)][1:])
    pictures = [report.picture for report in reports.values() if report.picture is not None]
    if pictures:
        show_pictures(pictures, plot, quiet=inquiry.question.as_json)
    return list(reports.values())


def with_llm(open_to: Choices, accuracy: float | None) -> Choices:
    """The same choices, with an LLM of a stated accuracy (a fraction) where there is one.

    raises : as `llm_labels.with_llm_accuracy`
    """
    if accuracy is None:
        return open_to
    from budgetsim.answers.llm_labels import with_llm_accuracy

    return with_llm_accuracy(open_to, accuracy)


def forecast_line(fit: TaskFit, plan_share: float | None = None) -> list[str]:
    """What is known of a task that is forecast from others, before its answer; nothing of one with a fit of its own.

    plan_share : chance that the answer's own plan is the best, where it has one
    """
    from budgetsim.design.cautions import FromOtherTasks
    from budgetsim.report.cautions import forecast_words

    told = [c for c in fit.cautions if isinstance(c, FromOtherTasks)]
    return [forecast_words(c if plan_share is None else replace(c, plan_share=plan_share)) for c in told]


def buys_training(open_to: Choices, infeasible: Sequence[Infeasible]) -> bool:
    """Whether anything that trains can be had, of the routes on offer some of which are infeasible."""
    return {o.route for o in open_to.options} > {entry.route for entry in infeasible}


def refuse_unbought(inquiry: Inquiry, reports: Sequence[TaskReport], option: str, usd: float) -> None:
    """Exit code 3 where a budget buys no trained model on any task; who asks for the constant answer gets it.

    option : that names the budget
    raises : InfeasibleBudgetError
    """
    from budgetsim.design.strategies import CONSTANT
    from budgetsim.errors import InfeasibleBudgetError

    if not any(report.buys for report in reports) and inquiry.question.strategy != [CONSTANT.name]:
        names = ", ".join(open_to.task.name for open_to in inquiry.tasks)
        raise InfeasibleBudgetError(
            f"${usd:,.2f} buys no trained model on {names}; the answer says why. "
            f"Raise {option}, or loosen pools, bounds and deadline."
        )


def check_compute(name: str) -> ComputeModel:
    """One of the three compute models.

    raises : InputError
    """
    from budgetsim.costs.hours import COMPUTE_MODELS
    from budgetsim.doors.amounts import did_you_mean
    from budgetsim.errors import InputError

    for model in COMPUTE_MODELS:
        if model == name:
            return model
    near = did_you_mean(name, COMPUTE_MODELS)
    raise InputError(f"--compute: found {name!r}, wanted {', '.join(COMPUTE_MODELS)}.{near}")


def check_strategies(names: list[str] | None) -> None:
    """Strategies somebody asked for by name.

    raises : InputError; NoEvidenceError for a strategy that can be thought of and that nobody has run
    """
    from budgetsim.design.strategies import STRATEGIES
    from budgetsim.doors.amounts import did_you_mean
    from budgetsim.errors import InputError, NoEvidenceError

    for name in names or ():
        if name in UNMEASURED:
            raise NoEvidenceError(
                f"{name}: nothing is published or measured of {UNMEASURED[name]}, so it is not offered; leave it out. "
                f"A mix with evidence is annotate_plus_llm."
            )
        if name not in STRATEGIES:
            near = did_you_mean(name, STRATEGIES)
            raise InputError(f"--strategy: found {name!r}, wanted {', '.join(STRATEGIES)}.{near}")


def read_terms(question: Question) -> Terms:
    """What a project owns and must keep to.

    raises : InputError
    """
    from budgetsim.costs.terms import NO_TERMS
    from budgetsim.errors import InputError

    if question.labels_per_day is not None:
        check_amount(question.labels_per_day, "--labels-per-day", above_zero=True)
    elif question.deadline is not None or question.gpus is not None:
        option = "--deadline" if question.deadline is not None else "--gpus"
        raise InputError(f"{option} needs to know how many labels people give in a day; add --labels-per-day N.")
    if question.deadline is not None:
        check_amount(question.deadline, "--deadline", above_zero=True)
    if question.owned_teacher is not None and len(question.task or ()) != 1:
        raise InputError("--owned-teacher: a teacher is tuned for one task; name it with one --task.")
    return NO_TERMS._replace(
        owned_labels=question.owned_labels,
        owned_teacher=None if question.owned_teacher is None else _model_and_size(question.owned_teacher),
        max_labels=question.max_labels,
        pool=question.pool,
        labels_per_day=question.labels_per_day,
        gpus=question.gpus or 1,
        deadline_days=NO_TERMS.deadline_days if question.deadline is None else question.deadline,
    )


def _model_and_size(text: str) -> tuple[str, int]:
    from budgetsim.errors import InputError

    model, _, size = text.rpartition(":")
    if not model or not size.isascii() or not size.isdigit() or not 1 <= int(size) <= 10**12:
        raise InputError(f"--owned-teacher: found {text!r}, wanted MODEL:N, as in t5-v1_1-xxl:5000.")
    return model, int(size)

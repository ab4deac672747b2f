"""What the commands that answer from evidence share: a question checked, and what money can buy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from budgetsim_cli.console import check_amount, read_rates, say

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices, Rival
    from budgetsim.answers.evidence import Evidence
    from budgetsim.answers.sensitivity import Reprice
    from budgetsim.choosing.options import Infeasible
    from budgetsim.costs.hours import ComputeModel
    from budgetsim.costs.model import Terms
    from budgetsim.costs.rates import RateCard
    from budgetsim_cli.question import Question

# Ways of using money that somebody may ask for by name, and that nothing is known of.
UNMEASURED = {
    "distill_plus_llm": "distilling from a teacher whose training labels are partly an LLM's",
}


class Asked(NamedTuple):
    """A question with the evidence and prices to answer it, and what they open for each task."""

    question: Question
    evidence: Evidence
    card: RateCard
    compute: ComputeModel
    terms: Terms
    tasks: list[Choices]

    def reprice(self, task: str) -> Reprice:
        """The same choices of a task under another card or compute model."""
        from budgetsim.answers.choices import choices

        return partial(choices, self.evidence, task, **_kept(self.question, self.terms))

    def rivals(self, task: str) -> list[Rival]:
        """Cheap students measured on a task, as far as its labels go."""
        from budgetsim.answers.choices import rivals

        return rivals(self.evidence, task, self.card, owned_labels=self.question.owned_labels, terms=self.terms)


def open_asked(question: Question) -> Asked:
    """Read the card and the store, and price what was asked for.

    raises : InputError and what `load_evidence` and `open_choices` raise
    """
    from budgetsim.answers.choices import open_choices
    from budgetsim.answers.evidence import load_evidence
    from budgetsim.store.location import locate

    terms = read_terms(question)
    model = check_compute(question.compute)
    check_strategies(question.strategy)
    card = read_rates(question.rates)
    found = load_evidence(locate(question.store), question.evidence, say, question.task or None)
    kept = _kept(question, terms)
    tasks = open_choices(found, question.task or None, card, compute=model, say=say, **kept)
    return Asked(question, found, card, model, terms, tasks)


def _kept(question: Question, terms: Terms) -> dict[str, Any]:
    """What stays of a question whatever the prices are, as `choices` takes it."""
    return {
        "owned_labels": question.owned_labels,
        "terms": terms,
        "strategies": question.strategy or (),
        "students": question.student or (),
    }


def buys(open_to: Choices, infeasible: Sequence[Infeasible]) -> bool:
    """Whether anything that trains can be had, of the routes on offer some of which are infeasible."""
    return {o.route for o in open_to.options} > {entry.route for entry in infeasible}


def refuse_unbought(question: Question, option: str, usd: float, tasks: list[str], *, bought: bool) -> None:
    """Exit code 3 where a budget buys no trained model on any task; who asks for the constant answer gets it.

    option : that names the budget
    raises : InfeasibleBudgetError
    """
    from budgetsim.errors import InfeasibleBudgetError

    if not bought and question.strategy != ["constant"]:
        raise InfeasibleBudgetError(
            f"${usd:,.2f} buys no trained model on {', '.join(tasks)}; the answer says why. "
            f"Raise {option}, or loosen pools, bounds and deadline."
        )


def check_compute(name: str) -> ComputeModel:
    """One of the three compute models.

    raises : InputError
    """
    from budgetsim.costs.hours import COMPUTE_MODELS
    from budgetsim.errors import InputError

    for model in COMPUTE_MODELS:
        if model == name:
            return model
    raise InputError(f"--compute: found {name!r}, wanted {', '.join(COMPUTE_MODELS)}.")


def check_strategies(names: list[str] | None) -> None:
    """Strategies somebody asked for by name.

    raises : InputError; NoEvidenceError for a strategy that can be thought of and that nobody has run
    """
    from budgetsim.design.strategies import STRATEGIES
    from budgetsim.errors import InputError, NoEvidenceError

    for name in names or ():
        if name in UNMEASURED:
            raise NoEvidenceError(
                f"{name}: nothing is published or measured of {UNMEASURED[name]}, so it is not offered; leave it out. "
                f"A mix with evidence is annotate_plus_llm."
            )
        if name not in STRATEGIES:
            raise InputError(f"--strategy: found {name!r}, wanted {', '.join(STRATEGIES)}.")


def read_terms(asked: Question) -> Terms:
    """What a project owns and must keep to.

    raises : InputError
    """
    from budgetsim.costs.model import NO_TERMS
    from budgetsim.errors import InputError

    if asked.labels_per_day is not None:
        check_amount(asked.labels_per_day, "--labels-per-day", above_zero=True)
    elif asked.deadline is not None or asked.gpus is not None:
        option = "--deadline" if asked.deadline is not None else "--gpus"
        raise InputError(f"{option} needs to know how many labels people give in a day; add --labels-per-day N.")
    if asked.deadline is not None:
        check_amount(asked.deadline, "--deadline", above_zero=True)
    if asked.owned_teacher is not None and len(asked.task or ()) != 1:
        raise InputError("--owned-teacher: a teacher is tuned for one task; name it with one --task.")
    return NO_TERMS._replace(
        owned_teacher=None if asked.owned_teacher is None else _model_and_size(asked.owned_teacher),
        max_labels=asked.max_labels,
        pool=asked.pool,
        labels_per_day=asked.labels_per_day,
        gpus=asked.gpus or 1,
        deadline_days=NO_TERMS.deadline_days if asked.deadline is None else asked.deadline,
    )


def _model_and_size(text: str) -> tuple[str, int]:
    from budgetsim.errors import InputError

    model, _, size = text.rpartition(":")
    if not model or not size.isascii() or not size.isdigit() or not 1 <= int(size) <= 10**12:
        raise InputError(f"--owned-teacher: found {text!r}, wanted MODEL:N, as in t5-v1_1-xxl:5000.")
    return model, int(size)

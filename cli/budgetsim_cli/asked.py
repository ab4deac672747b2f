"""What the commands that answer from evidence share: their options, and what money can buy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from budgetsim_cli.console import check_amount, read_rates, say

if TYPE_CHECKING:
    from budgetsim.advise import Choices, Evidence
    from budgetsim.compute import ComputeModel
    from budgetsim.costs import Terms
    from budgetsim.rates import RateCard

Owned = Annotated[int, typer.Option("--owned-labels", min=0, help="Labels already paid for.")]
Compute = Annotated[str, typer.Option("--compute", help="How compute is billed: published, cached or modern.")]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", help="Only this strategy; may be given again.", show_default="all with a price"),
]
Students = Annotated[
    list[str] | None, typer.Option("--student", help="Only this student; may be given again.", show_default="all")
]

OwnedTeacher = Annotated[
    str | None,
    typer.Option(
        "--owned-teacher",
        metavar="MODEL:N",
        help="A teacher already tuned on N labels, e.g. t5-v1_1-xxl:5000.",
        show_default=False,
    ),
]
MaxLabels = Annotated[
    int | None,
    typer.Option(
        "--max-labels", min=0, help="Labels that people can give, besides those owned.", show_default="the card's"
    ),
]
PoolSize = Annotated[
    int | None, typer.Option("--pool", min=0, help="Unlabelled texts there are.", show_default="the card's")
]
Deadline = Annotated[
    float | None,
    typer.Option("--deadline", help="Days there are; needs --labels-per-day.", show_default=False),
]
LabelsPerDay = Annotated[
    float | None,
    typer.Option("--labels-per-day", help="Labels people give in a day; plans then tell days.", show_default=False),
]
Gpus = Annotated[
    int | None, typer.Option("--gpus", min=1, help="Devices that share the device-hours.", show_default="1")
]

# Ways of using money that somebody may ask for by name, and that nothing is known of.
UNMEASURED = {
    "distill_plus_llm": "distilling from a teacher whose training labels are partly an LLM's",
}


class Asked(NamedTuple):
    """Evidence, prices, and what they open for each task."""

    evidence: Evidence
    card: RateCard
    compute: ComputeModel
    tasks: list[Choices]
    terms: Terms


def open_asked(
    *,
    task: list[str] | None,
    rates: Path | None,
    owned_labels: int,
    compute: str,
    strategy: list[str] | None,
    student: list[str] | None,
    evidence: str | None,
    store: Path | None,
    terms: Terms | None = None,
) -> Asked:
    """Read the card and the store, and price what was asked for.

    raises : InputError and what `load_evidence` and `open_choices` raise
    """
    from budgetsim.advise import load_evidence, open_choices
    from budgetsim.costs import NO_TERMS
    from budgetsim.store.location import locate

    model = check_compute(compute)
    check_strategies(strategy)
    card = read_rates(rates)
    terms = terms or NO_TERMS
    found = load_evidence(locate(store), evidence, say, task or None)
    tasks = open_choices(
        found,
        task or None,
        card,
        compute=model,
        owned_labels=owned_labels,
        terms=terms,
        strategies=strategy or (),
        students=student or (),
        say=say,
    )
    return Asked(found, card, model, tasks, terms)


def check_compute(name: str) -> ComputeModel:
    """One of the three compute models.

    raises : InputError
    """
    from budgetsim.compute import COMPUTE_MODELS
    from budgetsim.errors import InputError

    for model in COMPUTE_MODELS:
        if model == name:
            return model
    raise InputError(f"--compute: found {name!r}, wanted {', '.join(COMPUTE_MODELS)}.")


def check_strategies(names: list[str] | None) -> None:
    """Strategies somebody asked for by name.

    raises : InputError; NoEvidenceError for a strategy that can be thought of and that nobody has run
    """
    from budgetsim.design import STRATEGIES
    from budgetsim.errors import InputError, NoEvidenceError

    for name in names or ():
        if name in UNMEASURED:
            raise NoEvidenceError(
                f"{name}: nothing is published or measured of {UNMEASURED[name]}, so it is not offered; leave it out. "
                f"A mix with evidence is annotate_plus_llm."
            )
        if name not in STRATEGIES:
            raise InputError(f"--strategy: found {name!r}, wanted {', '.join(STRATEGIES)}.")


def read_terms(
    task: list[str] | None,
    *,
    owned_teacher: str | None,
    max_labels: int | None,
    pool: int | None,
    deadline: float | None,
    labels_per_day: float | None,
    gpus: int | None,
) -> Terms:
    """What a project owns and must keep to, from its options.

    raises : InputError
    """
    from budgetsim.costs import NO_TERMS
    from budgetsim.errors import InputError

    if labels_per_day is not None:
        check_amount(labels_per_day, "--labels-per-day", above_zero=True)
    elif deadline is not None or gpus is not None:
        option = "--deadline" if deadline is not None else "--gpus"
        raise InputError(f"{option} needs to know how many labels people give in a day; add --labels-per-day N.")
    if deadline is not None:
        check_amount(deadline, "--deadline", above_zero=True)
    if owned_teacher is not None and len(task or ()) != 1:
        raise InputError("--owned-teacher: a teacher is tuned for one task; name it with one --task.")
    return NO_TERMS._replace(
        owned_teacher=None if owned_teacher is None else _model_and_size(owned_teacher),
        max_labels=max_labels,
        pool=pool,
        labels_per_day=labels_per_day,
        gpus=gpus or 1,
        deadline_days=NO_TERMS.deadline_days if deadline is None else deadline,
    )


def _model_and_size(text: str) -> tuple[str, int]:
    from budgetsim.errors import InputError

    model, _, size = text.rpartition(":")
    if not model or not size.isascii() or not size.isdigit() or not 1 <= int(size) <= 10**12:
        raise InputError(f"--owned-teacher: found {text!r}, wanted MODEL:N, as in t5-v1_1-xxl:5000.")
    return model, int(size)

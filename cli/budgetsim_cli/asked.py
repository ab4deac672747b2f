"""What the commands that answer from evidence share: their options, and what money can buy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from budgetsim_cli.console import read_rates, say

if TYPE_CHECKING:
    from budgetsim.advise import Choices, Evidence
    from budgetsim.compute import ComputeModel
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


class Asked(NamedTuple):
    """Evidence, prices, and what they open for each task."""

    evidence: Evidence
    card: RateCard
    compute: ComputeModel
    tasks: list[Choices]


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
) -> Asked:
    """Read the card and the store, and price what was asked for.

    raises : InputError and what `load_evidence` and `open_choices` raise
    """
    from budgetsim.advise import load_evidence, open_choices
    from budgetsim.store.location import locate

    model = check_compute(compute)
    check_strategies(strategy)
    card = read_rates(rates)
    found = load_evidence(locate(store), evidence, say)
    tasks = open_choices(
        found,
        task or None,
        card,
        compute=model,
        owned_labels=owned_labels,
        strategies=strategy or (),
        students=student or (),
        say=say,
    )
    return Asked(found, card, model, tasks)


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

    raises : InputError
    """
    from budgetsim.design import STRATEGIES
    from budgetsim.errors import InputError

    for name in names or ():
        if name not in STRATEGIES:
            raise InputError(f"--strategy: found {name!r}, wanted {', '.join(STRATEGIES)}.")

"""`budgetsim optimize`: how a budget is best split, and what it buys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import (
    EvidenceName,
    Json,
    Rates,
    Store,
    Tasks,
    check_amount,
    print_json,
    print_page,
    read_rates,
    say,
)

if TYPE_CHECKING:
    from budgetsim.compute import ComputeModel
    from budgetsim.report import Page

PURE_SIZES = (100, 500, 1000, 5000, 10_000)  # initial labels of the paper's own comparison

Budget = Annotated[float, typer.Option("--budget", help="US dollars to spend.")]
Owned = Annotated[int, typer.Option("--owned-labels", min=0, help="Labels already paid for.")]
Compute = Annotated[str, typer.Option("--compute", help="How compute is billed: published, cached or modern.")]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", help="Only this strategy; may be given again.", show_default="all with a price"),
]
Students = Annotated[
    list[str] | None, typer.Option("--student", help="Only this student; may be given again.", show_default="all")
]


def optimize(
    budget: Budget,
    task: Tasks = None,
    rates: Rates = None,
    owned_labels: Owned = 0,
    pure: Annotated[bool, typer.Option("--pure", help="Beside it, the paper's own comparison.")] = False,
    compute: Compute = "published",
    strategy: Strategies = None,
    student: Students = None,
    evidence: EvidenceName = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Split a budget over labels and compute for the highest expected score."""
    from budgetsim.advise import load_evidence, open_choices, rivals
    from budgetsim.errors import InfeasibleBudgetError
    from budgetsim.optimize import optimize_task
    from budgetsim.report import answer_json, answer_page
    from budgetsim.store.location import locate

    check_amount(budget, "--budget")
    model = check_compute(compute)
    check_strategies(strategy)
    card = read_rates(rates)
    found = load_evidence(locate(store), evidence, say)
    asked = open_choices(
        found,
        task or None,
        card,
        compute=model,
        owned_labels=owned_labels,
        strategies=strategy or (),
        students=student or (),
        say=say,
    )
    starts = ((owned_labels,) if owned_labels else PURE_SIZES) if pure else ()
    objects: dict[str, object] = {}
    page: Page = []
    bought = strategy == ["constant"]
    for open_to in asked:
        answer = optimize_task(open_to.task, open_to.options, budget, initial_sizes=starts)
        others = rivals(found, answer.task, card)
        objects[answer.task] = answer_json(answer, open_to, card, others, model)
        page += ["", *answer_page(answer, open_to, card, others, model)]
        bought |= any(a.feasible and a.strategy != "constant" for a in answer.allocations)
    if as_json:
        print_json({"tasks": objects})
    else:
        print_page(page[1:])
    if not bought:
        raise InfeasibleBudgetError(
            f"${budget:,.2f} buys no trained model on {', '.join(objects)}; the answer says why. Raise --budget."
        )


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

"""`budgetsim optimize`: how a budget is best split, and what it buys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.asked import Compute, Owned, Strategies, Students, open_asked
from budgetsim_cli.console import (
    EvidenceName,
    Json,
    Rates,
    Store,
    Tasks,
    check_amount,
    print_json,
    print_page,
)

if TYPE_CHECKING:
    from budgetsim.report.grid import Page

PURE_SIZES = (100, 500, 1000, 5000, 10_000)  # initial labels of the paper's own comparison

Budget = Annotated[float, typer.Option("--budget", help="US dollars to spend.")]


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
    from budgetsim.advise import rivals
    from budgetsim.errors import InfeasibleBudgetError
    from budgetsim.optimize import optimize_task
    from budgetsim.report.answer import answer_json, answer_page

    check_amount(budget, "--budget")
    asked = open_asked(
        task=task,
        rates=rates,
        owned_labels=owned_labels,
        compute=compute,
        strategy=strategy,
        student=student,
        evidence=evidence,
        store=store,
    )
    starts = ((owned_labels,) if owned_labels else PURE_SIZES) if pure else ()
    objects: dict[str, object] = {}
    page: Page = []
    bought = strategy == ["constant"]
    for open_to in asked.tasks:
        answer = optimize_task(open_to.task, open_to.options, budget, initial_sizes=starts)
        others = rivals(asked.evidence, answer.task, asked.card)
        objects[answer.task] = answer_json(answer, open_to, asked.card, others, asked.compute)
        page += ["", *answer_page(answer, open_to, asked.card, others, asked.compute)]
        bought |= any(a.feasible and a.strategy != "constant" for a in answer.allocations)
    if as_json:
        print_json({"tasks": objects})
    else:
        print_page(page[1:])
    if not bought:
        raise InfeasibleBudgetError(
            f"${budget:,.2f} buys no trained model on {', '.join(objects)}; the answer says why. Raise --budget."
        )

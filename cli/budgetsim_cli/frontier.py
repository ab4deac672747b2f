"""`budgetsim frontier`: the Pareto frontier of dollars and score."""

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
from budgetsim_cli.optimize import Compute, Owned, Strategies, Students, check_compute, check_strategies

if TYPE_CHECKING:
    from budgetsim.report import Page


def frontier(
    task: Tasks = None,
    max_budget: Annotated[float, typer.Option("--max-budget", help="US dollars at the right end.")] = 10_000.0,
    points: Annotated[int, typer.Option("--points", min=2, max=1000, help="Budgets that are tried.")] = 60,
    rates: Rates = None,
    owned_labels: Owned = 0,
    compute: Compute = "published",
    strategy: Strategies = None,
    student: Students = None,
    evidence: EvidenceName = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Trace what growing budgets buy, with bands, and where each strategy wins."""
    from budgetsim.advise import load_evidence, open_choices
    from budgetsim.frontier import trace_frontier
    from budgetsim.report import choice_notes, frontier_json, frontier_page
    from budgetsim.store.location import locate

    check_amount(max_budget, "--max-budget", above_zero=True)
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
    objects: dict[str, object] = {}
    page: Page = []
    for open_to in asked:
        front = trace_frontier(open_to.task, open_to.options, max_budget, n_budgets=points)
        notes = choice_notes(open_to, model, card)
        objects[front.task] = {"evidence_set": open_to.fit.evidence_set, "notes": notes, **frontier_json(front)}
        page += ["", *frontier_page(front, open_to.task.metric), *(f"Note: {note}" for note in notes)]
    if as_json:
        print_json({"rates": card.name, "tasks": objects})
    else:
        print_page(page[1:])

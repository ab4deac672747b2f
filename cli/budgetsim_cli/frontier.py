"""`budgetsim frontier`: the Pareto frontier of dollars and score."""

from __future__ import annotations

from typing import Annotated

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
from budgetsim_cli.optimize import Compute, Owned, Strategies, Students, check_compute, check_strategies, check_tasks


def frontier(
    task: Tasks = None,
    max_budget: Annotated[float, typer.Option("--max-budget", help="US dollars at the right end.")] = 10_000.0,
    rates: Rates = None,
    owned_labels: Owned = 0.0,
    compute: Compute = "published",
    strategy: Strategies = None,
    student: Students = None,
    evidence: EvidenceName = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Trace what growing budgets buy, with bands, and where each strategy wins."""
    from budgetsim.advise import choices, load_evidence
    from budgetsim.frontier import trace_frontier
    from budgetsim.report import frontier_json, frontier_page
    from budgetsim.store.location import locate

    check_amount(max_budget, "--max-budget", above_zero=True)
    owned = check_amount(owned_labels, "--owned-labels")
    model = check_compute(compute)
    check_strategies(strategy)
    card = read_rates(rates)
    found = load_evidence(locate(store), evidence, say)
    objects, page = {}, []
    for name in check_tasks(task, found):
        open_to = choices(
            found,
            name,
            card,
            compute=model,
            owned_labels=owned,
            strategies=strategy or (),
            students=student or (),
            say=say,
        )
        front = trace_frontier(open_to.task, open_to.options, max_budget)
        objects[name] = {"evidence_set": open_to.fit.evidence_set, **frontier_json(front)}
        page += frontier_page(front, open_to.task.metric)
    if as_json:
        print_json({"rates": card.name, "tasks": objects})
    else:
        print_page(page)

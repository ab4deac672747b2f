"""`budgetsim frontier`: the Pareto frontier of dollars and score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.asked import buys, open_asked, refuse_unbought
from budgetsim_cli.console import check_amount, check_percent, print_json, print_page
from budgetsim_cli.question import Question, asks

if TYPE_CHECKING:
    from budgetsim.report.table import Page


@asks
def frontier(
    question: Question,
    max_budget: Annotated[float, typer.Option("--max-budget", help="US dollars at the right end.")] = 10_000.0,
    points: Annotated[int, typer.Option("--points", min=2, max=1000, help="Budgets that are tried.")] = 60,
    indifference: Annotated[
        float | None,
        typer.Option(
            "--indifference",
            help="Percent score: print labels against texts, and against LLM labels, at equal expected score.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Trace what growing budgets buy, with bands, and where each strategy wins."""
    from budgetsim.design.strategies import CONSTANT
    from budgetsim.economics.frontier import trace_frontier
    from budgetsim.economics.tradeoff import trace_indifference
    from budgetsim.report.frontier import NO_CURVE, frontier_json, frontier_page
    from budgetsim.report.notes import choice_notes, moot_note, reach_notes, sentence, unpriced_words

    check_amount(max_budget, "--max-budget", above_zero=True)
    if indifference is not None:
        check_percent(indifference, "--indifference")
    asked = open_asked(question)
    objects: dict[str, object] = {}
    page: Page = []
    bought = False
    for open_to in asked.tasks:
        front = trace_frontier(open_to.task, open_to.options, max_budget, n_budgets=points)
        wanted = () if indifference is None else open_to.options
        traced = [trace_indifference(option, indifference or 0.0) for option in wanted]
        curves = [curve for curve in traced if curve is not None]
        notes = reach_notes(open_to, front.infeasible, constant=all(r.route.kind is CONSTANT for r in front.regions))
        top = front.points[-1].allocation.score
        notes += moot_note(asked.rivals(front.task), max_budget, top)
        notes += choice_notes(open_to, asked.compute, asked.card)
        bought |= buys(open_to, front.infeasible)
        notes += [sentence(NO_CURVE)] if indifference is not None and not curves else []
        objects[front.task] = {"evidence_set": open_to.fit.evidence_set, "notes": notes, **frontier_json(front, curves)}
        head, *rest = frontier_page(front, open_to.task.metric, curves)
        page += ["", head, *unpriced_words(open_to), *rest, *(f"Note: {note}" for note in notes)]
    if question.as_json:
        print_json({"rates": asked.card.name, "tasks": objects})
    else:
        print_page(page[1:])
    refuse_unbought(question, "--max-budget", max_budget, list(objects), bought=bought)

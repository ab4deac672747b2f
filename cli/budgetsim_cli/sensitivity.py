"""`budgetsim sensitivity`: how the answer moves with prices, cards, compute models and assumptions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.asked import buys, open_asked, refuse_unbought
from budgetsim_cli.console import check_amount, check_percent, print_json, print_page, read_examples, read_rates
from budgetsim_cli.question import Question, asks

if TYPE_CHECKING:
    from budgetsim.costs.rates import RateCard
    from budgetsim.report.table import Page


@asks
def sensitivity(
    question: Question,
    budget: Annotated[float, typer.Option("--budget", help="US dollars to spend.")],
    card: Annotated[
        list[Path] | None,
        typer.Option(
            "--card",
            help="Rate card to set beside: a file, or the name of an example; may be given again.",
            show_default="all example cards",
        ),
    ] = None,
    llm_accuracy: Annotated[
        list[float] | None,
        typer.Option(
            "--llm-accuracy",
            help="If the LLM were right in this percent of labels (modelled); may be given again.",
            show_default=False,
        ),
    ] = None,
    teacher_plateau: Annotated[
        list[float] | None,
        typer.Option(
            "--teacher-plateau",
            help="If the teacher never scored above this percent (modelled); may be given again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the prices at which the choice changes, a tornado, rate cards side by side, and what-ifs."""
    from budgetsim.answers.sensitivity import trace_sensitivity
    from budgetsim.report.sensitivity import sensitivity_json, sensitivity_page

    check_amount(budget, "--budget", above_zero=True)
    accuracies = [check_percent(a, "--llm-accuracy") / 100 for a in llm_accuracy or ()]
    plateaus = [check_percent(p, "--teacher-plateau") / 100 for p in teacher_plateau or ()]
    cards = [read_rates(c) for c in card] if card else read_examples()
    asked = open_asked(question)
    objects: dict[str, object] = {}
    page: Page = []
    bought = False
    for open_to in asked.tasks:
        found = trace_sensitivity(
            open_to,
            asked.card,
            budget,
            asked.reprice(open_to.task.name),
            compute=asked.compute,
            cards=_with(asked.card, cards),
            llm_accuracies=accuracies,
            plateaus=plateaus,
            owned_labels=question.owned_labels,
            terms=asked.terms,
        )
        shown = (found, open_to, asked.card, asked.compute, asked.rivals(found.task))
        objects[found.task] = sensitivity_json(*shown)
        bought |= buys(open_to, found.infeasible)
        page += ["", *sensitivity_page(*shown)]
    if question.as_json:
        print_json({"tasks": objects})
    else:
        print_page(page[1:])
    refuse_unbought(question, "--budget", budget, list(objects), bought=bought)


def _with(card: RateCard, cards: list[RateCard]) -> list[RateCard]:
    """The card of the answer first, unless it is among the others."""
    return cards if card in cards else [card, *cards]

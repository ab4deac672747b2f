"""`budgetsim sensitivity`: how the answer moves with prices, cards, compute models and assumptions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import Plot, amount, check_amount, check_percent, check_plot, read_examples, read_rates
from budgetsim_cli.inquiry import TaskReport, buys_training, open_inquiry, refuse_unbought, report_tasks
from budgetsim_cli.question import Question, takes_question

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices
    from budgetsim.costs.rates import RateCard


@takes_question
def sensitivity(
    question: Question,
    budget: Annotated[
        float, typer.Option("--budget", parser=amount("--budget"), metavar="USD", help="US dollars to spend.")
    ],
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
    plot: Plot = None,
) -> None:
    """Show the prices at which the choice changes, a tornado, rate cards side by side, and what-ifs."""
    check_amount(budget, "--budget", above_zero=True)
    accuracies = [check_percent(a, "--llm-accuracy") / 100 for a in llm_accuracy or ()]
    plateaus = [check_percent(p, "--teacher-plateau") / 100 for p in teacher_plateau or ()]
    cards = [read_rates(c) for c in card] if card else read_examples()
    check_plot(plot)
    inquiry = open_inquiry(question)

    def report(open_to: Choices) -> TaskReport:
        from budgetsim.answers.sensitivity import trace_sensitivity
        from budgetsim.report.pictures import tornado_bars
        from budgetsim.report.sensitivity import sensitivity_json, sensitivity_page

        sensitivity = trace_sensitivity(
            open_to,
            budget,
            partial(inquiry.choices, open_to.task.name),
            cards=_with(inquiry.card, cards),
            llm_accuracies=accuracies,
            plateaus=plateaus,
        )
        parts = (sensitivity, open_to, inquiry.card, inquiry.pricing.compute, inquiry.rivals(open_to.task.name))
        return TaskReport(
            data=sensitivity_json(*parts),
            page=sensitivity_page(*parts, inquiry.question.showing),
            buys=buys_training(open_to, sensitivity.infeasible),
            picture=tornado_bars(sensitivity, open_to.task.metric),
        )

    refuse_unbought(inquiry, report_tasks(inquiry, report, plot), "--budget", budget)


def _with(card: RateCard, cards: list[RateCard]) -> list[RateCard]:
    """The card of the answer first, unless it is among the others."""
    return cards if card in cards else [card, *cards]

"""`budgetsim frontier`: the Pareto frontier of dollars and score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import LlmAccuracy, Plot, amount, check_amount, check_llm_accuracy, check_percent, check_plot
from budgetsim_cli.inquiry import (
    Inquiry,
    TaskReport,
    buys_training,
    open_inquiry,
    refuse_unbought,
    report_tasks,
    with_llm,
)
from budgetsim_cli.question import Question, takes_question

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices


@takes_question
def frontier(
    question: Question,
    max_budget: Annotated[
        float,
        typer.Option("--max-budget", parser=amount("--max-budget"), metavar="USD", help="Largest budget, US dollars."),
    ] = 10_000.0,
    points: Annotated[int, typer.Option("--points", min=2, max=1000, help="Number of budgets to trace.")] = 60,
    indifference: Annotated[
        float | None,
        typer.Option(
            "--indifference",
            help="Percent score: print labels against texts, and against LLM labels, at equal expected score.",
            show_default=False,
        ),
    ] = None,
    llm_accuracy: LlmAccuracy = None,
    plot: Plot = None,
) -> None:
    """Trace what growing budgets buy, with bands, and where each strategy wins."""
    check_amount(max_budget, "--max-budget", above_zero=True)
    if indifference is not None:
        check_percent(indifference, "--indifference")
    check_plot(plot)
    accuracy = check_llm_accuracy(llm_accuracy)
    inquiry = open_inquiry(question)
    reports = report_tasks(
        inquiry,
        lambda open_to: _report(inquiry, with_llm(open_to, accuracy), max_budget, points, indifference),
        plot,
        rates=inquiry.card.name,
    )
    refuse_unbought(inquiry, reports, "--max-budget", max_budget)


def _report(
    inquiry: Inquiry, open_to: Choices, max_budget: float, points: int, indifference: float | None
) -> TaskReport:
    from budgetsim.design.strategies import CONSTANT
    from budgetsim.economics.frontier import trace_frontier
    from budgetsim.economics.tradeoff import trace_indifference
    from budgetsim.report.frontier import NO_CURVE, frontier_json, frontier_page
    from budgetsim.report.notes import choice_notes, moot_note, note_lines, reach_notes, sentence, unpriced_words
    from budgetsim.report.pictures import frontier_chart

    front = trace_frontier(open_to.task, open_to.options, max_budget, n_budgets=points)
    options = () if indifference is None else open_to.options
    traced = [trace_indifference(option, indifference or 0.0) for option in options]
    curves = [curve for curve in traced if curve is not None]
    only_constant = all(r.route.kind is CONSTANT for r in front.regions)
    notes = reach_notes(open_to, front.infeasible, constant=only_constant)
    notes += moot_note(inquiry.rivals(front.task), max_budget, front.points[-1].allocation.score)
    notes += choice_notes(open_to, inquiry.pricing.compute, inquiry.card)
    notes += [sentence(NO_CURVE)] if indifference is not None and not curves else []
    head, *rest = frontier_page(front, open_to.task.metric, curves)
    return TaskReport(
        data={"evidence_set": open_to.fit.evidence_set, "notes": notes, **frontier_json(front, curves)},
        page=[head, *unpriced_words(open_to), *rest, *note_lines(notes, inquiry.question.showing)],
        buys=buys_training(open_to, front.infeasible),
        picture=frontier_chart(front, open_to.task.metric),
    )

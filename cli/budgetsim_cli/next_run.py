"""`budgetsim next`: which run to measure next, and whether any is worth its money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import Plot, check_amount, check_plot
from budgetsim_cli.inquiry import Inquiry, TaskReport, open_inquiry, report_tasks
from budgetsim_cli.question import Question, takes_question

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices

DEFAULT_RANGE = "250-4000"
N_BUDGETS = 5  # of a range
OF_A_DEADLINE = "The days of a run are taken from the deadline; its labels stay and take no more time."

Budgets = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        help="US dollars of the whole project: one (then half to twice as much), LOW-HIGH, or given again.",
        show_default=DEFAULT_RANGE,
    ),
]


@takes_question
def next_run(
    question: Question,
    budget: Budgets = None,
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="Runs that are shown.")] = 10,
    plot: Plot = None,
) -> None:
    """Rank runs by the expected regret they remove per dollar; their money comes out of the budget."""
    from budgetsim.design.strategies import CONSTANT
    from budgetsim.errors import InfeasibleBudgetError, InputError

    budgets = budget_range(budget or [DEFAULT_RANGE])
    if question.strategy and set(question.strategy) == {CONSTANT.name}:
        raise InputError("--strategy: the constant answer needs no run; name a strategy that trains, or leave it out.")
    check_plot(plot)
    inquiry = open_inquiry(question)
    reports = report_tasks(
        inquiry, lambda open_to: _report(inquiry, open_to, budgets, top), plot, rates=inquiry.card.name
    )
    if not any(report.buys for report in reports):
        names = ", ".join(open_to.task.name for open_to in inquiry.tasks)
        raise InfeasibleBudgetError(
            f"${max(budgets):,.2f} pays for no run on {names} within pools, bounds and deadline. "
            f"Raise --budget, or loosen them."
        )


def _report(inquiry: Inquiry, open_to: Choices, budgets: list[float], top: int) -> TaskReport:
    from budgetsim.choosing.recommend import out_of_reach
    from budgetsim.pilots.nextrun import rank_runs
    from budgetsim.report.next_run import next_json, next_page
    from budgetsim.report.notes import choice_notes, moot_note, note_lines, reach_notes, unpriced_words
    from budgetsim.report.pictures import next_bars

    answer = rank_runs(open_to.task, open_to.options, budgets)
    notes = reach_notes(open_to, out_of_reach(open_to.options, max(budgets)), constant=False)
    notes += moot_note(inquiry.rivals(answer.task), answer.budgets_usd[-1], answer.best_now[-1])
    notes += choice_notes(open_to, inquiry.pricing.compute, inquiry.card, first_runs=False)
    notes += [OF_A_DEADLINE] if inquiry.question.deadline is not None else []
    header = f"card {inquiry.card.name}, evidence {open_to.fit.evidence_set}"
    head, *rest = next_page(answer, header, open_to.task.metric, top)
    return TaskReport(
        data={"evidence_set": open_to.fit.evidence_set, **next_json(answer, top), "notes": notes},
        page=[head, *unpriced_words(open_to), *rest, *note_lines(notes, inquiry.question.showing)],
        buys=bool(answer.runs),
        picture=next_bars(answer),
    )


def budget_range(texts: list[str]) -> list[float]:
    """Budgets in US dollars, ascending: those given again, or a geometric range.

    raises : InputError

    >>> budget_range(["2000", "500"]), budget_range(["100-10000"])[2], budget_range(["2000"])[::4]
    ([500.0, 2000.0], 1000.0, [1000.0, 4000.0])
    """
    ranges = [_ends(text) for text in texts]
    if len(ranges) > 1:
        return sorted({float(v) for ends in ranges for v in (_spread(*ends) if len(ends) == 2 else ends)})
    (ends,) = ranges
    return _spread(*ends) if len(ends) == 2 else _spread(ends[0] / 2, ends[0] * 2)


def _spread(low: float, high: float) -> list[float]:
    """A geometric range, ends exact."""
    return [low, *(round(low * (high / low) ** (i / (N_BUDGETS - 1)), 6) for i in range(1, N_BUDGETS - 1)), high]


def _ends(text: str) -> tuple[float, ...]:
    from budgetsim.doors.amounts import parse_amount
    from budgetsim.errors import InputError

    parts = text.split("-") if "-" in text.strip().lstrip("-") and "e-" not in text.lower() else [text]
    read = [parse_amount(part) for part in parts]
    ends = tuple(value for value in read if value is not None)
    if len(ends) != len(read) or len(ends) not in (1, 2):
        raise InputError(f"--budget: found {text!r}, wanted US dollars such as 2000, or a range such as 500-4000.")
    for value in ends:
        check_amount(value, "--budget", above_zero=True)
    if len(ends) == 2 and not ends[0] < ends[1]:
        raise InputError(f"--budget: found {text!r}, wanted the lower end of the range first.")
    return ends

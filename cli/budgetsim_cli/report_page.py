"""`budgetsim report`: the answer as one HTML file that opens from disk and works itself out anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from budgetsim_cli.console import check_amount, print_json, say
from budgetsim_cli.inquiry import Inquiry, open_inquiry
from budgetsim_cli.question import Question, takes_question

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices

SPAN = 2.0  # `next` looks at budgets from one half to twice the one asked about, as `budgetsim next --budget` does
N_RUNS = 10


@takes_question
def report(
    question: Question,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")] = Path("report.html"),
    budget: Annotated[float, typer.Option("--budget", help="US dollars that the page opens with.")] = 2000.0,
    with_next: Annotated[
        bool, typer.Option("--next/--no-next", help="Also work out which run to measure next: seconds a task.")
    ] = True,
) -> None:
    """Write one HTML page with the answer, its charts and sliders; it needs no network."""
    from datetime import date

    from budgetsim.doors.files import write_text
    from budgetsim.page.assemble import page_html
    from budgetsim.page.payload import Source, collect

    check_amount(budget, "--budget", above_zero=True)
    inquiry = open_inquiry(question)
    sources = [
        Source(choices=open_to, next_runs=_next_runs(open_to, budget) if with_next else None)
        for open_to in inquiry.tasks
    ]
    payload = collect(inquiry.evidence, sources, inquiry.pricing, budget, date.today())
    size = write_text(output, page_html(payload), "--output")
    _tell(inquiry, output, size, payload.data["precision_points"])


def _next_runs(open_to: Choices, budget: float) -> dict[str, Any] | None:
    """The runs worth measuring; None where no budget pays for any."""
    from budgetsim.pilots.nextrun import rank_runs
    from budgetsim.report.next_run import next_json
    from budgetsim_cli.next_run import budget_range

    answer = rank_runs(open_to.task, open_to.options, budget_range([f"{budget:.15g}"]))
    return next_json(answer, N_RUNS) if answer.runs else None


def _tell(inquiry: Inquiry, output: Path, size: int, precision: float) -> None:
    tasks = [open_to.task.name for open_to in inquiry.tasks]
    if inquiry.question.as_json:
        print_json({"file": str(output), "bytes": size, "tasks": tasks, "precision_points": precision})
        return
    say(f"Wrote {output}: {', '.join(tasks)}; {size / 1e6:.2f} MB. Open it in a browser; it needs no network.")

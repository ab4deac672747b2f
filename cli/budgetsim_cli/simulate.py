"""`budgetsim simulate`: the score of one point, or of a file of points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import (
    Create,
    EvidenceName,
    Json,
    Rates,
    Store,
    check_finite,
    find_store,
    print_json,
    print_page,
    read_rates,
    say,
)
from budgetsim_cli.inquiry import check_compute, forecast_line
from budgetsim_cli.question import Compute, Like, named_tasks

if TYPE_CHECKING:
    from budgetsim.answers.points import Point

MOST_POINTS_BYTES = 16_000_000

Count = Annotated[str | None, typer.Option(show_default=False, metavar="N")]


def simulate(
    task: Annotated[str | None, typer.Option("--task", help="Task name, e.g. stance.", show_default=False)] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Strategy, e.g. distill.", show_default=False)
    ] = None,
    n_labels: Count = None,
    n_llm_labels: Count = None,
    n_unlabeled: Count = None,
    teacher: Annotated[
        str | None, typer.Option(help="Teacher.", show_default="the paper's, else each that is fitted")
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="Student.", show_default="the paper's, else each that is fitted")
    ] = None,
    labeler: Annotated[
        str | None, typer.Option(help="Labeler besides people, e.g. an LLM.", show_default="the only one")
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(
            "--points", help="CSV of points: task, strategy, teacher, student, n_labels, ...", show_default=False
        ),
    ] = None,
    like: Like = None,
    rates: Rates = None,
    compute: Compute = "published",
    evidence: EvidenceName = None,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Predict the score of one new run at any point, whether it was run or not."""
    from budgetsim.answers.choices import answer_points
    from budgetsim.answers.evidence import load_evidence
    from budgetsim.answers.pricing import Pricing
    from budgetsim.errors import NoEvidenceError
    from budgetsim.report.points import point_words, points_json, points_table

    one = {
        "strategy": strategy,
        "teacher": teacher,
        "student": student,
        "labeler": labeler,
        "n_labels": n_labels,
        "n_llm_labels": n_llm_labels,
        "n_unlabeled": n_unlabeled,
    }
    names = named_tasks(None if task is None else [task], like)
    questions = _read_points(one, points, names[0] if names else None)
    model = check_compute(compute)
    pricing = Pricing(read_rates(rates), model)
    asked = list(dict.fromkeys(q.design.task for q in questions if q.design.route.kind.is_trained))
    known = load_evidence(find_store(store, create), evidence, say, asked)
    answers = answer_points(known, questions, pricing, say=say)
    silent = [a for a in answers if a.score is None]
    if len(silent) == len(answers):
        raise NoEvidenceError(point_words(silent[0]) or "nothing is known of these points")
    for a in silent:
        say(f"No answer: {point_words(a)}")
    data = points_json(answers)
    check_finite(data)
    if as_json:
        print_json({"rates": pricing.card.name, "points": data})
    else:
        notes = [point_words(a) for a in answers if a.score is not None]
        first = [line for fit in known.forecasts.values() for line in forecast_line(fit)]
        print_page([*first, points_table(answers), *(f"Note: {words}." for words in notes if words)])


def _read_points(one: dict[str, str | None], file: Path | None, task: str | None) -> list[Point]:
    from budgetsim.answers.points import make_point, parse_points
    from budgetsim.doors.files import read_file
    from budgetsim.errors import InputError

    if file is None:
        return [make_point({**one, "task": task}, "command line")]
    named = [f"--{name.replace('_', '-')}" for name, value in one.items() if value is not None]
    if named:
        raise InputError(f"--points FILE and {named[0]} were both given; the file says it all, leave {named[0]} out.")
    return parse_points(read_file(file, "points file", MOST_POINTS_BYTES), file.name, task=task)

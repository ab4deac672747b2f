"""`budgetsim curve`: a learning curve carried on, and the labels that a target takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from budgetsim_cli.console import TERMINAL, Json, Plot, check_finite, print_json, print_page, say

MOST_CURVE_BYTES = 4_000_000


def curve(
    file: Annotated[
        Path, typer.Argument(help="CSV: a column of sizes (n_labels, n, size ...) and one of scores or errors.")
    ],
    target: Annotated[
        float | None,
        typer.Option(
            "--target",
            help="How many labels reach this score? 90 (percent); 0.9 of a file of fractions.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        list[float] | None,
        typer.Option("--at", help="Size to predict at; may be given again.", show_default="up to 10 times the largest"),
    ] = None,
    metric_kind: Annotated[
        str | None,
        typer.Option("--metric-kind", help="score (higher is better) or error.", show_default="by the column's name"),
    ] = None,
    n_test: Annotated[
        int | None,
        typer.Option("--n-test", help="Test items each score was counted on; adds their noise.", show_default=False),
    ] = None,
    floor: Annotated[
        float | None, typer.Option("--floor", help="Lowest value the metric can take, if known.", show_default=False)
    ] = None,
    ceiling: Annotated[
        float | None, typer.Option("--ceiling", help="Highest value it can take, if known.", show_default=False)
    ] = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Carry on the learning curve of any learner: scores at larger sizes, and how many labels a target takes."""
    from budgetsim.answers.curves import answer_curve
    from budgetsim.data.curvefile import parse_curve
    from budgetsim.doors.files import read_file
    from budgetsim.errors import InputError
    from budgetsim.report.curve import curve_json, curve_page, curve_picture
    from budgetsim.report.plot import save_plot, text_plot

    if metric_kind not in (None, "score", "error"):
        raise InputError(f"--metric-kind: found {metric_kind!r}, wanted score or error.")
    if n_test is not None and n_test < 1:
        raise InputError(f"--n-test: found {n_test}, wanted how many items each score was counted on, 1 or more.")
    table = parse_curve(read_file(file, "curve", MOST_CURVE_BYTES), file.name, metric_kind)  # type: ignore[arg-type]
    answer = answer_curve(table, at=at or (), target=target, n_test=n_test, floor=floor, ceiling=ceiling)
    picture = curve_picture(answer)
    if plot is not None and plot != TERMINAL:
        say(f"Drew {save_plot([picture], table.value_column, plot)}")
    data = curve_json(answer, file.name)
    check_finite(data)
    if as_json:
        print_json(data)
        return
    print_page(curve_page(answer, file.name))
    if plot == TERMINAL:
        print_page(["\n".join(["", *text_plot(picture, table.value_column, width=60)])])

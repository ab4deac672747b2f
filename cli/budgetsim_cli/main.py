"""The entry point: registers the commands, turns expected errors into a line and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated

import typer

from budgetsim.errors import BudgetsimError
from budgetsim_cli import (
    curve,
    doctor,
    fit,
    frontier,
    measure,
    models,
    next_run,
    optimize,
    probe,
    rates,
    report_page,
    run_one,
    run_unit,
    sensitivity,
    simulate,
    store,
    tasks,
)
from budgetsim_cli.console import say

EPILOG = (
    "Exit codes: 0 ok, 1 failure, 2 usage or bad input, 3 infeasible budget, 4 no evidence for that task, "
    "5 store locked, 130 interrupted, 129 and 143 ended by the terminal or the system."
)

app = typer.Typer(
    name="budgetsim",
    help="How much of a budget buys labels, how much compute to distil a large teacher, and what score comes out.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(optimize.optimize)
app.command()(simulate.simulate)
app.command()(frontier.frontier)
app.command()(sensitivity.sensitivity)
app.command("next")(next_run.next_run)
app.command()(report_page.report)
app.command()(probe.probe)
app.command()(curve.curve)
app.command()(fit.fit)
app.command()(measure.measure)
app.command()(doctor.doctor)
app.command("run-one")(run_one.run_one)
app.command("run-unit")(run_unit.run_unit)
app.add_typer(store.app, name="store")
app.add_typer(rates.app, name="rates")
app.add_typer(tasks.app, name="tasks")
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        from budgetsim import __version__
        from budgetsim.store.database import migrations

        typer.echo(f"budgetsim {__version__} (store schema {migrations()[-1][0]})")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the commands; an expected error becomes one line on stderr and its own exit code."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # none is used, and the search takes time
    try:
        app()
    except BudgetsimError as error:
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)

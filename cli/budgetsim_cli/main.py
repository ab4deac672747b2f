"""The entry point: registers the commands, turns expected errors into a line and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from budgetsim.errors import BudgetsimError
from budgetsim_cli.console import say

EPILOG = (
    "Exit codes: 0 ok, 1 failure, 2 usage or bad input, 3 infeasible budget, 4 no evidence for that task, "
    "5 store locked, 130 interrupted, 129 and 143 ended by the terminal or the system."
)
# Commands in the order of the help: the module of each, and its function, or its own app of commands.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "optimize": ("optimize", "optimize"),
    "simulate": ("simulate", "simulate"),
    "frontier": ("frontier", "frontier"),
    "sensitivity": ("sensitivity", "sensitivity"),
    "next": ("next_run", "next_run"),
    "report": ("report_page", "report"),
    "probe": ("probe", "probe"),
    "curve": ("curve", "curve"),
    "fit": ("fit", "fit"),
    "measure": ("measure", "measure"),
    "doctor": ("doctor", "doctor"),
    "run-one": ("run_one", "run_one"),
    "run-unit": ("run_unit", "run_unit"),
    "store": ("store", "app"),
    "rates": ("rates", "app"),
    "tasks": ("tasks", "app"),
    "models": ("models", "app"),
}


def _version(wanted: bool) -> None:
    if wanted:
        from budgetsim import __version__
        from budgetsim.store.database import migrations

        typer.echo(f"budgetsim {__version__} (store schema {migrations()[-1][0]})")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


@cache
def app_of(names: tuple[str, ...]) -> typer.Typer:
    """The command line with these commands alone: what is typed builds its own, not all 37."""
    app = typer.Typer(
        name="budgetsim",
        help="How much of a budget buys labels, how much compute to distil a large teacher, and what score comes out.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in names:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f"budgetsim_cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def wanted(words: Sequence[str]) -> tuple[str, ...]:
    """The commands that typed words may need: the one they begin with, or all of them.

    >>> wanted(["optimize", "--budget", "2000"]), len(wanted(["--help"])), len(wanted(["optimise"]))
    (('optimize',), 17, 17)
    """
    return (words[0],) if words and words[0] in COMMANDS else tuple(COMMANDS)


def __getattr__(name: str) -> Any:
    """`app`, with every command, where it is asked for."""
    if name == "app":
        return app_of(tuple(COMMANDS))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "app"]


def main() -> None:
    """Run the commands; an expected error becomes one line on stderr and its own exit code."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # none is used, and the search takes time
    try:
        app_of(wanted(sys.argv[1:]))()
    except BudgetsimError as error:
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)

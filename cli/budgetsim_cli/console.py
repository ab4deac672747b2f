"""What every command shares: options, reading files, printing results and progress."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from budgetsim.costs.rates import RateCard
    from budgetsim.report.pictures import Picture
    from budgetsim.report.table import Page
    from budgetsim.store.location import StorePaths

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, with schema_version.")]
Store = Annotated[Path | None, typer.Option("--store", help="DuckDB file of the evidence store.", show_default=False)]
Create = Annotated[
    bool, typer.Option("--create", help="Make the --store from the published evidence where there is none.")
]
Rates = Annotated[
    Path | None,
    typer.Option(
        "--rates",
        help="Rate card: a file, or an example by name (`rates list`); ./rates.yaml, else the paper's prices.",
        show_default=False,
    ),
]
EvidenceName = Annotated[
    str | None,
    typer.Option("--evidence", help="Evidence set, or the start of its name.", show_default="published first"),
]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", help="Task name, e.g. stance; may be given again.", show_default="all with evidence"),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw to a PNG or SVG file, or to the terminal (-).", show_default=False),
]
LlmAccuracy = Annotated[
    float | None,
    typer.Option(
        "--llm-accuracy",
        help="Percent of its labels that the card's LLM gets right, in place of the evidence's LLM (modelled).",
        show_default=False,
    ),
]

TERMINAL = Path("-")
MOST_USD = 1e12  # of any amount on the command line
MOST_COUNT = 10**12


def amount(option: str) -> Callable[[str | float], float]:
    """The parser of an option that takes an amount as people type it: 2000, 2,000, 2k or $2000.

    raises : InputError, when it is called
    """

    def parse(text: str | float) -> float:
        from budgetsim.doors.amounts import parse_amount
        from budgetsim.errors import InputError

        number = parse_amount(text) if isinstance(text, str) else text
        if number is None:
            raise InputError(f"{option}: found {text!r}, wanted an amount such as 2000, 2,000, 2k or $2000.")
        return number

    return parse


def whole(option: str) -> Callable[[str | int], int]:
    """The parser of an option that takes a count as people type it: 500, 1,500 or 2k.

    raises : InputError, when it is called
    """

    def parse(text: str | int) -> int:
        from budgetsim.doors.amounts import parse_amount
        from budgetsim.errors import InputError

        number = parse_amount(text) if isinstance(text, str) else float(text)
        if number is None or not math.isfinite(number) or number != int(number) or not 0 <= number <= MOST_COUNT:
            raise InputError(
                f"{option}: found {text!r}, wanted a whole number of zero or more, such as 500, 1,500 or 2k."
            )
        return int(number)

    return parse


def find_store(store: Path | None, create: bool = False) -> StorePaths:
    """The store that was named, which is there or is to be made; else the one that `locate` finds.

    raises : InputError where one is named that is not there
    """
    from budgetsim.doors.amounts import did_you_mean
    from budgetsim.errors import InputError
    from budgetsim.store.location import locate

    paths = locate(store)
    if store is None or create or paths.database.exists():
        return paths
    folder = paths.database.parent
    near = did_you_mean(paths.database.name, [p.name for p in folder.glob("*.duckdb")] if folder.is_dir() else [])
    raise InputError(f"There is no store {store}; mend --store, or add --create to make one there.{near}")


def read_rates(path: Path | None) -> RateCard:
    """The rate card somebody named (a file, else an example), else ./rates.yaml, else the paper's."""
    from datetime import date

    from budgetsim.costs.rates import parse_rates
    from budgetsim.doors.files import MOST_DOCUMENT_BYTES, read_file
    from budgetsim.store.location import find_card

    path = find_card(path)
    return parse_rates(read_file(path, "rate card", MOST_DOCUMENT_BYTES), path.name, today=date.today())


def read_examples() -> list[RateCard]:
    """The example cards."""
    from budgetsim.costs.rates import parse_rates
    from budgetsim.doors.files import read_file
    from budgetsim.store.location import example_cards

    return [parse_rates(read_file(path, "rate card"), path.name) for path in example_cards().values()]


def check_amount(value: float, option: str, *, above_zero: bool = False) -> float:
    """A finite number of zero or more from the command line.

    raises : InputError
    """
    from budgetsim.errors import InputError

    wanted = "a finite number above zero" if above_zero else "a finite number of zero or more"
    if not math.isfinite(value) or not 0 <= value <= MOST_USD or (above_zero and value == 0):
        raise InputError(f"{option}: found {value:g}, wanted {wanted}, up to {MOST_USD:.0e}.")
    return value


def check_percent(value: float, option: str) -> float:
    """A score or accuracy in percent from the command line.

    raises : InputError
    """
    from budgetsim.errors import InputError

    if not 1 <= value <= 100:
        near = f" Did you mean {100 * value:g}?" if 0 < value < 1 else ""
        raise InputError(f"{option}: found {value:g}, wanted percent from 1 to 100.{near}")
    return value


def check_llm_accuracy(percent: float | None) -> float | None:
    """The accuracy of an LLM from the command line as a fraction.

    raises : InputError
    """
    return None if percent is None else check_percent(percent, "--llm-accuracy") / 100


def say(text: str) -> None:
    """Progress and warnings: one line on stderr, with nothing in it that a terminal obeys."""
    from budgetsim.doors.words import show

    typer.echo(show(text), err=True)


def print_json(data: Mapping[str, Any]) -> None:
    """One JSON object on stdout, with its schema version first.

    raises : BudgetsimError where it holds a number that is none
    """
    from budgetsim.doors.words import show_json
    from budgetsim.report.table import ANSWER_SCHEMA_VERSION

    check_finite(data)
    text = json.dumps({"schema_version": ANSWER_SCHEMA_VERSION, **data}, indent=2, ensure_ascii=False, allow_nan=False)
    typer.echo(show_json(text))


def check_finite(data: object, key: str = "") -> None:
    """Refuse an answer that holds NaN or infinity: it is none.

    raises : BudgetsimError naming where
    """
    if isinstance(data, Mapping):
        for name, value in data.items():
            check_finite(value, f"{key}.{name}" if key else str(name))
    elif isinstance(data, list | tuple):
        for value in data:
            check_finite(value, key)
    elif isinstance(data, float) and not math.isfinite(data):
        from budgetsim.errors import BudgetsimError

        raise BudgetsimError(
            f"There is no finite answer: {key} came out as {data}. A price or a count of the question is beyond what "
            f"can be computed; make it smaller."
        )


def check_plot(plot: Path | None) -> Path | None:
    """Where a picture may go, looked at before anything is worked out.

    raises : InputError
    """
    if plot is not None and plot != TERMINAL:
        from budgetsim.report.plot import check_format

        check_format(plot)
    return plot


def show_pictures(pictures: Sequence[Picture], plot: Path | None, *, quiet: bool) -> None:
    """Draw pictures to a file or, as plain text, on stdout; where nothing was asked for, nothing.

    quiet : leave plain text out: stdout holds JSON
    """
    from budgetsim.report.pictures import picture_text, save_pictures

    if plot is None or (plot == TERMINAL and quiet):
        return
    if plot == TERMINAL:
        print_page(["\n".join(["", *picture_text(picture)]) for picture in pictures])
    else:
        say(f"Drew {save_pictures(pictures, plot)}")


STYLES = {"title": "bold", "best": "green", "caution": "yellow", "muted": "dim"}  # of a line of a table


def print_page(page: Page) -> None:
    """Paragraphs and tables on stdout, for the width of a terminal or for a pipe; neither obeys what others wrote.

    A terminal shows what to do in bold, the row it is about in green, what is out of reach or far from the data in
    yellow; without colour (NO_COLOR, TERM=dumb) and in a pipe the words say the same.
    """
    from budgetsim.doors.words import show

    if not sys.stdout.isatty():
        for part in page:
            typer.echo(show(part) if isinstance(part, str) else "\n" + "\n".join(part.lines()) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    from budgetsim.report.table import Headline, wrap

    width = terminal_width()
    console = Console(width=width, highlight=False, soft_wrap=True)
    for part in page:
        if isinstance(part, str):
            style = "bold" if isinstance(part, Headline) else ""
            told = [(line, style) for text in show(part).split("\n") for line in _wrapped(text, width, wrap)]
        else:
            told = [("", ""), *((line, STYLES[role] if role else "") for line, role in part.told(width)), ("", "")]
        for line, style in told:
            console.print(Text(line, style=style), soft_wrap=True)


def _wrapped(text: str, width: int, wrap: Callable[[str, int], list[str]]) -> list[str]:
    """A line as it fits; one that is indented stays so."""
    indent = text[: len(text) - len(text.lstrip())]
    return [f"{indent}{line}" for line in wrap(text.lstrip(), max(width - len(indent), 10))]


def terminal_width() -> int:
    """Columns of the terminal: COLUMNS where it is set, else what the terminal says, else 80."""
    return max(shutil.get_terminal_size((80, 24)).columns, 20)

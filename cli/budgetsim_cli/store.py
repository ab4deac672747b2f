"""`budgetsim store`: look into the evidence, bring some in, build the database anew."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from budgetsim_cli.console import (
    Create,
    Json,
    Rates,
    Store,
    Tasks,
    amount,
    check_amount,
    find_store,
    print_json,
    print_page,
    read_rates,
    say,
)
from budgetsim_cli.question import Compute

MOST_TOLD = 20  # lines about what was left out
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]

if TYPE_CHECKING:
    from budgetsim.store.location import StorePaths
    from budgetsim.store.merge import MergeReport
    from budgetsim.store.query import QueryResult

app = typer.Typer(
    help="The evidence store: query, describe, price, plans, fits, import, merge, rebuild, compact.",
    no_args_is_help=True,
)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement; reads the store only.")],
    as_csv: AsCsv = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=86400, help="Seconds it may take.")] = 60,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Run SQL on the store, read-only and shut off from files and network."""
    from budgetsim.store.database import open_reader
    from budgetsim.store.merge import seed
    from budgetsim.store.query import run_sql

    paths = find_store(store, create)
    seed(paths)
    with open_reader(paths.database, locked_down=True) as connection:
        table = run_sql(connection, sql, timeout=timeout)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        rows = [table.columns, *table.rows]
        writer.writerows([[_cell(value) for value in row] for row in rows] if sys.stdout.isatty() else rows)
    else:
        _print(table, as_json)


@app.command()
def describe(store: Store = None, create: Create = False, as_json: Json = False) -> None:
    """Say what every table, view and column holds."""
    from budgetsim.store.database import open_reader
    from budgetsim.store.merge import seed
    from budgetsim.store.query import describe as describe_store

    paths = find_store(store, create)
    seed(paths)
    with open_reader(paths.database) as connection:
        _print(describe_store(connection), as_json)


@app.command()
def check(store: Store = None, as_json: Json = False) -> None:
    """Check that the database and its text files agree."""
    from budgetsim.errors import StoreError
    from budgetsim.store.merge import check as check_store

    paths = find_store(store)
    problems = check_store(paths)
    if as_json:
        print_json({"database": str(paths.database), "problems": problems})
    elif not problems:
        print_page([f"{paths.database} agrees with its text files."])
    if problems:
        raise StoreError("\n".join(problems))


@app.command("import")
def import_(
    file: Annotated[Path | None, typer.Argument(help="CSV in the columns that --columns tells.")] = None,
    columns: Annotated[bool, typer.Option("--columns", help="Say what each column of such a table holds.")] = False,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Bring in a published table of results, to answer a task from or, with a `set` in each row, to forecast others."""
    if columns or file is None:
        _tell_columns(as_json, asked=columns)
        return
    from budgetsim.store.merge import import_published, seed

    paths = find_store(store, create)
    seed(paths)
    _report(paths, import_published(paths, file), as_json)


def _tell_columns(as_json: bool, *, asked: bool) -> None:
    from budgetsim.errors import InputError
    from budgetsim.store.published import COLUMNS, REQUIRED
    from budgetsim.store.query import QueryResult

    if not asked:
        raise InputError("Name the CSV file to import; `budgetsim store import --columns` says what it holds.")
    rows = [(name, "yes" if name in REQUIRED else "", meaning) for name, meaning in COLUMNS.items()]
    _print(QueryResult(["column", "required", "holds"], rows), as_json)


@app.command()
def merge(
    folder: Annotated[Path, typer.Argument(help="Another store's folder, or a folder of run files (*.jsonl).")],
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Bring in runs that were measured elsewhere."""
    from budgetsim.store.merge import merge_folder, seed

    paths = find_store(store, create)
    seed(paths)
    _report(paths, merge_folder(paths, folder), as_json)


@app.command()
def rebuild(store: Store = None, as_json: Json = False) -> None:
    """Build the database anew from the text files."""
    from budgetsim.store.location import locate
    from budgetsim.store.merge import rebuild as rebuild_store

    paths = locate(store)
    report = rebuild_store(paths)
    say(f"Built {paths.database}")
    _report(paths, report, as_json)


@app.command()
def compact(store: Store = None, as_json: Json = False) -> None:
    """Pack the small files of runs into few, sorted ones; the runs stay the same."""
    from budgetsim.errors import StoreError
    from budgetsim.store.compact import compact as compact_store
    from budgetsim.store.location import locate

    report = compact_store(locate(store))
    if as_json:
        print_json(asdict(report))
    else:
        print_page([f"{report.runs} runs in {report.packs} packs; before, the store had {report.files_before} files."])
    if report.left:
        raise StoreError("\n".join(["Left as they are:", *report.left[:MOST_TOLD]]))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write one CSV file for each table and view into.")],
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Write every table and view as CSV."""
    from budgetsim.store.database import open_reader
    from budgetsim.store.merge import seed
    from budgetsim.store.query import export_csv

    paths = find_store(store, create)
    seed(paths)
    with open_reader(paths.database, exports=folder) as connection:
        files = [str(file) for file in export_csv(connection, folder)]
    if as_json:
        print_json({"files": files})
    else:
        print_page(["\n".join(files)])


@app.command()
def price(
    task: Tasks = None,
    rates: Rates = None,
    compute: Compute = "published",
    as_csv: AsCsv = False,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Show what every result would cost under a card; dollars are computed, never stored."""
    from budgetsim.answers.prices import price_store, priced_row
    from budgetsim.answers.pricing import Pricing
    from budgetsim.report.listing import priced_table
    from budgetsim_cli.inquiry import check_compute

    card = read_rates(rates)
    points = price_store(find_store(store, create), Pricing(card, check_compute(compute)), task)
    if not (as_csv or as_json):
        print_page([priced_table(points, card)])
        return
    _print_rows([priced_row(point) for point in points], as_csv, as_json)


@app.command()
def fits(
    task: Tasks = None,
    as_csv: AsCsv = False,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Show the stored fits, a strategy a row: method, rows, what was missed when rows were left out, when written."""
    from budgetsim.report.fit import fits_table
    from budgetsim.store.fits import read_fits
    from budgetsim.store.location import package_data

    rows = read_fits([find_store(store, create).fits, package_data("fits")])
    _check_tasks(task, {row.task for row in rows}, "no stored fit of")
    rows = [row for row in rows if not task or row.task in task]
    if as_csv or as_json:
        _print_rows([asdict(row) for row in rows], as_csv, as_json)
    else:
        print_page([fits_table(rows)])


@app.command()
def plans(
    budget: Annotated[
        list[str], typer.Option("--budget", help="US dollars, e.g. 2000 or 2k; may be given again.", show_default=False)
    ],
    task: Tasks = None,
    rates: Rates = None,
    compute: Compute = "published",
    as_csv: AsCsv = False,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Show what budgets buy of every strategy under a card, a plan a row; plans are computed, never stored."""
    from budgetsim.choosing.optimize import optimize_task
    from budgetsim.report.plans import plan_rows, plans_table
    from budgetsim_cli.inquiry import open_inquiry
    from budgetsim_cli.question import Question

    budgets = [check_amount(amount("--budget")(text), "--budget") for text in budget]
    question = Question(task=task, rates=rates, compute=compute, store=store, create=create, as_json=as_json)
    inquiry = open_inquiry(question)
    answers = [optimize_task(o.task, o.options, usd) for o in inquiry.tasks for usd in budgets]
    if as_csv or as_json:
        _print_rows([row for answer in answers for row in plan_rows(answer)], as_csv, as_json)
    else:
        print_page([plans_table(answers)])


def _check_tasks(names: list[str] | None, known: set[str], lack: str) -> None:
    from budgetsim.doors.amounts import did_you_mean
    from budgetsim.errors import NoEvidenceError

    for name in names or ():
        if name not in known:
            raise NoEvidenceError(f"The store has {lack} task {name!r}.{did_you_mean(name, known)}")


@app.command()
def path(store: Store = None, as_json: Json = False) -> None:
    """Say where the store lies."""
    from budgetsim.store.location import locate

    paths = locate(store)
    if as_json:
        print_json({"database": str(paths.database), "exists": paths.database.exists(), "fits": str(paths.fits)})
    else:
        typer.echo(str(paths.database))


def _print_rows(rows: list[dict[str, Any]], as_csv: bool, as_json: bool) -> None:
    """Rows under the names of their values, as CSV or JSON."""
    from budgetsim.store.query import QueryResult

    table = QueryResult(list(rows[0]) if rows else [], [tuple(row.values()) for row in rows])
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([table.columns, *([_cell(value) for value in row] for row in table.rows)])
    else:
        _print(table, as_json)


def _print(table: QueryResult, as_json: bool) -> None:
    from budgetsim.report.table import Table

    if as_json:
        print_json({"columns": table.columns, "rows": [[_plain(v) for v in row] for row in table.rows]})
        return
    numeric = {i for i in range(len(table.columns)) if all(isinstance(r[i], int | float | None) for r in table.rows)}
    rows = tuple(tuple("" if v is None else str(v) for v in row) for row in table.rows)
    text = frozenset(range(len(table.columns))) - numeric
    print_page([Table(title="", headings=tuple(table.columns), rows=rows, text_columns=text)])


def _cell(value: Any) -> Any:
    """A value of a CSV that goes to a terminal; in a pipe it stays exact."""
    from budgetsim.doors.words import show

    return show(value, one_line=True) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON lacks becomes text."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _report(paths: StorePaths, report: MergeReport, as_json: bool) -> None:
    """Print what a merge brought in, and end with an error where something was left out."""
    from budgetsim.errors import InputError

    if report.kept is not None:
        say(
            f"{report.dropped} runs of the database are in no text file and were left out; the database with them is "
            f"kept as {report.kept}."
        )
    if as_json:
        print_json({"added": report.added, "refused": list(report.refused)})
    else:
        added = ", ".join(f"{n} {table}" for table, n in report.added.items() if n > 0)
        print_page([f"Added {added}." if added else "Nothing new: the store has it all."])
    if report.refused:
        shown = [
            *report.refused[:MOST_TOLD],
            *([f"and {len(report.refused) - MOST_TOLD} more"] * (len(report.refused) > MOST_TOLD)),
        ]
        raise InputError("\n".join(["Left out, the rest went in:", *shown]))

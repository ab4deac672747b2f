"""`budgetsim tasks`: what is known of each task, and tasks of your own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from budgetsim_cli.console import Json, Store, print_json, print_page, say

if TYPE_CHECKING:
    from budgetsim.data.tasks import Task

app = typer.Typer(help="Tasks: list and show them, add and remove your own.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Task name.")]


@app.command("list")
def list_(store: Store = None, as_json: Json = False) -> None:
    """List the tasks: the paper's, derived, generated, and your own."""
    from budgetsim.report.listing import tasks_table

    tasks = _all_tasks(store)
    if as_json:
        print_json({"tasks": [asdict(t) for t in tasks]})
    else:
        print_page([tasks_table(tasks)])


@app.command()
def show(name: Name, store: Store = None, as_json: Json = False) -> None:
    """Show one task; of your own, also what its files hold and whether they have changed."""
    from budgetsim.data.tasks import get_task
    from budgetsim.report.listing import labels_table, task_page

    _all_tasks(store)
    task = get_task(name)
    data: dict[str, Any] = {"task": asdict(task)}
    page = task_page(task)
    if task.origin == "custom":
        from budgetsim.data.custom import describe_custom

        described, changed = describe_custom(name)
        data |= {"findings": asdict(described.found), "files": described.files.model_dump(mode="json")}
        data |= {"changed": changed}
        page += [labels_table(described.found)] if described.found.labels else []
        for words in changed:
            say(f"Warning: {words}")
    print_json(data) if as_json else print_page(page)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the new task.")],
    train: Annotated[Path, typer.Option(help="Labelled rows: CSV, TSV, JSONL, CoNLL, or lines of a label and a text.")],
    test: Annotated[Path, typer.Option(help="Labelled rows that are never trained on.")],
    unlabeled: Annotated[
        Path | None, typer.Option(help="Texts without labels: a text a line, or a table.", show_default=False)
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="single, pair, tagging, generation or qa.", show_default="told by the files and the metric"),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="accuracy, f1, macro_f1, micro_f1, matthews; entity_f1; rouge_l, exact_match, squad_f1, self_ibleu.",
            show_default="accuracy, entity_f1, rouge_l or squad_f1, by kind",
        ),
    ] = None,
    positive: Annotated[str | None, typer.Option(help="The label that --metric f1 is of.", show_default=False)] = None,
    about: Annotated[
        str | None,
        typer.Option(help="What is asked of a text, in words; an LLM that labels is told so.", show_default=False),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column that holds the text.", show_default="text, or the only one left")
    ] = None,
    pair_columns: Annotated[
        str | None, typer.Option(help="The two columns of a pair: a,b.", metavar="A,B", show_default=False)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column that holds the label.", show_default="label, or the only one left")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, tsv, jsonl, conll or lines.", show_default="told by name or content"),
    ] = None,
    encoding: Annotated[str, typer.Option(help="utf-8, latin-1, cp1252 or utf-16.")] = "utf-8",
    yes: Annotated[bool, typer.Option("--yes", help="Go on in spite of what may be a slip.")] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Check files of your own, say what is in them, and remember them as a task."""
    from budgetsim.data.custom import TaskFiles, add_task
    from budgetsim.report.listing import findings_page
    from budgetsim.store.location import locate, store_option

    files = TaskFiles(
        train=train,
        test=test,
        unlabeled=unlabeled,
        text_column=text_column,
        pair_columns=None if pair_columns is None else tuple(c.strip() for c in pair_columns.split(",")),
        label_column=label_column,
        form=form,
        encoding=encoding,
    )
    paths = locate(store)
    folder = paths.folder / "tasks"
    task, findings = add_task(folder, name, files, metric, kind=kind, positive=positive, about=about, accept=yes)
    if as_json:
        print_json({"task": asdict(task), "findings": asdict(findings)})
    else:
        print_page(findings_page(task, findings, store_option(paths)))


@app.command()
def remove(name: Name, store: Store = None) -> None:
    """Forget a task of your own; its files and the runs on it stay."""
    from budgetsim.data.custom import remove_task
    from budgetsim.store.location import locate

    remove_task(locate(store).folder / "tasks", name)
    print_page([f"{name} is forgotten. Its files stay where they are, and runs on it stay in the store."])


def _all_tasks(store: Path | None) -> list[Task]:
    from budgetsim.data.custom import register_custom_tasks
    from budgetsim.data.tasks import known_tasks
    from budgetsim.store.location import locate

    register_custom_tasks(locate(store).folder / "tasks", say)
    return list(known_tasks())

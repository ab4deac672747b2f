"""`budgetsim tasks`: what is known of each task, and tasks of your own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import Json, Store, print_json, print_page

if TYPE_CHECKING:
    from budgetsim.data.custom import Findings
    from budgetsim.data.tasks import Task
    from budgetsim.report.table import Page

app = typer.Typer(help="Tasks: list and show them, add your own.", no_args_is_help=True)


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
def show(name: Annotated[str, typer.Argument(help="Task name.")], store: Store = None, as_json: Json = False) -> None:
    """Show one task."""
    from budgetsim.data.tasks import get_task

    _all_tasks(store)
    task = get_task(name)
    if as_json:
        print_json({"task": asdict(task)})
    else:
        print_page([f"{key}: {value}" for key, value in asdict(task).items()])


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the new task.")],
    train: Annotated[Path, typer.Option(help="Labelled rows: CSV or JSONL.")],
    test: Annotated[Path, typer.Option(help="Labelled rows that are never trained on.")],
    unlabeled: Annotated[Path | None, typer.Option(help="Texts without labels: a text a line, CSV or JSONL.")] = None,
    metric: Annotated[str, typer.Option(help="accuracy, f1, macro_f1, squad_f1 or self_ibleu.")] = "accuracy",
    text_column: Annotated[str, typer.Option(help="Column that holds the text.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column that holds the label.")] = "label",
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Check files of your own, say what is in them, and remember them as a task."""
    from budgetsim.data.custom import TaskFiles, add_task
    from budgetsim.store.location import locate

    files = TaskFiles(train=train, test=test, unlabeled=unlabeled, text_column=text_column, label_column=label_column)
    _all_tasks(store)
    task, findings = add_task(locate(store).folder / "tasks", name, files, metric)
    if as_json:
        print_json({"task": asdict(task), "findings": asdict(findings)})
    else:
        print_page(_findings_page(task, findings))


def _all_tasks(store: Path | None) -> list[Task]:
    from budgetsim.data.custom import register_custom_tasks
    from budgetsim.data.tasks import known_tasks
    from budgetsim.store.location import locate

    register_custom_tasks(locate(store).folder / "tasks")
    return list(known_tasks())


def _findings_page(task: Task, findings: Findings) -> Page:
    labels = ", ".join(f"{label} {n}" for label, n in list(findings.labels.items())[:10])
    lines: Page = [
        f"{task.name}: {findings.n_train:,} train, {findings.n_test:,} test, {findings.n_unlabeled:,} unlabelled; "
        f"metric {task.metric}.",
    ]
    if task.labels:
        lines.append(
            f"Labels of train: {labels}. "
            f"Always answering {findings.majority_label} scores {100 * findings.majority_share:.1f}."
        )
    lines += [text for count, text in _worries(findings) if count]
    lines.append(f"Next: budgetsim measure --task {task.name}")
    return lines


def _worries(findings: Findings) -> list[tuple[float, str]]:
    from budgetsim.data.custom import PRESET_TOKENS, RARE

    shared, double, torn = findings.shared_texts, findings.duplicate_train_texts, findings.contradicting_texts
    rare = (
        findings.rare_labels if len(findings.labels) < findings.n_train / 2 else ()
    )  # free text has no labels to balance
    cut = [
        (
            share >= 0.01,
            f"About {100 * share:.0f} % of the texts are cut at {PRESET_TOKENS[preset]} tokens (preset {preset}).",
        )
        for preset, share in findings.long_shares.items()
    ]
    return [
        (shared, f"Texts of train that stand in test too, and are not trained on: {shared:,}."),
        (double, f"Duplicate texts of train, of which one is kept: {double:,}."),
        (torn, f"Texts of train with two labels, of which the first is kept: {torn:,}."),
        (
            findings.unlabeled_in_test,
            f"Unlabelled texts that stand in test, and are left out: {findings.unlabeled_in_test:,}.",
        ),
        (len(findings.unknown_test_labels), f"Labels only in test: {', '.join(findings.unknown_test_labels[:5])}."),
        (len(rare), f"Labels of fewer than {RARE} train rows, hardly to be learned: {', '.join(rare[:5])}."),
        *cut,
    ]

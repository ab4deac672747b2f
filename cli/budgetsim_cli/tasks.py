"""`budgetsim tasks`: what is known of each task."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from budgetsim_cli.console import Json, print_json, print_page

app = typer.Typer(help="Tasks: list and show them.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the tasks."""
    from budgetsim.report import tasks_grid
    from budgetsim.tasks import TASKS

    if as_json:
        print_json({"tasks": [asdict(t) for t in TASKS.values()]})
    else:
        print_page([tasks_grid(list(TASKS.values()))])


@app.command()
def show(name: Annotated[str, typer.Argument(help="Task name.")], as_json: Json = False) -> None:
    """Show one task."""
    from budgetsim.tasks import get_task

    task = get_task(name)
    if as_json:
        print_json({"task": asdict(task)})
    else:
        print_page([f"{key}: {value}" for key, value in asdict(task).items()])

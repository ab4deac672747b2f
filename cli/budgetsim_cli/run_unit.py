"""`budgetsim run-unit UNIT.jsonl`: the runs of a unit in this process, for jobs of any engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from budgetsim_cli.console import Store, say


def run_unit(
    unit: Annotated[Path, typer.Argument(help="Unit of runs, as `measure --dry-run --write-units DIR` writes them.")],
    merge: Annotated[bool, typer.Option("--merge/--no-merge", help="Merge the runs into the database.")] = False,
    store: Store = None,
) -> None:
    """Do the runs of a unit that have no file yet, and write a file for each; nodes may share store and cache."""
    from budgetsim.data.custom import register_custom_tasks
    from budgetsim.measure.conductor import Campaign, refuse_toys
    from budgetsim.measure.stagestore import default_cache
    from budgetsim.measure.unit_files import read_unit, work_off
    from budgetsim.store.location import locate
    from budgetsim.store.merge import merge as merge_store

    paths = locate(store)
    register_custom_tasks(paths.folder / "tasks")
    specs = read_unit(unit)
    refuse_toys(Campaign(specs=specs, paths=paths, cache=default_cache()))
    for number, (spec, finished) in enumerate(
        zip(specs, work_off(specs, paths, default_cache()), strict=True), start=1
    ):
        if finished is None:
            say(f"[{number}/{len(specs)}] {spec.title}: there already")
        else:
            main = finished.record.scores[0]
            say(f"[{number}/{len(specs)}] {spec.title}: {main.metric} {main.value:.1f}")
    if merge:
        merge_store(paths)

"""`budgetsim run-one SPEC.json`: one run in this process: the unit of work of any executor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from budgetsim_cli.console import Json, Store, print_json, print_page


def run_one(
    spec: Annotated[Path, typer.Argument(help="Run spec in JSON, as `measure --dry-run --json` writes them.")],
    merge: Annotated[bool, typer.Option("--merge/--no-merge", help="Merge the run into the database.")] = True,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Do one run, and write its file."""
    from budgetsim.data.custom import register_custom_tasks
    from budgetsim.data.loading import Access
    from budgetsim.measure.conductor import Campaign, refuse_toys
    from budgetsim.measure.record import measure_one
    from budgetsim.measure.spec import read_spec
    from budgetsim.measure.stagestore import default_cache
    from budgetsim.measure.worker import open_workspace
    from budgetsim.store.location import locate
    from budgetsim.store.merge import merge as merge_store

    paths = locate(store)
    register_custom_tasks(paths.folder / "tasks")
    run = read_spec(spec)
    refuse_toys(Campaign(specs=[run], paths=paths, cache=default_cache()))
    finished = measure_one(run, open_workspace(paths, default_cache(), Access()), paths)
    if merge:
        merge_store(paths)
    scores = {s.metric: s.value for s in finished.record.scores}
    run_id = finished.record.point.run_id
    if as_json:
        print_json({"run_id": run_id, "scores": scores, "file": str(finished.shard)})
    else:
        print_page([f"{run.title}: {', '.join(f'{k} {v:.2f}' for k, v in scores.items())} (run {run_id[:12]})"])

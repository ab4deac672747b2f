"""A small campaign on a generated task whose finished runs are written by hand: two of four, sharing a stage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from budgetsim.measure.conductor import Campaign, open_view
from budgetsim.measure.grid import load_grid
from budgetsim.measure.limits import Limits
from budgetsim.store.location import locate
from budgetsim.store.records import Score, StageRecord, write_shard
from made_runs import made_run

GRID = """description: four cheap runs
preset: cpu
tasks: [toy_requests]
blocks:
  - {strategy: annotate, student: [tfidf-lr], n_labels: [30, 300], seed: [0, 1]}
"""
STAGES = (
    StageRecord(stage_id="e" * 64, kind="encode", task="toy_requests", seconds=1800.0, n_devices=1, device_class="cpu"),
    StageRecord(stage_id="f" * 64, kind="train_student", task="toy_requests", seconds=900.0, device_class="cpu"),
)


def made_campaign(home: Path) -> Campaign:
    """The campaign, its grid written to `home/four.yaml`, in a store of its own there."""
    file = home / "four.yaml"
    file.write_text(GRID, encoding="utf-8")
    paths = locate(home / "budgetsim.duckdb")
    return Campaign(
        specs=load_grid(str(file)).specs(), paths=paths, cache=home / "cache", limits=Limits(usd_per_hour=2)
    )


def finish(campaign: Campaign, first: int, last: int) -> None:
    """Write the files of some runs, as a worker does: scores 60, 61 ... percent, a minute apart."""
    workspace = open_view(campaign)
    for k in range(first, last):
        spec = campaign.specs[k]
        point = workspace.point(spec)
        run = replace(
            made_run(),
            point=point,
            scores=(Score(metric="accuracy", value=60.0 + k, n_test=100),),
            stages=tuple(s.stage_id for s in STAGES),
            finished_at=datetime(2026, 11, 24, 12, k, tzinfo=UTC),
            recipe=spec.recipe.identity(spec.route),
            model_family="mini",
        )
        write_shard(campaign.paths.runs, run, STAGES)

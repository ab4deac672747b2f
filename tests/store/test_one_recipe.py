"""Runs of one route that were trained differently never make one curve: which of them a fit reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from budgetsim.design.identity import canonical_hash
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.measurements import load_measurements
from budgetsim.store.merge import merge
from budgetsim.store.records import RunRecord, write_shard
from made_runs import STAGES, made_run

OTHER = {"lr": 0.05}


def of(run: RunRecord, n_labels: int, *, other: bool = False, hours: int = 0) -> RunRecord:
    point = replace(run.point, design=replace(run.point.design, n_labels=n_labels))
    finished = run.finished_at + timedelta(hours=hours)
    if not other:
        return replace(run, point=point, finished_at=finished)
    return replace(run, point=replace(point, recipe_id=canonical_hash(OTHER)), recipe=OTHER, finished_at=finished)


def sizes_read(folder: Path, *runs: RunRecord) -> list[int | None]:
    paths = StorePaths(folder / "own.duckdb")
    for run in runs:
        write_shard(paths.runs, run, STAGES)
    merge(paths)
    with open_reader(paths.database) as connection:
        return sorted(m.n_labels or 0 for m in load_measurements(connection))


def test_the_recipe_with_more_design_points_is_read_however_many_seeds_the_other_has(tmp_path: Path) -> None:
    former = [of(made_run(seed), 30) for seed in range(3)]
    assert sizes_read(tmp_path, *former, of(made_run(), 100, other=True), of(made_run(), 200, other=True)) == [100, 200]


def test_of_two_with_as_many_the_newer_one_is_read_so_a_changed_recipe_takes_over(tmp_path: Path) -> None:
    assert sizes_read(tmp_path, of(made_run(), 30, hours=1), of(made_run(), 100, other=True)) == [30]
    assert sizes_read(tmp_path / "b", of(made_run(), 30), of(made_run(), 100, other=True, hours=1)) == [100]


def test_another_route_keeps_its_own_recipe(tmp_path: Path) -> None:
    student = replace(made_run().point.design.route, student="pico")
    elsewhere = of(made_run(), 500, other=True)
    elsewhere = replace(
        elsewhere, point=replace(elsewhere.point, design=replace(elsewhere.point.design, route=student))
    )
    assert sizes_read(tmp_path, of(made_run(), 30), of(made_run(), 40), elsewhere) == [30, 40, 500]


def test_runs_on_texts_of_another_task_are_read_only_where_there_are_no_others(tmp_path: Path) -> None:
    foreign = [of(made_run(), n) for n in (50, 60, 70)]
    foreign = [replace(r, point=replace(r.point, unlabeled_source="task:fever:share=1")) for r in foreign]
    assert sizes_read(tmp_path, *foreign) == [50, 60, 70]
    assert sizes_read(tmp_path / "both", *foreign, of(made_run(), 30)) == [30]

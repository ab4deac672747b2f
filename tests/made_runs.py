"""Made runs for tests of the store: a distilled student with its two stages."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Design, DesignPoint, Route
from budgetsim.store.database import migrate, migrations, schema_version
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import TABLES, merge
from budgetsim.store.records import RunRecord, Score, StageRecord

RECIPE = {"lr": 0.002}
DESIGN = DesignPoint(
    design=Design(task="stance", route=Route(strategy="distill", student="nano", teacher="big"), n_labels=30),
    split_id="ab" * 32,
    recipe_id=canonical_hash(RECIPE),
)
STAGES = (
    StageRecord(stage_id="teach", kind="finetune_teacher", task="stance", seconds=3600, gpu_hours=4.0),
    StageRecord(stage_id="train", kind="train_student", task="stance", seconds=1800, gpu_hours=0.5),
)


def made_run(seed: int = 0, stages: tuple[str, ...] = ("teach", "train")) -> RunRecord:
    return RunRecord(
        point=replace(DESIGN, seed=seed),
        scores=(Score(metric="f1", value=51.25, n_test=100), Score(metric="macro_f1", value=40.0, is_main=False)),
        stages=stages,
        model_family="tiny",
        device_class="cpu",
        device="a cpu",
        recipe=RECIPE,
        finished_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        git_commit="0" * 40,
        git_dirty=False,
        versions={"numpy": "2"},
        host="here",
        data_hash="d" * 64,
    )


def ship_some(folder: Path, every: int = 20) -> None:
    """The texts of a twentieth of the runs that ship, and all tables: a command makes its store of them, much sooner."""
    shipped = Path(__file__).parents[1] / "results"
    shutil.copytree(shipped / "evidence", folder / "evidence")
    (folder / "runs").mkdir()
    for file in sorted((shipped / "runs").glob("*.jsonl"))[::every]:
        shutil.copy(file, folder / "runs")


def furnish(paths: StorePaths) -> None:
    """Make a store of the paper's tables alone: what ships holds forty times as many rows and takes as much longer."""
    paths.evidence.mkdir(parents=True)
    for table in sorted((Path(__file__).parents[1] / "results/evidence").glob("kang2023*.csv")):
        shutil.copy(table, paths.evidence)
    merge(paths)


def set_back(paths: StorePaths, schema: int) -> None:
    """The store as the budgetsim of that schema wrote it: the tables of its migrations, the same rows."""
    newer = paths.folder / "newer"
    paths.database.rename(newer)
    alone = {"python_enable_replacements": "false"}
    with duckdb.connect(str(paths.database), config=alone) as connection:
        migrate(connection, migrations()[:schema])
        connection.execute(f"ATTACH '{newer}' AS newer (READ_ONLY)")
        for table in TABLES:
            names = ", ".join(row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall())
            connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")
    newer.unlink()
    with duckdb.connect(str(paths.database), read_only=True, config=alone) as connection:
        assert schema_version(connection) == schema

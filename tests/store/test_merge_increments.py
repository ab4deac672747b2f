"""A merge that reads what is new alone makes the same database as one that reads everything."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from budgetsim.errors import StoreError
from budgetsim.store import merge as merge_module
from budgetsim.store import tables
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import MADE, check, merge, rebuild
from budgetsim.store.records import RunRecord, StageRecord, write_shard
from budgetsim.store.state import note_of
from made_runs import STAGES, made_run


def rows(paths: StorePaths) -> dict[str, set[str]]:
    with open_reader(paths.database) as connection:
        return {t: {repr(r) for r in connection.execute(f"SELECT * FROM {t}").fetchall()} for t in MADE}


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path / "budgetsim.duckdb")
    write_shard(paths.runs, made_run(0), STAGES)
    merge(paths)
    return paths


def later(run: RunRecord, hours: int) -> RunRecord:
    return replace(run, finished_at=run.finished_at + timedelta(hours=hours))


def write_as(paths: StorePaths, name: str, run: RunRecord, stages: tuple[StageRecord, ...] = STAGES) -> Path:
    return write_shard(paths.runs, run, stages).rename(paths.runs / f"{name}.jsonl")


def change(paths: StorePaths, rng: random.Random, turn: int) -> None:
    """One of the things that happen to a folder of runs."""
    files = sorted(paths.runs.glob("*.jsonl"))
    run = later(made_run(rng.randrange(6)), rng.randrange(-3, 3))
    match rng.randrange(7):
        case 0 | 1:
            write_as(paths, f"new{turn}", run)
        case 2:
            write_as(paths, f"other{turn}", replace(run, scores=(replace(run.scores[0], value=12.5),)))
        case 3:
            own = replace(STAGES[1], stage_id=f"own{turn}", seconds=float(turn))
            write_as(paths, f"own{turn}", replace(run, stages=("teach", own.stage_id)), (STAGES[0], own))
        case 4:
            write_as(paths, f"unfounded{turn}", replace(run, stages=("teach", "nowhere")))
        case 5:
            (paths.runs / f"torn{turn}.jsonl").write_text('{"record": "run"')
        case 6 if len(files) > 1:
            rng.choice(files).unlink()


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_to_the_files_a_merge_ends_as_a_rebuild(paths: StorePaths, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for turn in range(4):
        for _ in range(rng.randrange(1, 3)):
            change(paths, rng, turn)
        report = merge(paths)
        fresh = StorePaths(tmp_path / f"fresh{turn}" / "budgetsim.duckdb", texts=paths.folder)
        anew = rebuild(fresh)
        assert rows(paths) == rows(fresh)
        assert sorted(report.refused) == sorted(anew.refused)


def test_what_is_new_is_read_alone(paths: StorePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("everything was read anew")

    monkeypatch.setattr(merge_module, "_build_anew", never)
    assert merge(paths).total == 0
    for seed in (1, 2):
        write_shard(paths.runs, made_run(seed), STAGES)  # rests on stages that the database has
    report = merge(paths)
    assert report.added | {"runs": 2, "scores": 4, "run_stages": 4, "stages": 0} == report.added
    monkeypatch.undo()
    assert check(paths) == []


def test_a_file_that_changed_without_a_trace_in_its_size_or_time_is_found(paths: StorePaths) -> None:
    """It was written a moment before it was read: its content is compared."""
    (file,) = paths.runs.glob("*.jsonl")
    found = file.stat()
    with file.open("r+", encoding="utf-8") as out:
        text = out.read().replace("51.25", "52.25")
        out.seek(0)
        out.write(text)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    merge(paths)
    assert check(paths) == []
    assert any("52.25" in row for row in rows(paths)["scores"])


def test_a_database_that_another_program_changed_is_built_anew(paths: StorePaths) -> None:
    """Also where its size, time and inode are what they were: headers count what was written."""
    import duckdb

    was = paths.database.stat()
    with duckdb.connect(str(paths.database)) as connection:
        connection.execute("UPDATE scores SET value = 1.0")
    os.utime(paths.database, ns=(was.st_atime_ns, was.st_mtime_ns))
    now = paths.database.stat()
    assert (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    merge(paths)
    assert check(paths) == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 9}', '{"version": 2, "files": 3, "database": [], "refused": []}']
)
def test_a_damaged_note_counts_for_nothing(paths: StorePaths, text: str) -> None:
    note_of(paths).write_text(text)
    write_shard(paths.runs, made_run(3), STAGES)
    assert merge(paths).added["runs"] == 1
    assert check(paths) == []


def test_a_hundred_and_thirty_thousand_rows_of_a_table_all_arrive(paths: StorePaths) -> None:
    """DuckDB lost whole row groups (122,880 rows) of a table that was made in the transaction that filled it."""
    stages = tuple(replace(STAGES[0], stage_id=f"stage{i}") for i in range(1000))
    for seed in range(130):
        run = made_run(seed, tuple(stage.stage_id for stage in stages))
        write_as(paths, f"wide{seed}", later(run, -1 - seed), stages if seed == 0 else ())
    report = rebuild(paths)
    assert report.refused == ()
    with open_reader(paths.database) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT run_id) FROM run_stages").fetchone() == (
            130_000,
            130,
        )


def test_a_database_that_loses_rows_is_never_put_in_place(paths: StorePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DuckDB that takes rows and does not keep them, as it did: told, and the old file stays."""
    before = paths.database.read_bytes()
    write_shard(paths.runs, made_run(1), STAGES)
    monkeypatch.setattr(tables.TableFile, "add", lambda self, row, record=0: setattr(self, "_n", self._n + 1))
    with pytest.raises(StoreError, match="DuckDB kept 0 of"):
        merge(paths)
    assert paths.database.read_bytes() == before

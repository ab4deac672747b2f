"""Stores of every schema there was are brought up to date, once, with the old file kept; newer ones are refused."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb
import pytest

from budgetsim.doors.unfinished import here
from budgetsim.errors import DiskFullError, StoreError
from budgetsim.store import database
from budgetsim.store import merge as merge_module
from budgetsim.store.database import migrations, open_reader, rewrite, schema_version
from budgetsim.store.location import StorePaths
from budgetsim.store.lock import hold
from budgetsim.store.merge import check, merge
from budgetsim.store.records import write_shard
from budgetsim.store.state import note_of, read_state, write_state
from made import run_cli
from made_runs import STAGES, made_run, set_back

NEWEST = migrations()[-1][0]
OLDER = range(1, NEWEST)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paths = StorePaths(tmp_path_factory.mktemp("made") / "own" / "budgetsim.duckdb")
    for seed in range(2):
        write_shard(paths.runs, made_run(seed), STAGES)
    merge(paths)
    return paths.folder


@pytest.fixture
def paths(made: Path, tmp_path: Path) -> StorePaths:
    return StorePaths(shutil.copytree(made, tmp_path / "own") / "budgetsim.duckdb")


@pytest.fixture(scope="module")
def older(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The store as the budgetsim of a schema wrote it, made once."""

    @cache
    def of(schema: int) -> Path:
        paths = StorePaths(shutil.copytree(made, tmp_path_factory.mktemp("older") / "own") / "budgetsim.duckdb")
        set_back(paths, schema)
        return paths.folder

    return of


@pytest.fixture
def back_to(older: Callable[[int], Path], paths: StorePaths) -> Callable[[int], None]:
    """Put a store of a schema in the place of the newest."""
    return lambda schema: shutil.copytree(older(schema), paths.folder, dirs_exist_ok=True)


def kept(paths: StorePaths) -> list[str]:
    return sorted(file.name for file in paths.folder.glob("*.schema*"))


@pytest.mark.parametrize("schema", OLDER)
def test_an_older_store_is_upgraded_where_it_is_read_and_once(paths, back_to, schema, caplog):
    back_to(schema)
    old = paths.database.read_bytes()
    for _ in range(2):
        with open_reader(paths.database, locked_down=True) as connection:
            assert schema_version(connection) == NEWEST
            assert connection.execute("SELECT count(*) FROM points").fetchone() == (2,)
            connection.execute("SELECT * FROM teacher_scores").fetchall()  # a view of the newest schema
    assert kept(paths) == [f"budgetsim.duckdb.schema{schema}"]
    assert (paths.folder / kept(paths)[0]).read_bytes() == old
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"had schema {schema} and has {NEWEST} now; it is kept as it was as {paths.folder / kept(paths)[0]}" in told
    assert check(paths) == []


@pytest.mark.parametrize("schema", OLDER)
def test_an_older_store_is_upgraded_where_it_is_written(paths, back_to, schema):
    back_to(schema)
    write_shard(paths.runs, made_run(7), STAGES)
    assert merge(paths).added["runs"] == 1
    assert kept(paths) == [f"budgetsim.duckdb.schema{schema}"]
    assert check(paths) == []


def test_after_an_upgrade_a_merge_reads_what_is_new_alone(paths, monkeypatch):
    """A million run files are not read again because a table has another column."""
    merge(paths)
    set_back(paths, NEWEST - 1)
    state = read_state(paths)
    write_state(paths, state.files, state.refused)  # as the older budgetsim left it
    with open_reader(paths.database) as connection:
        assert schema_version(connection) == NEWEST
    write_shard(paths.runs, made_run(7), STAGES)
    with monkeypatch.context() as patch:
        patch.setattr(merge_module, "_build_anew", None)
        assert merge(paths).added["runs"] == 1
    assert check(paths) == []


def test_an_older_store_that_was_changed_is_read_anew_after_its_upgrade(paths):
    set_back(paths, NEWEST - 1)  # as no merge left it
    with duckdb.connect(str(paths.database)) as connection:
        connection.execute("UPDATE scores SET value = 1.0")
    with open_reader(paths.database) as connection:
        assert schema_version(connection) == NEWEST
    merge(paths)
    assert check(paths) == []


def test_an_older_store_that_another_process_holds_is_read_from_a_copy(paths, back_to):
    back_to(1)
    old = paths.database.read_bytes()
    with hold(paths.database, paths.lock), open_reader(paths.database) as connection:
        assert schema_version(connection) == NEWEST
        assert connection.execute("SELECT count(*) FROM points").fetchone() == (2,)
    assert paths.database.read_bytes() == old
    assert kept(paths) == []


@pytest.mark.parametrize("step", range(1, NEWEST))
def test_an_upgrade_that_is_stopped_in_any_migration_leaves_the_old_file(paths, back_to, step, monkeypatch):
    back_to(1)
    old = paths.database.read_bytes()
    with monkeypatch.context() as patch:
        broken = [(n, name, sql if n <= step else f"{sql}; SELECT * FROM nowhere") for n, name, sql in migrations()]
        patch.setattr(database, "migrations", lambda: broken)
        with pytest.raises(StoreError, match="nothing was changed"), open_reader(paths.database):
            pass
    assert paths.database.read_bytes() == old
    with open_reader(paths.database) as connection:
        assert schema_version(connection) == NEWEST


@pytest.mark.parametrize(
    "words",
    [
        ("store", "query", "SELECT 1"), ("store", "merge", "."), ("store", "check"), ("store", "describe"),
        ("optimize", "--budget", "100"), ("fit",),
    ],
)  # fmt: skip
def test_a_store_of_a_newer_budgetsim_is_refused_by_every_command(paths, words, tmp_path):
    """As an older wheel meets it: it says which schema it found, which it knows, and what to do."""
    with hold(paths.database, paths.lock), rewrite(paths.database) as building:
        building.connection.execute("INSERT INTO schema_version VALUES (?, 'from the future')", [NEWEST + 1])
    before = paths.database.read_bytes()
    if words[1:2] == ("merge",):
        words = ("store", "merge", str(shutil.copytree(paths.runs, tmp_path / "others")))
    done = run_cli(*words, store=paths.database)
    assert done.returncode == 1
    assert f"has schema {NEWEST + 1}, this budgetsim knows {NEWEST}: upgrade budgetsim" in done.stderr
    assert "Traceback" not in done.stderr
    assert paths.database.read_bytes() == before


def test_run_files_of_a_newer_budgetsim_are_named_and_the_rest_goes_in(paths):
    file = write_shard(paths.runs, made_run(5), STAGES)
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    report = merge(paths)
    assert "of schema 2, which a newer budgetsim wrote: upgrade budgetsim" in report.refused[0]
    assert report.added["runs"] == 0
    with open_reader(paths.database) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_what_a_killed_process_left_is_swept(paths):
    left = paths.folder / ".building-budgetsim.duckdb-killed"
    left.mkdir()
    (left / "budgetsim.duckdb").write_bytes(b"half")
    write_shard(paths.runs, made_run(9), STAGES)
    merge(paths)
    assert not left.exists()


def test_half_written_files_of_killed_processes_are_swept_by_a_merge(paths):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    evidence = paths.evidence
    evidence.mkdir(exist_ok=True)
    places = [paths.runs / "x.jsonl", evidence / "x.csv", note_of(paths), paths.folder / "budgetsim.duckdb.schema3"]
    left = [place.with_name(f".{place.name}.{here()}.{ended.pid:x}.tmp") for place in places]
    others = paths.folder / f".notes.{here()}.{ended.pid:x}.tmp"  # beside the store, and none of its own
    for file in (*left, others):
        file.write_text("half")
    merge(paths)
    assert not any(file.exists() for file in left)
    assert others.exists()
    set_back(paths, 1)
    left[-1].write_text("half")
    with open_reader(paths.database):  # a reader that upgrades holds the lock too
        assert not left[-1].exists()


def test_hours_in_points_are_the_sum_of_the_stages_of_each_run_whatever_the_task(paths):
    with open_reader(paths.database) as connection:
        rows = connection.execute("SELECT hours, gpu_hours FROM points WHERE task = 'stance'").fetchall()
        (comments,) = connection.execute(
            "SELECT count(*) FROM duckdb_columns() WHERE table_name = 'points' AND comment IS NULL"
        ).fetchone()
    assert rows == [(1.5, 4.5)] * 2  # 3600 s and 1800 s
    assert comments == 0


def test_a_disk_without_any_room_is_said_to_be_full(paths, monkeypatch):
    """Found by `make chaos`: an upgrade and its second way, a copy to read, both without room; and a check."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(paths.folder / "x"))

    set_back(paths, 1)
    with monkeypatch.context() as patch:
        patch.setattr(database.tempfile, "TemporaryDirectory", full)
        with pytest.raises(DiskFullError, match="is full; the store is as it was"), open_reader(paths.database):
            pass
        with pytest.raises(DiskFullError, match="is full; the store is as it was"):
            check(paths)
    assert check(paths) == []

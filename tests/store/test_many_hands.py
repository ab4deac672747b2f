"""Many processes on one store: nothing is lost, nothing is made up, and who waits is told for whom."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from budgetsim.errors import InputError, StoreError
from budgetsim.store.compact import compact
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import check, import_published, merge, merge_folder, rebuild, seed
from budgetsim.store.query import run_sql
from budgetsim.store.records import write_shard
from made import run_cli
from made_runs import STAGES, made_run

BUDGETSIM = str(Path(sys.executable).with_name("budgetsim"))


@pytest.fixture
def paths(tmp_path):
    paths = StorePaths(tmp_path / "own" / "budgetsim.duckdb")
    write_shard(paths.runs, made_run(), STAGES)
    merge(paths)
    return paths


def table(folder: Path, name: str) -> Path:
    file = folder / f"{name}.csv"
    file.write_text(f"record_id,task,strategy,student,n_labels,metric,score\n{name}-1,stance,annotate,x,10,f1,40\n")
    return file


def start(paths: StorePaths, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [BUDGETSIM, "store", *words, "--store", str(paths.database)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_imports_and_rebuilds_at_once_all_end_well_and_the_texts_say_what_the_database_says(paths, tmp_path):
    """Six imports and two rebuilds at once: each waits for the others, and no row is left of a text that is not there."""
    at_once = [start(paths, "import", str(table(tmp_path, f"t{i}"))) for i in range(6)]
    at_once += [start(paths, "rebuild") for _ in range(2)]
    for process in at_once:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    assert check(paths) == []
    with open_reader(paths.database) as connection:
        assert run_sql(connection, "SELECT count(*) FROM runs WHERE source LIKE 'published:t%'").rows == [(6,)]


def test_an_import_that_fails_was_never_to_be_seen(paths, tmp_path, monkeypatch):
    """Its text is read by nobody before it is certain to stay: here the merge fails, and another merge follows."""
    file = table(tmp_path, "mine")

    def fail(*_: object, **__: object) -> None:
        raise StoreError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("budgetsim.store.merge._build", fail)
        with pytest.raises(StoreError, match="no room"):
            import_published(paths, file)
    merge(paths)
    assert not (paths.evidence / "mine.csv").exists()
    assert check(paths) == []


def test_a_merge_gives_the_same_database_in_whatever_order_files_come(paths, tmp_path):
    """The same stage, done on two machines: the first to finish counts, also where it comes in last."""
    from datetime import UTC, datetime

    def stages(hour: int, seconds: float):
        at = datetime(2026, 11, 22, hour, tzinfo=UTC)
        return tuple(replace(stage, seconds=seconds, finished_at=at) for stage in STAGES)

    rows = []
    for order in ((3, 9), (9, 3)):
        own = StorePaths(tmp_path / f"order{order[0]}" / "budgetsim.duckdb")
        for k, hour in enumerate(order):
            write_shard(own.runs, made_run(seed=hour), stages(hour, float(hour)))
            merge(own)
            assert check(own) == [], k
        with open_reader(own.database) as connection:
            rows.append(run_sql(connection, "SELECT stage_id, seconds FROM stages ORDER BY ALL").rows)
    assert rows[0] == rows[1] == [("teach", 3.0), ("train", 3.0)]


def test_rows_that_no_text_holds_are_left_out_and_kept_beside(paths):
    with duckdb.connect(str(paths.database)) as connection:
        connection.execute(
            "INSERT INTO runs (run_id, source, evidence_set, task, strategy, student) VALUES ('x', 'm', 'e', 't', 'annotate', 's')"
        )
    report = merge(paths)
    assert (report.dropped, report.kept) == (1, paths.database.with_name("budgetsim.duckdb.before"))
    assert check(paths) == []
    with duckdb.connect(str(report.kept), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM runs WHERE run_id = 'x'").fetchone() == (1,)


def test_a_merge_that_finds_nothing_new_leaves_the_file_alone(paths):
    before = paths.database.stat()
    assert merge(paths).total == 0
    after = paths.database.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_whole_runs_of_a_damaged_folder_go_in_and_the_others_are_named(paths, tmp_path):
    incoming = tmp_path / "incoming"
    good = write_shard(incoming, made_run(1), STAGES)
    bad = write_shard(incoming, made_run(2), STAGES)
    bad.write_text(bad.read_text().replace('"n_test": 100', '"n_test": true'))
    (incoming / "endless.jsonl").symlink_to("/dev/zero")
    done = run_cli("store", "merge", str(incoming), store=paths.database)
    assert done.returncode == 2
    assert "Added 1 runs" in done.stdout
    assert f"{bad}, line 3: " in done.stderr
    assert "found True, wanted a whole number" in done.stderr
    assert "endless.jsonl is a pipe or a device" in done.stderr
    assert check(paths) == []
    assert merge_folder(paths, good).total == 0


def test_what_a_waiting_process_says(paths, tmp_path):
    """It names the command that holds the store and since when, and what to do."""
    from budgetsim.store.lock import hold

    with hold(paths.database, paths.lock):
        code = (
            "import sys; from pathlib import Path; from budgetsim.store.lock import hold\n"
            f"p = Path({str(paths.database)!r})\n"
            "with hold(p, p.with_name(p.name + '.lock'), wait_seconds=0.3): pass"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "is held by process" in done.stderr
    assert "then give the same command again" in done.stderr


@pytest.mark.parametrize(
    ("sql", "timeout", "message"),
    [
        ("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE hash(a.range + b.range) = 7", 1, "took longer than 1 seconds"),
        ("SELECT list(range) FROM range(400000000)", 1, "more memory than 1 GB|took longer"),
        ("SELECT * FROM range(100000000)", 600, "more than 1,000,000 rows"),
        ("SELECT a.range FROM range(30000000) a ORDER BY hash(a.range), repeat('x', 300)", 1, "(more memory|longer|rows)"),
    ],
)  # fmt: skip
def test_a_huge_query_ends_with_a_word(sql, timeout, message, paths):
    with open_reader(paths.database, locked_down=True) as connection, pytest.raises(InputError, match=message):
        run_sql(connection, sql, timeout=timeout)


def test_moments_with_a_time_zone_are_answered(paths):
    done = run_cli("store", "query", "SELECT now() AS t, [now()] AS l, DATE '2020-01-01' AS d", store=paths.database)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """As another user sees a folder without rights; root passes over them, so the folder is a file here."""
    (tmp_path / "f").write_text("")
    for place in (tmp_path / "f" / "s.duckdb", Path("/proc/nowhere/s.duckdb"), Path("/proc/self/s.duckdb")):
        with pytest.raises(StoreError, match="cannot be written"):
            seed(StorePaths(place))
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("act", [merge, rebuild, compact, check])
def test_a_pipe_or_a_device_is_never_replaced_by_a_store(act, tmp_path):
    """A rebuild by root put a database in place of /dev/null."""
    pipe = tmp_path / "null"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="is a pipe or a device"):
        act(StorePaths(pipe))
    assert pipe.is_fifo()
    with pytest.raises(StoreError, match="is a folder"):
        act(StorePaths(tmp_path))

"""The store: what is built from text, how often, by whom, and what a query may touch."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import duckdb
import pytest

from budgetsim.design.models import CPU_SHAPES
from budgetsim.errors import InputError, NoEvidenceError, StoreError, StoreLockedError
from budgetsim.store import database
from budgetsim.store.database import migrate, migrations, open_reader, open_writer, schema_version
from budgetsim.store.location import StorePaths, locate, package_data
from budgetsim.store.measurements import load_measurements
from budgetsim.store.merge import check, import_published, merge, merge_folder, rebuild, seed
from budgetsim.store.query import (
    choose_evidence,
    describe,
    export_csv,
    load_catalogue,
    load_compute,
    points_frame,
    run_sql,
)
from budgetsim.store.records import Score, read_shards, write_shard
from made import ROOT
from made_runs import STAGES, furnish, made_run, ship_some


@pytest.fixture
def paths(tmp_path):
    return StorePaths(tmp_path / "budgetsim.duckdb")


def count(paths, table):
    with open_reader(paths.database) as connection:
        return run_sql(connection, f"SELECT count(*) FROM {table}").rows[0][0]


def test_two_hundred_and_three_distinct_results(store):
    published = "WHERE source = 'published:kang2023'"
    assert count(store, f"runs {published}") == 221
    assert count(store, f"points {published}") == 203
    with open_reader(store.database) as connection:
        fitted = [m for m in load_measurements(connection) if m.source == "published:kang2023"]
        assert len(fitted) == 202  # one more cannot pay for its teacher
        assert len(load_compute(connection)) == 36


def test_the_committed_database_agrees_with_its_text_files(store):
    assert check(store) == []


@pytest.mark.slow
def test_rebuilding_gives_the_same_rows(paths):
    seed(paths)
    with open_reader(paths.database) as connection:
        before = run_sql(connection, "SELECT * FROM points ORDER BY run_id").rows
    rebuild(paths)
    with open_reader(paths.database) as connection:
        assert run_sql(connection, "SELECT * FROM points ORDER BY run_id").rows == before
    assert check(paths) == []


def test_check_tells_what_differs(paths):
    furnish(paths)
    with open_writer(paths.database, paths.lock) as connection:
        connection.execute("DELETE FROM scores WHERE run_id = 'kang2023-001'")
        connection.execute("UPDATE runs SET n_labels = 7 WHERE run_id = 'kang2023-003'")
    problems = check(paths)
    assert any(p.startswith("scores: 1 rows of the text files are not in the database") for p in problems)
    assert any(p.startswith("runs: 1 rows of the database are in no text file") for p in problems)
    assert not any(p.startswith("designs") for p in problems)  # they are counted from the runs


def test_check_tells_what_is_counted_wrong(paths):
    furnish(paths)
    with open_writer(paths.database, paths.lock) as connection:
        (changed,) = connection.execute("UPDATE designs SET n_runs = 7 WHERE n_labels = 1000").fetchone()
    assert changed
    assert check(paths) == [f"designs: {changed} rows are not as counted from the runs; run `budgetsim store rebuild`"]


def test_every_table_view_and_column_has_a_comment(store):
    with open_reader(store.database) as connection:
        silent = [row[:2] for row in describe(connection).rows if not row[3]]
    assert silent == []


def test_a_run_comes_back_from_its_file(tmp_path):
    run = made_run()
    file = write_shard(tmp_path, run, STAGES)
    assert read_shards(tmp_path) == ([run], list(STAGES))
    assert file.name == f"{run.point.run_id[:20]}.jsonl"
    assert [p.name for p in tmp_path.iterdir()] == [file.name]  # no temporary file is left


def test_shared_stages_are_neither_lost_nor_counted_twice(paths):
    """Two runs on one teacher: each costs teacher and student, the campaign pays the teacher once."""
    write_shard(paths.runs, made_run(0), STAGES)
    other = replace(STAGES[1], stage_id="train2")
    write_shard(paths.runs, made_run(1, ("teach", "train2")), (STAGES[0], other))
    merge(paths)
    with open_reader(paths.database) as connection:
        rows = run_sql(connection, "SELECT hours, gpu_hours FROM points").rows
        campaign = run_sql(connection, "SELECT sum(gpu_hours) FROM stages").rows
    assert rows == [(1.5, 4.5), (1.5, 4.5)]
    assert campaign == [(5.0,)]


def test_points_as_a_data_frame(store):
    with open_reader(store.database) as connection:
        frame = points_frame(connection)
    assert len(frame) == count(store, "points")
    assert frame["score"].between(0, 100).all()


def test_identity_is_the_design_not_the_provenance(paths):
    """The same design measured on another machine is the same run: the first one stays."""
    write_shard(paths.runs, made_run(), STAGES)
    merge(paths)
    again = replace(made_run(), host="elsewhere", git_commit="1" * 40, scores=(Score(metric="f1", value=60.0),))
    assert again.point.run_id == made_run().point.run_id
    write_shard(paths.runs.parent / "other", again, STAGES)
    (refused,) = merge_folder(paths, paths.runs.parent / "other").refused
    assert "with other scores; it was left as it is" in refused
    assert count(paths, "runs") == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[: len(text) // 2], "not a run or stage of schema 1"),
        (lambda text: text.replace('"n_labels": 30', '"n_labels": 31'), "is not the hash of its design point"),
        (
            lambda text: text.replace('"lr": 0.002', '"lr": 0.02'),
            "recipe_id [0-9a-f]{12} is not the hash of its recipe",
        ),
        (lambda text: text.replace('"value": 51.25', '"value": 151.25'), "wanted 100 or less"),
        (lambda text: text.replace('"host"', '"hots"'), "unknown keys hots"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 2'), "schema 2"),
    ],
)
def test_a_torn_or_altered_run_file_is_named_and_the_rest_goes_in(paths, spoil, message):
    write_shard(paths.runs, made_run(1), STAGES)
    file = write_shard(paths.runs, made_run(), STAGES)
    file.write_text(spoil(file.read_text()))
    report = merge(paths)
    told = next(line for line in report.refused if re.search(message, line))
    assert f"{file}, line " in told
    assert report.added["runs"] == 1
    assert check(paths) == list(report.refused)


def test_a_run_without_its_stage_is_refused(paths):
    write_shard(paths.runs, made_run(stages=("teach", "gone")), STAGES)
    assert "rests on stage gone" in merge(paths).refused[0]
    assert count(paths, "runs") == 0


def shell(database, *, read_only):
    """Another program that has the database open, until it reads a line."""
    code = f"import duckdb, sys; c = duckdb.connect({str(database)!r}, read_only={read_only}); print('open', flush=True); sys.stdin.readline()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    return process


def test_a_shell_that_reads_blocks_nothing(paths):
    furnish(paths)
    with shell(paths.database, read_only=True) as holder:
        write_shard(paths.runs, made_run(), STAGES)
        assert merge(paths).added["runs"] == 1
        assert count(paths, "runs WHERE seed = 0 AND task = 'stance'") >= 1
        holder.communicate("\n")


def test_a_shell_that_writes_delays_the_merge_and_is_named_and_readers_go_on(paths):
    """The run's file is safe, the message says who holds the store since when, and the merge goes through later."""
    furnish(paths)
    before = count(paths, "runs")
    with shell(paths.database, read_only=False) as holder:
        write_shard(paths.runs, made_run(), STAGES)
        wanted = (
            rf"process {holder.pid} \(.*duckdb\.connect.*\) since 20\d\d-.* UTC.*kill {holder.pid}.*same command again"
        )
        with pytest.raises(StoreLockedError, match=wanted), open_writer(paths.database, paths.lock, wait_seconds=0.3):
            pass
        assert count(paths, "runs") == before  # read from a copy
        holder.communicate("\n")
    assert merge(paths).added["runs"] == 1


def test_a_damaged_database_is_no_loss(paths):
    furnish(paths)
    paths.database.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="store rebuild"), open_reader(paths.database):
        pass
    paths.database.unlink()
    rebuild(paths)
    assert count(paths, "points WHERE source = 'published:kang2023'") == 203


@pytest.mark.parametrize(
    "sql",
    [
        "COPY points TO 'out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('results/evidence/kang2023.csv')",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "DELETE FROM runs",
        "CREATE TABLE t (i INTEGER)",
    ],
)
def test_a_query_reads_the_store_and_nothing_else(store, sql):
    with open_reader(store.database, locked_down=True) as connection, pytest.raises(InputError, match="refused"):
        run_sql(connection, sql)


def test_a_database_with_damaged_blocks_is_not_said_to_be_held_and_can_be_rebuilt(paths):
    """DuckDB's words of a wrong checksum name a block, in which there is a lock: it was waited for, and never replaced."""
    furnish(paths)
    data = bytearray(paths.database.read_bytes())
    for place in range(3 * 4096 + 100, len(data), 4096):  # behind the headers
        data[place] ^= 1
    paths.database.write_bytes(data)
    with pytest.raises(StoreError, match=r"block.*store rebuild") as told, open_reader(paths.database):
        pass
    assert not isinstance(told.value, StoreLockedError)
    rebuild(paths)
    assert count(paths, "points WHERE source = 'published:kang2023'") == 203


def test_migrations_run_once_and_a_newer_store_is_refused(paths):
    furnish(paths)
    with open_writer(paths.database, paths.lock) as connection:
        assert schema_version(connection) == migrations()[-1][0]
        migrate(connection)
        connection.execute("INSERT INTO schema_version VALUES (99, 'from the future')")
    with pytest.raises(StoreError, match="has schema 99"), open_writer(paths.database, paths.lock):
        pass


def test_a_migration_that_fails_leaves_nothing(paths, monkeypatch):
    newest = migrations()[-1][0]
    broken = [
        *migrations(),
        (newest + 1, "9999_broken.sql", "CREATE TABLE extra (i INTEGER); SELECT nonsense FROM nowhere"),
    ]
    monkeypatch.setattr(database, "migrations", lambda: broken)
    with pytest.raises(StoreError, match="nothing was changed"), open_writer(paths.database, paths.lock):
        pass
    monkeypatch.undo()
    with open_writer(paths.database, paths.lock) as connection:
        assert schema_version(connection) == newest
        tables = run_sql(connection, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'extra'")
        assert tables.rows == [(0,)]


def test_where_the_store_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert locate().database == tmp_path / "data" / "budgetsim" / "budgetsim.duckdb"
    (tmp_path / "results" / "evidence").mkdir(parents=True)
    assert locate().database.as_posix() == "results/budgetsim.duckdb"
    assert locate().fits.as_posix() == "fits"
    monkeypatch.setenv("BUDGETSIM_STORE", str(tmp_path / "mine.duckdb"))
    assert locate().database == tmp_path / "mine.duckdb"
    assert locate(tmp_path / "asked.duckdb").database == tmp_path / "asked.duckdb"


def test_evidence_is_chosen_by_name_or_published_first(store):
    with open_reader(store.database) as connection:
        catalogue = load_catalogue(connection, miniatures=list(CPU_SHAPES))
    assert catalogue["nq"] == {"published-kang2023": 30}
    catalogue = {
        "nq": {"measured-gpu": 9, "measured-cpu-a": 99, "published-kang2023": 30},
        "mine": {"measured-cpu-b": 5},
    }
    assert choose_evidence(catalogue, None) == {"nq": "published-kang2023", "mine": "measured-cpu-b"}
    assert choose_evidence(catalogue, "published") == {"nq": "published-kang2023"}
    assert choose_evidence(catalogue, "measured-cpu") == {"nq": "measured-cpu-a", "mine": "measured-cpu-b"}
    with pytest.raises(InputError, match="fits measured-cpu-a, measured-gpu of nq"):
        choose_evidence(catalogue, "measured")
    with pytest.raises(NoEvidenceError, match="No evidence set is called 'other'"):
        choose_evidence(catalogue, "other")
    with pytest.raises(NoEvidenceError, match="holds no evidence"):
        choose_evidence({}, None)


def test_a_table_of_ones_own_is_imported_and_kept_apart(paths, tmp_path):
    furnish(paths)
    mine = tmp_path / "mine.csv"
    mine.write_text("record_id,task,strategy,student,n_labels,metric,score\nm1,stance,annotate,x,10,f1,40\n")
    assert import_published(paths, mine).added["runs"] == 1
    assert import_published(paths, mine).total == 0
    assert (paths.evidence / "mine.csv").exists()
    assert check(paths) == []
    clash = tmp_path / "clash.csv"
    clash.write_text("record_id,task,strategy,student,n_labels,metric,score\nkang2023-001,stance,annotate,x,10,f1,40\n")
    with pytest.raises(InputError, match="already belongs to published:kang2023"):
        import_published(paths, clash)


def test_export_writes_a_file_a_table(store, tmp_path):
    with open_reader(store.database, exports=tmp_path / "out") as connection:
        files = export_csv(connection, tmp_path / "out")
    assert {"runs.csv", "points.csv", "learning_curves.csv"} <= {f.name for f in files}
    assert len((tmp_path / "out" / "points.csv").read_text().splitlines()) == count(store, "points") + 1


def test_package_data_is_the_projects_own():
    assert (package_data("evidence") / "kang2023.csv").read_bytes() == (
        ROOT / "results/evidence/kang2023.csv"
    ).read_bytes()
    assert package_data("rates.yaml").read_bytes() == (ROOT / "rates.yaml").read_bytes()


def test_a_store_is_made_of_what_ships_once_and_merging_again_changes_nothing(paths, tmp_path, monkeypatch):
    """Of a twentieth of the runs: that all are in the committed database is what `check` says of it above."""
    ship_some(tmp_path / "package")
    monkeypatch.setattr("budgetsim.store.merge.package_data", lambda name: tmp_path / "package" / name)
    assert seed(paths)
    for name in ("evidence", "runs"):
        shipped = {file.name: file.read_bytes() for file in (tmp_path / "package" / name).iterdir()}
        assert {file.name: file.read_bytes() for file in (paths.folder / name).iterdir()} == shipped
    assert count(paths, "runs WHERE source NOT LIKE 'published:%'") > 20
    assert count(paths, "points WHERE source = 'published:kang2023'") == 203
    assert merge(paths).total == 0
    assert not seed(paths)


@pytest.mark.slow
def test_a_store_made_of_what_ships_is_the_committed_one_and_merging_again_changes_nothing(store, paths):
    assert seed(paths)
    with open_reader(store.database) as a, open_reader(paths.database) as b:
        sql = "SELECT * FROM points ORDER BY run_id"
        assert json.dumps(run_sql(a, sql).rows, default=str) == json.dumps(run_sql(b, sql).rows, default=str)
    assert merge(paths).total == 0
    assert not seed(paths)


def test_what_cannot_be_merged_leaves_nothing_behind(paths, tmp_path):
    furnish(paths)
    before = sorted(p.name for p in paths.evidence.iterdir())
    clash = tmp_path / "clash.csv"
    clash.write_text("record_id,task,strategy,student,n_labels,metric,score\nkang2023-001,stance,annotate,x,10,f1,40\n")
    with pytest.raises(InputError, match="already belongs to"):
        import_published(paths, clash)
    assert sorted(p.name for p in paths.evidence.iterdir()) == before
    write_shard(tmp_path / "incoming", made_run(stages=("teach", "gone")), STAGES)
    assert "rests on stage gone" in merge_folder(paths, tmp_path / "incoming").refused[0]
    assert check(paths) == []


def test_one_run_with_two_results_is_told(paths, tmp_path):
    write_shard(paths.runs, made_run(), STAGES)
    file = write_shard(tmp_path / "other", replace(made_run(), scores=(Score(metric="f1", value=60.0),)), STAGES)
    shutil.copy(file, paths.runs / "copy.jsonl")
    (refused,) = merge(paths).refused
    assert "stands in another file with other scores" in refused
    assert count(paths, "runs") == 1


def test_a_foreign_or_newer_database_is_named_and_can_be_replaced(paths):
    paths.folder.mkdir(parents=True, exist_ok=True)
    duckdb.connect(str(paths.database)).execute("CREATE TABLE mine (i INTEGER)").close()
    with pytest.raises(StoreError, match="no store of budgetsim"), open_reader(paths.database) as connection:
        load_measurements(connection)
    duckdb.connect(str(paths.database)).execute(
        "CREATE TABLE schema_version (version INTEGER, name VARCHAR); INSERT INTO schema_version VALUES (99, 'x')"
    ).close()
    with pytest.raises(StoreError, match="has schema 99"), open_reader(paths.database):
        pass
    furnish(StorePaths(paths.folder / "other.duckdb", texts=paths.folder))
    rebuild(paths)
    assert count(paths, "points WHERE source = 'published:kang2023'") == 203

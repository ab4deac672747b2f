"""A database that somebody else wrote: its views reach no file, its rows are such as text can hold, or it is refused."""

import duckdb
import pytest

from budgetsim.answers.evidence import load_evidence
from budgetsim.errors import StoreError
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import merge
from budgetsim.store.query import export_csv
from budgetsim.store.ranges import check_ranges
from budgetsim.store.records import write_shard
from made import ROOT
from made_runs import STAGES, made_run


@pytest.fixture
def paths(tmp_path):
    paths = StorePaths(tmp_path / "store" / "budgetsim.duckdb")
    write_shard(paths.runs, made_run(0), STAGES)
    merge(paths)
    return paths


def change(paths, sql):
    with duckdb.connect(str(paths.database)) as connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE scores SET value = 'nan'", "2 rows of scores whose value is out of range"),
        ("UPDATE scores SET value = 250 WHERE is_main", "1 rows of scores whose value"),
        ("UPDATE scores SET task = ''", "2 rows of scores whose task"),
        ("UPDATE run_stages SET stage_task = ''", "run_stages whose stage_task"),
        ("UPDATE runs SET n_labels = -1", "runs whose n_labels"),
        ("UPDATE runs SET strategy = 'nope'", "runs whose strategy"),
        ("UPDATE stages SET seconds = 'inf'", "stages whose seconds"),
        ("UPDATE stages SET n_devices = 0", "stages whose n_devices"),
        ("ALTER TABLE runs DROP COLUMN student", "no store of budgetsim, or a damaged one"),
    ],
)
def test_rows_that_no_text_holds_are_refused_before_they_are_computed_with(sql, said, paths):
    assert load_evidence(paths, tasks=["stance"]).measurements
    change(paths, sql)
    with pytest.raises(StoreError, match=said):
        load_evidence(paths, tasks=["stance"])


def read(paths):
    with open_reader(paths.database) as connection:
        connection.execute("SELECT * FROM loot").fetchall()


def export(paths):
    with open_reader(paths.database, exports=paths.folder / "out") as connection:
        export_csv(connection, paths.folder / "out")


@pytest.mark.parametrize("look", [read, export])
def test_a_view_of_theirs_reads_no_file_of_ours(look, paths, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    change(paths, f"CREATE VIEW loot AS SELECT content FROM read_text('{secret}')")
    with pytest.raises(StoreError, match="disabled by configuration"):
        look(paths)
    assert not any("mine" in file.read_text() for file in paths.folder.glob("out/*.csv"))


def test_a_table_named_like_a_path_is_written_nowhere_else(paths):
    change(paths, 'CREATE TABLE "../elsewhere" AS SELECT 1 AS one')
    with pytest.raises(StoreError, match="disabled by configuration"):
        export(paths)
    assert not (paths.folder / "elsewhere.csv").exists()


def test_what_ships_is_within_every_range():
    with open_reader(ROOT / "results" / "budgetsim.duckdb") as connection:
        check_ranges(connection)

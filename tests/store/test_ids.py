"""One row an id, though no index of the database says so: a table whose ids are those of measured runs is refused."""

import duckdb
import pytest

from budgetsim.errors import InputError
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import MADE, check, import_published, merge, put_published, rebuild
from budgetsim.store.records import write_shard
from made_runs import STAGES, made_run

RUN = made_run(0)
HEAD = "record_id,task,strategy,student,n_labels,metric,score\n"
TABLE = f"{HEAD}other,stance,annotate,x,10,f1,40\n{RUN.point.run_id},stance,annotate,x,20,f1,50\n"


@pytest.fixture
def paths(tmp_path):
    paths = StorePaths(tmp_path / "store" / "budgetsim.duckdb")
    write_shard(paths.runs, RUN, STAGES)
    merge(paths)
    return paths


def rows(paths, sql):
    with duckdb.connect(str(paths.database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_table_with_the_id_of_a_measured_run_is_not_imported(paths, tmp_path):
    (tmp_path / "mine.csv").write_text(TABLE)
    with pytest.raises(InputError, match="belongs to a run that was measured here; give the rows"):
        import_published(paths, tmp_path / "mine.csv")
    with pytest.raises(InputError, match="belongs to a run that was measured here; give the rows"):
        put_published(paths, "mine", TABLE)
    assert list(paths.evidence.glob("*")) == []
    assert check(paths) == []


@pytest.mark.parametrize("build", [merge, rebuild])
def test_a_row_with_the_id_of_a_measured_run_is_told_and_the_rest_goes_in(build, paths):
    """It was put there by hand, or the run came later."""
    paths.evidence.mkdir()
    (paths.evidence / "mine.csv").write_text(TABLE)
    report = build(paths)
    assert report.refused == (
        f"published:mine: record_id {RUN.point.run_id} belongs to a run that was measured here; give the row an id of "
        f"its own.",
    )
    assert rows(paths, "SELECT run_id, source FROM runs ORDER BY source") == [
        (RUN.point.run_id, "measured"), ("other", "published:mine"),
    ]  # fmt: skip
    assert rows(paths, "SELECT count(*), count(DISTINCT run_id) FROM scores WHERE is_main") == [(2, 2)]
    assert rows(paths, "SELECT record_id FROM published_cells") == [("other",)]
    assert rows(paths, "SELECT sum(n_runs) FROM designs") == [(2,)]
    assert check(paths) == list(report.refused)


def test_a_run_that_comes_after_such_a_row_takes_its_id(paths):
    paths.evidence.mkdir()
    later = made_run(1)
    (paths.evidence / "mine.csv").write_text(TABLE.replace(RUN.point.run_id, later.point.run_id))
    assert merge(paths).refused == ()
    write_shard(paths.runs, later, STAGES)
    (told,) = merge(paths).refused
    assert later.point.run_id in told
    assert rows(paths, "SELECT count(*), count(DISTINCT run_id) FROM runs") == [(3, 3)]


def test_designs_are_what_a_count_of_the_runs_says_however_they_came(paths):
    """A summary that a merge keeps is the one that everything read anew gives."""
    for seed in (1, 2, 3):
        write_shard(paths.runs, made_run(seed), STAGES)
        merge(paths)
    counted = """
    SELECT task, evidence_set, strategy, student, teacher, labeler, n_labels, n_llm_labels, n_unlabeled, recipe_id,
           unlabeled_source, source, max(finished_at), count(*)
    FROM runs WHERE same_as IS NULL AND feasible GROUP BY ALL ORDER BY ALL
    """
    merged = rows(paths, "SELECT * FROM designs ORDER BY ALL")
    assert merged == rows(paths, counted)
    assert [row[-1] for row in merged] == [4]
    with duckdb.connect(str(paths.database)) as connection:
        connection.execute("UPDATE designs SET n_runs = 7")
    assert any("designs: 1 rows" in line for line in check(paths))
    rebuild(paths)
    assert rows(paths, "SELECT * FROM designs ORDER BY ALL") == merged


def test_rows_of_one_task_lie_together_in_every_table(paths):
    for seed in range(4):
        run = made_run(seed)
        other = f"mine{seed % 2}"
        point = run.point.__class__.of({**run.point.flat(), "task": other})
        write_shard(paths.runs, type(run)(**{**{f: getattr(run, f) for f in run.__slots__}, "point": point}), STAGES)
    rebuild(paths)
    for table in ("runs", "scores", "run_stages", "stages"):
        tasks = [row[0] for row in rows(paths, f"SELECT task FROM {table} ORDER BY rowid")]
        assert tasks == sorted(tasks)
        assert table in MADE
    assert rows(paths, "SELECT DISTINCT stage_task FROM run_stages") == [("stance",)]

"""Tables that serve forecasts alone: their columns, their sets, and that no answer changes for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from budgetsim.errors import InputError
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.measurements import load_measurements
from budgetsim.store.merge import import_published, read_published_file
from budgetsim.store.published import parse_published
from budgetsim.store.query import load_catalogue
from made_runs import furnish

ROOT = Path(__file__).parents[2]
HEAD = "record_id,set,task,strategy,student,n_labels,seed,metric,score,scale,n_test\n"


def test_a_row_states_its_scale_seed_and_items():
    a, b = parse_published(
        HEAD + "a,x-acc,t,annotate,s,10,3,accuracy,0.5,fraction,200\nb,,t,annotate,s,10,,accuracy,50,percent,\n", "t"
    )
    assert (a.score, a.seed, a.n_test, a.set) == (50.0, 3, 200, "x-acc")
    assert (b.score, b.seed, b.n_test, b.set) == (50.0, None, None, None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,,t,annotate,s,10,,accuracy,0.5,,", "wanted percent, 0 to 100"),
        ("a,,t,annotate,s,10,,accuracy,50,fraction,", "score: found '50', wanted a number from 0 to 1"),
        ("a,,t,annotate,s,10,,accuracy,50,promille,", "scale: found 'promille', wanted percent or fraction"),
        ("a,../x,t,annotate,s,10,,accuracy,50,,", "set: found '../x', wanted small letters"),
    ],
)
def test_a_wrong_scale_or_set_is_named(row, message):
    with pytest.raises(InputError, match=message):
        parse_published(HEAD + row + "\n", "t.csv")


def test_rows_with_a_set_are_kept_apart_and_answer_no_task(tmp_path):
    paths = StorePaths(tmp_path / "budgetsim.duckdb")
    furnish(paths)
    with open_reader(paths.database) as connection:
        before = load_catalogue(connection)
    table = tmp_path / "mine.csv"
    table.write_text(HEAD + "m1,big-accuracy,stance,annotate,big,10,0,accuracy,0.5,fraction,200\n", encoding="utf-8")
    assert import_published(paths, table).added["runs"] == 1
    with open_reader(paths.database) as connection:
        assert load_catalogue(connection) == before
        (row,) = load_measurements(connection, ["reported-mine-big-accuracy"])
    assert (row.score, row.seed, row.n_test, row.task) == (0.5, 0, 200, "stance")


@pytest.mark.parametrize(
    ("table", "n_rows", "n_tasks"),
    [
        ("lescao2021", 1540, 6),
        ("tunstall2022", 1308, 3),
        ("laurer2024", 594, 6),
        ("ziems2024", 276, 11),
        ("yang2020", 44, 4),
    ],
)
def test_what_ships_has_a_set_a_scale_and_a_citation_in_every_row(table, n_rows, n_tasks):
    """Numbers of rows as results/evidence/README.md states them; metrics in which higher is better."""
    rows = read_published_file(ROOT / "results" / "evidence" / f"{table}.csv").rows
    assert (len(rows), len({r.task for r in rows})) == (n_rows, n_tasks)
    assert all(r.set and r.states_scale and r.provenance for r in rows)
    assert {r.metric for r in rows} <= {"accuracy", "f1", "macro_f1", "balanced_accuracy", "exact_match"}
    assert all(r.metric.replace("_", "-") in str(r.set) for r in rows)

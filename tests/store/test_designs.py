"""Runs of one design as one: what leaves the store then is what its runs say, and a fit misses none it can see."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budgetsim.answers.evidence import load_evidence
from budgetsim.costs.hours import MeasuredStage, measured_hours
from budgetsim.data.tasks import known_tasks
from budgetsim.design.borrowing import borrowed
from budgetsim.design.fitkey import rows_hash, runs_hash
from budgetsim.design.points import DesignRuns, Measurement, Ran
from budgetsim.forecast.facts import facts_of
from budgetsim.forecast.gather import gather
from budgetsim.store.database import Connection, open_reader, open_writer
from budgetsim.store.location import StorePaths
from budgetsim.store.measurements import load_designs, load_measurements
from budgetsim.store.query import all_sets, load_stages
from made import ROOT

STORE = StorePaths(ROOT / "results" / "budgetsim.duckdb")


@pytest.fixture(scope="module")
def shipped():
    with open_reader(STORE.database) as connection:
        yield connection


def together(rows: list[Measurement]) -> dict[tuple[object, ...], list[float]]:
    """The plain way: scores of each design, in the order of their ids."""
    found: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for m in sorted(rows, key=lambda m: m.key):
        found[place(m)].append(m.score)
    return found


def place(m: Ran) -> tuple[object, ...]:
    return m.task, m.evidence_set, m.route, m.n_labels, m.n_llm_labels, m.n_unlabeled, m.source


def test_designs_hold_the_scores_of_the_runs_that_fits_read_bit_for_bit(shipped: Connection) -> None:
    sets = all_sets(shipped)
    designs = load_designs(shipped, sets, with_scores=True)
    plain = together(load_measurements(shipped, sets))
    found: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for d in designs:
        assert d.n_runs == len(d.scores)
        found[place(d)] += d.scores
    assert {key: sorted(scores) for key, scores in found.items()} == {key: sorted(s) for key, s in plain.items()}
    assert sum(d.n_runs for d in load_designs(shipped, sets)) == sum(map(len, plain.values())) > 5000


def test_cells_of_a_forecast_are_the_same_bits_from_designs_as_from_runs(shipped: Connection) -> None:
    facts = {task.name: facts_of(task) for task in known_tasks()}
    sets = all_sets(shipped)
    one = gather(load_measurements(shipped, sets), facts)
    two = gather(load_designs(shipped, sets, with_scores=True), facts)
    assert one.names == two.names
    np.testing.assert_array_equal(one.z, two.z)
    np.testing.assert_array_equal(one.n_runs, two.n_runs)


def test_tasks_that_are_not_asked_about_stay_in_the_store(shipped: Connection) -> None:
    every = load_measurements(shipped)
    assert load_measurements(shipped, None, ["stance", "nq"]) == [m for m in every if m.task in ("stance", "nq")]
    assert load_measurements(shipped, None, []) == []


@pytest.mark.parametrize("name", ["published", "measured-cpu-mini", "measured-cpu-modern"])
def test_asked_about_one_task_a_fit_sees_what_it_sees_asked_about_all(name: str) -> None:
    """Its identity hashes every row that it can see, so that none is missing and none is there besides."""
    every = load_evidence(STORE, name)
    for task in sorted(set(every.sets) & {"stance", "fever", "wlp_typing", "subj"}):
        one, rows = load_evidence(STORE, name, tasks=[task]), every.rows(task)
        assert one.rows(task) == rows
        seen = [rows_hash(rows, borrowed(rows, e.others(task))) for e in (one, every)]
        assert seen[0] == seen[1]


def test_the_order_of_designs_is_no_matter_to_a_forecasts_identity_and_each_score_is(shipped: Connection) -> None:
    designs = load_designs(shipped, tasks=["stance"], with_scores=True)
    first: DesignRuns = designs[0]
    changed = replace(first, scores=(first.scores[0] + 1e-15, *first.scores[1:]))
    assert runs_hash(designs) == runs_hash(designs[::-1]) != runs_hash([changed, *designs[1:]])


def test_stages_of_one_size_count_together_as_they_do_apart() -> None:
    """Least squares see means weighted by their number, rates see sums: the same hours, to rounding."""
    n = [30.0, 30.0, 30.0, 60.0, 90.0, 90.0]
    hours = [0.1, 0.13, 0.12, 0.2, 0.31, 0.28]
    kinds = ("train_student", "encode", "finetune_teacher")
    apart = [MeasuredStage(kind=k, n=a, examples=a, hours=h) for k in kinds for a, h in zip(n, hours, strict=True)]
    merged = [
        MeasuredStage(
            kind=k, n=size, examples=size * n.count(size), n_stages=n.count(size),
            hours=sum(h for a, h in zip(n, hours, strict=True) if a == size),
        )
        for k in kinds for size in (30.0, 60.0, 90.0)
    ]  # fmt: skip
    one, two = measured_hours(apart, "cpu"), measured_hours(merged, "cpu")
    assert one is not None
    assert two is not None
    for name in ("train_fixed", "train_text", "label_text"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), rel=1e-12)
    assert one.teacher_hours == pytest.approx(two.teacher_hours, rel=1e-12)


def test_stages_of_the_store_come_once_a_size_whatever_the_number_of_seeds(shipped: Connection) -> None:
    sets = [name for name in all_sets(shipped) if name.startswith("measured")]
    stages = load_stages(shipped, sets)
    places = [
        (s.evidence_set, s.task, s.route, s.kind, s.model, s.n_labels, s.n_llm_labels, s.n_unlabeled) for s in stages
    ]
    assert len(places) == len(set(places)) < sum(s.n_stages for s in stages)


def test_a_long_query_writes_no_bar_of_progress_among_the_answer(tmp_path: Path) -> None:
    """DuckDB writes it to standard output, where JSON goes, once a query takes two seconds."""
    asked = "SELECT current_setting('enable_progress_bar')"
    own = StorePaths(tmp_path / "own.duckdb")
    with open_writer(own.database, own.lock) as connection:
        assert connection.execute(asked).fetchall() == [(False,)]
    for locked_down in (False, True):
        with open_reader(own.database, locked_down=locked_down) as connection:
            assert connection.execute(asked).fetchall() == [(False,)]

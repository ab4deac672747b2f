"""Numbers through the store: what goes in as text comes out of queries in the right column, unit and number."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from budgetsim.design.fitkey import METHOD, rows_hash
from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import DesignPoint, Measurement, Route
from budgetsim.design.surface import TaskFit
from budgetsim.errors import StoreError, StoreLockedError
from budgetsim.store import database
from budgetsim.store.database import Connection, migrate, migrations, open_reader, open_writer
from budgetsim.store.fits import fit_path, load_fit, save_fit
from budgetsim.store.location import StorePaths, locate
from budgetsim.store.measurements import load_measurements
from budgetsim.store.merge import _differences, import_published, merge
from budgetsim.store.query import (
    choose_evidence,
    kind_of_set,
    load_catalogue,
    load_compute,
    load_scores,
    load_stages,
    related_sets,
)
from budgetsim.store.records import RunRecord, Score, StageRecord, write_shard
from made import ROOT

RECIPE = {"lr": 0.5}
MOMENT = datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2)))  # three o'clock, UTC


def run(stages: tuple[str, ...] = (), score: float = 50.0, **design: Any) -> RunRecord:
    plain = {
        "task": "fever",
        "split_id": "ab" * 32,
        "strategy": "annotate",
        "student": "s",
        "n_labels": 10,
        "recipe_id": canonical_hash(RECIPE),
    }
    return RunRecord(
        point=DesignPoint.of({**plain, **design}), scores=(Score(metric="accuracy", value=score),), stages=stages,
        model_family="mini", device_class="cpu", device="x", recipe=RECIPE, finished_at=MOMENT, git_commit=None,
        git_dirty=None, versions={}, host="h", data_hash="d",
    )  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> StorePaths:
    """A store of a few runs: on labels, on an LLM's labels, and one distilled on two devices."""
    paths = StorePaths(tmp_path / "own.duckdb")
    stages = [
        StageRecord(
            stage_id="t", kind="finetune_teacher", task="fever", model="big", n_labels=10, seconds=1800.0, n_devices=2,
            gpu_hours=1.0, metric="accuracy", score=80.0, examples=10, finished_at=MOMENT,
        ),
        StageRecord(
            stage_id="u", kind="train_student", task="fever", model="s", n_labels=10, n_unlabeled=70, seconds=900.0,
            gpu_hours=0.25, examples=70,
        ),
        StageRecord(stage_id="w", kind="llm_label", task="fever", model="l", metric="accuracy", score=72.5),
        StageRecord(stage_id="v", kind="evaluate", task="fever", model="s", seconds=36.0, metric="accuracy", score=55.0),
    ]  # fmt: skip
    distilled = run(("t", "u", "v"), 55.0, strategy="distill", teacher="big", n_unlabeled=70)
    write_shard(paths.runs, distilled, [s for s in stages if s.stage_id != "w"])
    for seed in (0, 1):
        write_shard(paths.runs, run(score=40.0 + 10 * seed, seed=seed), [])
    asked = run(("w",), strategy="llm_annotate", labeler="l", n_labels=0, n_llm_labels=33)
    write_shard(paths.runs, asked, [s for s in stages if s.stage_id == "w"])
    for file in paths.runs.iterdir():  # as if another program had written the same moment in its own time
        file.write_text(file.read_text().replace("T03:00:00+00:00", "T05:00:00+02:00"))
    merge(paths)
    return paths


def ask(paths: StorePaths, sql: str) -> list[tuple[Any, ...]]:
    with open_reader(paths.database) as connection:
        return connection.execute(sql).fetchall()


# Runs and stages


def test_counts_come_back_in_their_own_columns(made: StorePaths) -> None:
    found = ask(made, "SELECT strategy, n_labels, n_llm_labels, n_unlabeled FROM points ORDER BY ALL")
    assert found == [("annotate", 10, 0, 0)] * 2 + [("distill", 10, 0, 70), ("llm_annotate", 0, 33, 0)]


def test_moments_are_utc(made: StorePaths) -> None:
    assert set(ask(made, "SELECT DISTINCT finished_at FROM runs")) == {(datetime(2026, 1, 2, 3),)}
    assert ask(made, "SELECT finished_at FROM stages WHERE stage_id = 't'") == [(datetime(2026, 1, 2, 3),)]


def test_a_run_takes_the_hours_of_all_its_stages(made: StorePaths) -> None:
    (found,) = ask(made, "SELECT hours, gpu_hours FROM points WHERE strategy = 'distill'")
    assert found == pytest.approx(((1800 + 900 + 36) / 3600, 1.25))


def test_the_teachers_own_score_stands_beside_its_students_in_fractions(made: StorePaths) -> None:
    with open_reader(made.database) as connection:
        found = {m.route.strategy: m for m in load_measurements(connection)}
    assert (found["distill"].score, found["distill"].teacher_score) == (0.55, 0.80)
    assert found["annotate"].teacher_score is None


def test_an_asked_labelers_measured_accuracy_stands_beside_its_rows_in_fractions(made: StorePaths) -> None:
    with open_reader(made.database) as connection:
        found = {m.route.strategy: m.labeler_accuracy for m in load_measurements(connection)}
    assert found == {"annotate": None, "distill": None, "llm_annotate": 0.725}


def test_stage_hours_are_those_of_every_device(made: StorePaths) -> None:
    with open_reader(made.database) as connection:
        stages = {s.kind: s for s in load_stages(connection, ["measured-cpu-mini-abababab"])}
    assert stages["finetune_teacher"].hours == pytest.approx(2 * 1800 / 3600)
    assert stages["train_student"].hours == pytest.approx(900 / 3600)
    assert (stages["train_student"].n_unlabeled, stages["train_student"].examples) == (70, 70)
    assert stages["evaluate"].route.pair == ("big", "s")


def test_scores_of_a_student_are_means_over_seeds_on_labels_alone(made: StorePaths) -> None:
    with open_reader(made.database) as connection:
        (found,) = load_scores(connection)
        assert load_scores(connection, ["s"]) == []
    assert (found.score, found.n_runs, found.n_labels) == (45.0, 2, 10)


def test_a_student_takes_the_hours_of_its_training_and_of_encoding_its_own_rows(tmp_path: Path) -> None:
    """36 s of training, and 10 rows of texts that took 2 s each: 500 were encoded, most of them for the test."""
    paths = StorePaths(tmp_path / "own.duckdb")
    stages = [
        StageRecord(stage_id="a", kind="encode", task="fever", model="m", seconds=800.0, examples=400),
        StageRecord(stage_id="b", kind="encode", task="fever", model="m", seconds=200.0, examples=100),
        StageRecord(stage_id="c", kind="train_student", task="fever", model="s", n_labels=10, seconds=36.0),
        StageRecord(
            stage_id="d", kind="evaluate", task="fever", model="s", seconds=99.0, score=50.0, metric="accuracy"
        ),
    ]
    write_shard(paths.runs, run(("a", "b", "c", "d")), stages)
    merge(paths)
    with open_reader(paths.database) as connection:
        (found,) = load_scores(connection)
        by_kind = {s.kind: s for s in load_stages(connection, ["measured-cpu-mini-abababab"])}
    assert found.hours == pytest.approx((36 + 10 * 2) / 3600)
    assert (by_kind["encode"].model, by_kind["encode"].examples, by_kind["encode"].hours) == ("m", 500, 1000 / 3600)


# Published tables

HEAD = (
    "record_id,same_as,task,strategy,student,teacher,n_labels,additional_budget_usd,initial_n_labels,total_cost_usd,"
    "metric,score,score_err\n"
)
ROWS = """\
m1,,fever,annotate,small,,100,100,50,110,accuracy,40,1.5
m2,m1,fever,annotate,small,,100,,,110,accuracy,40,1.5
m3,,fever,distill,small,big,50,100,50,110,accuracy,50,
m4,,fever,distill,small,big,80,,,90,accuracy,58,
m5,,fever,distill,small,big,90,,,110,accuracy,61,
m6,,fever,distill,small,big,95,,,115,accuracy,70,
m7,,fever,distill,small,big,900,1,50,6,accuracy,0,
"""
COSTS = "task,teacher,student,dist_usd_per_1k_unlabeled,se,teacher_ft_usd_L100,teacher_ft_usd_L500,se_L100,se_L500\nfever,big,small,3.75,0.75,1.5,3,0.15,0.3\n"


@pytest.fixture
def printed(tmp_path: Path) -> StorePaths:
    (tmp_path / "mine.csv").write_text(HEAD + ROWS, encoding="utf-8")
    (tmp_path / "mine_compute_cost.csv").write_text(COSTS, encoding="utf-8")
    paths = StorePaths(tmp_path / "store" / "own.duckdb")
    assert import_published(paths, tmp_path / "mine.csv").added == {
        "runs": 7, "scores": 7, "stages": 0, "run_stages": 0, "published_cells": 7, "published_compute": 3, "bills": 0,
    }  # fmt: skip
    return paths


def test_hours_are_the_printed_dollars_at_the_printed_price(printed: StorePaths) -> None:
    """$1.875 an hour: $3.75 for 1,000 texts are 2 hours; $1.50 for a teacher are 0.8; their errors likewise."""
    found = ask(printed, "SELECT kind, n_labels, gpu_hours, gpu_hours_se FROM published_compute ORDER BY ALL")
    expected = [
        ("distill_text", 0, 0.002, 0.0004),
        ("finetune_teacher", 100, 0.8, 0.08),
        ("finetune_teacher", 500, 1.6, 0.16),
    ]
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert np.array([row[2:] for row in found]) == pytest.approx(np.array([row[2:] for row in expected]))


def test_the_shipped_hours_cost_what_the_paper_printed(store: StorePaths) -> None:
    with open_reader(store.database) as connection:
        hours = {(c.task, c.kind, c.n_labels): c.gpu_hours for c in load_compute(connection)}
    with (ROOT / "results/evidence/kang2023_compute_cost.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            usd = 1000 * 1.875 * hours[row["task"], "distill_text", 0]
            assert usd == pytest.approx(float(row["dist_usd_per_1k_unlabeled"]))
            assert 1.875 * hours[row["task"], "finetune_teacher", 5000] == pytest.approx(
                float(row["teacher_ft_usd_L5000"])
            )


def test_copies_and_what_cannot_be_paid_are_kept_but_never_fitted(printed: StorePaths) -> None:
    with open_reader(printed.database) as connection:
        fitted = {m.key: m for m in load_measurements(connection)}
        assert load_catalogue(connection) == {"fever": {"published-mine": 5}}
    assert set(fitted) == {"m1", "m3", "m4", "m5", "m6"}  # m2 is a copy, m7 cannot pay for its teacher
    assert (fitted["m1"].score, fitted["m1"].score_err) == (0.40, 0.015)
    assert ask(printed, "SELECT count(*) FROM points") == [(6,)]
    assert ask(printed, "SELECT score_err FROM scores WHERE run_id = 'm1'") == [(1.5,)]


def test_a_mix_gains_over_the_better_pure_strategy_what_the_best_mix_within_its_cost_scores(
    printed: StorePaths,
) -> None:
    """Labels score 40 and compute 50 at $110; m5 scores 61 at $110, m4 less, and m6 costs more."""
    found = ask(printed, "SELECT annotate, distill, n_labels, mix, gain FROM mix_gains")
    assert found == [(40.0, 50.0, 90, 61.0, 11.0)]


def test_what_differs_is_told_from_the_side_of_the_texts(made: StorePaths, tmp_path: Path) -> None:
    more = StorePaths(tmp_path / "more.duckdb", texts=made.folder)
    merge(more)
    with open_writer(more.database, more.lock) as connection:
        connection.execute("DELETE FROM runs WHERE seed = 1")
    with open_reader(made.database) as texts, open_reader(more.database) as less:
        assert [line.split(";")[0] for line in _differences("runs", texts, less)] == [
            "runs: 1 rows of the text files are not in the database"
        ]
        assert [line.split(";")[0] for line in _differences("runs", less, texts)] == [
            "runs: 1 rows of the database are in no text file"
        ]


def test_more_rows_than_one_statement_takes_are_all_inserted(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path / "own.duckdb")
    for seed in range(130):
        write_shard(paths.runs, run(seed=seed), [])
    assert merge(paths).added["runs"] == 130
    assert merge(paths).total == 0


# Which evidence


def test_published_evidence_goes_first_and_then_the_larger_set() -> None:
    measured = {"measured-cpu-mini-a": 5, "measured-cpu-mini-b": 9}
    assert choose_evidence({"t": measured}, None) == {"t": "measured-cpu-mini-b"}
    assert choose_evidence({"t": {**measured, "published-x": 1}}, None) == {"t": "published-x"}
    kind = kind_of_set("measured-cpu-mini-a")
    assert related_sets({"t": measured, "u": {"published-x": 3}}, {kind}) == {"t": {"measured-cpu-mini-b"}, "u": set()}


def measurement(key: str) -> Measurement:
    return Measurement(
        key=key, task="fever", route=Route(strategy="annotate", student="s"), n_labels=10.0,
        n_llm_labels=0.0, n_unlabeled=0.0, score=0.5, source="measured", evidence_set="e",
    )  # fmt: skip


def test_a_fit_is_found_for_its_own_rows_method_and_neighbours_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, others = [measurement("a")], [measurement("b")]
    fit = TaskFit.from_json(_shipped_fit(rows_hash(rows, others)))
    place = save_fit(tmp_path, replace(fit, evidence_set="e", task="fever"))
    assert place == fit_path(tmp_path, "e", "fever") == tmp_path / "e" / "fever.json"
    assert load_fit([tmp_path / "none", tmp_path], "e", "fever", rows, others) is not None
    assert load_fit([tmp_path], "e", "fever", rows) is None
    assert load_fit([tmp_path], "e", "fever", others, others) is None
    monkeypatch.setattr("budgetsim.store.fits.METHOD", METHOD + "-next")
    assert load_fit([tmp_path], "e", "fever", rows, others) is None


def _shipped_fit(digest: str) -> dict[str, Any]:
    import json

    data: dict[str, Any] = json.loads((ROOT / "fits/published-kang2023/fever.json").read_bytes())
    return {**data, "rows_hash": digest}


# Places and locks


def test_a_project_keeps_its_fits_beside_its_results() -> None:
    assert StorePaths(Path("p/results/budgetsim.duckdb")).fits == Path("p/fits")
    assert StorePaths(Path("p/other/budgetsim.duckdb")).fits == Path("p/other/fits")


def test_a_store_named_in_the_environment_goes_before_the_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results" / "evidence").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUDGETSIM_STORE", str(tmp_path / "mine.duckdb"))
    assert locate().database == tmp_path / "mine.duckdb"


def test_each_migration_runs_once(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path / "own.duckdb")
    newest = migrations()[-1][0]
    for _ in range(2):
        with open_writer(paths.database, paths.lock) as connection:
            migrate(connection)
            assert connection.execute("SELECT count(*), max(version) FROM schema_version").fetchone() == (
                newest,
                newest,
            )


def test_a_store_one_schema_newer_is_refused(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path / "own.duckdb")
    newer = migrations()[-1][0] + 1
    with open_writer(paths.database, paths.lock) as connection:
        connection.execute("INSERT INTO schema_version VALUES (?, 'from the future')", [newer])
    with pytest.raises(StoreError, match=f"has schema {newer}"), open_reader(paths.database):
        pass


def test_no_reader_reads_a_file_beside_the_store(made: StorePaths, tmp_path: Path) -> None:
    """Neither with a query of somebody's own nor through views that came with the store."""
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    sql = f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')"
    assert duckdb.connect().execute(sql).fetchall() == [(1,)]

    def read(connection: Connection) -> None:
        connection.execute(sql)

    _refused(made, read, locked_down=True)
    _refused(made, read, locked_down=False)


def _refused(made: StorePaths, act: Callable[[Connection], None], *, locked_down: bool = True) -> None:
    with pytest.raises(StoreError), open_reader(made.database, locked_down=locked_down) as connection:
        act(connection)


def test_a_writer_waits_for_another_that_soon_ends_and_not_for_ever(made: StorePaths) -> None:
    code = (
        f"import duckdb, sys; c = duckdb.connect({str(made.database)!r}); print('open', flush=True); "
        "sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        start = time.monotonic()
        with pytest.raises(StoreLockedError):
            database.await_writer(made.database, wait_seconds=0.4)
        assert 0.4 <= time.monotonic() - start < 5
        holder.stdin.write("\n")
        holder.stdin.flush()  # it ends some time after this
        database.await_writer(made.database, wait_seconds=20)

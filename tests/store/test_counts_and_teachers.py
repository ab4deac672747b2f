"""Counts mean the same in published and measured rows, and published teachers have their scores."""

from __future__ import annotations

import csv
from collections import defaultdict
from statistics import mean

import pytest

from budgetsim.design.strategies import STRATEGIES
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from made import ROOT


@pytest.mark.parametrize("strategy", ["annotate", "distill", "llm_annotate", "annotate_plus_llm"])
def test_a_count_that_a_strategy_does_not_take_is_nought_and_never_unknown(store: StorePaths, strategy: str) -> None:
    others = {"n_labels", "n_llm_labels", "n_unlabeled"} - set(STRATEGIES[strategy].inputs)
    with open_reader(store.database) as connection:
        for name in others:
            sql = f"SELECT count(*), count(*) FILTER ({name} = 0) FROM points WHERE strategy = ?"
            rows = connection.execute(sql, [strategy]).fetchone()
            assert rows is not None
            assert rows[0] == rows[1] > 0


def test_a_published_teacher_scored_what_its_source_printed_of_it_on_as_many_labels(store: StorePaths) -> None:
    printed: dict[tuple[str, int], list[float]] = defaultdict(list)
    with (ROOT / "results/evidence/tunstall2022.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["strategy"] == "annotate" and row["task"] == "setfit-ag_news" and row["n_labels"]:
                printed[row["student"], int(row["n_labels"])].append(
                    float(row["score"]) * (100 if row["scale"] == "fraction" else 1)
                )
    with open_reader(store.database) as connection:
        found = connection.execute(
            "SELECT DISTINCT r.teacher, r.n_labels, t.score, t.stage_id FROM teacher_scores t JOIN runs r USING (run_id) "
            "WHERE r.task = 'setfit-ag_news'"
        ).fetchall()
    assert found
    for teacher, n_labels, score, stage in found:
        assert stage is None
        assert score == pytest.approx(mean(printed[teacher, n_labels]))

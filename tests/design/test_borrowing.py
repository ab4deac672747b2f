"""Which rows of other tasks can move a fit, and so make it stale."""

from dataclasses import replace

import pytest

from budgetsim.design.borrowing import borrowed, is_fitted
from made import make_row

RICH = [make_row(key=f"a{n}", n_labels=float(n), student="rich") for n in (10, 30, 100, 300, 1000)]


def elsewhere(student: str, n_sizes: int = 5, **changes: object) -> list:
    return [
        make_row(key=f"{student}{n}", task="wlp", student=student, n_labels=float(n), **changes)
        for n in range(1, n_sizes + 1)
    ]


def test_a_task_of_enough_sizes_on_labels_alone_sees_no_other_task():
    assert borrowed(RICH, elsewhere("rich") + elsewhere("poor")) == []


def test_a_student_of_few_sizes_is_asked_about_and_no_other():
    others = elsewhere("rich") + elsewhere("poor")
    poor = [replace(m, route=replace(m.route, student="poor")) for m in RICH[:4]]
    assert borrowed(RICH + poor, others) == elsewhere("poor")


def test_more_runs_of_one_size_are_not_more_sizes():
    again = [*RICH[:4], *(replace(m, key=f"{m.key}again") for m in RICH[:4])]
    assert borrowed(again, elsewhere("rich")) == elsewhere("rich")


def test_a_student_taught_by_people_and_distilled_is_asked_about():
    distilled = [
        make_row(key=f"d{u}", strategy="distill", teacher="t", student="rich", n_labels=100.0, n_unlabeled=float(u))
        for u in (1, 2, 3, 4, 5)
    ]
    assert borrowed(RICH + distilled, elsewhere("rich") + elsewhere("poor")) == elsewhere("rich")


def test_another_task_that_leans_itself_counts_whole():
    few_there = elsewhere("poor", n_sizes=3) + elsewhere("rich")
    poor = [replace(m, route=replace(m.route, student="poor")) for m in RICH[:4]]
    assert sorted(m.key for m in borrowed(poor, few_there)) == sorted(m.key for m in few_there)


@pytest.mark.parametrize(
    "changes",
    [{"n_labels": None}, {"n_labels": -1.0}, {"n_labels": float("inf")}, {"strategy": "constant", "n_labels": None}],
)
def test_rows_that_no_fit_takes(changes):
    assert not is_fitted(make_row(**{"n_labels": 10.0, **changes}))
    assert is_fitted(make_row(n_labels=10.0))

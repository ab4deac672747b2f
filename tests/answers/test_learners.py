"""Measured learners as rows of an answer: no luck of the best of several, no size without its price."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from budgetsim.answers.learners import cheapest_reaching, learner_rows, never_falling, student_t
from budgetsim.answers.rivals import Rival

CURVE = [
    Rival(student="a", n_labels=n, score=s, n_runs=3, cost_usd=n / 10, evidence_set="measured-cpu-modern-1", sd=1.0)
    for n, s in ((30, 53.3), (100, 52.0), (1000, 52.4), (5000, 60.0))
]


def test_a_learner_is_not_judged_by_the_luckiest_of_its_sizes():
    """The first three sizes fall, so they are one level: the mean of nine runs, 52.57, at the price of the smallest."""
    (row,) = learner_rows(CURVE, 200.0)
    assert (row.n_labels, row.n_runs, row.cost_usd) == (30, 9, 3.0)
    assert row.score == pytest.approx((53.3 + 52.0 + 52.4) / 3)
    # of sizes within four fold of 30 labels two degrees of freedom are left, and two more at 100
    half = student.ppf(0.95, 4) * np.sqrt(1 + 1 / 9)
    assert (row.lower, row.upper) == (
        pytest.approx(row.score - half, abs=0.02),
        pytest.approx(row.score + half, abs=0.02),
    )


def test_a_larger_budget_takes_the_size_that_is_better_and_a_point_less_may_do():
    (row,) = learner_rows(CURVE, 500.0)
    assert (row.n_labels, row.score) == (5000, 60.0)
    near = [*CURVE[:-1], replace(CURVE[-1], score=53.4)]
    assert [r.n_labels for r in learner_rows(near, 500.0)] == [5000]
    assert [r.n_labels for r in learner_rows(near, 500.0, within=0.01)] == [30]
    assert learner_rows(CURVE, 2.99) == []
    assert learner_rows([replace(r, cost_usd=None) for r in CURVE], 1e9) == []


def test_a_bound_on_labels_betters_no_size():
    """30 labels score 52.57 with the sizes above them, whether people can give those or not."""
    few = [replace(r, in_reach=r.n_labels == 30) for r in CURVE]
    (free,), (bound,) = learner_rows(CURVE, 200.0), learner_rows(few, 1e9)
    assert bound == free
    assert cheapest_reaching(few, 60.0) is None
    assert learner_rows([replace(r, in_reach=False) for r in CURVE], 1e9) == []


def test_no_interval_leaves_what_a_metric_can_be():
    (row,) = learner_rows([replace(r, score=99.0, sd=3.0) for r in CURVE], 1e6)
    assert (row.upper, row.score) == (100.0, 99.0)


def test_sets_that_people_would_ship_go_before_the_miniature():
    mini = [replace(r, evidence_set="measured-cpu-mini-1", score=99.0) for r in CURVE]
    assert learner_rows([*mini, *CURVE], 500.0)[0].score == 60.0


def test_the_cheapest_size_that_reaches_a_target():
    assert cheapest_reaching(CURVE, 52.5).cost_usd == 3.0
    assert cheapest_reaching(CURVE, 53.0).cost_usd == 500.0
    assert cheapest_reaching(CURVE, 60.1) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 9)), min_size=1, max_size=8))
def test_the_never_falling_curve_is_the_nearest_there_is(pairs):
    """It never falls, keeps the weighted mean, and no step towards any other never falling curve comes nearer."""
    y, w = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], dtype=float)
    fit = np.array(never_falling(y.tolist(), w.tolist()))
    assert (np.diff(fit) >= -1e-9).all()
    assert (w * fit).sum() == pytest.approx((w * y).sum(), abs=1e-6)
    for other in (np.sort(y), np.full_like(y, y.mean()), np.maximum.accumulate(y)):
        assert (w * (y - fit) * (other - fit)).sum() <= 1e-6  # the projection onto a convex cone


def test_the_quantile_of_student_is_near_the_exact_one():
    for freedom in (4, 6, 12, 100):
        assert student_t(freedom) == pytest.approx(student.ppf(0.95, freedom), rel=0.01)

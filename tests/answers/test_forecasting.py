"""Which rows, routes and hours a forecast takes from other tasks, and when a task is forecast at all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budgetsim.answers.evidence import load_evidence, median_ms, task_fit
from budgetsim.answers.forecasting import FORECAST, _certainty, comparable, offered_routes
from budgetsim.costs.hours import PublishedHours, scaled_hours
from budgetsim.data.likeness import described_task
from budgetsim.data.tasks import forget_task, get_task, register_task
from budgetsim.design.cautions import FromOtherTasks, caution_from_json, caution_to_json
from budgetsim.design.points import Measurement, Route
from budgetsim.design.surface import Support, Surface
from budgetsim.errors import NoEvidenceError
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import put_published, seed
from budgetsim.store.query import ScoreRow

ROUTE = Route(strategy="annotate", student="s")
HEAD = "record_id,task,strategy,student,n_labels,metric,score\n"


def row(task: str, evidence_set: str, route: Route = ROUTE, n: int = 10) -> Measurement:
    return Measurement(
        key=f"{task}{evidence_set}{n}", task=task, route=route, n_labels=n, n_llm_labels=None, n_unlabeled=None,
        score=0.5, source="measured", evidence_set=evidence_set,
    )  # fmt: skip


def test_of_several_metrics_accuracy_is_taken_and_the_miniature_is_left_out():
    rows = [row("a", "reported-x-big-accuracy"), row("a", "reported-x-big-balanced-accuracy"),
            row("a", "reported-x-big-macro-f1"), row("b", "reported-y-big-macro-f1"),
            row("c", "measured-cpu-mini-1"), row("c", "measured-cpu-modern-1")]  # fmt: skip
    kept = [m.evidence_set for m in comparable(rows)]
    assert kept == ["reported-x-big-accuracy", "reported-y-big-macro-f1", "measured-cpu-modern-1"]


def test_a_route_is_offered_where_three_tasks_ran_it_or_the_task_itself():
    few, own = (replace(ROUTE, student=name) for name in ("few", "own"))
    rows = [row(t, "measured-cpu-modern-1") for t in "abc"]
    rows += [row(t, "measured-cpu-modern-1", few) for t in "ab"] + [row("new", "measured-cpu-modern-2", own)]
    rows += [row(t, "reported-x-accuracy", replace(ROUTE, student="reported")) for t in "abcd"]
    assert offered_routes(rows, "new") == sorted([ROUTE, own], key=lambda r: r.sort_key)
    assert offered_routes(rows, "new", "published") == [own]


def test_hours_of_a_task_without_bills_are_the_geometric_mean_an_operation():
    """Of one bill on the task itself, the bill; where another's cost twice as much an operation, the root of two."""
    teacher, student = "t5-v1_1-xxl", "t5-v1_1-small"
    task = get_task("stance")
    bill = PublishedHours(teacher_n=(100.0, 1000.0), teacher_hours=(2.0, 8.0), distill_text=0.001)
    same = scaled_hours([(task, bill)], teacher, student, task)
    np.testing.assert_allclose((*same.teacher_hours, same.distill_text), (2.0, 8.0, 0.001))
    dearer = PublishedHours(teacher_n=(100.0, 1000.0), teacher_hours=(4.0, 16.0), distill_text=0.002)
    both = scaled_hours([(task, bill), (task, dearer)], teacher, student, task)
    np.testing.assert_allclose(
        (*both.teacher_hours, both.distill_text), np.sqrt(2) * np.array([2.0, 8.0, 0.001]), rtol=1e-12
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> StorePaths:
    made = StorePaths(tmp_path_factory.mktemp("store") / "budgetsim.duckdb")
    seed(made)
    return made


@pytest.fixture
def new_task():
    task = described_task("single:classes=4,floor=30", "brand_new")
    register_task(task)
    yield task
    forget_task(task.name)


@pytest.mark.slow
def test_a_task_is_forecast_until_a_route_has_five_sizes(paths: StorePaths, new_task):
    """And each run of its own moves the forecast: from 30 to 100 % anything, after two runs of 90 % near them."""
    found = []
    for sizes in ((), (100,), (100, 400), (100, 200, 400, 800, 1600)):
        lines = [f"own-{n},brand_new,annotate,encoder-lr,{n},accuracy,90" for n in sizes]
        if lines:
            put_published(paths, "mine", HEAD + "\n".join(lines) + "\n")
        evidence = load_evidence(paths, None, tasks=["brand_new"])
        if len(sizes) == 5:
            assert evidence.set_of("brand_new") == "published-mine"
            assert not evidence.forecasts
            continue
        assert evidence.set_of("brand_new") == FORECAST
        fit = task_fit(evidence, "brand_new")
        (surface,) = (s for s in fit.surfaces if s.route.student == "encoder-lr")
        draws = surface.at([[400]])[:, 0]
        found.append((draws.mean(), draws.std()))
    (none, one, two) = found
    assert none[0] < one[0] < 0.95
    assert none[1] > 2 * one[1] > 2 * two[1]
    assert two[0] == pytest.approx(0.9, abs=0.03)


def rising(route: Route, low: tuple[float, float], high: tuple[float, float]) -> Surface:
    """Two worlds whose scores rise along the logarithm of the last input, from none of it to 10,000."""
    inputs = len(route.kind.inputs)
    ends = np.array([low, high]).T.reshape(2, *(1,) * (inputs - 1), 2)
    return Surface(
        route=route, knots=(np.array([0.0, 1e4]),) * inputs, draws=np.broadcast_to(ends, (2,) * (inputs + 1)).copy(),
        run_noise=np.zeros(2), n_rows=1,
        support=Support(points=np.zeros((0, inputs)), normals=np.zeros((0, inputs)), offsets=np.zeros(0)),
    )  # fmt: skip


def test_certainty_speaks_of_plans_that_the_task_has_texts_for():
    """10,000 texts distil 90 %, more than labels reach in either world; ten of them 46 %, between 80 and 40; none nothing."""
    taught = rising(Route(strategy="distill", student="s", teacher="t"), (0.3, 0.3), (0.9, 0.9))
    alone = rising(ROUTE, (0.8, 0.4), (0.8, 0.4))
    assert _certainty((taught, alone), math.inf, math.inf) == (1.0, pytest.approx(0.0))
    assert _certainty((taught, alone), 3500.0, 10.0) == (0.5, pytest.approx(18.0))  # quantiles of 40 and 80: 42 and 78
    assert _certainty((taught, alone), 3500.0, 0.0) == (1.0, pytest.approx(18.0))


def test_the_texts_of_a_task_are_all_that_may_have_a_label():
    task = described_task("single:classes=4,floor=30", "counted")
    assert (task.most_labels, task.most_texts) == (math.inf, math.inf)
    counted = replace(task, n_train=593, n_unlabeled=2919)
    assert (counted.most_labels, counted.most_texts) == (3512.0, 2919.0)


def test_milliseconds_are_borrowed_from_the_median_task():
    """Tasks a, b, c at 3, 5 and 40 ms; a's is the median of its sizes; a size that nobody timed says nothing."""
    timed = [("a", 2.0), ("a", 3.0), ("a", 99.0), ("b", 5.0), ("c", 40.0), ("d", None)]
    rows = [ScoreRow(task=t, evidence_set="m", student="s", n_labels=1, score=1, n_runs=1, ms_per_text=ms)
            for t, ms in timed]  # fmt: skip
    assert median_ms(rows) == {"s": 5.0}


def test_a_task_nobody_knows_is_still_refused(store: StorePaths):
    with pytest.raises(NoEvidenceError, match="no evidence on task 'nowhere'"):
        load_evidence(store, None, tasks=["nowhere"]).set_of("nowhere")


def test_what_a_forecast_says_of_itself_survives_the_file():
    caution = FromOtherTasks(
        task="mine", n_own=1, n_tasks=6, plan_share=0.7, half_width=12.0, first_runs=("annotate (x) with 100 labels",)
    )
    assert caution_from_json(caution_to_json(caution)) == caution


def test_shipped_tasks_are_answered_from_their_own_runs():
    evidence = load_evidence(StorePaths(Path(__file__).parents[2] / "results/budgetsim.duckdb"), None, tasks=["stance"])
    assert not evidence.forecasts

"""The registry: facts of tasks against each other and against what was published and measured, and who may be replaced."""

from dataclasses import replace

import pytest

import budgetsim.data.tasks as tasks
from budgetsim.data.tasks import TASKS, get_task, known_tasks, register_task
from budgetsim.errors import InputError
from budgetsim.store.database import open_reader
from budgetsim.store.measurements import load_measurements
from made import ROOT

SHIPPED = [task for task in known_tasks() if task.origin != "custom"]  # what other tests registered is not meant
LABELLED = [task for task in SHIPPED if task.kind == "classification"]
NAMES = [task.name for task in LABELLED]


def test_the_paper_has_six_tasks_and_this_project_two_more():
    assert list(TASKS) == ["wlp", "stance", "fever", "multipit_id", "multipit_gen", "nq"]
    assert {task.name for task in known_tasks()} - {*TASKS} >= {"wlp_typing", "toy_requests"}


@pytest.mark.parametrize("task", SHIPPED, ids=lambda task: task.name)
def test_the_best_constant_answer_is_the_highest_floor(task):
    """A student that has learnt nothing answers always the same: the best such answer, or a worse one before it."""
    assert task.floors == tuple(sorted(task.floors))
    assert task.constant_score == task.floors[-1]


@pytest.mark.parametrize("task", LABELLED, ids=NAMES)
def test_a_constant_label_scores_its_share(task):
    """The largest of k shares is at least 1 / k; of two labels both are floors, and add up to 1."""
    assert task.constant_answer in task.labels
    assert task.constant_score >= 1 / len(task.labels)
    if len(task.labels) == 2:
        assert sum(task.floors) == pytest.approx(1)


@pytest.mark.parametrize("name", ["stance", "fever", "multipit_id"])
def test_a_floor_is_a_score_that_was_published_to_the_digit(name):
    """Several cells of the paper's tables are exactly the share of one class: students that had learnt nothing."""
    with open_reader(ROOT / "results" / "budgetsim.duckdb") as connection:
        published = {m.score for m in load_measurements(connection) if m.task == name and m.source != "measured"}
    assert {round(score, 4) for score in published} >= {*TASKS[name].floors}


@pytest.fixture
def _own_registry(monkeypatch):
    monkeypatch.setattr(tasks, "_registry", dict(tasks._registry))


@pytest.mark.usefixtures("_own_registry")
def test_an_own_task_may_be_replaced_and_one_that_ships_may_not():
    own = replace(TASKS["nq"], name="mine", origin="custom")
    register_task(own)
    register_task(replace(own, n_test=7))
    assert get_task("mine").n_test == 7
    for name in ("nq", "toy_requests"):
        with pytest.raises(InputError, match="ships with budgetsim"):
            register_task(replace(own, name=name))
    assert get_task("nq") is TASKS["nq"]


def test_an_unknown_task_is_named_beside_the_known_ones():
    with pytest.raises(InputError, match=r"no task 'nqq'; known are .*multipit_id, nq"):
        get_task("nqq")

"""Whole tasks left out: the loss against the process itself, its gradient, and what it does to a task unlike the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad

from budgetsim.forecast import tune
from budgetsim.forecast.calibrate import WORTH, calibrate, hidden_tasks, loss_of, spread
from budgetsim.forecast.facts import Facts
from budgetsim.forecast.gather import Names, Seen
from budgetsim.forecast.process import GROUPS, PARTS, Hypers, condition, error_variance, start
from made_cells import made, varied

TASK = Facts(name="t", kind="single", n_classes=2, metric="accuracy", floor=0.3)


def _seen(n: int = 40, seed: int = 15, n_tasks: int = 5) -> Seen:
    """Made runs; no probe."""
    names = Names({str(i): TASK for i in range(n_tasks)}, {"a": 0, "b": 1, "c": 2}, {"tuned": 0, "counts": 1})
    return Seen(
        replace(made(n, seed, n_tasks), probed=np.zeros(n)),
        np.random.default_rng(seed + 1).normal(size=n),
        np.full(n, 2.0),
        names,
    )


def test_one_inverse_tells_of_every_task_what_the_process_tells_without_it():
    seen, h = _seen(), replace(varied(17), few=8.0)
    by_hand = 0.0
    for block in hidden_tasks(seen):
        rest = np.setdiff1d(np.arange(len(seen.z)), block.cells)
        at = seen.cells.pick(block.cells)
        told = condition(seen.cells.pick(rest), seen.z[rest], seen.n_runs[rest], at, h)
        variance = np.diag(told.covariance) + error_variance(seen.z[block.cells], at, seen.n_runs[block.cells], h)
        missed = seen.z[block.cells] - told.mean
        weight = block.weight * block.asked / block.asked.sum()
        by_hand += weight @ (0.5 * missed**2 / variance + 0.5 * np.log(variance))
    assert loss_of(seen, h, hidden_tasks(seen))(tune.pack(h))[0] == pytest.approx(by_hand, rel=1e-9)


def test_the_gradient_is_the_slope_of_the_loss():
    """Also with a probe of one task, whose cells are off together."""
    seen, h = replace(_seen(), cells=made(40, 15, 5)), replace(varied(17), few=8.0)
    assert seen.cells.probed.sum() > 1
    loss, theta = loss_of(seen, h, hidden_tasks(seen)), tune.pack(h) + 0.1
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], theta) < 1e-4 * np.abs(loss(theta)[1]).max()


def test_every_task_counts_the_same_however_many_cells_it_has():
    weights = {}
    seen = _seen()
    for block in hidden_tasks(seen):
        task = float(seen.cells.task[block.cells[0]])
        weights[task] = weights.get(task, 0.0) + block.weight
    assert max(weights.values()) == pytest.approx(WORTH)
    assert min(weights.values()) >= WORTH / 2  # where a task has few cells, no stage with four of them known


def test_cheap_learners_are_asked_about_only_where_a_task_has_no_others():
    distilled = _seen()
    taught = replace(distilled, cells=replace(distilled.cells, x=distilled.cells.x * [1, 0]))
    cheap = taught.cells.family == 1
    for block in hidden_tasks(taught):
        asked = block.cells[block.asked]
        mine = taught.cells.task == taught.cells.task[asked[0]]
        assert not cheap[asked].any() or cheap[mine].all()
    assert any(cheap[block.cells[block.asked]].any() for block in hidden_tasks(distilled))  # no probe has a teacher


def test_known_cells_lie_evenly_over_the_sizes_the_learners_in_turn():
    seen = _seen()
    target = seen.cells.task == 1
    known = spread(seen, target, 2)
    assert known.sum() == 2
    assert not (known & ~target).any()
    assert len(np.unique(seen.cells.learner[known])) == 2


def test_tasks_that_differ_more_than_was_thought_widen_the_effect_of_a_task(monkeypatch):
    """Six tasks 3 apart where the process takes .3: left out one by one, each is missed by many deviations."""
    seen = _seen(n_tasks=6)
    far = replace(seen, z=3.0 * (seen.cells.task % 2) + 0.1 * seen.z)
    before = replace(start(), variance=0.3 * start().variance, misfit=0.05)
    task = GROUPS.index("task")
    shared = [
        PARTS.index(part) for part in ("level", "bend", "early")
    ]  # what cells of one size share of a task's effect

    def of_a_task(h: Hypers) -> float:
        return float(h.variance[task, shared].sum())

    as_shipped = of_a_task(calibrate(far, before, steps=15))
    assert as_shipped > of_a_task(before)
    monkeypatch.setattr("budgetsim.forecast.calibrate.WORTH", 8.0)  # the more a task counts, the further
    assert of_a_task(calibrate(far, before, steps=15)) > max(as_shipped, 3 * of_a_task(before))

"""The search against brute force, and what must hold of any best allocation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.choosing.allocate import allocate, best_per_draw
from budgetsim.costs.hours import Steps
from budgetsim.costs.model import CostModel
from budgetsim.design.surface import interpolate
from made import make_surface

N = np.array([1.0, 10.0, 60.0, 250.0])
U = np.array([1.0, 20.0, 100.0, 400.0])


def random_case(seed: int):
    rng = np.random.default_rng(seed)
    surface = make_surface(rng.uniform(0, 1, (9, 4, 4)), (N, U), strategy="distill")
    cost = CostModel(
        fixed={"fixed": float(rng.uniform(0, 5))},
        per_unit={
            "n_labels": {"labels": float(rng.uniform(0.1, 1))},
            "n_unlabeled": {"distillation": float(rng.uniform(0.01, 0.3))},
        },
        owned={"n_labels": float(rng.integers(0, 40))},
        steps={"teacher": Steps((10.0, 50.0, 100.0), (2.0, 2.0, float(rng.uniform(2, 12))))},
        limits={"n_unlabeled": float(rng.integers(30, 600))},
    )
    return surface, cost


def brute_force(surface, cost, budget):
    """Every whole pair of counts within the knots."""
    n, u = np.meshgrid(np.arange(1, 251), np.arange(1, 401), indexing="ij")
    pairs = np.stack([n.ravel(), u.ravel()], axis=1).astype(float)
    fits = cost.total({"n_labels": pairs[:, 0], "n_unlabeled": pairs[:, 1]}) <= budget + 1e-9
    fits &= pairs[:, 1] <= cost.limit("n_unlabeled")
    if not fits.any():
        return -np.inf
    return interpolate(surface.knots, surface.mean_table(), pairs[fits]).max()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(3, 300))
def test_it_is_as_good_as_trying_every_pair(seed, budget):
    surface, cost = random_case(seed)
    choice = allocate(surface, cost, [budget])
    wanted = brute_force(surface, cost, budget)
    if wanted == -np.inf:
        assert not choice.feasible[0]
        return
    n, u = choice.counts[0]
    assert float(cost.total({"n_labels": n, "n_unlabeled": u})) <= budget * (1 + 1e-6)
    assert choice.value[0] == pytest.approx(interpolate(surface.knots, surface.mean_table(), [[n, u]])[0], abs=1e-9)
    assert choice.value[0] >= wanted - 0.002
    assert choice.value[0] <= wanted + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_more_budget_never_lowers_the_best_mean_score(seed):
    surface, cost = random_case(seed)
    value = allocate(surface, cost, np.geomspace(1, 1000, 200)).value
    assert (value[1:] >= value[:-1]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["labels", "distillation", "teacher"]), st.floats(0.1, 1))
def test_a_cheaper_price_never_hurts(seed, stage, factor):
    surface, cost = random_case(seed)
    budgets = np.geomspace(5, 500, 30)
    assert (
        allocate(surface, cost.scaled([stage], factor), budgets).value >= allocate(surface, cost, budgets).value
    ).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_scaling_all_prices_and_the_budget_changes_nothing(seed, factor):
    surface, cost = random_case(seed)
    budgets = np.geomspace(5, 500, 30)
    scaled = cost.scaled(["fixed", "labels", "distillation", "teacher"], factor)
    a, b = allocate(surface, cost, budgets), allocate(surface, scaled, budgets * factor)
    assert (np.nan_to_num(a.counts) == np.nan_to_num(b.counts)).all()
    assert a.value == pytest.approx(b.value)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300))
def test_owned_labels_never_hurt(seed, more):
    surface, cost = random_case(seed)
    budgets = np.geomspace(5, 500, 30)
    richer = CostModel(
        fixed=cost.fixed,
        per_unit=cost.per_unit,
        owned={"n_labels": cost.owned["n_labels"] + more},
        steps=cost.steps,
        limits=cost.limits,
    )
    assert (allocate(surface, richer, budgets).value >= allocate(surface, cost, budgets).value - 1e-12).all()


def test_one_input_takes_the_peak_and_leaves_money_over():
    """Scores fall after 60 labels: free disposal keeps the peak however large the budget."""
    surface = make_surface(np.array([[0.1, 0.3, 0.8, 0.2]]), (N,))
    cost = CostModel(per_unit={"n_labels": {"labels": 2.0}})
    choice = allocate(surface, cost, [1.0, 40.0, 120.0, 1e9])
    assert choice.counts[1:, 0].tolist() == [20, 60, 60]
    assert choice.feasible.tolist() == [False, True, True, True]
    assert choice.value[1:].tolist() == pytest.approx([0.3 + 0.5 * np.log(21 / 11) / np.log(61 / 11), 0.8, 0.8])


def test_it_is_chosen_here_and_now():
    """Two worlds that disagree: each has an option of 1, but no single choice has more than 0.6 on average.

    E[max] is 1.0; reporting that as the value of a plan would promise what nobody can choose.
    """
    surface = make_surface(np.array([[0.0, 1.0, 0.6, 0.0], [0.0, 0.0, 0.6, 1.0]]), (N,))
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0}})
    choice = allocate(surface, cost, [1000.0])
    assert choice.counts[0, 0] == 60
    assert choice.value[0] == pytest.approx(0.6)
    assert best_per_draw(surface, cost, 1000.0).mean() == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(5, 300))
def test_no_world_does_worse_than_with_perfect_knowledge_of_it(seed, budget):
    surface, cost = random_case(seed)
    choice = allocate(surface, cost, [budget], fine=1)
    if choice.feasible[0]:
        assert (best_per_draw(surface, cost, budget) >= surface.at(choice.counts)[:, 0] - 1e-9).all()


# Fitted tables begin at 0 and 10 to 300: what lies between 1 and the second knot is affordable too.
SPARSE_N = np.array([0.0, 30.0, 60.0, 250.0])
SPARSE_U = np.array([0.0, 100.0, 400.0])


def sparse_case(seed: int, limit: float):
    rng = np.random.default_rng(seed)
    surface = make_surface(rng.uniform(0, 1, (9, 4, 3)), (SPARSE_N, SPARSE_U), strategy="distill")
    cost = CostModel(
        per_unit={
            "n_labels": {"labels": float(rng.uniform(0.1, 1))},
            "n_unlabeled": {"distillation": float(rng.uniform(0.01, 0.3))},
        },
        limits={"n_unlabeled": limit},
    )
    return surface, cost


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 60), st.sampled_from([1.0, 7.0, 150.0, 1e6]))
def test_the_value_is_that_of_the_counts_and_small_counts_are_searched(seed, budget, limit):
    surface, cost = sparse_case(seed, limit)
    choice = allocate(surface, cost, [budget])
    cheapest = float(cost.total({"n_labels": 1, "n_unlabeled": 1}))
    assert choice.feasible[0] == (budget >= cheapest * (1 - 1e-9))
    if choice.feasible[0]:
        assert choice.counts.min() >= 1
        assert choice.value[0] == pytest.approx(surface.at(choice.counts).mean(), abs=1e-9)
        assert choice.value[0] >= brute_force(surface, cost, budget) - 0.005


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_more_budget_never_lowers_the_score_of_small_budgets(seed):
    surface, cost = sparse_case(seed, 1e6)
    value = allocate(surface, cost, np.geomspace(0.1, 100, 300)).value
    assert (value[1:] >= value[:-1] - 1e-12).all()
    one = make_surface(surface.draws[:, :, 0], (SPARSE_N,))
    value = allocate(one, cost, np.geomspace(0.1, 100, 300)).value
    assert (value[1:] >= value[:-1] - 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(2, 300))
def test_the_value_is_that_of_the_counts_where_knots_are_no_whole_counts(seed, budget):
    """Fitted knots are not whole: the line between the whole counts below them is not the table."""
    surface, cost = random_case(seed)
    surface = make_surface(surface.draws, (N * 1.0179, U * 1.0084), strategy="distill")
    choice = allocate(surface, cost, [budget])
    if choice.feasible[0]:
        assert choice.value[0] == pytest.approx(surface.at(choice.counts).mean(), abs=1e-9)


def test_counts_are_whole_where_tables_end_between_two():
    surface, cost = random_case(3)
    surface = make_surface(surface.draws, (N * 1.0026, U * 1.0022), strategy="distill")
    counts = allocate(surface, cost, np.geomspace(5, 1e5, 60)).counts
    counts = counts[np.isfinite(counts).all(axis=1)]
    assert (counts == np.floor(counts)).all()


def test_an_empty_pool_buys_nothing():
    surface, cost = sparse_case(0, 0.0)
    assert not allocate(surface, cost, [1000.0]).feasible[0]
    assert (best_per_draw(surface, cost, 1000.0) == -np.inf).all()

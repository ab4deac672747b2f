"""One rule of recommending: `optimize`, `frontier` and `sensitivity` name the same plan, also next to a break-even."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.choosing.goals import reach_target
from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.recommend import best_plan, out_of_reach, recommended
from budgetsim.choosing.winners import HAIR, rows_by_route
from budgetsim.costs.model import CostModel
from budgetsim.costs.terms import with_owned_teacher
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.economics.frontier import trace_frontier
from budgetsim.economics.levers import Lever
from budgetsim.economics.pricebreaks import price_breaks
from made import make_option, make_surface

N = np.array([0.0, 10.0, 100.0, 1000.0])
U = np.array([0.0, 100.0, 10_000.0])
TASK = replace(TASKS["stance"], constant_score=0.3)


def random_options(seed, *, owned=False):
    """Four routes of rising worlds, prices and limits at random; with `owned` two ways with one teacher more."""
    rng = np.random.default_rng(seed)

    def table(*shape):
        draws = rng.uniform(0, 0.2, (12, *shape))
        for axis in range(1, len(shape) + 1):
            draws = draws.cumsum(axis=axis)
        return 0.1 + 0.8 * draws / draws.max()

    label = {"labels": float(rng.uniform(0.1, 1))}
    text = {"distillation": float(rng.uniform(0.001, 0.05))}
    one = CostModel(per_unit={"n_labels": label}, limits={"n_labels": float(rng.integers(50, 1500))})
    two = CostModel(per_unit={"n_labels": label, "n_unlabeled": text}, fixed={"fixed": float(rng.uniform(0, 20))})
    llm = CostModel(per_unit={"n_labels": label, "n_llm_labels": {"llm_labels": float(rng.uniform(0.001, 0.05))}})
    distill = make_option(make_surface(table(4, 3), (N, U), strategy="distill"), two)
    options = [
        make_option(make_surface(table(4), (N,)), one),
        make_option(make_surface(table(4), (N,), student="other"), one),
        distill,
        make_option(make_surface(table(4, 3), (N, U), strategy="annotate_plus_llm"), llm),
    ]
    if not owned:
        return options
    return [*options, replace(distill, cost=with_owned_teacher(two, 40, 0.0)), replace(distill, left_aside=40)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.floats(0.05, 900), st.booleans())
def test_a_best_plan_is_the_one_of_optimize(seed, budget, owned):
    options = random_options(seed, owned=owned)
    best, plan = optimize_task(TASK, options, budget).best, best_plan(TASK, options, budget)
    assert (plan.design, plan.cost_usd, plan.score) == (best.design, best.cost_usd, best.score)
    assert plan.standing.p_best == best.standing.p_best


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100_000), st.booleans())
def test_at_every_budget_that_a_frontier_looks_at_its_plan_is_that_of_optimize(seed, owned):
    """Also at each break-even, where means differ by less than the margin.

    Between two budgets looked at, plans within the margin of each other may take turns by single labels, unseen.
    """
    options = random_options(seed, owned=owned)
    front = trace_frontier(TASK, options, 900.0, n_budgets=8)
    for region in front.regions:
        assert optimize_task(TASK, options, region.from_usd).best.route == region.route
    for point in front.points:
        best = optimize_task(TASK, options, point.budget_usd).best
        assert (point.allocation.design, point.allocation.score) == (best.design, best.score)


def flat(score, price, student):
    """A student that scores the same from its first label on, at a price."""
    table = np.array([[0.3, score, score, score]])
    return make_option(make_surface(table, (N,), student=student), CostModel(per_unit={"n_labels": {"labels": price}}))


@pytest.mark.parametrize(("lead", "students"), [(0.0009, ["", "cheap"]), (0.0011, ["", "cheap", "dear"])])
def test_a_frontier_has_the_margin_of_optimize(lead, students):
    """A plan a hundred times as dear needs a lead of a tenth of a point, at every budget."""
    options = [flat(0.6, 1.0, "cheap"), flat(0.6 + lead, 100.0, "dear")]
    front = trace_frontier(TASK, options, 2000.0, n_budgets=8)
    assert [r.route.student for r in front.regions] == students
    assert (optimize_task(TASK, options, 2000.0).best.route.student == "dear") == (lead > HAIR)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 5.0, 9.95, 10.0]), st.integers(0, 2)), min_size=1),
    st.randoms(use_true_random=False),
)
def test_what_is_recommended_does_not_depend_on_the_order(plans, random):
    chosen = plans[recommended(*map(list, zip(*plans, strict=True)))]
    mixed = random.sample(plans, len(plans))
    assert mixed[recommended(*map(list, zip(*mixed, strict=True)))] == chosen
    top = max(worth for worth, _, _ in plans)
    assert chosen[0] > top - HAIR


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.floats(20, 500))
def test_the_break_even_of_sensitivity_is_where_the_recommendation_changes(seed, budget):
    """On its far side another plan is recommended for the whole budget, on its near side the one of the card."""
    options = [o for o in random_options(seed) if o.route.strategy == "annotate"]
    usd = options[0].cost.per_unit["n_labels"]["labels"]
    lever = Lever(name="labels", unit="a label", now_usd=usd, stages=("labels", "dev_and_test_labels"))

    def route_at(price):
        return best_plan(TASK, lever.repriced(options, price), budget).route

    for found in price_breaks(TASK, options, [lever], budget):
        assert found.choice == route_at(usd)
        if found.instead is not None:
            near = found.instead.usd / 1.006 if found.up else found.instead.usd * 1.006
            assert (route_at(near), route_at(found.instead.usd)) == (found.choice, found.instead.route)


def test_routes_are_out_of_reach_where_no_way_of_theirs_is_bought():
    owned, anew = random_options(5, owned=True)[-2:]
    assert list(rows_by_route([owned, anew])) == [owned.route]
    least = float(anew.cost.total({"n_labels": 1.0, "n_unlabeled": 1.0}))
    assert [entry.route for entry in out_of_reach([owned, anew], anew.cost.fixed_usd / 2)] == [owned.route]
    assert out_of_reach([owned, anew], 1.5 * least) == ()
    assert optimize_task(TASK, [], 10).best.route == CONSTANT_ROUTE


def test_the_cheapest_way_to_a_target_stands_first_also_where_its_route_has_a_dearer_one():
    """A teacher owned on few labels gets there for little, tuned anew for much; another route lies between."""
    table = np.full((4, 4, 3), 0.3)
    table[:, 1:, 1:] = 0.9
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.001}})
    anew = make_option(make_surface(table, (N, U), strategy="distill"), cost)
    owned = replace(anew, cost=with_owned_teacher(cost, 10, 0.0), surface=anew.surface)
    between = flat(0.9, 0.3, "between")
    goal = reach_target(TASK, [owned, replace(anew, left_aside=10), between], 80, 0.9)
    assert [p.allocation.route for p in goal.reached] == [anew.route, between.route]
    usd = [p.allocation.cost_usd for p in goal.reached]
    assert usd == sorted(usd)

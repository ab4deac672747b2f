"""Answers on made worlds whose right answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.recommend import best_plan
from budgetsim.choosing.remarks import NothingBeatsConstant, TooDear
from budgetsim.choosing.winners import winners
from budgetsim.costs.hours import Steps
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.economics.frontier import pareto_front, trace_frontier
from budgetsim.report.advice import changes_words
from budgetsim.report.remarks import answer_words, shortfall_words
from made import make_option, make_surface

N = np.array([1.0, 10.0, 100.0, 1000.0])
U = np.array([1.0, 100.0, 10_000.0])
TASK = replace(TASKS["stance"], constant_score=0.3)
LABELS = CostModel(per_unit={"n_labels": {"labels": 1.0}})


def annotate(scores, **more):
    return make_option(make_surface(np.atleast_2d(np.asarray(scores, dtype=float)), (N,), **more), LABELS)


def test_the_best_mean_score_is_recommended_and_judged_on_joint_draws():
    """Two students in three worlds: the second is better in two of them and worse on average."""
    safe = annotate([[0.0, 0.0, 0.0, 0.60]] * 3, student="safe")
    risky = annotate([[0.0, 0.0, 0.0, 0.62], [0.0, 0.0, 0.0, 0.62], [0.0, 0.0, 0.0, 0.20]], student="risky")
    answer = optimize_task(TASK, [risky, safe], 1000)
    assert [a.route.student for a in answer.allocations] == ["safe", "risky", ""]
    assert answer.recommended == 0
    best, other, constant = answer.allocations
    assert (best.score, other.score) == pytest.approx((60, 48))
    assert [a.standing.p_best for a in (best, other, constant)] == pytest.approx((1 / 3, 2 / 3, 0))
    # perfect knowledge reaches 62, 62 and 60
    assert best.standing.expected_regret == pytest.approx(4 / 3)
    assert other.standing.expected_regret == pytest.approx(40 / 3)


def test_nothing_at_or_below_the_constant_answer_is_a_win():
    answer = optimize_task(TASK, [annotate([0.1, 0.2, 0.3, 0.3])], 1000)
    assert answer.best.route == CONSTANT_ROUTE
    assert answer.best.cost_usd == 0
    assert answer.remarks == (NothingBeatsConstant(answer=TASK.constant_answer),)


def test_infeasible_options_keep_their_place_with_a_reason():
    dear = make_option(annotate([0.1, 0.2, 0.3, 0.9]).surface, LABELS.scaled(["labels"], 1e6))
    answer = optimize_task(TASK, [dear], 1000)
    assert [a.route for a in answer.allocations] == [CONSTANT_ROUTE]
    (entry,) = answer.infeasible
    assert entry.route == dear.route
    assert entry.reason == TooDear(least_usd=1e6, budget_usd=1000, stage="labels", stage_usd=1e6)
    assert shortfall_words(entry.reason) == (
        "the least it takes is $1,000,000.00 (of which labels $1,000,000.00); the budget is $1,000.00"
    )


def test_amounts_that_differ_are_told_so_that_they_differ():
    """A cent's hundredth is missing: two decimals would say that $12.90 is more than $12.90."""
    dear = make_option(annotate([0.1, 0.2, 0.3, 0.9]).surface, LABELS.scaled(["labels"], 12.9001))
    (entry,) = optimize_task(TASK, [dear], 12.9).infeasible
    assert (
        shortfall_words(entry.reason)
        == "the least it takes is $12.9001 (of which labels $12.90); the budget is $12.9000"
    )
    late = replace(dear, cost=replace(LABELS, days=LABELS, deadline_days=0.04))
    (entry,) = optimize_task(TASK, [late], 12.9).infeasible
    assert shortfall_words(entry.reason) == "the least it takes is 1.00 days; the deadline is 0.04 days"


def test_for_the_same_money_the_plan_of_fewer_kinds_stands_against_a_hair():
    """One LLM label more for a sixteenth of a point is no better plan; for a fifth of a point it is."""
    for gain, strategy in ((0.0006, "annotate"), (0.002, "annotate_plus_llm")):
        plain = annotate([0.1, 0.2, 0.3, 0.6])
        table = np.repeat(plain.surface.draws[:, :, None], 3, axis=2) + gain
        mixed = make_option(
            make_surface(table, (N, U), strategy="annotate_plus_llm"),
            CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_llm_labels": {"llm_labels": 0.01}}),
        )
        answer = optimize_task(TASK, [plain, mixed], 1000)
        assert answer.allocations[0].route.strategy == "annotate_plus_llm"
        assert answer.best.route.strategy == best_plan(TASK, [plain, mixed], 1000).route.strategy == strategy
        assert any("the simpler plan is recommended" in answer_words(r) for r in answer.remarks) == (
            strategy == "annotate"
        )


def test_the_price_that_changes_the_answer_is_found():
    """Small needs 10 labels for .50 and gains nothing more; big needs 1,000 for .80, .45 below.

    At $1,000 big wins; when labels cost more than a little, 1,000 are out of reach.
    """
    big = annotate([0.0, 0.0, 0.0, 0.8], student="big")
    small = annotate([0.0, 0.5, 0.5, 0.5], student="small")
    answer = optimize_task(TASK, [big, small], 1000)
    (change,) = answer.changes
    assert (change.price, change.instead) == ("labels", small.route)
    # on log(1 + n) axes big reaches .50 at 5/8 of the way from 100 to 1,000: 423 labels
    n = np.expm1(np.log1p(100) + 0.625 * (np.log1p(1000) - np.log1p(100)))
    assert change.factor == pytest.approx(1000 / n, rel=0.03)
    assert "then annotate small" in changes_words(answer)[0]


def test_only_prices_that_are_above_zero_are_turned_and_the_words_say_which():
    """Nothing times 32 is nothing: of a free label and a dear teacher only compute was tried."""
    free, paid = LABELS.scaled(["labels"], 0.0), replace(LABELS, steps={"teacher": Steps((1.0, 9.0), (1.0, 2.0))})
    cases = [
        ([free], (), "no price could be scaled to see, all are 0."),
        ([LABELS], ("labels",), "no price of human labels between 1/32 and 32 times the card's."),
        ([free, paid], ("labels", "compute"), "no price of human labels or compute between"),
        ([replace(paid, per_unit=free.per_unit)], ("compute",), "no price of compute between"),
        ([free, replace(free, steps={"teacher": Steps((1.0, 9.0), (0.0, 0.0))})], (), "all are 0"),
    ]
    for costs, tried, words in cases:
        options = [
            make_option(make_surface(np.array([[0.7, 0.7, 0.7, 0.7]]) - i / 10, (N,), student=str(i)), cost)
            for i, cost in enumerate(costs)
        ]
        found = optimize_task(TASK, options, 1e9)
        assert (found.scaled_prices, found.changes) == (tried, ())
        assert words in " ".join(changes_words(found))


def test_stop_here_is_the_cheapest_budget_within_a_point():
    answer = optimize_task(TASK, [annotate([0.0, 0.0, 0.60, 0.608])], 1000)
    assert answer.stop_here is not None
    # .598 is reached just before 100 labels
    assert answer.stop_here.budget_usd == pytest.approx(99, abs=2)
    assert answer.stop_here.score == pytest.approx(59.8, abs=0.3)


def test_pure_corners_spend_everything_beyond_the_start_one_way():
    distill = make_option(
        make_surface(np.full((2, 4, 3), 0.5), (N, U), strategy="distill"),
        CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.1}}),
    )
    answer = optimize_task(TASK, [annotate([[0.4] * 4] * 2), distill], 500, initial_sizes=[100, 800])
    start, beyond = answer.corners
    assert (start.annotate.design.inputs, start.distill.design.inputs) == ((500,), (100, 4000))
    assert (beyond.annotate, beyond.distill) == (None, None)


def test_the_constant_wins_ties_because_it_is_free():
    assert winners(np.array([[0.3, 0.4], [0.3, 0.3]])) == [1, 0]


def test_pareto_front_against_a_plain_double_loop():
    rng = np.random.default_rng(4)
    cost, score = rng.integers(0, 20, 80).astype(float), rng.integers(0, 20, 80).astype(float)
    plain = {
        i
        for i in range(80)
        if not any(
            (cost[j] <= cost[i] and score[j] >= score[i] and (cost[j], score[j]) != (cost[i], score[i]))
            for j in range(80)
        )
    }
    kept = pareto_front(cost, score)
    assert {(cost[i], score[i]) for i in kept} == {(cost[i], score[i]) for i in plain}
    assert (np.diff(score[kept]) > 0).all()
    assert (np.diff(cost[kept]) > 0).all()


def test_a_frontier_rises_and_its_regions_meet():
    rng = np.random.default_rng(0)
    draws = np.sort(rng.uniform(0.2, 0.9, (50, 4)), axis=1)
    front = trace_frontier(TASK, [annotate(draws)], 1000)
    scores = [p.allocation.score for p in front.points]
    costs = [p.allocation.cost_usd for p in front.points]
    assert scores == sorted(scores)
    assert costs == sorted(costs)
    assert all(s >= 30 for s in scores)
    assert front.regions[0].from_usd == 0
    assert front.regions[-1].to_usd == pytest.approx(1000)
    assert all(a.to_usd == b.from_usd for a, b in zip(front.regions, front.regions[1:], strict=False))


def test_attainment_bands_are_quantiles_when_every_world_pays_the_same():
    """One cost, so the score attained in 95, 50 and 5 % of worlds is a quantile of the draws.

    Half of the worlds are below the median by definition, so the bands are checked to one world.
    """
    rng = np.random.default_rng(7)
    draws = np.zeros((200, 4))
    draws[:, 3] = rng.uniform(0.4, 0.9, 200)
    front = trace_frontier(TASK, [annotate(draws)], 1000, n_budgets=2)
    last = front.points[-1]
    ordered = 100 * np.sort(draws[:, 3])
    assert last.attained[0] == pytest.approx(ordered[9], abs=1.0)
    assert last.attained[1] == pytest.approx(ordered[99], abs=1.0)
    assert last.attained[2] == pytest.approx(ordered[189], abs=1.0)


@pytest.mark.parametrize("budget", [-5.0, float("nan")])
def test_what_is_no_amount_of_money_is_refused(budget):
    with pytest.raises(ValueError, match="wanted an amount of US dollars"):
        optimize_task(TASK, [annotate([0.0, 0.0, 0.6, 0.608])], budget)

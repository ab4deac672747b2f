"""When a plan counts as better, and where a price or a budget makes another one so: thresholds worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.cheapest import cheapest, dearest_usd, least_usd
from budgetsim.choosing.corners import corner
from budgetsim.choosing.goals import reach_target
from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.options import allocation_at
from budgetsim.choosing.owning import worth_of_owning
from budgetsim.choosing.recommend import best_plan, chosen_options, offers_of, recommended, shortfall
from budgetsim.choosing.remarks import OwnRunsTooFew, RunMayEndAtConstant
from budgetsim.choosing.simulate import expected_regret
from budgetsim.choosing.winners import winners
from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.model import CostModel
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import Terms, own_units, with_owned_teacher
from budgetsim.data.tasks import TASKS
from budgetsim.report.remarks import answer_words, shortfall_words
from made import ROOT, made_cost, make_option, make_surface

N = np.array([1.0, 10.0, 100.0, 1000.0])
U = np.array([1.0, 100.0, 10_000.0])
TASK = replace(TASKS["stance"], constant_score=0.3)
LABELS = CostModel(per_unit={"n_labels": {"labels": 1.0}})
CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))


def annotate(scores, student="s", cost=LABELS, noise=None):
    draws = np.atleast_2d(np.asarray(scores, dtype=float))
    surface = make_surface(draws, (N,), student=student)
    return make_option(surface if noise is None else replace(surface, run_noise=np.array(noise)), cost)


@pytest.mark.parametrize(("lead", "taken"), [(0.0009, False), (0.0011, True)])
def test_a_tenth_of_a_point_parts_the_winners(lead, taken):
    """Of plans, of the plan that stands and of the constant answer: nobody could measure less than 0.1 points."""
    assert winners(np.array([[0.6], [0.6 + lead], [0.1]]), now=0) == [int(taken)]
    assert winners(np.array([[0.6 + lead], [0.6]])) == [0 if taken else 1]
    assert recommended([0.6 + lead, 0.6], [100.0, 50.0]) == (0 if taken else 1)
    assert recommended([0.6 + lead, 0.6], [100.0, 100.0], [2, 1]) == (0 if taken else 1)


def test_a_near_tie_goes_to_what_saves_a_percent_and_to_what_is_simpler_for_no_more_money():
    assert recommended([0.6, 0.5995], [100.0, 98.9]) == 1
    assert recommended([0.6, 0.5995], [100.0, 99.1]) == 0
    assert recommended([0.6, 0.5995, 0.5992], [100.0, 70.0, 60.0]) == 2  # of two cheaper ones the cheapest
    assert recommended([0.6, 0.5995], [100.0, 100.9], [2, 1]) == 1
    assert recommended([0.6, 0.5995], [100.0, 150.0], [2, 1]) == 0  # simpler, but half as dear again


def _forecast(scores, before, student):
    option = annotate(scores, student)
    return replace(option, surface=replace(option.surface, before=np.full(len(N), before)))


@pytest.mark.parametrize(("wide", "before", "chosen"), [(0.05, 0.5, "a"), (0.03, 0.5, "b"), (0.05, 0.7, "b")])
def test_own_runs_must_put_a_plan_first_by_half_the_gains_own_deviation(wide, before, chosen):
    """Plan b is ahead by 2 points in the mean of two worlds, 2 + `wide` and 2 - `wide`: its deviation is `wide` itself.

    2 is less than half of 5 and more than half of 3; where other tasks put b first too, nothing is to be left.
    """
    flat, uncertain = np.full((2, len(N)), 0.6), np.full((2, len(N)), 0.62) + np.array([[wide], [-wide]])
    options = [_forecast(flat, 0.6, "a"), _forecast(uncertain, before, "b")]
    answer = optimize_task(TASK, options, 100.0)
    assert answer.best.route.student == chosen
    assert best_plan(TASK, options, 100.0).route.student == chosen
    bests = [allocate(o.surface, o.cost, [50.0, 100.0]) for o in options]
    assert chosen_options(TASK, options, bests, 2) == [["a", "b"].index(chosen)] * 2
    few = [r for r in answer.remarks if isinstance(r, OwnRunsTooFew)]
    assert bool(few) == (answer.changes is None) == (chosen == "a")
    assert answer.allocations[0].route.student == "b"  # the best expected one still comes first
    if few:
        assert (few[0].route.student, few[0].points, few[0].sd) == ("b", pytest.approx(2), pytest.approx(100 * wide))
        assert "by 2.0 points, give or take 5.0" in answer_words(few[0])


def test_own_runs_that_tell_too_little_do_not_move_a_choice_for_bad_luck():
    """Who asks for a quantile gets it: worlds of b reach .57, below the .6 of a, whatever other tasks said."""
    flat, uncertain = np.full((2, len(N)), 0.6), np.full((2, len(N)), 0.62) + np.array([[0.05], [-0.05]])
    options = [_forecast(flat, 0.5, "a"), _forecast(uncertain, 0.6, "b")]
    answer = optimize_task(TASK, options, 100.0, choose="quantile", level=0.1)
    assert answer.best.route.student == "a"
    assert not any(isinstance(r, OwnRunsTooFew) for r in answer.remarks)


@pytest.mark.parametrize("score", [0.46, 0.5, 0.57, 0.66, 0.75])
def test_the_price_that_changes_the_answer_is_known_to_two_percent(score):
    """Big scores .45 at 100 labels and .80 at 1,000, a line in log(1 + n); small scores the same from 1 label on.

    At $1,000 and $1 a label big is advised until it leads by less than a point: at n labels, so at 1000 / n times the
    price. What is found lies beyond the threshold (there small is advised) by 2 % at most, and by less than a label.
    """
    answer = optimize_task(TASK, [annotate([0, 0, 0.45, 0.8], "big"), annotate([score] * 4, "small")], 1000)
    n = 101 * (1001 / 101) ** ((score + 0.01 - 0.45) / 0.35) - 1
    (change,) = answer.changes
    assert (change.price, change.instead.label) == ("labels", "annotate (small)")
    assert 1 / (1 + 1 / n) <= change.factor * n / 1000 <= 1.02 * (1 + 1 / n)


def test_a_price_that_must_fall_is_a_factor_below_one_and_turns_dev_labels_too():
    """$300: 100 labels and 200 of dev and test, at $1. Small is advised at .5 until big, .01 better, has n labels: at 300 / (n + 200)."""
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0}}, fixed={"dev_and_test_labels": 200.0})
    options = [annotate([0, 0, 0.45, 0.8], "big", cost), annotate([0.5] * 4, "small", cost)]
    changes = {c.factor > 1: c for c in optimize_task(TASK, options, 300).changes}
    n = 101 * (1001 / 101) ** ((0.5 + 0.01 - 0.45) / 0.35) - 1
    assert changes[False].instead.label == "annotate (big)"
    assert 1 / 1.03 <= changes[False].factor * (n + 200) / 300 <= 1.01
    # dearer labels: above 300 / 201 times the price not even one is left beside those of dev and test
    assert changes[True].instead.label == "constant"
    assert changes[True].factor == pytest.approx(300 / 201, rel=0.02)


def test_what_cannot_be_had_is_said_by_its_dearest_stage_or_by_its_days():
    """One label at $20 beside $5: $25 for a budget of $24; and for enough money two days of one."""
    cost = CostModel(fixed={"fixed": 5.0}, per_unit={"n_labels": {"labels": 20.0}})
    days = CostModel(per_unit={"n_labels": {"labels": 2.0}})
    dear, late = annotate([0.5] * 4, cost=cost), annotate([0.5] * 4, cost=replace(cost, days=days, deadline_days=1.0))

    def why(option, budget_usd):
        return shortfall_words(shortfall(option, budget_usd))

    assert why(dear, 24.0) == "the least it takes is $25.00 (of which labels $20.00); the budget is $24.00"
    assert why(late, 25.0) == "the least it takes is 2.0 days; the deadline is 1.0 days"
    assert why(late, 24.0) == why(dear, 24.0)


def test_a_run_that_may_end_at_the_constant_answer_is_said_to():
    """60 +- 40 in half of the runs each: the lower end, 20, lies below the 30 of the constant answer; 60 +- 20 does not."""
    said = [
        [answer_words(r) for r in optimize_task(TASK, [option], 1000).remarks if isinstance(r, RunMayEndAtConstant)]
        for option in (annotate([[0.6] * 4] * 2, noise=[-d, d]) for d in (0.4, 0.2))
    ]
    assert said == [["A run may end at or below the constant answer (Discussing, 30.0), which costs nothing."], []]


def test_corners_take_the_better_student_and_may_stand_at_the_very_start():
    """500 initial labels for $500: all the money is in them, and that is a corner; with $499 there is none."""
    options = [annotate([0.4] * 4, "low"), annotate([0.1, 0.2, 0.5, 0.7], "high")]
    assert corner(TASK, options, 500, 499).annotate is None
    found = corner(TASK, options, 500, 500).annotate
    assert (found.route.student, found.design.n_labels) == ("high", 500)
    cost = CostModel(
        per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.1}}, limits={"n_labels": 100.0}
    )
    distill = make_option(make_surface(np.full((1, 4, 3), 0.5), (N, U), strategy="distill"), cost)
    assert corner(TASK, [distill], 100, 150).distill.design.n_unlabeled == 500
    assert corner(TASK, [distill], 101, 150).distill is None


def test_a_target_counts_as_reached_at_just_its_chance():
    """Two worlds, one of which reaches .6: a chance of a half is enough where a half is wanted, and not where more is."""
    option = annotate([[0.5] * 4, [0.7] * 4])
    half, more = (reach_target(TASK, [option], 60, chance, budget_usd=50) for chance in (0.5, 0.51))
    assert (half.plan.chance, half.suffices) == (0.5, True)
    assert half.plan.allocation.cost_usd == 1
    assert (more.plan, more.suffices, more.at_budget.chance) == (None, False, 0.5)


def test_of_plans_as_likely_the_cheaper_one_is_told():
    """In one world of a hundred any label will do, in the others none, though money helps: one label is as likely as any."""
    draws = np.tile(np.linspace(0.4, 0.5, 4), (100, 1))
    draws[0] = 0.9
    goal = reach_target(TASK, [annotate(draws)], 80, 0.9, budget_usd=700)
    assert (goal.at_budget.chance, goal.short[0].chance) == (0.01, 0.01)
    assert goal.short[0].allocation.cost_usd < 5
    assert goal.at_budget.allocation.cost_usd < 5


@pytest.mark.parametrize("least", [0.37, 12.0, 4321.0, 9.9e5])
def test_the_cheapest_budget_is_enough_itself_and_so_close_that_nobody_minds(least):
    """Over seven decades: at most three hundredths of a percent above what is enough, and never below."""
    found = cheapest(lambda usd: usd >= least, 0.1, 1e6)
    assert 1 <= found / least <= 1.0004
    assert cheapest(lambda usd: usd >= 0, 0.1, 1e6) == 0
    assert cheapest(lambda usd: usd >= 2e6, 0.1, 1e6) is None


def test_the_span_of_what_can_be_bought():
    """From one label of the cheaper student to every label of the dearer one's table, or of its people."""
    cheap, dear = annotate([0.5] * 4), annotate([0.5] * 4, cost=LABELS.scaled(["labels"], 3))
    assert (least_usd([cheap, dear]), dearest_usd([cheap, dear])) == (1, 3000)
    few = annotate([0.5] * 4, cost=replace(LABELS, limits={"n_labels": 70.0}))
    assert dearest_usd([few]) == 70


def test_regret_is_measured_against_the_best_that_was_to_be_had():
    assert expected_regret([[0.5, 0.4]], [0.7]) == pytest.approx([0.2, 0.3])
    assert expected_regret([[0.5, 0.4]], [0.3]) == pytest.approx([0.0, 0.1])


HOURS = Hours(
    model="m", device_class="gpu", teacher_n=(100.0, 1000.0), teacher_hours=(2.0, 20.0), label_text=0.001,
    train_text=0.002, train_label=0.01, train_fixed=4.0,
)  # fmt: skip


def test_days_of_everything_that_is_bought():
    """Five runs of a model on two devices: 48 / 5 = 9.6 device-hours of one run a day. 50 labels a day, 60 owned."""
    overheads = CARD.overheads.model_copy(update={"dev_labels": 100, "test_labels": 200, "runs_per_model": 5})
    card = CARD.model_copy(update={"overheads": overheads})
    stages = {}
    for strategy, counts in (
        ("distill", {"n_labels": 1060.0, "n_unlabeled": 3000.0}),
        ("annotate_plus_llm", {"n_labels": 1060.0, "n_llm_labels": 500.0}),
    ):
        cost = made_cost(strategy, TASKS["stance"], card, HOURS, Terms(owned_labels=60, labels_per_day=50, gpus=2))
        stages[strategy] = cost.days.stages(counts)
    people = {"dev_and_test_labels": 300 / 50, "labels": 1000 / 50}
    found = {name: {k: float(v) for k, v in parts.items() if v} for name, parts in stages.items()}
    assert found["distill"] == pytest.approx(
        {**people, "student": 4 / 9.6, "teacher": (20 + 60 * 0.02) / 9.6, "labelling": 3 / 9.6, "distillation": 6 / 9.6}
    )
    assert found["annotate_plus_llm"] == pytest.approx({**people, "student": (4 + 1560 * 0.01) / 9.6})


def test_what_is_paid_once_is_gone_from_the_next_bill_and_nothing_else():
    cost = CostModel(
        fixed={"fixed": 50.0, "dev_and_test_labels": 30.0, "student": 7.0},
        per_unit={"n_labels": {"labels": 2.0}},
        owned={"n_labels": 40.0},
    )
    after = own_units(cost, {"n_labels": 25.0}, ("fixed", "dev_and_test_labels"))
    assert after.fixed == {"student": 7.0}
    assert after.owned == {"n_labels": 40.0}  # what is bought counts those that were owned: 25 are among the 40
    assert own_units(cost, {"n_labels": 90.0}, ()).owned == {"n_labels": 90.0}
    assert float(after.total({"n_labels": 45.0})) == 7 + 5 * 2


def test_an_owned_teacher_lifts_the_bound_of_labels_to_its_own_and_allows_no_fewer():
    cost = CostModel(
        per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.1}},
        steps={"teacher": Steps((0.0, 100.0), (0.0, 50.0))},
        limits={"n_labels": 30.0},
    )
    held = with_owned_teacher(cost, 80, 0.0)
    assert (held.limits["n_labels"], held.at_least) == (80, {"n_labels": 80})
    assert held.min_units(["n_labels", "n_unlabeled"]) == {"n_labels": 80, "n_unlabeled": 1}
    assert with_owned_teacher(cost, 20, 0.0).limits["n_labels"] == 30


def test_owned_labels_that_are_left_aside_do_no_harm_and_are_worth_nothing():
    """Owned beside a dearer price of more: the plan without is as good, so owning changes nothing."""
    surface = make_surface(np.array([[0.2, 0.8]]), (np.array([1.0, 1e4]),))
    without, owned = make_option(surface, LABELS), make_option(surface, LABELS.scaled(["labels"], 3))
    found = worth_of_owning(TASK, [owned], [without], 500)
    assert found.score == found.score_without == pytest.approx(100 * surface.at([[500.0]])[0, 0])
    assert found.worth_usd == pytest.approx(0, abs=0.2)
    assert found.route_without == without.route


def test_an_allocation_adds_up_and_tells_the_run_not_the_mean():
    """Two worlds of .5 and .7 whose runs deviate by -.1 and .1: mean .6, runs at .4 and .8, 5 % inside either end."""
    cost = replace(LABELS, fixed={"fixed": 10.0})
    plan = allocation_at(TASK, annotate([[0.5] * 4, [0.7] * 4], cost=cost, noise=[-0.1, 0.1]), np.array([20.0]))
    assert (plan.score, plan.lower, plan.upper) == pytest.approx((60, 42, 78))
    assert (plan.cost_usd, plan.costs) == (30, {"fixed": 10, "labels": 20})


def test_what_a_plan_buys_is_counted_by_kind():
    """Labels alone are one kind of thing, labels and texts are two, and the constant answer buys none."""
    both = CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.1}})
    distill = make_option(make_surface(np.full((1, 4, 3), 0.5), (N, U), strategy="distill"), both)
    options = [annotate([0.5] * 4), distill]
    bests = [allocate(o.surface, o.cost, [50.0]) for o in options]
    assert offers_of(TASK, options, bests).kinds.ravel().tolist() == [1, 2, 0]

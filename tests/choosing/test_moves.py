"""How the choice moves with prices, budgets and assumptions: thresholds, shares and tails worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.recommend import best_plan, chosen_options
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.economics.crossings import overtaking, spread
from budgetsim.economics.expansion import better_scores, compute_share, compute_usd, expansion_path, plan_scores
from budgetsim.economics.frontier import trace_frontier
from budgetsim.economics.levers import Lever, price_levers
from budgetsim.economics.noisy_labels import implied_accuracy, label_worth, llm_surface, mixed_surface, n_classes
from budgetsim.economics.pricebreaks import price_breaks
from budgetsim.economics.switches import switch_spread
from budgetsim.economics.tornado import money_assumptions, tornado
from budgetsim.economics.tradeoff import trace_indifference
from budgetsim.economics.whatif import with_plateau
from made import ROOT, make_option, make_surface

N = np.array([1.0, 10.0, 100.0, 1000.0])
TASK = replace(TASKS["stance"], constant_score=0.1)
CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
LABEL = Lever(name="labels", unit="a label", now_usd=1.0, stages=("labels",))


def annotate(scores, student="s", usd=1.0, **more):
    draws = np.atleast_2d(np.asarray(scores, dtype=float))
    cost = CostModel(per_unit={"n_labels": {"labels": usd}}, **more)
    return make_option(make_surface(draws, (N,), student=student), cost)


BIG = [0.0, 0.0, 0.45, 0.8]  # on log(1 + n) a line from 100 to 1,000 labels


def labels_of_big(score):
    """The labels with which big scores that much."""
    return 101 * (1001 / 101) ** ((score - 0.45) / 0.35) - 1


def test_a_price_that_falls_has_its_worlds_too():
    """For $100 small scores .5 or .6 by world; big overtakes it by a tenth of a point once it has enough labels."""
    small = annotate([[0.5] * 4, [0.6] * 4], "small")
    down, _ = price_breaks(TASK, [small, annotate([BIG] * 2, "big")], [LABEL], 100)
    assert (down.choice.label, down.instead.route.label) == ("annotate (small)", "annotate (big)")
    assert down.instead.usd == pytest.approx(100 / labels_of_big(0.551), rel=0.01)
    early, late = (100 / labels_of_big(score + 0.001) for score in (0.5, 0.6))  # prices: dear first
    assert (down.instead.worlds.lower, down.instead.worlds.upper) == pytest.approx(
        (late + 0.05 * (early - late), late + 0.95 * (early - late)), rel=0.02
    )
    assert down.instead.worlds.happens == 1


def test_a_break_even_price_is_known_to_half_a_percent():
    """$1e6 of labels at $1, a line in log(1 + n) to a million: whole labels are no matter there.

    Small costs next to nothing, so it is recommended as soon as big leads by less than a tenth of a point.
    """
    knots = (np.array([1.0, 1e6]),)
    for score in (0.62, 0.66, 0.71, 0.74):
        big, small = (
            make_option(make_surface(np.array([ends]), knots, student=name), annotate([0.0] * 4).cost)
            for name, ends in (("big", (0.2, 0.8)), ("small", (score, score)))
        )
        _, up = price_breaks(TASK, [small, big], [replace(LABEL, now_usd=1.0)], 1e6)
        n = 2 * (1_000_001 / 2) ** ((score + 0.001 - 0.2) / 0.6) - 1
        assert 0.9999 <= up.instead.usd * n / 1e6 <= 1.0051


def test_in_a_world_that_leads_by_less_than_a_tenth_of_a_point_nothing_happens():
    """Dear labels leave big at .45; small is better there by .05 in one world, by .0005 in the other: no overtaking."""
    small = annotate([[0.5] * 4, [0.4505] * 4], "small")
    _, up = price_breaks(TASK, [small, annotate([[0.45, 0.45, 0.45, 0.8]] * 2, "big")], [LABEL], 1000)
    assert up.instead.route.label == "annotate (small)"
    assert up.instead.worlds.happens == 0.5


def test_the_constant_answer_gives_way_to_a_tenth_of_a_point_and_not_to_less():
    """Two worlds: one reaches .1005 and one .1015; the constant answer, .1, is overtaken in the second alone."""
    worlds = annotate([[0.05, 0.05, 0.1005, 0.1005], [0.05, 0.05, 0.1015, 0.1015]])
    found = switch_spread(TASK, [worlds], CONSTANT_ROUTE, worlds.route, 100.0, 1000)
    assert found.happens == 0.5
    flat = annotate([[0.1] * 4] * 2, "flat")  # no constant
    assert switch_spread(TASK, [worlds, flat], flat.route, worlds.route, 100.0, 1000).happens == 1


def test_overtaking_and_its_tails():
    """A gap from -1 to 3 between 1 and 16 crosses a quarter of the way up on a log scale: at 2."""
    assert overtaking(np.array([1.0, 16.0]), np.array([-1.0, 3.0]), 1.0) == pytest.approx(2)
    where = np.append(np.arange(1.0, 102.0), [np.nan] * 101)
    found = spread(np.random.default_rng(0).permutation(where))
    assert (found.lower, found.upper, found.happens) == pytest.approx((6, 96, 0.5))


def test_a_price_of_labels_is_that_of_dev_and_test_labels_too():
    option = annotate([0.1] * 4, usd=0.364, fixed={"dev_and_test_labels": 30.0, "fixed": 7.0})
    levers = {x.name: x for x in price_levers(TASK, [option], CARD)}
    assert set(levers) == {"labels"}
    (dear,) = levers["labels"].repriced([option], 2 * 0.364)
    assert {k: float(v) for k, v in dear.cost.stages({"n_labels": 10.0}).items()} == pytest.approx(
        {"dev_and_test_labels": 60, "fixed": 7, "labels": 7.28}
    )


def test_a_free_text_gets_its_price_where_texts_are_taken_and_nowhere_else():
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"texts": 0.0, "distillation": 0.2}})
    table = np.full((1, 4, 4), 0.5)
    option = make_option(make_surface(table, (N, N), strategy="distill"), cost)
    lever = next(x for x in price_levers(TASK, [option], CARD) if x.name == "texts")
    assert lever.now_usd == 0
    (turned,) = lever.repriced([option], 0.03)
    assert turned.cost.per_unit == {"n_labels": {"labels": 1.0}, "n_unlabeled": {"texts": 0.03, "distillation": 0.2}}


def test_the_money_assumptions_halve_and_double_and_the_widest_stands_first():
    option = annotate(BIG, limits={"n_llm_labels": 400.0})
    gpu = Lever(name="GPU", unit="a GPU-hour", now_usd=3.0, stages=("student",))
    found = {a.name: (a.low, a.high) for a in money_assumptions([option], [LABEL, gpu], 250)}
    assert found == {"budget": (125, 500), "labels": (0.5, 2), "GPU": (1.5, 6), "pool": (200, 800)}
    swings = tornado(TASK, money_assumptions([option], [gpu, LABEL], 250))
    assert [s.name for s in swings[2:]] == ["GPU", "pool"]  # which change nothing
    assert swings[0].points == pytest.approx(
        100 * 0.35 * np.log(501 / 126) / np.log(1001 / 101)
    )  # twice the money or half the price


def test_of_two_ways_the_better_mean_is_taken_at_each_budget():
    one, other = np.array([[0.2, 0.6, 0.9], [0.4, 0.2, 0.1]]), np.array([[0.1, 0.7, 0.6], [0.3, 0.3, 0.6]])
    assert better_scores([one, other]).tolist() == [[0.2, 0.7, 0.6], [0.4, 0.3, 0.6]]  # not the luckiest world's
    ways = [annotate([0.1, 0.5, 0.5, 0.5]), annotate([0.0, 0.0, 0.6, 0.6])]
    budgets = [10.0, 100.0]
    bests = [allocate(way.surface, way.cost, budgets) for way in ways]
    assert chosen_options(TASK, ways, bests, len(budgets)) == [0, 1]
    assert plan_scores(ways[0], np.array([[np.nan], [10.0]])).tolist() == [[-1.0, 0.5]]


def test_compute_is_the_teacher_its_labelling_and_all_training():
    cost = CostModel(
        fixed={"student": 4.0, "fixed": 6.0},
        per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"texts": 0.1, "labelling": 0.2, "distillation": 0.3}},
    )
    option = make_option(make_surface(np.full((1, 4, 4), 0.5), (N, N), strategy="distill"), cost)
    (plan,) = expansion_path(TASK, option, [4 + 6 + 10 + 6.0])
    assert plan.cost_usd == pytest.approx(plan.design.n_labels + 0.6 * plan.design.n_unlabeled + 10)
    assert compute_usd(plan) == pytest.approx(4 + 0.5 * plan.design.n_unlabeled)
    assert compute_share(plan) == pytest.approx((4 + 0.5 * plan.design.n_unlabeled) / plan.cost_usd)
    assert compute_share(replace(plan, cost_usd=0.0)) is None


def test_the_chance_of_being_best_is_that_of_the_plan_that_is_told():
    """Steady has the best mean and is best in one world of four."""
    steady, bold = annotate([[0.6] * 4] * 4, "steady"), annotate([[0.65] * 4] * 3 + [[0.2] * 4], "bold")
    plan = best_plan(TASK, [bold, steady], 10)
    assert (plan.route.student, plan.standing.p_best) == ("steady", 0.25)


def test_bands_of_a_frontier_are_percent_reached_in_so_many_worlds_and_never_fall():
    """Twenty worlds of scores .51 to .70: all but one reach .52, half .61, one .70; within a world of each."""
    draws = np.linspace(0.51, 0.70, 20)[:, None] * np.ones(4)
    (first, *_) = trace_frontier(TASK, [annotate(draws)], 1000, n_budgets=2).points[1:]
    assert first.attained == pytest.approx((52, 61, 70), abs=1.01)
    assert first.attained[0] < first.attained[1] < first.attained[2]


K = np.expm1(np.linspace(0, 14, 57))


def test_a_region_begins_where_its_plan_has_won_already():
    """Scores rise from 0 at 10 labels to .6 at 100: the first whole label that leads .1 by .001 costs what it counts."""
    n = np.ceil(11 * (101 / 11) ** (0.101 / 0.6) - 1)
    _, region = trace_frontier(TASK, [annotate([0.0, 0.0, 0.6, 0.8])], 1000, n_budgets=2).regions
    assert region.route.label == "annotate (s)"
    assert n * (1 - 1e-9) <= region.from_usd <= n * 1.0001


def test_an_indifference_curve_tells_whole_labels_tails_of_worlds_and_what_a_step_saves():
    """.02 log(1 + N) + .01 log(1 + U) + a shift: 15 % needs N = exp((.15 - shift) / .02) / (1 + U)^.5 - 1 labels."""
    shifts = 0.001 * np.arange(-20, 21)  # 41 worlds
    table = 0.02 * np.log1p(K)[:, None] + 0.01 * np.log1p(K)[None, :]
    cost = CostModel(
        per_unit={"n_labels": {"labels": 0.5}, "n_unlabeled": {"distillation": 0.01}}, limits={"n_unlabeled": 900.0}
    )
    curve = trace_indifference(
        make_option(make_surface(table + shifts[:, None, None], (K, K), strategy="distill"), cost), 15.0
    )
    p = curve.points[-1]
    assert p.n_second == 900
    mean, few, many = (np.exp((0.15 - s) / 0.02) / np.sqrt(901) - 1 for s in (0.0, 0.018, -0.018))
    assert p.n_labels == np.ceil(mean)
    assert p.labels_lower == pytest.approx(few, rel=0.02, abs=1)
    assert p.labels_upper == pytest.approx(many, rel=0.02, abs=1)
    assert p.substitution_rate == pytest.approx((1 + mean) / (2 * 901), rel=0.01)
    assert p.saved_usd == pytest.approx(0.5 * p.substitution_rate)
    assert p.spent_usd == pytest.approx(0.01)


def test_label_noise_by_its_rules():
    """Random errors: a label of 80 % among 5 is worth ((5 x .8 - 1) / 4)^2 = .5625. Learnt ones cap the score at .8."""
    assert label_worth(0.8, 5) == 0.5625
    assert label_worth(0.1, 5) == 0
    curve = make_surface(np.array([[0.2, 0.5, 0.8, 1.0]]), (N,))
    stretched = llm_surface(curve, 0.8, 5, "random", "x")
    assert stretched.knots[0] == pytest.approx(N / 0.5625)
    assert llm_surface(curve, 0.8, 5, "learnable", "x").draws[0, -1] == pytest.approx(0.8)
    # 45 labels and 80 at .5625 are 90
    both = mixed_surface(curve, 0.8, 5, "random", "x")
    assert both.at([[100.0, 0.0], [0.0, 1000.0]])[0] == pytest.approx(curve.at([[100.0], [562.5]])[0], abs=0.01)
    assert both.support.classify([[1.0, 0.0]])[0] == ["interpolated"]
    assert both.support.classify([[1.0, 1770.0], [1.0, 1800.0]])[0] == ["interpolated", "extrapolated"]  # 1,000 / .5625
    assert [n_classes(TASKS[t]) for t in ("stance", "fever", "wlp", "nq")] == [5, 2, 20, None]


def test_an_implied_accuracy_comes_with_all_that_fit_as_well():
    """A flat curve says nothing: every accuracy above chance fits. A steep one pins it down."""
    flat, steep = (make_surface(np.array([row]), (N,)) for row in ([0.5] * 4, [0.0, 0.3, 0.6, 0.9]))
    for curve, width in ((flat, 0.79), (steep, 0.1)):
        llm = llm_surface(curve, 0.7, 5, "random", "x")
        llm = replace(llm, support=replace(llm.support, points=np.array([[20.0], [300.0]])))
        found = implied_accuracy(curve, llm, 5, "random")
        assert found.lower <= 0.7 <= found.upper
        assert (found.upper - found.lower > width) == (curve is flat)
        assert found.n_points == 2
    assert (
        implied_accuracy(steep, replace(llm, support=replace(llm.support, points=np.zeros((0, 1)))), 5, "random")
        is None
    )


def test_a_plateau_holds_distilled_students_alone_and_marks_them():
    distill = make_option(make_surface(np.full((1, 4, 4), 0.7), (N, N), strategy="distill"), CostModel())
    plain = annotate([0.7] * 4)
    held, same = with_plateau([distill, plain], 0.6)
    assert (held.surface.draws.max(), held.evidence.source) == (0.6, "modelled")
    assert same is plain


def test_a_device_without_options_is_no_lever():
    option = replace(annotate([0.1] * 4), hours=Hours(model="m", device_class="cpu", train_label=1.0))
    assert [x.name for x in price_levers(TASK, [option], CARD)] == ["labels", "CPU"]
    assert [x.name for x in price_levers(TASK, [option], CARD.model_copy(update={"cpu": None}))] == ["labels"]


def test_what_is_attained_does_not_depend_on_how_many_budgets_are_listed():
    """The same plan at the largest budget, of 3, 12 and 60 points: one band."""
    options = [
        annotate([[0.3, 0.5, 0.6, 0.7], [0.3, 0.4, 0.7, 0.75]], "one"),
        annotate([[0.4, 0.45, 0.5, 0.7]] * 2, "two"),
    ]
    bands = [trace_frontier(TASK, options, 1000.0, n_budgets=n).points[-1].attained for n in (3, 12, 60)]
    assert bands[0] == bands[1] == bands[2]

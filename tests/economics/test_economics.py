"""Expansion paths, indifference curves, substitution rates and break-even budgets against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from budgetsim.choosing.allocate import allocate
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.economics.crossings import overtaking, spread
from budgetsim.economics.expansion import compute_share, compute_usd, expansion_path, path_scores
from budgetsim.economics.frontier import trace_frontier
from budgetsim.economics.switches import break_even_usd, switch_spread
from budgetsim.economics.tradeoff import indifference_curve, substitution_rate, trace_indifference
from budgetsim.report.frontier import curve_page
from made import make_option, make_surface

K = np.expm1(np.linspace(0, 14, 57))  # zero to 1.2 million
LOG = np.log1p(K)
TASK = replace(TASKS["stance"], constant_score=0.3)


def log_linear(a: float, b: float) -> np.ndarray:
    """a log(1 + N) + b log(1 + U): linear where tables are, so nothing is lost in the table."""
    return a * LOG[:, None] + b * LOG[None, :]


def distill(table: np.ndarray, label_usd: float, text_usd: float, **more):
    cost = CostModel(per_unit={"n_labels": {"labels": label_usd}, "n_unlabeled": {"distillation": text_usd}}, **more)
    return make_option(
        make_surface(np.atleast_3d(table).reshape(-1, *table.shape[-2:]), (K, K), strategy="distill"), cost
    )


@given(st.floats(0.01, 0.03), st.floats(0.005, 0.03), st.floats(0.2, 0.35))
def test_an_indifference_curve_of_logarithms_is_a_power_of_the_texts(a, b, score):
    second = np.array([10.0, 300.0, 9_000.0])
    known = np.expm1((score - b * np.log1p(second)) / a)
    inside = (known >= 1) & (known <= K[-1])
    found = indifference_curve((K, K), log_linear(a, b), score, second)
    assert found[inside] == pytest.approx(known[inside], rel=1e-6)
    assert np.isinf(found[known > K[-1] * 1.01]).all()
    assert (found[known < 1] == 1).all()


@pytest.mark.parametrize("fewer", [False, True])
def test_the_substitution_rate_of_cobb_douglas(fewer):
    """s = A N^a U^b has MRS = (b / a) N / U; the table holds it to a few percent."""
    a, b = 0.3, 0.15
    knots = np.append(0.0, np.geomspace(1, 1e6, 300))
    table = 0.01 * knots[:, None] ** a * knots[None, :] ** b
    second = np.array([30.0, 1_000.0, 40_000.0])
    labels = indifference_curve((knots, knots), table, 0.2, second)
    assert labels == pytest.approx((20.0 / second**b) ** (1 / a), rel=0.01)
    rate = substitution_rate((knots, knots), table, 0.2, second, fewer=fewer)
    assert rate == pytest.approx(b / a * labels / second, rel=0.03)


@pytest.mark.parametrize(("label_usd", "text_usd"), [(0.364, 0.002), (0.1, 0.1), (2.0, 0.005)])
def test_at_the_optimum_the_substitution_rate_is_the_price_ratio(label_usd, text_usd):
    """And with a log(1 + N) + b log(1 + U) the money is split as a to b."""
    a, b = 0.02, 0.01
    option = distill(log_linear(a, b), label_usd, text_usd)
    n, u = allocate(option.surface, option.cost, [3000.0]).counts[0]
    assert n * label_usd == pytest.approx(2000, rel=0.02)
    (score,) = option.surface.at([[n, u]])[0]
    # the primary input stands on a grid of the search, 1 % apart: so far can the two ratios differ
    rate = substitution_rate(option.surface.knots, option.surface.mean_table(), score, [u])
    assert rate == pytest.approx([text_usd / label_usd], rel=0.04)


def test_at_a_kink_the_price_ratio_lies_between_the_two_sides():
    """Texts are worth something up to 1,000 and nothing beyond: the optimum stands on the kink."""
    knots = np.array([0.0, 10, 100, 1000, 10_000, 100_000])
    table = 0.03 * np.log1p(knots)[:, None] + 0.03 * np.minimum(np.log1p(knots), np.log1p(1000))[None, :]
    surface = make_surface(table[None], (knots, knots), strategy="distill")
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.1}})
    n, u = allocate(surface, cost, [3000.0]).counts[0]
    assert u == 1000
    (score,) = surface.at([[n, u]])[0]
    more = substitution_rate(surface.knots, table, score, [u])
    fewer = substitution_rate(surface.knots, table, score, [u], fewer=True)
    assert more[0] == pytest.approx(0, abs=1e-9) and more[0] < 0.1 < fewer[0]  # noqa: PT018


@given(arrays(float, (5, 4), elements=st.floats(0, 1)), st.floats(0.05, 0.95))
def test_more_texts_never_ask_for_more_labels(table, score):
    """Units may be thrown away, whatever the table does."""
    knots = (np.array([0.0, 5, 50, 500, 5000]), np.array([0.0, 10, 100, 1000]))
    labels = indifference_curve(knots, table, score, [1, 10, 31, 100, 1000])
    assert (labels[1:] <= labels[:-1]).all()


def test_the_printed_curve_adds_up():
    option = distill(np.stack([log_linear(0.02, 0.01)] * 3), 0.5, 0.01, limits={"n_unlabeled": 5000.0})
    curve = trace_indifference(option, 15.0)
    assert curve is not None and curve.cheapest is not None  # noqa: PT018
    assert curve.points[-1].n_second == 5000
    for p in curve.points:
        assert p.cost_usd == pytest.approx(0.5 * p.n_labels + 0.01 * p.n_second)
        assert p.labels_lower == p.labels_upper == p.n_labels  # three equal worlds
    best = curve.points[curve.cheapest]
    before, after = curve.points[curve.cheapest - 1], curve.points[curve.cheapest + 1]
    assert before.saved_usd > before.spent_usd  # more texts save labels of more than they cost
    assert after.saved_usd < after.spent_usd
    assert best.cost_usd < min(before.cost_usd, after.cost_usd)
    assert (
        trace_indifference(make_option(make_surface(np.array([[0.0, 1.0]]), (np.array([0.0, 9.0]),)), option.cost), 5)
        is None
    )


def test_a_curve_nobody_reaches_is_empty_and_says_how_high_it_goes():
    curve = trace_indifference(distill(log_linear(0.02, 0.01), 0.5, 0.01), 99.0)
    assert curve is not None
    assert (curve.points, curve.cheapest) == ((), None)
    assert curve.highest == pytest.approx(100 * 0.03 * 14)


@given(arrays(float, 9, elements=st.floats(-1, 1)), st.floats(1, 1000))
def test_overtaking_agrees_with_a_plain_walk(gap, near):
    x = np.geomspace(1, 1000, 9)
    found = []
    for i in range(8):
        if gap[i] < 0 <= gap[i + 1]:
            share = -gap[i] / (gap[i + 1] - gap[i])
            found.append(np.exp(np.log(x[i]) + share * (np.log(x[i + 1]) - np.log(x[i]))))
    known = min(found, key=lambda v: abs(np.log(v / near)), default=np.nan)
    assert overtaking(x, gap, near) == pytest.approx(known, nan_ok=True)


def test_break_even_budgets_of_known_worlds():
    """A flat score c meets b log B at B = exp(c / b); where c is out of reach it never does."""
    money = np.geomspace(1, 1e4, 60)
    flat = np.array([0.2, 0.4, 0.6, 5.0])
    found = break_even_usd(money, np.repeat(flat[:, None], 60, 1), np.repeat(0.1 * np.log(money)[None], 4, 0), near=50)
    assert found[:3] == pytest.approx(np.exp(flat[:3] / 0.1), rel=1e-9)
    assert np.isnan(found[3])
    assert spread(found).happens == 0.75
    assert spread(np.full(3, np.nan)).lower is None


def test_of_several_switches_the_nearest_is_meant():
    money = np.array([1.0, 2, 4, 8, 16, 32])
    gap = np.array([-1.0, 1, -1, -1, 1, 1])
    assert overtaking(money, gap, 1.0) == pytest.approx(2**0.5)
    assert overtaking(money, gap, 20.0) == pytest.approx(8 * 2**0.5)


def test_a_lead_too_short_to_be_one_is_passed_over():
    money = np.geomspace(1, 128, 15)  # steps of the root of 2
    gap = np.where(np.arange(15) == 4, -1.0, 1.0)  # behind at 4 only
    assert np.isfinite(overtaking(money, gap, 1.0))
    assert np.isnan(overtaking(money, gap, 1.0, lead=2.0))
    gap = np.where(np.arange(15) < 4, -1.0, 1.0)  # behind from the start
    assert overtaking(money, gap, 1.0, lead=1e9) == pytest.approx(2**1.75)


N = np.array([1.0, 10.0, 100.0, 1000.0])


def annotate(scores, student="s"):
    draws = np.atleast_2d(np.asarray(scores, dtype=float))
    return make_option(make_surface(draws, (N,), student=student), CostModel(per_unit={"n_labels": {"labels": 1.0}}))


def test_the_expansion_path_spends_each_budget_and_scores_the_same_plan_in_every_world():
    option = annotate([[0.1, 0.2, 0.3, 0.4], [0.1, 0.4, 0.5, 0.6]])
    path = expansion_path(TASK, option, [0.5, 10.0, 100.0])
    assert path[0] is None
    assert [a.design.n_labels for a in path[1:]] == [10, 100]
    assert path_scores(option, [0.5, 10.0, 100.0]) == pytest.approx(np.array([[-1, 0.2, 0.3], [-1, 0.4, 0.5]]))


def test_compute_is_a_share_of_what_is_spent():
    table = log_linear(0.02, 0.01)
    (plan,) = expansion_path(TASK, distill(table, 1.0, 0.01), [300.0])
    assert plan is not None
    assert compute_usd(plan) == pytest.approx(plan.design.n_unlabeled * 0.01)
    assert compute_share(plan) == pytest.approx(1 / 3, rel=0.02)  # b / (a + b)


def test_a_frontier_names_its_switches_with_their_worlds():
    """The student overtakes the constant (.3) by a hair at 11 labels in one world, at 101 in the other."""
    early, late = [0.0, 0.3, 0.6, 0.9], [0.0, 0.0, 0.3, 0.9]
    option = annotate([early, late])
    front = trace_frontier(TASK, [option], 1000)
    (switch,) = front.switches
    assert (switch.before, switch.after) == (CONSTANT_ROUTE, option.route)
    assert switch.break_even_usd == front.regions[1].from_usd
    assert switch.worlds.happens == 1
    assert (switch.worlds.lower, switch.worlds.upper) == pytest.approx((15.5, 96.5), rel=0.01)  # 5 and 95 % of the way
    assert switch_spread(TASK, [annotate([[0.0] * 4])], CONSTANT_ROUTE, option.route, 10.0, 1000).happens == 0


def test_a_curve_stays_within_what_there_is():
    """A limit takes rows away and changes none; the highest score is that of all that there is."""
    table = log_linear(0.02, 0.01)
    few = trace_indifference(distill(table, 0.5, 0.01, limits={"n_unlabeled": 5.0}), 10.0)
    assert few.points[-1].n_second == 5
    free = trace_indifference(distill(table, 0.5, 0.01), 15.0)
    bound = trace_indifference(distill(table, 0.5, 0.01, limits={"n_labels": 100.0}), 15.0)
    assert max(p.n_labels for p in free.points) > 100
    assert [p for p in free.points if p.n_labels <= 100] == list(bound.points)
    assert bound.highest == pytest.approx(100 * (0.02 * np.log(101) + 0.01 * 14))


def test_a_curve_says_where_its_rows_begin():
    """Fewer texts than the first of the table are not looked at, and are not said to be impossible."""
    knots = (K, np.array([0.0, 300.0, 1000.0]))
    table = 0.02 * LOG[:, None] + 0.01 * np.log1p(knots[1])[None, :]
    cost = CostModel(per_unit={"n_labels": {"labels": 0.5}, "n_unlabeled": {"texts": 0.0}})
    option = make_option(make_surface(table[None], knots, strategy="distill"), cost)
    curve = trace_indifference(option, 10.0)
    assert curve.start == curve.points[0].n_second == 300
    (grid,) = curve_page(curve, "f1")
    assert grid.title.endswith("labels against texts, from 300 on")
    (words,) = curve_page(trace_indifference(option, 99.0), "f1")
    assert "no bundle of 300 texts or more is expected to score 99; the highest is" in words


def test_the_first_knot_of_the_texts_may_lie_beyond_what_there_is():
    knots = (K, np.array([0.0, 7.0, 300.0, 1000.0]))
    table = 0.02 * LOG[:, None] + 0.01 * np.log1p(knots[1])[None, :]
    cost = CostModel(per_unit={"n_labels": {"labels": 0.5}, "n_unlabeled": {"texts": 0.0}}, limits={"n_unlabeled": 5.0})
    curve = trace_indifference(make_option(make_surface(table[None], knots, strategy="distill"), cost), 10.0)
    assert [p.n_second for p in curve.points] == [5]


@pytest.mark.parametrize("name", ["n_labels", "n_unlabeled"])
def test_a_limit_below_one_leaves_no_bundle_and_says_so(name):
    curve = trace_indifference(distill(log_linear(0.02, 0.01), 0.5, 0.01, limits={name: 0.0}), 15.0)
    assert (curve.points, curve.highest, curve.cheapest) == ((), None, None)
    assert "limits or deadline leave no labels or no texts" in curve_page(curve, "f1")[0]

"""Objectives, targets, bounds, deadlines and what is owned: against brute force and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.goals import reach_target
from budgetsim.choosing.objectives import chance_of, quantile, search, tail_regret
from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.owning import worth_of_owning
from budgetsim.choosing.remarks import OwnedBeyondTable, WithinMargin
from budgetsim.choosing.shadow import shadow_price
from budgetsim.choosing.winners import searches
from budgetsim.costs.hours import Hours, Steps
from budgetsim.costs.model import CostModel, cost_model
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import Terms, days_model, with_owned_teacher
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.design.strategies import ANNOTATE, DISTILL
from budgetsim.design.surface import interpolate
from budgetsim.report.remarks import answer_words, shortfall_words
from made import ROOT, made_cost, make_option, make_surface

CARD = parse_rates((ROOT / "rates.yaml").read_text())
TASK = replace(TASKS["stance"], constant_score=0.05)
N = np.array([1.0, 10.0, 60.0, 250.0])
U = np.array([1.0, 20.0, 100.0, 400.0])
PAIRS = np.stack(np.meshgrid(np.arange(1, 251), np.arange(1, 401), indexing="ij"), axis=-1).reshape(-1, 2).astype(float)
LABELS = CostModel(per_unit={"n_labels": {"labels": 1.0}})


def smooth_draws(rng, n_draws=60):
    """Worlds as fits have them: each a curved surface with saturation, their parameters drawn jointly."""
    top, a, b, c, d = (
        rng.uniform(lo, hi, n_draws) for lo, hi in ((0.6, 0.9), (0.2, 0.6), (0.1, 0.5), (0.2, 0.9), (0.2, 0.9))
    )
    n, u = (v[None] for v in np.meshgrid(N, U, indexing="ij"))
    top, a, b, c, d = (v[:, None, None] for v in (top, a, b, c, d))
    return np.clip(top - a * n ** (-c) - b * u ** (-d), 0, 1)


def priced(rng, **more):
    return CostModel(
        fixed={"fixed": float(rng.uniform(0, 5))},
        per_unit={
            "n_labels": {"labels": float(rng.uniform(0.1, 1))},
            "n_unlabeled": {"distillation": float(rng.uniform(0.01, 0.3))},
        },
        steps={"teacher": Steps((10.0, 50.0, 100.0), (2.0, 2.0, float(rng.uniform(2, 12))))},
        **more,
    )


def random_option(seed, draws=smooth_draws, **more):
    rng = np.random.default_rng(seed)
    return make_option(make_surface(draws(rng), (N, U), strategy="distill"), priced(rng, **more))


def rough_draws(rng):
    return rng.uniform(0, 1, (9, 4, 4))


def affordable_pairs(cost, budget):
    named = {"n_labels": PAIRS[:, 0], "n_unlabeled": PAIRS[:, 1]}
    fits = cost.total(named) <= budget + 1e-9
    for k, name in enumerate(named):
        fits &= (PAIRS[:, k] <= cost.limit(name)) & (PAIRS[:, k] >= cost.at_least.get(name, 1))
    if cost.days is not None:
        fits &= cost.days.total(named) <= cost.deadline_days + 1e-9
    return PAIRS[fits]


OBJECTIVES = {
    "quantile": lambda draws: quantile(draws, 0.1),
    "regret": lambda draws: -tail_regret(draws, np.full(len(draws), 1.0)),
    "chance": lambda draws: chance_of(draws, 0.5),
}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(30, 300), st.sampled_from(["quantile", "regret"]))
def test_an_objective_is_as_good_as_trying_every_pair(seed, budget, name):
    """Within two tenths of a point on smooth worlds whose knots lie sixfold apart (0.008 on average, 0.11 at most of 120)."""
    option, over = random_option(seed), OBJECTIVES[name]
    choice = search(option, over).best(option.cost, [budget])
    pairs = affordable_pairs(option.cost, budget)
    assert choice.feasible[0] == bool(len(pairs))
    if len(pairs):
        own = over(option.surface.at(choice.counts))[0]
        assert own == pytest.approx(
            over(interpolate(option.surface.knots, option.surface.draws, pairs)).max(), abs=0.002
        )
        assert own == pytest.approx(choice.value[0], abs=0.003)
        assert (
            float(option.cost.total(dict(zip(option.surface.inputs, choice.counts[0], strict=True)))) <= budget + 1e-6
        )


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(30, 300), st.sampled_from(["quantile", "regret"]))
def test_an_objective_on_rough_worlds_is_near_that_of_every_pair(seed, budget, name):
    """Nine worlds that share nothing from knot to knot: the worst there can be, within ten points (1.8 on average)."""
    option, over = random_option(seed, rough_draws), OBJECTIVES[name]
    choice = search(option, over).best(option.cost, [budget])
    pairs = affordable_pairs(option.cost, budget)
    if len(pairs):
        best = over(interpolate(option.surface.knots, option.surface.draws, pairs)).max()
        assert over(option.surface.at(choice.counts))[0] >= best - 0.1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(OBJECTIVES)), st.sampled_from([smooth_draws, rough_draws]))
def test_no_objective_falls_as_the_budget_grows(seed, name, draws):
    option = random_option(seed, draws)
    value = search(option, OBJECTIVES[name]).best(option.cost, np.geomspace(1, 1000, 200)).value
    assert (value[1:] >= value[:-1] - 1e-12).all()


def test_the_quantile_is_numpys():
    draws = np.random.default_rng(0).normal(size=(37, 5))
    for level in (0.0, 0.05, 0.1, 0.5, 0.99, 1.0):
        assert quantile(draws, level) == pytest.approx(np.quantile(draws, level, axis=0))


def test_tail_regret_of_all_worlds_is_expected_regret_so_its_least_is_the_highest_mean():
    """Expected regret asks for nothing new; that is why `--choose regret` looks at the worst tenth."""
    rng = np.random.default_rng(1)
    scores, best = rng.uniform(0, 1, (50, 8)), np.full(50, 1.0)
    whole = tail_regret(scores, best, 1.0)
    assert whole == pytest.approx((best[:, None] - scores).mean(axis=0))
    assert whole.argmin() == scores.mean(axis=0).argmax()
    assert (tail_regret(scores, best) >= whole).all()


def test_caution_and_regret_choose_what_they_say():
    """Three plans in ten worlds: bold has the best mean, steady the best tenth, middling the least bad regret."""
    one = {"knots": (np.array([1.0, 2.0]),)}
    bold = np.array([0.9] * 8 + [0.3] * 2)
    steady = np.full(10, 0.6)
    middling = np.array([0.8] * 8 + [0.45] * 2)
    options = [
        make_option(make_surface(np.stack([s, s], axis=1), student=name, **one), LABELS)
        for name, s in (("bold", bold), ("steady", steady), ("middling", middling))
    ]
    assert optimize_task(TASK, options, 10).best.route.student == "bold"
    cautious = optimize_task(TASK, options, 10, choose="quantile", level=0.1)
    assert (cautious.best.route.student, cautious.best.standing.objective) == ("steady", pytest.approx(60))
    # worst world of regret: bold .60 - .30, steady .90 - .60, middling .60 - .45
    sorry = optimize_task(TASK, options, 10, choose="regret")
    assert (sorry.best.route.student, sorry.best.standing.objective) == ("middling", pytest.approx(15))
    assert (sorry.changes, sorry.stop_here, sorry.shadow) == (None, None, None)


def normal_option(noise=0.0, n_draws=2000):
    """Scores .50 at one label to .80 at 1,000, straight in log(1 + n); worlds differ by a normal shift of .03."""
    shift = 0.03 * norm.ppf((np.arange(n_draws) + 0.5) / n_draws)
    surface = make_surface(shift[:, None] + np.array([0.5, 0.8]), (np.array([1.0, 1000.0]),))
    rng = np.random.default_rng(0)
    return make_option(replace(surface, run_noise=rng.permutation(shift) * noise / 0.03), LABELS)


def test_the_cheapest_budget_of_a_target_is_the_closed_form():
    """.60 with a chance of 90 % needs a mean of .60 + 1.2816 s, s = .03 alone and .05 with a run's noise of .04."""
    for noise, spread in ((0.0, 0.03), (0.04, 0.05)):
        mean = 0.6 + norm.ppf(0.9) * spread
        n = np.expm1(np.log(2) + (mean - 0.5) / 0.3 * (np.log(1001) - np.log(2)))
        goal = reach_target(TASK, [normal_option(noise)], 60, 0.9)
        assert goal.plan.allocation.cost_usd == pytest.approx(n, rel=0.03)
        assert goal.plan.chance == pytest.approx(0.9, abs=0.01)
        assert goal.plan.chance >= 0.9


def test_a_budget_beside_a_target_is_judged():
    goal = reach_target(TASK, [normal_option()], 60, 0.9, budget_usd=10)
    # at 10 labels the mean is .50 + .3 log(5.5)/log(500.5) = .5823: P(shift >= .0177) = 1 - Phi(.590)
    mean = 0.5 + 0.3 * np.log(11 / 2) / np.log(1001 / 2)
    assert goal.at_budget.chance == pytest.approx(1 - norm.cdf((0.6 - mean) / 0.03), abs=0.01)
    assert goal.suffices is False
    plenty = reach_target(TASK, [normal_option()], 60, 0.9, budget_usd=900)
    assert plenty.suffices
    assert plenty.at_budget.chance > 0.999


def test_a_target_out_of_reach_says_how_likely_it_gets_and_for_how_little():
    """At 1,000 labels the mean is .80: .85 has a chance of 1 - Phi(5/3) = 4.8 %, and nothing has more."""
    goal = reach_target(TASK, [normal_option()], 85, 0.5)
    assert goal.plan is None
    assert goal.short[0].chance == pytest.approx(1 - norm.cdf(5 / 3), abs=0.008)
    assert goal.short[0].allocation.cost_usd > 800
    assert goal.short[-1].allocation.route == CONSTANT_ROUTE


def test_what_the_constant_answer_scores_costs_nothing_to_reach():
    goal = reach_target(TASK, [normal_option()], 5, 0.99)
    assert (goal.plan.allocation.route, goal.plan.allocation.cost_usd, goal.plan.chance) == (CONSTANT_ROUTE, 0, 1)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 0.7), st.sampled_from([0.5, 0.8, 0.9]))
def test_a_targets_budget_is_that_of_trying_every_pair(seed, target, chance):
    """No pair that gets there costs over 5 % less; and what is chosen does get there."""
    option = random_option(seed)
    goal = reach_target(TASK, [option], 100 * target, chance)
    chances = chance_of(interpolate(option.surface.knots, option.surface.draws, PAIRS), target)
    good = chances >= chance - 1e-9
    mine = [p for p in goal.reached if p.allocation.route.strategy == "distill"]
    if not good.any():
        assert not mine
        assert goal.short[0].chance == pytest.approx(chances.max(), abs=0.02)
        return
    cost = option.cost.total({"n_labels": PAIRS[good, 0], "n_unlabeled": PAIRS[good, 1]}).min()
    assert mine[0].chance >= chance - 1e-9
    assert mine[0].allocation.cost_usd <= 1.05 * cost + 0.5
    assert mine[0].allocation.cost_usd >= cost - 1e-9


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(30, 300))
def test_stop_here_is_that_of_trying_every_pair(seed, budget):
    option = random_option(seed)
    found = optimize_task(TASK, [option], budget)
    pairs = affordable_pairs(option.cost, budget)
    if not len(pairs):
        return
    means = interpolate(option.surface.knots, option.surface.mean_table(), pairs)

    def least(within):
        """The cheapest pair so near the best."""
        good = pairs[means >= means.max() - within]
        return option.cost.total({"n_labels": good[:, 0], "n_unlabeled": good[:, 1]}).min()

    # the search behind it is coarser: a point may be half a point where scores are as steep as here
    assert least(0.012) - 1e-9 <= found.stop_here.budget_usd <= least(0.005) * 1.001


def test_the_shadow_price_is_the_slope_of_what_money_buys():
    """One label a dollar on a line in log(1 + n): a step is worth .3 log(1101/1001) / log(1001/2) there."""
    surface = make_surface(np.array([[0.5, 0.8]]), (np.array([1.0, 1e4]),))
    option = make_option(surface, LABELS)
    found = shadow_price(TASK, [option], searches([option]), 1000)
    unit = 30 / np.log(10_001 / 2)
    assert found.gain == pytest.approx(unit * np.log(1101 / 1001), rel=1e-6)
    assert found.loss == pytest.approx(unit * np.log(1001 / 901), rel=1e-6)
    at_the_end = shadow_price(TASK, [option], searches([option]), 1e6)
    assert (at_the_end.gain, at_the_end.loss) == pytest.approx((0, 0))
    small = shadow_price(TASK, [option], searches([option]), 50)
    assert small.loss == pytest.approx(50 + unit * np.log(51 / 2) - 5)  # down to the constant answer


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(5, 300), st.integers(0, 300), st.integers(0, 500))
def test_bounds_of_labels_and_texts_are_exact(seed, budget, labels, texts):
    option = random_option(seed, rough_draws, limits={"n_labels": float(labels), "n_unlabeled": float(texts)})
    pairs = affordable_pairs(option.cost, budget)
    choice = allocate(option.surface, option.cost, [budget])
    assert choice.feasible[0] == bool(len(pairs))
    if len(pairs):
        assert (choice.counts[0] <= [labels, texts]).all()
        best = interpolate(option.surface.knots, option.surface.mean_table(), pairs).max()
        assert choice.value[0] == pytest.approx(best, abs=0.003)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(5, 300), st.floats(1, 60))
def test_a_deadline_is_a_second_budget_and_as_exact(seed, budget, deadline):
    rng = np.random.default_rng(seed + 1)
    days = CostModel(
        per_unit={
            "n_labels": {"labels": float(rng.uniform(0.02, 0.5))},
            "n_unlabeled": {"distillation": float(rng.uniform(0.01, 0.2))},
        },
        steps={"teacher": Steps((10.0, 100.0), (1.0, float(rng.uniform(1, 8))))},
    )
    option = random_option(seed, rough_draws, days=days, deadline_days=deadline)
    pairs = affordable_pairs(option.cost, budget)
    choice = allocate(option.surface, option.cost, [budget])
    assert choice.feasible[0] == bool(len(pairs))
    if len(pairs):
        best = interpolate(option.surface.knots, option.surface.mean_table(), pairs).max()
        assert choice.value[0] == pytest.approx(best, abs=0.003)
        (entry,) = [a for a in optimize_task(TASK, [option], budget).allocations if a.route.strategy == "distill"]
        assert entry.days <= deadline + 1e-6


HOURS = Hours(
    model="published", device_class="gpu", teacher_n=(100.0, 1000.0), teacher_hours=(2.0, 20.0), label_text=0.001,
    train_text=0.002, train_label=0.01,
)  # fmt: skip


def test_days_add_up_as_a_hand_does():
    """1,000 labels at 100 a day; 20 + 30,000 x .003 device-hours on 2 devices of 24 hours."""
    terms = Terms(owned_labels=200, labels_per_day=100, gpus=2)
    days = made_cost("distill", TASKS["stance"], CARD, HOURS, terms).days
    stages = days.stages({"n_labels": 1000, "n_unlabeled": 30_000})
    assert {k: float(v) for k, v in stages.items() if v} == pytest.approx(
        {"labels": 8, "teacher": 20 / 48, "labelling": 30 / 48, "distillation": 60 / 48}
    )
    alone = days_model(ANNOTATE, CARD, HOURS, 100, 1)
    assert float(alone.total({"n_labels": 1000})) == pytest.approx(10 + 10 / 24)


@pytest.mark.parametrize("owned", [0, 60, 150])
@pytest.mark.parametrize("n", [40, 100])
def test_an_owned_teacher_costs_nothing_until_one_label_more(n, owned):
    rng = np.random.default_rng(n)
    plain = priced(rng, owned={"n_labels": float(owned)}, limits={"n_unlabeled": 300.0})
    held = with_owned_teacher(plain, n, owned)
    assert float(held.input_usd("n_labels", n)) == 0
    for more in (n + 1, n + 2, n + 3, 120, 240, 2000):
        if more > n:
            assert float(held.input_usd("n_labels", more)) == pytest.approx(float(plain.input_usd("n_labels", more)))
    surface = random_option(3).surface
    for budget in (5, 40, 90, 200):
        pairs = PAIRS[(PAIRS[:, 0] >= n) & (PAIRS[:, 1] <= 300)]
        named = {"n_labels": pairs[:, 0], "n_unlabeled": pairs[:, 1]}
        paid = plain.total(named) - np.where(pairs[:, 0] == n, plain.input_usd("n_labels", n), 0)
        fits = pairs[paid <= budget + 1e-9]
        choice = allocate(surface, held, [budget])
        assert choice.feasible[0] == bool(len(fits))
        if len(fits):
            best = interpolate(surface.knots, surface.mean_table(), fits).max()
            assert choice.value[0] == pytest.approx(best, abs=0.003)


def test_owned_labels_are_worth_their_price():
    """Where only labels are bought, 300 owned ones stand for $300, and the score is that of $800."""
    surface = make_surface(np.array([[0.2, 0.8]]), (np.array([1.0, 1e4]),))
    without = make_option(surface, LABELS)
    found = worth_of_owning(TASK, [make_option(surface, replace(LABELS, owned={"n_labels": 300.0}))], [without], 500)
    assert found.worth_usd == pytest.approx(300, rel=1e-3)
    assert found.score == pytest.approx(100 * surface.at([[800.0]])[0, 0])
    assert found.score_without == pytest.approx(100 * surface.at([[500.0]])[0, 0])


@given(st.integers(0, 10_000), st.integers(1, 240), st.floats(1, 300))
@settings(max_examples=40, deadline=None)
def test_a_teacher_that_is_owned_never_makes_an_answer_worse(seed, n, budget):
    """It can be left aside for one on fewer labels: of the two ways, one label, the better is told."""
    without = random_option(seed)
    owned = replace(without, cost=with_owned_teacher(without.cost, n, 0.0))
    anew = replace(without, left_aside=n)
    found = worth_of_owning(TASK, [owned, anew], [without], budget)
    assert found.score >= found.score_without
    answer = optimize_task(TASK, [owned, anew], budget)
    assert len(answer.allocations) + len(answer.infeasible) == 2  # one a label, and the constant answer
    assert sum(a.standing.p_best for a in answer.allocations) == pytest.approx(1)
    assert answer.best.score >= optimize_task(TASK, [without], budget).best.score - 0.2 - 1e-9  # a hair each time


def test_of_two_ways_with_one_teacher_a_target_takes_the_cheaper():
    without = random_option(4)
    owned = replace(without, cost=with_owned_teacher(without.cost, 200, 0.0))
    goal = reach_target(TASK, [owned, replace(without, left_aside=200)], 40, 0.5)
    alone = [reach_target(TASK, [o], 40, 0.5).plan.allocation.cost_usd for o in (owned, without)]
    assert goal.plan.allocation.cost_usd == min(alone)
    assert len(goal.reached) + len(goal.short) == 2


def test_a_teacher_owned_beyond_the_table_is_said_to_be_so():
    option = random_option(1)
    far = replace(option, cost=with_owned_teacher(option.cost, 999, 0.0))
    (entry,) = optimize_task(TASK, [far], 1e6).infeasible
    assert entry.reason == OwnedBeyondTable(input="n_labels", end=250)
    assert shortfall_words(entry.reason) == "scores are known up to 250 labels; the owned teacher has more"


def test_what_money_cannot_buy_has_no_price():
    surface = make_surface(np.array([[0.2, 0.8]]), (np.array([1.0, 1e4]),))
    bounded = replace(LABELS, limits={"n_labels": 100.0})
    more = replace(LABELS, limits={"n_labels": 400.0}, owned={"n_labels": 300.0})
    found = worth_of_owning(TASK, [make_option(surface, more)], [make_option(surface, bounded)], 500)
    assert found.worth_usd is None


@pytest.mark.parametrize(("gain", "student"), [(0.0009, "cheap"), (0.0011, "dear")])
def test_a_hair_is_no_win(gain, student):
    """A plan ten times as dear is recommended from a tenth of a point on; below, the cheaper one, and it is said."""
    knots = (np.array([1.0, 10.0]),)
    cheap = make_option(make_surface(np.array([[0.3, 0.6]]), knots, student="cheap"), LABELS)
    dear = make_option(
        make_surface(np.array([[0.3, 0.6 + gain]]), knots, student="dear"), LABELS.scaled(["labels"], 10)
    )
    answer = optimize_task(TASK, [cheap, dear], 100)
    assert answer.allocations[0].route.student == "dear"
    assert answer.best.route.student == student
    assert any(isinstance(remark, WithinMargin) for remark in answer.remarks) == (student == "cheap")


def test_a_hair_above_the_constant_answer_is_not_sold():
    task = replace(TASK, constant_score=0.6)
    answer = optimize_task(
        task, [make_option(make_surface(np.array([[0.3, 0.6005]]), (np.array([1.0, 10.0]),)), LABELS)], 100
    )
    assert answer.best.route == CONSTANT_ROUTE
    assert "less than the 0.1 that anybody could measure" in answer_words(answer.remarks[0])


def test_terms_and_card_bound_labels_and_texts():
    plain = cost_model(DISTILL, TASKS["stance"], CARD, HOURS)
    assert plain.limits == {"n_unlabeled": 100_000}
    terms = Terms(owned_labels=100, max_labels=900, pool=5000)
    bounded = made_cost("distill", TASKS["stance"], CARD, HOURS, terms)
    assert bounded.limits == {"n_labels": 1000, "n_unlabeled": 5000}
    said = CARD.model_copy(update={"labels": {"stance": CARD.labels["stance"].model_copy(update={"available": 700})}})
    assert cost_model(ANNOTATE, TASKS["stance"], said, HOURS).limits == {"n_labels": 700}
    assert made_cost("annotate", TASKS["stance"], said, HOURS, terms).limits == {"n_labels": 1000}
    assert made_cost("annotate", TASKS["stance"], said, HOURS, Terms(owned_labels=50)).limits == {"n_labels": 750}

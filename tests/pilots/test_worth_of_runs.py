"""What a pilot leaves owned, what it costs the plan, and what its result says: by hand and by closed form."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import Design, Route
from budgetsim.pilots.candidates import candidate_runs
from budgetsim.pilots.condition import RunOutlook, Slices, observe, run_outlook, slices
from budgetsim.pilots.nextrun import LEAST_FALL, NextRun, _after, rank_runs
from made import make_option, make_surface

TASK = replace(TASKS["fever"], constant_score=0.1)
N = np.array([1.0, 100.0, 1000.0])
LLM = CostModel(
    per_unit={"n_llm_labels": {"llm_labels": 0.5, "texts": 0.01, "student": 0.1}}, limits={"n_llm_labels": 5000.0}
)


def labelled_by(labeler, cost=LLM):
    surface = make_surface(
        np.tile([0.2, 0.4, 0.6], (4, 1)), (N,), strategy="llm_annotate", student=f"of {labeler}", labeler=labeler
    )
    return make_option(surface, cost)


def test_answers_of_one_llm_are_not_those_of_another():
    """300 labels of A at 50 cents: the next plan of A needs 700 of 1,000 more, a plan of B all 1,000."""
    a, b = labelled_by("A"), labelled_by("B")
    run = np.array([300.0])
    for option, labels in ((a, 700), (b, 1000)):
        bill = _after(option, a, run).stages({"n_llm_labels": 1000.0})
        assert float(bill["llm_labels"]) == pytest.approx(0.5 * labels)
        assert float(bill["student"]) == pytest.approx(100)  # every run is trained anew
    assert _after(b, a, run).owned == {"n_llm_labels": 0.0}


def test_what_another_llm_answered_does_not_make_its_run_free():
    """The pilots of B keep what they bought, whoever ran before; the same labels again are kept in full."""
    kept = {
        r.route.labeler: r.kept_usd / r.cost_usd
        for r in rank_runs(TASK, [labelled_by("A"), labelled_by("B")], [500]).runs
    }
    assert kept == pytest.approx(dict.fromkeys("AB", 0.51 / 0.61))


def arm(student, draws, compute, *, fixed=None, noise=0.0, price=0.0):
    table = np.repeat(np.asarray(draws, dtype=float)[:, None], 3, axis=1)
    surface = replace(make_surface(table, (N,), student=student), run_noise=np.full(len(table), 1.0) * noise)
    cost = CostModel(
        per_unit={"n_labels": {"labels": price, "student": compute}}, fixed=fixed or {}, limits={"n_labels": 1000.0}
    )
    return make_option(surface, cost)


def coin(compute=0.1, **more):
    """A student that scores .7 in half of 400 worlds and .3 in the others, beside one that scores .5 in all."""
    worlds = np.where(np.arange(400) % 2, 0.7, 0.3)
    return [arm("sure", np.full(400, 0.5), 0.0), arm("coin", worlds, compute, **more)]


def test_to_see_a_coin_before_betting_on_it_is_worth_a_tenth():
    """Known in advance the plan scores (.7 + .5) / 2 = .6, unknown .5: 10 points, less a coin that is lost in the purse."""
    answer = rank_runs(TASK, coin(), [500.0])
    run = next(r for r in answer.runs if r.route.student == "coin" and r.design.n_labels == 500)
    assert answer.best_now == pytest.approx((50,))
    assert answer.regret_now == pytest.approx((10,))
    assert run.information == pytest.approx((10,), abs=0.1)
    assert run.falls == pytest.approx((10,), abs=0.1)  # one label is as good as all, and the money for it is left
    assert run.p_switch == pytest.approx(0.5)
    assert (run.score, run.lower, run.upper) == pytest.approx((50, 30, 70))
    assert (run.cost_usd, run.kept_usd) == pytest.approx((50, 0))
    assert run.fall_per_100_usd == pytest.approx(100 * run.fall / 50)


def test_the_student_of_a_run_is_kept_where_no_money_is_left_for_a_plan():
    """At $50 the run of 500 labels takes all: its own student scores .7 or .3, and .4 is free. (.7 + .4) / 2 - .5 = .05."""
    task = replace(TASK, constant_score=0.4)
    options = [arm("dear", np.full(400, 0.5), 0.06), coin()[1]]
    (run,) = [
        r for r in rank_runs(task, options, [50.0]).runs if r.route.student == "coin" and r.design.n_labels == 500
    ]
    assert run.falls == pytest.approx((5,), abs=0.1)
    assert not [
        r for r in rank_runs(task, options, [49.9]).runs if r.route.student == "coin" and r.design.n_labels == 500
    ]


def test_falls_are_averaged_over_budgets_and_free_where_they_cannot_be_paid():
    run = next(
        r for r in rank_runs(TASK, coin(), [25.0, 500.0]).runs if r.route.student == "coin" and r.design.n_labels == 500
    )
    assert run.falls[0] == 0
    assert run.fall == pytest.approx(run.falls[1] / 2)
    assert run.fall_per_100_usd == pytest.approx(100 * run.fall / 50)


def test_runs_are_ranked_by_the_dollar_and_those_not_worth_it_by_the_least_loss():
    answer = rank_runs(TASK, coin(), [500.0])
    n = len(answer.worth)
    assert 0 < n < len(answer.runs)
    assert all(r.fall >= LEAST_FALL for r in answer.runs[:n])
    by_dollar, by_fall = [r.fall_per_100_usd for r in answer.runs[:n]], [r.fall for r in answer.runs[n:]]
    assert by_dollar == sorted(by_dollar, reverse=True)
    assert by_fall == sorted(by_fall, reverse=True)


def test_what_a_run_pays_once_stays_paid_and_its_days_are_over():
    """Dev and test labels and the fixed part serve every plan; hours of training do not."""
    fixed = {"fixed": 20.0, "dev_and_test_labels": 30.0, "student": 5.0}
    sure, bet = coin(fixed=fixed, price=1.0)
    run = next(
        r for r in rank_runs(TASK, [sure, bet], [900.0]).runs if r.route.student == "coin" and r.design.n_labels == 200
    )
    assert run.cost_usd == pytest.approx(55 + 200 * 1.1)
    assert run.kept_usd == pytest.approx(50 + 200)
    assert run.days is None
    days = CostModel(per_unit={"n_labels": {"labels": 0.02}})
    timed = replace(bet, cost=replace(bet.cost, days=days, deadline_days=10.0))
    runs = rank_runs(TASK, [timed], [900.0]).runs
    assert {r.design.n_labels: r.days for r in runs if not r.again} == pytest.approx({100: 2, 200: 4, 500: 10})
    assert _after(timed, timed, np.array([200.0])).deadline_days == pytest.approx(6)


def test_candidates_are_what_money_pool_and_clock_just_allow():
    cost = CostModel(
        per_unit={"n_labels": {"labels": 1.0}},
        limits={"n_labels": 500.0},
        days=CostModel(per_unit={}),
        deadline_days=1.0,
    )
    surface = make_surface(np.tile([0.2, 0.4, 0.6], (4, 1)), (N,))
    seen = replace(surface, support=replace(surface.support, points=np.array([[200.0]])))
    runs = candidate_runs([make_option(seen, cost)], 500.0)
    assert [(c.counts[0], c.again, c.cost_usd) for c in runs] == [
        (200, True, 200),
        (100, False, 100),
        (500, False, 500),
    ]
    assert [c.counts[0] for c in candidate_runs([make_option(seen, cost)], 499.0)] == [200, 100]


def test_seeds_and_ignorance_spread_a_result_as_two_sides_of_a_right_angle():
    assert RunOutlook(np.array([0.3, 0.7] * 50), 0.15).spread == pytest.approx(0.25)  # hypot(.2, .15)
    surface = replace(make_surface(np.full((4, 3), 0.5), (N,)), run_noise=np.array([-0.03, 0.03, -0.05, 0.05]))
    assert run_outlook(surface, [100.0], 1).noise == pytest.approx(np.sqrt(0.0017))
    assert run_outlook(surface, [100.0], 4).noise == pytest.approx(np.sqrt(0.0017) / 2)


def test_what_a_result_a_spread_above_says_is_the_covariance_over_the_spread():
    """A score that is three quarters of the run's own, in many worlds: b = .75 s^2 / hypot(s, noise)."""
    m = 0.5 + 0.04 * np.array([NormalDist().inv_cdf((i + 0.5) / 4000) for i in range(4000)])
    told = RunOutlook(m, 0.03)
    s = m.std()
    assert told.slopes(0.75 * m) == pytest.approx(0.75 * s**2 / np.hypot(s, 0.03), rel=1e-3)
    assert told.slopes(-0.75 * m) == pytest.approx(-0.75 * s**2 / np.hypot(s, 0.03), rel=1e-3)


def test_a_weak_accident_is_shrunk_to_nothing_and_a_strong_link_hardly():
    """A correlation of r over n worlds keeps max(0, 1 - 1 / (n r^2)) of itself."""
    m = np.tile([-1.0, 1.0], 50)
    other = np.repeat([-1.0, 1.0], 50)  # unrelated to m
    told = RunOutlook(m, 0.0)
    for r in (0.05, 0.2, 0.8):
        mixed = r * m + np.sqrt(1 - r**2) * other
        assert told.slopes(mixed) == pytest.approx(r * max(0.0, 1 - 1 / (100 * r**2)), abs=1e-12)


def test_slices_of_a_normal_result_have_its_conditional_means():
    """Mean N(.5, .03), noise .04: a result above the upper p of all says .5 + (.03^2 / .05) phi(z) / p on average."""
    unit = NormalDist()
    m = 0.5 + 0.03 * np.array([unit.inv_cdf((i + 0.5) / 20_000) for i in range(20_000)])
    cut = slices(RunOutlook(m, 0.04), (0.1, 0.9))
    assert cut.chance == pytest.approx([0.1, 0.8, 0.1], abs=0.03)  # edges come from a noise of six values
    p = float(cut.chance[2])
    step = 0.03**2 / 0.05 * unit.pdf(unit.inv_cdf(1 - p)) / p
    assert cut.expected(m) == pytest.approx([0.5 - step, 0.5, 0.5 + step], abs=0.0002)


def test_swings_lose_the_share_that_so_few_worlds_show_by_accident():
    """Two slices of two of four worlds: variance .25 x (1/2 - 1/4) is accident, .25 is seen, so .75 of a swing is kept."""
    cut = Slices(np.array([0.5, 0.5]), np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]))
    assert cut.expected([1.0, 1.0, 0.0, 0.0]) == pytest.approx([0.5 + 0.75 * 0.5, 0.5 - 0.75 * 0.5])
    # means of .6 and .4 show .01, and .17 x (1/2 - 1/4) would be there by accident: nothing is kept
    assert cut.expected([1.0, 0.2, 0.8, 0.0]) == pytest.approx([0.5, 0.5])


def test_worlds_that_foretold_a_high_result_are_held_back_by_it():
    """Without noise every world moves to what was seen; no result moves what it could not have taught."""
    surface = make_surface(np.array([[0.2, 0.4, 0.6], [0.3, 0.5, 0.7], [0.4, 0.6, 0.8]] * 200), (N,))
    (after,) = observe([surface], surface, [100.0], 0.55)
    assert after.at([[100.0]])[:, 0] == pytest.approx(np.full(600, 0.55), abs=0.001)
    assert after.mean_table() == pytest.approx([0.35, 0.55, 0.75], abs=0.001)
    same = make_surface(np.full((3, 3), 0.5), (N,))
    assert observe([surface], same, [100.0], 0.9)[0] is surface


def test_a_run_names_itself_and_its_fall():
    run = NextRun(
        design=Design(
            task="fever", route=Route(strategy="distill", teacher="t", student="s"), n_labels=1, n_unlabeled=2
        ),
        again=False,
        cost_usd=0.0, days=None, kept_usd=0.0, score=1.0, lower=0.0, upper=2.0, information=(1.0,), falls=(1.0, 2.0),
        p_switch=0.0,
    )  # fmt: skip
    assert (run.route.label, run.fall, run.fall_per_100_usd) == (
        "distill (t into s)",
        1.5,
        15_000,
    )  # a free run costs a cent

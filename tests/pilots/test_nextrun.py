"""The worth of the next run: what it must obey, on made surfaces and on the paper's."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.allocate import EASY, prepare
from budgetsim.costs.model import CostModel
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.errors import InputError
from budgetsim.pilots.candidates import candidate_runs
from budgetsim.pilots.nextrun import LEAST_FALL, _after, rank_runs
from budgetsim.report.next_run import next_json, next_page
from budgetsim.store.location import StorePaths
from budgetsim_cli.next_run import budget_range
from made import ROOT, make_option, make_surface

TASK = replace(TASKS["fever"], constant_score=0.1)
KNOTS = (np.array([0.0, 100.0, 1000.0, 10_000.0]),)


def arm(student, means, spread, *, noise=0.0, price=0.0, compute=0.0, seed=0, seen=()):
    """An annotate option: every world lies `spread` times a normal above the means, everywhere alike."""
    rng = np.random.default_rng(seed)
    draws = np.array(means) + spread * rng.standard_normal((400, 1)) * np.array([0.0, 1, 1, 1])
    surface = make_surface(draws, KNOTS, student=student)
    support = replace(surface.support, points=np.array([[n] for n in seen], dtype=float).reshape(-1, 1))
    surface = replace(surface, run_noise=noise * rng.standard_normal(400), support=support)
    cost = CostModel(per_unit={"n_labels": {"labels": price, "student": compute}}, limits={"n_labels": 10_000})
    return make_option(surface, cost)


SURE = arm("sure", [0.1, 0.50, 0.55, 0.60], 0.0, price=0.1)


def test_information_is_never_negative_and_never_above_the_regret():
    options = [SURE, arm("bold", [0.1, 0.45, 0.5, 0.58], 0.05, noise=0.01, price=0.1, seed=1)]
    answer = rank_runs(TASK, options, [100, 300, 1000])
    for run in answer.runs:
        assert all(v >= -1e-9 for v in run.information)
        assert all(
            v <= r + 0.15 for v, r in zip(run.information, answer.regret_now, strict=True)
        )  # shrinkage moves a little
    assert max(answer.runs[0].information) > 0.5


def test_labels_that_the_plan_needs_anyway_make_a_pilot_free():
    # all money of `bold` goes into labels that every plan reuses: the fall is the free one
    options = [SURE, arm("bold", [0.1, 0.45, 0.5, 0.58], 0.05, noise=0.01, price=0.1, seed=1)]
    for run in rank_runs(TASK, options, [1000]).runs:
        if run.design.n_labels < 10_000:
            assert run.falls == pytest.approx(run.information, abs=0.02)  # a coin's worth of rounding to whole labels
        assert run.kept_usd == pytest.approx(run.cost_usd)


def test_money_spent_on_compute_is_gone():
    options = [SURE, arm("bold", [0.1, 0.45, 0.5, 0.58], 0.05, noise=0.01, compute=0.1, seed=1)]
    runs = [r for r in rank_runs(TASK, options, [150]).runs if r.route.student == "bold"]
    assert runs
    for run in runs:
        assert run.kept_usd == 0
        assert run.falls[0] <= run.information[0] + 1e-9
    dear = max(runs, key=lambda r: r.cost_usd)
    assert dear.falls[0] < dear.information[0] - 0.1


def test_a_second_seed_loses_to_a_new_size_when_noise_is_small():
    # two worlds differ in the late score only: the seen size tells nothing more, a larger one all
    draws = np.tile([0.1, 0.5, 0.5, 0.5], (400, 1))
    draws[::2, 2] += 0.02
    draws[::2, 3] += 0.1
    late = arm("late", [0.1, 0.5, 0.5, 0.5], 0.0, compute=0.01, seen=[100])
    late = replace(late, surface=replace(late.surface, draws=draws, run_noise=np.full(400, 0.002)))
    answer = rank_runs(TASK, [late, arm("safe", [0.1, 0.53, 0.53, 0.53], 0.0, compute=0.01)], [200])
    of = {(r.route.student, r.design.n_labels): r for r in answer.runs}
    assert of["late", 100].again
    assert of["late", 100].information[0] == pytest.approx(0, abs=1e-9)
    assert of["late", 1000].information[0] > 1


def test_owned_labels_cost_only_compute():
    both = arm("x", [0.1, 0.5, 0.5, 0.5], 0.01, price=1.0, compute=0.01)
    both = replace(both, cost=replace(both.cost, owned={"n_labels": 500}))
    costs = {c.counts[0]: c.cost_usd for c in candidate_runs([both], 1e9)}
    assert costs[200] == pytest.approx(2)
    assert costs[500] == pytest.approx(5)
    assert costs[1000] == pytest.approx(510)


def test_what_a_run_bought_is_owned_by_every_plan_after_it():
    card = parse_rates((ROOT / "rates.yaml").read_text())
    options = choices(
        load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), "published"), "stance", Pricing(card)
    ).options
    mixed = next(o for o in options if o.surface.route.strategy == "annotate_plus_llm")
    for option in options:
        after = _after(option, mixed, np.array([500.0, 1000.0]))
        before, now = (c.stages(dict.fromkeys(option.surface.inputs, 2000.0)) for c in (option.cost, after))
        if "n_labels" in option.surface.inputs:
            assert before["labels"] - now["labels"] == pytest.approx(500 * 0.364)
        if option.surface.route.labeler == mixed.surface.route.labeler:
            assert before["llm_labels"] - now["llm_labels"] == pytest.approx(before["llm_labels"] / 2)
        assert {k: v for k, v in before.items() if k not in now} == {}


def test_a_pilot_beyond_a_budget_counts_nothing_there():
    answer = rank_runs(TASK, [SURE, arm("bold", [0.1, 0.45, 0.5, 0.58], 0.05, price=0.1)], [15, 1000])
    dear = [r for r in answer.runs if r.cost_usd > 15]
    assert dear
    assert all(r.falls[0] == 0 for r in dear)


def test_when_everything_is_known_nothing_is_worth_measuring():
    answer = rank_runs(TASK, [SURE], [500])
    assert answer.worth == ()
    assert all(r.fall < LEAST_FALL for r in answer.runs)
    assert answer.regret_now[0] == pytest.approx(0, abs=1e-6)
    assert "Measure nothing: spend it." in next_page(answer, "made", "accuracy", 5)[1]
    assert next_json(answer, 5)["measure"] is False


def test_what_is_worth_most_is_named_beside_what_is_worth_most_a_dollar():
    # small sizes tell a little of the large ones for little money
    deviation = 0.06 * np.random.default_rng(5).standard_normal((400, 1)) * np.array([0, 0.3, 0.6, 1.0])
    bold = arm("bold", [0.1, 0.45, 0.5, 0.58], 0.0, noise=0.03, price=0.1)
    bold = replace(bold, surface=replace(bold.surface, draws=bold.surface.draws + deviation))
    answer = rank_runs(TASK, [SURE, bold], [300, 1000])
    words = next_page(answer, "made", "accuracy", 2)[1:4]
    assert words[0].startswith("Measure next: annotate bold")
    assert "Largest gain: annotate bold" in words[1]
    assert max(r.fall for r in answer.runs) > answer.runs[0].fall
    assert answer.runs[0].fall_per_100_usd == max(r.fall_per_100_usd for r in answer.worth)


def test_value_after_a_run_agrees_with_the_plain_sum_over_slices():
    from budgetsim.pilots.condition import run_outlook, slices

    bold = arm("bold", [0.1, 0.45, 0.5, 0.58], 0.05, noise=0.02, compute=0.1, seed=1)
    (run,) = [
        r for r in rank_runs(TASK, [SURE, bold], [150]).runs if r.route.student == "bold" and r.design.n_labels == 500
    ]
    cut = slices(run_outlook(bold.surface, [500]))
    now = max(
        prepare(o.surface, o.surface.mean_table(), o.cost, EASY).best(o.cost, [150]).value[0] for o in (SURE, bold)
    )
    worth = 0.0
    for chance, worlds in zip(cut.chance, cut.worlds, strict=True):
        tables = [(SURE, SURE.surface.mean_table()), (bold, np.tensordot(worlds, bold.surface.draws, axes=1))]
        after = [(o, t, _after(o, bold, np.array([500.0]))) for o, t in tables]  # its labels serve both
        plans = [prepare(o.surface, t, o.cost, EASY).best(cost, [100]).value[0] for o, t, cost in after]
        worth += chance * max(*plans, worlds @ bold.surface.at([[500]])[:, 0])  # or the run's own model
    assert run.falls[0] == pytest.approx(100 * (worth - now), abs=0.1)  # the shrinkage is the difference


def test_budgets_are_read_as_they_are_told():
    assert budget_range(["1000"]) == pytest.approx([500, 707.106781, 1000, 1414.213562, 2000])
    assert budget_range(["10-1000"])[::2] == pytest.approx([10, 100, 1000])
    assert budget_range(["30", "10", "20", "20"]) == [10, 20, 30]
    assert budget_range(["1e-1"])[2] == pytest.approx(0.1)


@pytest.mark.parametrize("text", ["0", "nan", "-5", "x", "5-3", "1-2-3", "5-5", "1-", "inf"])
def test_a_budget_that_cannot_be_spent_is_refused_with_what_was_wanted(text):
    with pytest.raises(InputError, match=r"--budget: found .*, wanted"):
        budget_range([text])


def test_no_budgets_are_refused():
    with pytest.raises(InputError, match="budgets_usd: found none"):
        rank_runs(TASK, [SURE], [])


def test_the_constant_answer_stands_unless_it_is_beaten_by_more_than_a_hair():
    task = replace(TASK, constant_score=0.6)
    assert rank_runs(task, [arm("x", [0.1, 0.6, 0.6004, 0.6005], 0.0, price=0.1)], [1000]).plans_now == (
        CONSTANT_ROUTE,
    )


def test_no_result_switches_to_what_is_better_by_a_hair_only():
    """A label whose worth is known to half a tenth of a point decides between twins, and nobody could tell."""
    for lead, p in ((0.0004, 0.0), (0.02, 0.5)):
        twin = arm("twin", [0.1, 0.5, 0.5, 0.5], 0.0, compute=0.001)
        other = arm("other", [0.1, 0.5, 0.5, 0.5], 0.0, compute=0.001)
        draws = np.tile([0.1, 0.5, 0.5, 0.5], (400, 1))
        draws[::2, 1:] += lead
        draws[1::2, 1:] -= lead + 1e-5
        other = replace(other, surface=replace(other.surface, draws=draws))
        answer = rank_runs(TASK, [twin, other], [200])
        assert answer.plans_now == (twin.route,)
        assert max(r.p_switch for r in answer.runs) == pytest.approx(p, abs=0.01)


def test_the_score_now_is_that_of_the_plan_that_is_named():
    task = replace(TASK, constant_score=0.6)
    answer = rank_runs(task, [arm("x", [0.1, 0.6, 0.6004, 0.6005], 0.0, price=0.1)], [1000])
    assert answer.best_now == pytest.approx((60,))
    assert answer.regret_now == pytest.approx((0.05,), abs=0.01)


def test_what_a_pilot_bought_is_a_count_that_is_tried():
    """Where all 137 owned labels are free and one more is dear, the best split has just these."""
    knots = (np.array([1.0, 100.0, 1000.0]), np.array([1.0, 100.0, 1000.0]))
    grid = np.log1p(knots[0])[:, None] + np.log1p(knots[1])[None, :]
    surface = make_surface(grid[None] / 20, knots, strategy="distill")
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.1}})
    after = replace(cost, owned={"n_labels": 137.0})
    told, untold = (
        prepare(surface, surface.mean_table(), cost, EASY, also=also).best(after, [5.0]) for also in (after, None)
    )
    assert told.counts[0, 0] == 137
    assert told.value[0] >= untold.value[0]
    fresh = prepare(surface, surface.mean_table(), after, EASY).best(after, [5.0])
    assert told.value[0] == pytest.approx(fresh.value[0])

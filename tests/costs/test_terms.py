"""`frontier`, `sensitivity` and `next` under an owned teacher, bounds and a deadline: what `optimize` says, and by hand."""

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.sensitivity import trace_sensitivity
from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.recommend import best_plan
from budgetsim.costs.hours import Steps
from budgetsim.costs.model import CostModel
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import NO_TERMS, Terms, own_units, with_owned_teacher
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE
from budgetsim.economics.frontier import trace_frontier
from budgetsim.economics.levers import price_levers
from budgetsim.economics.pricebreaks import price_breaks
from budgetsim.economics.tradeoff import trace_indifference
from budgetsim.pilots.candidates import candidate_runs
from budgetsim.pilots.nextrun import _after, rank_runs
from budgetsim.report.notes import reach_notes
from budgetsim.store.location import StorePaths, example_cards
from budgetsim_cli.main import app
from made import ROOT, make_option, make_surface

CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
TASK = replace(TASKS["stance"], constant_score=0.05)
TERMS = {
    "none": NO_TERMS,
    "teacher": Terms(owned_teacher=("t5-v1_1-xxl", 2000)),
    "bounds": Terms(max_labels=800, pool=20_000),
    "deadline": Terms(labels_per_day=100, gpus=2, deadline_days=12),
    "all": Terms(
        owned_teacher=("t5-v1_1-xxl", 1500), max_labels=2500, pool=50_000, labels_per_day=150, deadline_days=10
    ),
}


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"))


@pytest.fixture(scope="module", params=TERMS)
def open_to(request, evidence):
    return choices(evidence, "stance", Pricing(CARD, terms=TERMS[request.param]._replace(owned_labels=100)))


def plan_of(a):
    return (a.design, a.days, pytest.approx(a.score))


@pytest.mark.parametrize("budget", [60.0, 300.0, 1500.0])
def test_the_plan_of_a_sensitivity_is_that_of_optimize(open_to, budget):
    best = optimize_task(open_to.task, open_to.options, budget).best
    plan = best_plan(open_to.task, open_to.options, budget)
    assert plan_of(plan) == plan_of(best)
    assert plan.standing.p_best == pytest.approx(best.standing.p_best)


def test_the_frontier_at_a_budget_is_what_optimize_reaches_there(open_to):
    """Within the tenth of a point for which `optimize` spends no more."""
    front = trace_frontier(open_to.task, open_to.options, 1500.0, n_budgets=5)
    for budget in (0.0, *np.geomspace(1.5, 1500.0, 5)):
        best = optimize_task(open_to.task, open_to.options, float(budget)).best
        reached = [p.allocation for p in front.points if p.budget_usd <= budget + 1e-9][-1]
        assert best.score - 1e-9 <= reached.score <= best.score + 0.1 + 1e-9
        assert reached.route == best.route
        assert reached.days is None or reached.route == CONSTANT_ROUTE or reached.days <= 12


@pytest.mark.parametrize("budget", [30.0, 800.0])
def test_what_next_calls_regret_is_that_of_the_plan_of_optimize(open_to, budget):
    """Both compare with the best plan of each world, so worlds in which every plan is poor count as such."""
    best = optimize_task(open_to.task, open_to.options, budget).best
    (regret,) = rank_runs(open_to.task, open_to.options, [budget]).regret_now
    assert regret == pytest.approx(
        best.standing.expected_regret, abs=0.15
    )  # of two searches, and of plans a hair apart


def test_what_cannot_be_had_is_said_alike_by_optimize_frontier_and_sensitivity(evidence):
    hurried = Pricing(CARD, terms=Terms(labels_per_day=1, deadline_days=0.5, pool=3))
    open_to = choices(evidence, "stance", hurried)
    entries = optimize_task(open_to.task, open_to.options, 50).infeasible
    assert {entry.route for entry in entries} == {
        o.route for o in open_to.options if o.surface.route.strategy != "llm_annotate"
    }
    assert trace_frontier(open_to.task, open_to.options, 50, n_budgets=2).infeasible == entries
    told = trace_sensitivity(open_to, 50, partial(choices, evidence, "stance"))
    assert told.infeasible == entries
    notes = reach_notes(open_to, told.infeasible, constant=told.plan.route == CONSTANT_ROUTE)
    assert any(n.startswith("annotate Small is infeasible: the least it takes is 1.") for n in notes)
    assert notes[-1] == "Nothing that this budget buys is expected to beat answering Discussing always."


def test_no_label_is_named_twice_in_a_row_and_none_breaks_even_with_itself(open_to):
    front = trace_frontier(open_to.task, open_to.options, 5000.0, n_budgets=5)
    routes = [r.route for r in front.regions]
    assert all(a != b for a, b in pairwise(routes))
    assert [(s.before, s.after) for s in front.switches] == list(pairwise(routes))
    levers = price_levers(open_to.task, open_to.options, CARD)
    assert all(
        b.instead is None or b.instead.route != b.choice
        for b in price_breaks(open_to.task, open_to.options, levers, 300)
    )


@pytest.mark.parametrize("name", ["teacher", "all"])
def test_every_repricing_keeps_the_terms(name, evidence):
    """Each card and compute model gives what `optimize` gives under it; what is modelled keeps bounds and deadline."""
    terms = TERMS[name]._replace(owned_labels=100)
    again = partial(choices, evidence, "stance")
    pricing = Pricing(CARD, terms=terms)
    cards = [parse_rates(example_cards()[n].read_text(encoding="utf-8")) for n in ("late-2026", "india-wages")]
    found = trace_sensitivity(
        again(pricing), 300, again, cards=cards, llm_accuracies=[0.9], plateaus=[0.55],
    )  # fmt: skip
    for case in found.cases:
        if case.kind in ("card", "compute"):
            card = next((c for c in cards if c.name == case.name), CARD)
            compute = case.name if case.kind == "compute" else "published"
            open_to = again(Pricing(card, compute, terms))
            assert plan_of(case.plan) == plan_of(optimize_task(open_to.task, open_to.options, 300).best)
    for plan in [p for c in found.cases for p in (c.plan, *c.beside)]:
        assert plan.design.n_unlabeled <= (terms.pool or 1e9)
        assert plan.design.n_llm_labels <= (terms.pool or 1e9)
        assert plan.design.n_labels <= 100 + (terms.max_labels or 1e9)
        assert terms.labels_per_day is None or plan.route == CONSTANT_ROUTE or plan.days <= terms.deadline_days + 1e-6
    beside = [[p.route for p in c.beside] for c in found.cases]
    assert all(len(set(routes)) == len(routes) for routes in beside)


def pair(n_held, **more):
    """The two ways with a teacher owned on some labels: $1 a label, $.01 a text, a teacher at $.5 a label."""
    n, u = np.array([1.0, 10.0, 100.0, 1000.0]), np.array([1.0, 100.0, 10_000.0])
    table = 0.05 * np.log1p(n)[:, None] + 0.04 * np.log1p(u)[None, :]
    cost = CostModel(
        per_unit={"n_labels": {"labels": 1.0}, "n_unlabeled": {"distillation": 0.01}},
        steps={"teacher": Steps((0.0, 100.0), (0.0, 50.0))},
        **more,
    )
    anew = make_option(make_surface(np.stack([table, 1.1 * table]), (n, u), strategy="distill"), cost)
    owned = replace(anew, cost=with_owned_teacher(cost, n_held, cost.owned.get("n_labels", 0.0)))
    return owned, replace(anew, left_aside=n_held)


def days(**owned):
    return CostModel(
        per_unit={"n_labels": {"labels": 0.1}, "n_unlabeled": {"distillation": 0.001}}, owned=owned,
        steps={"teacher": Steps((0.0, 100.0), (0.0, 2.0))},
    )  # fmt: skip


def test_a_frontier_goes_over_from_an_owned_teacher_to_one_anew_without_a_break_even():
    """With 20 labels owned as a teacher little money goes into texts; with much, a larger teacher is tuned."""
    front = trace_frontier(TASK, pair(20), 3000.0, n_budgets=12)
    labels = [p.allocation.design.n_labels for p in front.points if p.allocation.route.strategy == "distill"]
    assert labels[0] == 20
    assert labels[-1] > 500
    assert [r.route.label for r in front.regions] == ["constant", "distill (t into s)"]
    assert front.regions[1].from_usd < 0.5  # a hundred texts at a cent


def test_an_owned_teacher_cannot_use_fewer_labels_than_it_has():
    """A curve of equal score: with the teacher as it is, its labels are free and bundles on fewer take all of them."""
    owned, anew = pair(50)
    curves = [trace_indifference(o, 40.0) for o in (owned, anew)]
    assert [c.teacher for c in curves] == ["used", "left aside"]
    for held, free in zip(*(c.points for c in curves), strict=True):
        assert held.n_second == free.n_second
        assert held.n_labels == max(free.n_labels, 50)
        if free.n_labels <= 50:
            assert held.cost_usd == pytest.approx(0.01 * held.n_second)
            assert held.substitution_rate == 0
    assert {p.n_labels > 50 for p in curves[1].points} == {True, False}


def test_a_bundle_beyond_the_deadline_is_no_bundle():
    """Labels at ten a day and two hundredths of a day to tune on one; 1,000 texts a day."""
    free, bound = (
        trace_indifference(replace(o, cost=replace(o.cost, days=days(), deadline_days=limit)), 40.0)
        for o in pair(50)[1:]
        for limit in (np.inf, 5.0)
    )
    kept = [p for p in free.points if 0.12 * p.n_labels + 0.001 * p.n_second <= 5 + 1e-9]
    assert list(bound.points) == kept
    assert 0 < len(kept) < len(free.points)
    assert bound.highest < free.highest


def test_what_a_run_takes_of_the_time_is_gone_and_its_labels_are_there():
    """50 labels and 1,000 texts: 5 days of people, 1 of tuning, 1 of texts. Then 70 labels wait for 20 of them only."""
    (option,) = pair(500)[1:]
    option = replace(option, left_aside=None, cost=replace(option.cost, days=days(), deadline_days=20.0))
    after = _after(option, option, np.array([50.0, 1000.0]))
    assert after.deadline_days == pytest.approx(20 - (5 + 1 + 1))
    assert float(after.days.total({"n_labels": 70, "n_unlabeled": 1000})) == pytest.approx(2 + 1.4 + 1)
    assert after.limits == option.cost.limits
    # within the 13 days that are left: nothing but the new labels, their tuning and the texts
    assert after.in_time({"n_labels": 150, "n_unlabeled": 1}) == (10 + 3 + 0.001 <= 13)
    assert after.in_time({"n_labels": 148, "n_unlabeled": 200})  # 9.8 + 2.96 + .2


@pytest.mark.parametrize("n_held", [30, 80])
def test_labels_of_a_run_are_owned_beside_an_owned_teacher_too(n_held):
    """Owning and then holding a teacher is holding one and then owning, whatever was owned before."""
    for before in (0.0, 10.0):
        held, plain = (o.cost for o in pair(n_held, owned={"n_labels": before}, days=days(n_labels=before)))
        after = own_units(held, {"n_labels": 60.0}, ())
        other = with_owned_teacher(own_units(plain, {"n_labels": 60.0}, ()), n_held, 60.0)
        for n in (n_held, n_held + 1, 61, 90, 500):
            if n >= n_held:
                counts = {"n_labels": float(n), "n_unlabeled": 7.0}
                assert float(after.total(counts)) == pytest.approx(float(other.total(counts)))
                assert float(after.days.total(counts)) == pytest.approx(float(other.days.total(counts)))


def test_a_run_on_an_owned_teacher_leaves_its_labels_where_they_are():
    owned, anew = pair(50)
    after = _after(anew, owned, np.array([50.0, 1000.0]))
    assert after.owned["n_labels"] == 0
    assert after.owned["n_unlabeled"] == 1000


def test_runs_keep_to_bounds_and_deadline_and_none_is_there_twice():
    owned, anew = pair(200, limits={"n_labels": 500.0, "n_unlabeled": 3000.0})
    clock = {"deadline_days": 30.0, "days": days()}
    options = [replace(owned, cost=replace(owned.cost, **clock | {"days": with_owned_teacher(days(), 200, 0.0)}))]
    options.append(replace(anew, cost=replace(anew.cost, **clock)))
    runs = candidate_runs(options, 1e9)
    assert {c.counts[0] for c in runs if c.option == 0} == {200.0}
    assert {c.counts[0] for c in runs if c.option == 1} == {1.0, 100.0}  # 200 is owned, 500 take 60 days
    assert {c.counts[1] for c in runs} == {1.0, 1000.0, 3000.0}
    answer = rank_runs(TASK, options, [50.0, 400.0])
    assert all(r.days <= 30 for r in answer.runs)
    assert answer.best_now == pytest.approx([optimize_task(TASK, options, b).best.score for b in (50, 400)], abs=0.1)
    assert all(r.p_switch == 0 for r in answer.runs)  # one label: it cannot give way to itself


def test_strategies_of_one_input_have_no_curve_and_the_page_says_so():
    files = ("--store", str(ROOT / "results" / "budgetsim.duckdb"), "--rates", str(ROOT / "rates.yaml"))
    for strategy in ("constant", "annotate"):
        words = ("--task", "stance", "--points", "2", "--indifference", "50", "--strategy", strategy)
        done = CliRunner().invoke(app, ["frontier", *files, *words])
        assert "Note: No curve of equal score" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("frontier", "--points", "3", "--indifference", "55"),
        ("next", "--budget", "300", "--top", "3"),
        ("sensitivity", "--budget", "300", "--card", str(ROOT / "rates.yaml")),
    ],
    ids=lambda words: words[0],
)
def test_the_terms_as_a_user_types_them(words):
    """The same options as `optimize` has, and its notes; days are told."""
    held = ("--owned-teacher", "t5-v1_1-xxl:1500", "--max-labels", "900", "--pool", "30000", "--deadline", "9")
    files = ("--store", str(ROOT / "results" / "budgetsim.duckdb"), "--rates", str(ROOT / "rates.yaml"))
    command = [*words, "--task", "stance", *files, *held, "--labels-per-day", "100", "--gpus", "2", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    jsonschema.validate(data, json.loads((ROOT / "docs" / "reference" / "schemas" / f"{words[0]}.json").read_text()))
    task = data["tasks"]["stance"]
    assert any(note.startswith("Days are labels at 100 a day") for note in task["notes"])
    assert ("The days of a run are taken from the deadline" in " ".join(task["notes"])) == (words[0] == "next")
    plans = task["runs"] if words[0] == "next" else [p["allocation"] for p in task.get("points", [])] or [task["plan"]]
    assert all(p["n_unlabeled"] <= 30_000 and (p["days"] or 0) <= 9 for p in plans)
    assert any(p["days"] for p in plans)

"""Break-even prices, tornado, cards, LLM accuracy and teacher plateau against what is known."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from budgetsim.answers.choices import Selection, choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.notes import NoAccuracyScale, SimulatedLeftOut
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.sensitivity import trace_sensitivity
from budgetsim.choosing.recommend import best_plan
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.economics.levers import Lever, price_levers, with_pool
from budgetsim.economics.noisy_labels import implied_accuracy, label_worth, llm_surface, mixed_surface
from budgetsim.economics.pricebreaks import price_breaks
from budgetsim.economics.tornado import money_assumptions, tornado
from budgetsim.economics.whatif import capped
from budgetsim.errors import InputError
from budgetsim.store.location import StorePaths
from made import ROOT, make_option, make_surface, run_cli

N = np.array([1.0, 10.0, 100.0, 1000.0])
TASK = replace(TASKS["stance"], constant_score=0.1)
CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
LABEL = Lever(name="labels", unit="a label", now_usd=1.0, stages=("labels",))


def annotate(scores, student="s", usd=1.0):
    draws = np.atleast_2d(np.asarray(scores, dtype=float))
    return make_option(make_surface(draws, (N,), student=student), CostModel(per_unit={"n_labels": {"labels": usd}}))


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"))


def test_the_label_price_at_which_the_choice_changes():
    """At $1,000 big reaches .80 while 1,000 labels are paid for; small (.50 from 10 labels) wins where big falls to it.

    Big is .45 at 100 labels and .80 at 1,000, linear in log(1 + n): .50 lies a seventh of the way.
    """
    small, big = annotate([0.5] * 4, "small"), annotate([0.0, 0.0, 0.45, 0.8], "big")
    _, up = price_breaks(TASK, [small, big], [LABEL], 1000)
    labels = np.expm1(np.log(101) + (np.log(1001) - np.log(101)) / 7)
    assert (up.choice, up.instead.route) == (big.route, small.route)
    assert up.instead.usd == pytest.approx(1000 / labels, rel=0.02)
    assert up.instead.worlds.lower == pytest.approx(up.instead.usd, rel=0.03)
    assert up.instead.worlds.happens == 1


def test_worlds_say_where_and_whether_the_choice_changes():
    """In the third world big is never worse, at any price within reach."""
    big = [[0.0, 0.0, 0.45, 0.8], [0.0, 0.0, 0.45, 0.9], [0.5, 0.6, 0.7, 0.8]]
    _, up = price_breaks(TASK, [annotate([[0.45] * 4] * 3, "small"), annotate(big, "big")], [LABEL], 1000)
    assert up.instead.worlds.happens == pytest.approx(2 / 3)
    assert up.instead.worlds.lower == pytest.approx(10, rel=0.05)  # 100 labels, .45, in both


def test_a_price_that_changes_nothing_says_so():
    down, up = price_breaks(TASK, [annotate([0.5, 0.6, 0.7, 0.8])], [LABEL], 1000)
    assert (down.instead, up.instead) == (None, None)
    assert (down.limit_usd, up.limit_usd) == pytest.approx((0.01, 100))


def test_a_free_text_is_varied_in_dollars():
    """Distilling needs 1,000 texts to beat the labels alone: at $100 left for them that is ten cents a text."""
    knots = (np.array([1.0, 10.0]), np.array([1.0, 999.0, 1000.0]))
    table = np.array([[[0.2, 0.2, 0.9], [0.2, 0.2, 0.9]]])
    cost = CostModel(
        per_unit={"n_labels": {"labels": 0.0}, "n_unlabeled": {"texts": 0.0}}, limits={"n_unlabeled": 1000.0}
    )
    distil = make_option(make_surface(table, knots, strategy="distill"), cost)
    texts = Lever(name="texts", unit="a text", now_usd=0.0, stages=("texts",))
    (up,) = price_breaks(TASK, [annotate([0.85] * 4), distil], [texts], 100)
    assert up.up
    assert up.instead.usd == pytest.approx(0.1, rel=0.006)
    assert up.instead.route.label == "annotate (s)"


@pytest.mark.parametrize("task", sorted(TASKS))
def test_on_either_side_of_a_break_even_price_stand_the_two_it_names(task, evidence):
    open_to = choices(evidence, task, Pricing(CARD))
    options = open_to.options
    levers = price_levers(open_to.task, options, CARD)

    def winner(lever, usd):
        return best_plan(open_to.task, lever.repriced(options, usd), 2000).route

    for found in price_breaks(open_to.task, options, levers, 2000):
        lever = next(x for x in levers if x.name == found.price)
        assert winner(lever, found.now_usd) == found.choice
        if found.instead is not None:
            usd = found.instead.usd
            before = usd / 1.01 if found.up else usd * 1.01
            assert (winner(lever, before), winner(lever, usd)) == (found.choice, found.instead.route)


def test_where_only_labels_cost_half_the_price_is_twice_the_budget():
    options = [annotate([0.2, 0.4, 0.6, 0.8])]
    swings = {s.name: s for s in tornado(TASK, money_assumptions(options, [LABEL], 100))}
    assert swings["labels"].at_low.score == pytest.approx(swings["budget"].at_high.score)
    assert swings["labels"].at_high.score == pytest.approx(swings["budget"].at_low.score)
    assert swings["budget"].points == pytest.approx(
        100 * 0.2 / (np.log(1001) - np.log(101)) * (np.log(201) - np.log(101))
        + 100 * 0.2 / (np.log(101) - np.log(11)) * (np.log(101) - np.log(51))
    )


def test_the_widest_swing_stands_first(evidence):
    open_to = choices(evidence, "stance", Pricing(CARD))
    levers = price_levers(open_to.task, open_to.options, CARD)
    swings = tornado(open_to.task, money_assumptions(open_to.options, levers, 2000))
    assert [s.points for s in swings] == sorted((s.points for s in swings), reverse=True)
    assert {s.name for s in swings} == {"budget", "labels", "GPU", "LLM", "texts", "pool"}


def test_half_a_pool_is_half_the_limit():
    cost = CostModel(limits={"n_unlabeled": 1000.0})
    (half,) = with_pool([replace(annotate([0.1] * 4), cost=cost)], 0.5)
    assert half.cost.limit("n_unlabeled") == 500


def test_the_pool_is_of_texts_and_not_of_labels():
    """Half the texts are not half the labels that people can give, nor is their number that of the texts."""
    cost = CostModel(limits={"n_labels": 5000.0, "n_unlabeled": 1000.0, "n_llm_labels": 1000.0})
    option = replace(annotate([0.1] * 4), cost=cost)
    (half,) = with_pool([option], 0.5)
    assert half.cost.limits == {"n_labels": 5000, "n_unlabeled": 500, "n_llm_labels": 500}
    (pool,) = (a for a in money_assumptions([option], [], 100) if a.name == "pool")
    assert (pool.low, pool.high) == (500, 2000)
    labels_alone = replace(option, cost=CostModel(limits={"n_labels": 5000.0}))
    assert [a.name for a in money_assumptions([labels_alone], [], 100)] == ["budget"]


def test_of_what_is_free_only_texts_have_a_plausible_price():
    free = [replace(LABEL, name=name, now_usd=0.0) for name in ("LLM", "labels", "texts")]
    found = money_assumptions([annotate([0.1] * 4)], free, 100)
    assert [(a.name, a.low, a.high) for a in found[1:]] == [("texts", 0, 0.01)]


def test_the_price_of_a_device_touches_the_options_that_use_it():
    cost = CostModel(per_unit={"n_labels": {"labels": 1.0, "student": 2.0}})
    cpu, gpu, none = (
        replace(annotate([0.1] * 4), cost=cost, hours=hours)
        for hours in (Hours(model="measured", device_class="cpu"), Hours(model="cached", device_class="gpu"), None)
    )
    levers = {x.name: x for x in price_levers(TASK, [cpu, gpu, none], CARD)}
    for name, hit in (("CPU", 0), ("GPU", 1)):
        turned = levers[name].repriced([cpu, gpu, none], 3 * levers[name].now_usd)
        usd = [o.cost.per_unit["n_labels"]["student"] for o in turned]
        assert usd == pytest.approx([6.0 if i == hit else 2.0 for i in range(3)])


def test_the_best_plan_is_the_one_that_optimize_recommends(evidence):
    from budgetsim.choosing.optimize import optimize_task

    for name in ("stance", "nq"):
        open_to = choices(evidence, name, Pricing(CARD))
        best = optimize_task(open_to.task, open_to.options, 2000).best
        plan = best_plan(open_to.task, open_to.options, 2000)
        assert (plan.design, plan.score) == (best.design, best.score)
        assert plan.standing.p_best == best.standing.p_best


def test_labels_that_are_always_right_are_human_labels():
    curve = annotate([[0.1, 0.3, 0.5, 0.8]]).surface
    at = np.array([[5.0], [70.0], [900.0]])
    for errors in ("random", "learnable"):
        assert llm_surface(curve, 1.0, 5, errors, "x").at(at) == pytest.approx(curve.at(at))
    for errors in ("random", "learnable", "real"):
        both = mixed_surface(curve, 1.0, 5, errors, "x")
        assert both.at(np.column_stack([at[:, 0], np.zeros(3)])) == pytest.approx(curve.at(at))
        assert both.at([[10.0, 1000.0]]) == pytest.approx(curve.at([[1010.0]]), abs=0.01)


@pytest.mark.parametrize("errors", ["random", "learnable", "real"])
def test_a_mix_without_labels_of_people_is_the_llms_and_one_without_the_llms_is_theirs(errors):
    """Knot by knot and world by world: nothing jumps where a plan gives up the last label of either."""
    fine = np.append(0.0, np.geomspace(1, 1e6, 400))
    levels = np.random.default_rng(0).uniform(0.2, 0.4, (50, 1))
    curve = make_surface(levels + np.log1p(fine) / 30, (fine,))
    alone, both = llm_surface(curve, 0.8, 5, errors, "x"), mixed_surface(curve, 0.8, 5, errors, "x")
    counts = both.knots[1][1:, None]  # 100 and more
    none_of_people = both.at(np.column_stack([np.zeros(len(counts)), counts]))
    assert none_of_people == pytest.approx(alone.at(counts), abs=0.001)
    none_of_the_llm = both.at(np.column_stack([fine, np.zeros(len(fine))]))
    assert none_of_the_llm == pytest.approx(curve.draws)


def test_errors_that_are_learnt_count_among_all_labels():
    """100 of people and 300 at 80 %: 85 % of 400 are right, and the student agrees with them where it has learnt to."""
    curve = make_surface(np.array([[0.2, 0.5, 0.8, 1.0]]), (N,))
    both, people = mixed_surface(curve, 0.8, 5, "learnable", "x"), curve.at([[400.0]]).item()
    at_knot = both.draws[0, 2, 2], both.knots[1][2]  # 100 of people, and a knot of the LLM's
    n = 100 + at_knot[1]
    right, score = (100 + 0.8 * at_knot[1]) / n, curve.at([[n]]).item()
    assert at_knot[0] == pytest.approx(right * score + (1 - right) * (1 - score) / 4)
    assert both.at([[100.0, 300.0]]).item() == pytest.approx(0.85 * people + 0.15 * (1 - people) / 4, abs=0.01)


@pytest.mark.parametrize("accuracy", [0.6, 0.8, 0.95])
def test_noisy_labels_count_for_what_they_are_worth(accuracy):
    fine = np.append(0.0, np.geomspace(1, 1e5, 400))
    curve = make_surface(np.log1p(fine)[None] / 20, (fine,))
    worth = label_worth(accuracy, 5)
    assert worth == pytest.approx(((5 * accuracy - 1) / 4) ** 2)
    llm = llm_surface(curve, accuracy, 5, "random", "x")
    assert llm.at([[2000.0]]) == pytest.approx(curve.at([[2000 * worth]]), rel=1e-3)
    assert mixed_surface(curve, accuracy, 5, "random", "x").at([[100.0, 1000.0]]) == pytest.approx(
        curve.at([[100 + 1000 * worth]]), abs=0.02
    )
    seen = replace(llm, support=replace(llm.support, points=np.array([[500.0], [5000.0]])))
    found = implied_accuracy(curve, seen, 5, "random")
    assert found.lower - 0.01 <= accuracy <= found.upper + 0.01
    assert found.misfit < 0.005


@pytest.mark.slow
def test_the_rule_finds_the_accuracy_of_labels_that_were_simulated(evidence):
    """Runs of this project whose labels were wrong at a known rate: 2 tasks x 2 accuracies x 2 sizes."""
    measured = load_evidence(evidence.paths, "measured-cpu-mini")
    for task in ("fever", "multipit_id"):
        named = Selection(strategies=("annotate", "llm_annotate"))
        surfaces = [o.surface for o in choices(measured, task, Pricing(CARD), named).options]
        curve = next(s for s in surfaces if s.route.strategy == "annotate" and s.route.student == "pico")
        for llm in (s for s in surfaces if s.route.strategy == "llm_annotate"):
            found = implied_accuracy(curve, llm, 2, "random")
            assert found.lower - 0.08 <= float(llm.route.labeler.split("=")[1]) <= found.upper + 0.08


def test_nobody_is_advised_to_hire_a_simulated_labeler(evidence):
    measured = load_evidence(evidence.paths, "measured-cpu-mini")
    plain = choices(measured, "fever", Pricing(CARD))
    named = choices(measured, "fever", Pricing(CARD), Selection(strategies=("annotate", "llm_annotate")))
    assert not any(o.surface.route.is_simulated for o in plain.options)
    assert any(o.surface.route.is_simulated for o in named.options)
    (note,) = [n for n in plain.notes if isinstance(n, SimulatedLeftOut)]
    assert note.strategies == ("llm_annotate",)


def test_errors_that_are_learnt_are_never_outgrown():
    """A student that agrees with its LLM always is right as often as it; one that guesses, as often as a guess."""
    curve = make_surface(np.array([[0.2, 0.5, 0.8, 1.0]]), (N,))
    llm = llm_surface(curve, 0.7, 5, "learnable", "x")
    # at chance (.2) any labels give chance; at .5 it is right in .7 x .5 and, where both err, in .3 x .5 / 4
    assert llm.draws[0] == pytest.approx([0.2, 0.3875, 0.575, 0.7])
    seen = replace(llm, support=replace(llm.support, points=np.array([[100.0], [1000.0]])))
    found = implied_accuracy(curve, seen, 5, "learnable")
    assert (found.lower, found.upper, found.misfit) == pytest.approx((0.7, 0.7, 0), abs=0.01)


def test_real_errors_take_what_learnt_ones_would_times_a_factor_of_the_task_and_never_add():
    """Over worlds the factor is .79 at the middle, .35 and 1.76 at the ends of nine in ten; students share it."""
    steep = np.tile(np.array([[0.5, 0.6, 0.7, 0.8]]), (1001, 1))
    curve, other = make_surface(steep, (N,)), make_surface(steep + 0.1, (N,))
    factors = []
    for people in (curve, other):
        learnt, real = (llm_surface(people, 0.9, 2, errors, "x").draws[:, 1:] for errors in ("learnable", "real"))
        factors.append((people.draws[:, 1:] - real) / (people.draws[:, 1:] - learnt))
    assert factors[0] == pytest.approx(factors[1])
    assert np.quantile(factors[1], [0.05, 0.5, 0.95]) == pytest.approx(
        np.exp([-0.24 - 0.806, -0.24, -0.24 + 0.806]), rel=0.01
    )
    below = make_surface(np.full((11, 4), 0.4), (N,))  # worse than a coin: wrong labels would help it
    assert llm_surface(below, 0.9, 2, "real", "x").draws == pytest.approx(below.draws)


def test_what_was_known_before_own_runs_is_no_part_of_a_modelled_surface():
    """Its knots are others: a mix of labels has two axes where people's labels have one."""
    known = replace(make_surface(np.array([[0.2, 0.5, 0.8, 1.0]]), (N,)), before=np.array([0.2, 0.4, 0.7, 0.9]))
    for errors in ("random", "learnable", "real"):
        assert [make(known, 0.7, 5, errors, "x").before for make in (llm_surface, mixed_surface)] == [None, None]


def test_the_published_llm_on_wlp_errs_as_a_student_learns(evidence):
    """Its four sizes lie on the rule of learnt errors, and on no rule of random ones."""
    surfaces = {
        (s.route.strategy, s.route.student): s
        for s in (o.surface for o in choices(evidence, "wlp", Pricing(CARD)).options)
    }
    curve, llm = (surfaces[strategy, "t5-v1_1-small"] for strategy in ("annotate", "llm_annotate"))
    learnt, random = (implied_accuracy(curve, llm, 20, errors) for errors in ("learnable", "random"))
    assert learnt.misfit < 0.02 < 0.04 < random.misfit
    assert 0.6 < learnt.lower < learnt.upper < 0.75


def test_no_world_is_above_a_plateau_and_none_below_moves():
    surface = make_surface(np.array([[0.1, 0.3, 0.5, 0.8], [0.1, 0.2, 0.3, 0.4]]), (N,))
    held = capped(surface, 0.45)
    assert held.draws.tolist() == [[0.1, 0.3, 0.45, 0.45], [0.1, 0.2, 0.3, 0.4]]


def test_a_higher_plateau_or_accuracy_never_scores_less(evidence):
    open_to = choices(evidence, "fever", Pricing(CARD))
    found = trace_sensitivity(
        open_to, 2000, partial(choices, evidence, "fever"),
        llm_accuracies=(0.6, 0.8, 0.95), plateaus=(0.6, 0.7, 0.9),
    )  # fmt: skip
    for kind in ("llm_accuracy", "teacher_plateau"):
        scores = [c.plan.score for c in found.cases if c.kind == kind and c.name.endswith(("at random", "0"))]
        assert scores == sorted(scores)
        assert len(scores) == 3
    learnt, real = ([c.plan.score for c in found.cases if word in c.name] for word in ("learns", "of real"))
    assert learnt == sorted(learnt)
    assert real == sorted(real)
    llm = [c for c in found.cases if c.kind == "llm_accuracy"][-1]
    assert all(a.evidence.source == "modelled" for a in llm.beside)
    assert [c.name for c in found.cases if c.kind == "compute"] == ["published", "cached", "modern"]


def test_an_accuracy_at_chance_is_refused_and_one_without_meaning_explained(evidence):
    with pytest.raises(InputError, match="more than chance on fever: 50"):
        trace_sensitivity(
            choices(evidence, "fever", Pricing(CARD)), 2000, partial(choices, evidence, "fever"),
            llm_accuracies=(0.5,),
        )  # fmt: skip
    found = trace_sensitivity(
        choices(evidence, "nq", Pricing(CARD)), 2000, partial(choices, evidence, "nq"),
        llm_accuracies=(0.9,),
    )  # fmt: skip
    case, *_ = (c for c in found.cases if c.kind == "llm_accuracy")
    assert case.plan is None
    assert case.reason == NoAccuracyScale(task="nq")


def test_under_modern_compute_the_utilisation_is_in_the_tornado(evidence):
    again = partial(choices, evidence, "stance")
    open_to = again(Pricing(CARD, "modern"))
    found = trace_sensitivity(open_to, 2000, again)
    (swing,) = (s for s in found.swings if s.name == "utilisation")
    assert swing.at_high.score >= swing.at_low.score  # a better use of the device leaves more for labels


def test_a_share_cannot_be_above_one_and_the_row_says_the_factor_that_was_used(evidence):
    """A labelling share of .8 can grow 1.25-fold, and so all shares do; hours then fall by that factor."""
    use = CARD.utilisation.model_copy(update={"labelling": 0.8})
    card, seen = CARD.model_copy(update={"utilisation": use}), []

    def again(pricing):
        seen.append(pricing.card.utilisation)
        return choices(evidence, "stance", pricing)

    found = trace_sensitivity(again(Pricing(card, "modern")), 2000, again)
    (swing,) = (s for s in found.swings if s.name == "utilisation")
    assert (swing.low, swing.high) == (0.5, pytest.approx(1.25))
    best = max(seen, key=lambda u: u.labelling)
    assert (best.labelling, best.teacher_training) == pytest.approx((1.0, 1.25 * use.teacher_training))


def test_a_card_without_a_price_has_a_row_that_says_so(evidence):
    bare = parse_rates(
        "schema_version: 1\nname: bare\ncurrency: USD\nlabels:\n  wlp:\n    usd_per_label: 1\n    source: x\n    as_of: 2026\n"
    )
    found = trace_sensitivity(
        choices(evidence, "stance", Pricing(CARD)),
        500,
        partial(choices, evidence, "stance"),
        cards=[bare],
    )
    (case,) = (c for c in found.cases if c.kind == "card")
    assert case.plan is None
    assert "'bare' has no" in case.reason.message


def test_the_command_by_its_schema_and_in_words():
    arguments = (
        "sensitivity",
        "--task",
        "stance",
        "--budget",
        "2000",
        "--llm-accuracy",
        "90",
        "--teacher-plateau",
        "55",
    )
    done = run_cli(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    jsonschema.validate(data, json.loads((ROOT / "docs" / "reference" / "schemas" / "sensitivity.json").read_text()))
    cases = data["tasks"]["stance"]["cases"]
    assert next(c["name"] for c in cases if c["kind"] == "card") == "paper-2023"
    assert len([c for c in cases if c["kind"] == "card"]) >= 5
    words = run_cli(*arguments, "--card", "late-2026", "--notes").stdout
    assert "Prices at which the plan recommended for the whole budget changes" in words
    assert "never within 100x" in words
    assert "Teacher never above 55" in words


def test_an_indifference_curve_by_the_schema_of_the_frontier():
    done = run_cli("frontier", "--task", "stance", "--points", "3", "--indifference", "55", "--json")
    data = json.loads(done.stdout)
    jsonschema.validate(data, json.loads((ROOT / "docs" / "reference" / "schemas" / "frontier.json").read_text()))
    curve = next(c for c in data["tasks"]["stance"]["indifference"] if c["second"] == "n_unlabeled")
    assert curve["points"]
    assert data["tasks"]["stance"]["points"][-1]["compute_share"] < 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sensitivity", "--budget", "0"), "--budget: found 0, wanted a finite number above zero"),
        (("sensitivity", "--budget", "9", "--llm-accuracy", "0.9"), "--llm-accuracy: found 0.9, wanted percent from 1 to 100"),
        (("sensitivity", "--budget", "9", "--task", "stance", "--llm-accuracy", "20"), "wanted more than chance on stance: 20"),
        (("sensitivity", "--budget", "9", "--task", "stance", "--llm-accuracy", "20.00001"), "found 20, wanted more than chance"),
        (("sensitivity", "--budget", "9", "--teacher-plateau", "101"), "--teacher-plateau: found 101"),
        (("sensitivity", "--budget", "9", "--card", "late-2062"), "no rate card late-2062; name a file, or an example: paper-2023"),
        (("frontier", "--indifference", "nan"), "--indifference: found nan, wanted percent"),
        (("rates", "init", "x.yaml", "--from", "nothing"), "--from: found 'nothing', wanted paper-2023"),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_exits_with_2(arguments, message, tmp_path):
    done = run_cli(*arguments, cwd=ROOT if arguments[0] != "rates" else Path(tmp_path))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr

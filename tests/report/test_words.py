"""What is said of a number: the right one, in the right unit, on the right side of its threshold."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.answers.choices import Choices, Rival
from budgetsim.answers.notes import Refusal
from budgetsim.answers.points import PointAnswer, make_point
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.sensitivity import Case
from budgetsim.choosing.breakeven import PriceChange
from budgetsim.choosing.corners import Corner
from budgetsim.choosing.goals import Goal, GoalPlan
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation, Infeasible, Standing, constant_allocation
from budgetsim.choosing.owning import Owning
from budgetsim.choosing.remarks import NoUnits, RunMayEndAtConstant
from budgetsim.choosing.shadow import ShadowPrice
from budgetsim.choosing.targets import StopHere
from budgetsim.costs.model import CostModel
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import CONSTANT_ROUTE, Design, Route
from budgetsim.design.surface import TaskFit
from budgetsim.economics.crossings import Spread
from budgetsim.economics.frontier import Frontier, FrontierPoint, Region
from budgetsim.economics.pricebreaks import Alternative, PriceBreak
from budgetsim.economics.switches import Switch
from budgetsim.economics.tornado import Swing
from budgetsim.economics.tradeoff import IndifferenceCurve, IndifferencePoint
from budgetsim.pilots.nextrun import NextAnswer, NextRun
from budgetsim.report.allocation import describe_allocation
from budgetsim.report.answer import (
    allocation_table,
    answer_json,
    answer_page,
    corner_table,
    moot,
    recommendation,
    size_notes,
)
from budgetsim.report.fit import fit_page
from budgetsim.report.frontier import curve_page, frontier_json, frontier_page
from budgetsim.report.goal import goal_page
from budgetsim.report.listing import rates_table, tasks_table
from budgetsim.report.next_run import next_json, next_page
from budgetsim.report.notes import compute_model, coverage_note, moot_note, reach_notes, sentence
from budgetsim.report.points import points_table
from budgetsim.report.sensitivity import bar, breaks_table, cases_table, swings_table
from budgetsim.report.table import Table, kind_words, rounded, usd
from made import NOTE, ROOT, make_option, make_surface

CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
TASK = TASKS["stance"]
N = np.array([1.0, 10.0, 100.0])
DISTILL = Route(strategy="distill", teacher="t", student="s")
ANNOTATE = Route(strategy="annotate", student="s")
PLAN = Allocation(
    design=Design(task="stance", route=DISTILL, n_labels=1200, n_unlabeled=30_000),
    cost_usd=700.0,
    costs={"labels": 400.0, "teacher": 100.0, "labelling": 50.0, "distillation": 80.0, "texts": 40.0, "fixed": 30.0},
    score=56.25,
    lower=54.04,
    upper=58.46,
    kind="extrapolated",
    factor=3.21,
    days=12.34,
    evidence=NOTE,
    standing=Standing(p_best=0.804, expected_regret=0.26),
)
PLAIN = Allocation(
    design=Design(task="stance", route=ANNOTATE, n_labels=2000), cost_usd=650.0, costs={"labels": 650.0}, score=50.0,
    lower=48.0, upper=52.0, kind="observed", factor=1.0, days=None, evidence=NOTE,
    standing=Standing(p_best=0.196, expected_regret=6.5),
)  # fmt: skip
ANSWER = TaskAnswer(
    task="stance",
    budget_usd=800.0,
    allocations=(PLAN, PLAIN, constant_allocation(TASK)),
    recommended=0,
    scaled_prices=("labels", "compute"),
    changes=(),
    stop_here=StopHere(budget_usd=333.3, score=55.31, route=DISTILL),
    shadow=ShadowPrice(step_usd=100.0, gain=0.25, loss=0.04),
    corners=(Corner(initial_n_labels=100, annotate=PLAIN, distill=None),),
    infeasible=(),
    remarks=(RunMayEndAtConstant(answer="Discussing", score=45.5),),
)
SURFACE = make_surface(np.full((4, 3), 0.5), (N,))
FIT = TaskFit(
    task="stance", evidence_set="measured-cpu-x", method="m", rows_hash="", n_draws=4, seed=0, surfaces=(SURFACE,)
)
OPTION = make_option(SURFACE, CostModel(per_unit={"n_labels": {"labels": 1.0}}))
CHOICES = Choices(task=TASK, fit=FIT, pricing=Pricing(CARD), options=(OPTION,))


def rival(score, usd_all, **more):
    facts = {"student": "cheap", "n_labels": 90, "n_runs": 1, "evidence_set": "e"}
    return Rival(score=score, cost_usd=usd_all, **(facts | more))


def text(page):
    return "\n".join(part if isinstance(part, str) else "\n".join(part.lines()) for part in page)


def test_a_plan_in_a_sentence_adds_up_to_its_cost():
    """$400 of labels, $100 + $50 + $80 of compute, $40 + $30 of the rest are the $700."""
    assert describe_allocation(PLAN, "f1") == (
        "distill (t into s): 1,200 human labels ($400), 30,000 unlabelled texts, $230 of compute, $70.00 of texts, "
        "fixed costs and dev and test labels, 12.3 days; f1 56.2 (90 % of runs 54.0 to 58.5)"
    )
    assert describe_allocation(constant_allocation(TASK), "f1") == "spend nothing: answers Discussing, f1 45.5"


def test_what_was_aimed_at_is_a_quantile_from_above_and_a_regret_from_below():
    """The 10 % quantile over worlds is reached in 90 % of them; the worst tenth gives up so much."""
    aimed = replace(
        ANSWER,
        allocations=(replace(PLAN, standing=replace(PLAN.standing, objective=53.2)), *ANSWER.allocations[1:]),
        level=0.1,
    )
    cautious, sorry = (recommendation(replace(aimed, choose=c), "f1") for c in ("quantile", "regret"))
    assert " Its expected score is 53.2 or more in 90 % of worlds." in cautious
    assert " In the worst 10 % of worlds it gives up 53.2 points on average" in sorry


def test_prices_that_change_the_choice_are_said_with_their_side():
    changes = (
        PriceChange(price="labels", factor=2.46, instead=CONSTANT_ROUTE),
        PriceChange(price="compute", factor=0.31, instead=ANNOTATE),
    )
    words = recommendation(replace(ANSWER, changes=changes), "f1")
    assert words.endswith(
        "It would change: above 2.5 x the card's price of labels, constant; below 0.31 x the card's price of compute, "
        "annotate (s)."
    )


@pytest.mark.parametrize(("n", "said"), [(1, "Only 1 run of"), (3, "Only 3 runs of"), (4, None)])
def test_a_plan_of_fewer_than_four_runs_says_so(n, said):
    few = replace(PLAN, evidence=replace(NOTE, n_rows=n))
    words = recommendation(replace(ANSWER, allocations=(few,)), "f1")
    assert (said in words) if said else ("Only" not in words)


def test_the_page_of_an_answer():
    page = text(answer_page(ANSWER, CHOICES, CARD, [], "cached"))
    assert "stance at $800: card paper-2023, evidence measured-cpu-x, compute measured" in page
    assert "Stop here: $333 already buys 55.3 (distill (t into s)), within 1 point." in page
    # half of what nobody can measure, .05 points, is the least that is said
    assert "The next $100 would add 0.25 points; $100 less would cost nothing to speak of." in page
    assert "Note: A run may end at or below the constant answer (Discussing, 45.5), which costs nothing." in page
    poor = text(answer_page(replace(ANSWER, budget_usd=99.0), CHOICES, CARD, [], "cached"))
    assert "; no money at all would cost" in poor
    low = replace(ANSWER, shadow=ShadowPrice(step_usd=100.0, gain=0.049, loss=0.051))
    assert "would add nothing to speak of; $100 less would cost 0.051 points." in text(
        answer_page(low, CHOICES, CARD, [], "cached")
    )


def test_what_is_owned_is_told_with_and_without():
    owning = Owning(score=56.2, score_without=52.5, route_without=ANNOTATE, worth_usd=182.0)
    page = text(answer_page(ANSWER, CHOICES, CARD, [], "cached", owning))
    assert "What you own: 56.2 with it, 52.5 without it at the same budget (annotate (s)); worth $182, the fur" in page
    none = text(answer_page(ANSWER, CHOICES, CARD, [], "cached", replace(owning, worth_usd=None)))
    assert "no amount of money makes up for it" in none


def test_the_table_of_an_answer_has_chances_in_percent_and_regret_in_points():
    grid = allocation_table(ANSWER, "f1")
    assert grid.headings[-3:] == ("best", "regret", "from")
    assert grid.rows[0][1:] == (
        "1,200", "-", "30,000", "$700", "12.3", "56.2", "54.0 to 58.5", "80%", "0.3", "measured, extrapolated 3.21-fold",
    )  # fmt: skip


def test_a_mix_gains_what_it_has_above_the_better_corner():
    corners = (Corner(initial_n_labels=100, annotate=PLAIN, distill=replace(PLAN, score=52.25)),)
    (pure,) = answer_json(replace(ANSWER, corners=corners), CHOICES, CARD, [], "cached")["pure"]
    assert pure["mix_gain"] == pytest.approx(56.25 - 52.25)
    ((start, *cells),) = corner_table(ANSWER, "f1").rows
    assert (start, cells) == ("100", ["2,000 labels", "50.0", "not affordable", "-", "56.2"])


def test_a_cheap_student_makes_an_answer_moot_where_it_scores_as_much_and_can_be_paid():
    assert moot(ANSWER, [rival(56.25, 800.0)]) is not None
    assert moot(ANSWER, [rival(56.24, 1.0)]) is None
    assert moot(ANSWER, [rival(99.0, 800.01), rival(60.0, 10.0)]).score == 60
    assert moot(ANSWER, [rival(99.0, None)]) is None
    words = recommendation(ANSWER, "f1", [rival(60.0, 9.0, n_runs=2)])
    assert "But cheap reaches 60.0 from 90 labels ($9.00, seconds on a CPU; measured, 2 runs, set e): no less" in words
    beaten = text(answer_page(ANSWER, CHOICES, CARD, [rival(50.0, 9.0)], "cached"))
    assert "1 run, set e); it beats annotate here." in beaten
    assert moot_note([rival(56.0, 9.0)], 9.0, 56.0)[0].endswith(": no less than the best plan here, 56.0.")
    assert moot_note([rival(56.0, 9.0)], 9.0, 56.1) == moot_note([rival(56.0, 9.0)], 8.9, 1.0) == []


def of_student(name):
    return replace(PLAIN.design, route=replace(ANNOTATE, student=name))


def test_a_larger_student_is_told_how_much_larger_it_is():
    """247.6 million parameters to 77.0 are 3.2."""
    base, small = (
        replace(PLAIN, design=of_student(f"t5-v1_1-{size}"), score=s) for size, s in (("base", 60.0), ("small", 57.04))
    )
    (note,) = size_notes(replace(ANSWER, allocations=(base, small)))
    assert note.startswith(
        "t5-v1_1-base has 3.2 times the parameters of t5-v1_1-small, whose best is annotate (t5-v1_1-s"
    )
    assert "with 57.0; --student t5-v1_1-small keeps to it." in note
    assert size_notes(replace(ANSWER, allocations=(small, base))) == []


GOAL = Goal(
    task="stance", target=55.0, wanted_chance=0.9, reached=(GoalPlan(allocation=PLAN, chance=0.912),),
    short=(GoalPlan(allocation=PLAIN, chance=0.05),), budget_usd=650.0, at_budget=GoalPlan(allocation=PLAIN, chance=0.05),
)  # fmt: skip


def test_the_page_of_a_target():
    page = text(goal_page(GOAL, CHOICES, CARD, "cached", alone=True))
    assert page.startswith("stance: f1 55 or more with a chance of 90 % in one new run: card paper-2023, evidence m")
    assert "Cheapest: $700: distill (t into s): 1,200 human labels" in page
    assert "Chance 91%." in page
    assert (
        "$650 is not enough: the likeliest plan within it reaches the target with a chance of 5% (annotate (s)" in page
    )
    rows = {line.split("  ")[0]: line for line in page.splitlines() if line.startswith(("distill (t", "annotate (s) "))}
    assert " 91%  yes " in rows["distill (t into s)"]
    assert "  5%  no " in rows["annotate (s)"]
    hopeless = replace(GOAL, at_budget=GoalPlan(allocation=PLAIN, chance=0.0049))
    assert "is not enough: no plan within it has a chance worth a number" in text(
        goal_page(hopeless, CHOICES, CARD, "cached", alone=False)
    )
    enough = replace(GOAL, at_budget=GoalPlan(allocation=PLAN, chance=0.9))
    assert "$650 is enough: the likeliest plan" in text(goal_page(enough, CHOICES, CARD, "cached", alone=False))
    none = replace(GOAL, reached=())
    assert "the highest chance is 5%, at $650 (annotate (s)" in text(
        goal_page(none, CHOICES, CARD, "cached", alone=False)
    )


def test_of_cheap_students_that_reach_a_target_the_cheapest_is_told_if_it_is_cheaper_than_the_plan():
    several = [rival(70.0, 650.0), rival(55.0, 300.0, student="least"), rival(54.9, 1.0), rival(90.0, 700.0)]
    (line,) = [
        n for n in text(goal_page(GOAL, CHOICES, CARD, "c", several, alone=False)).splitlines() if "for less" in n
    ]
    assert line.startswith("Note: Least reaches 55.0 from 90 labels ($300")
    assert "for less" not in text(goal_page(GOAL, CHOICES, CARD, "c", [rival(90.0, 700.0)], alone=False))


def test_the_page_of_a_frontier():
    point = FrontierPoint(budget_usd=800.0, allocation=PLAN, attained=(51.04, 55.0, 59.06))
    switch = Switch(
        break_even_usd=120.0,
        before=CONSTANT_ROUTE,
        after=ANNOTATE,
        worlds=Spread(lower=80.0, upper=300.0, happens=0.75),
    )
    front = Frontier(
        task="stance",
        points=(point,),
        regions=(Region(from_usd=0.0, to_usd=120.0, route=CONSTANT_ROUTE),),
        switches=(switch,),
    )
    page = text(frontier_page(front, "f1"))
    assert "  $0.00 to $120: constant" in page
    assert (
        "Break-even $120, constant to annotate (s): $80.00 to $300 in 5 to 95 % of the worlds where it happens" in page
    )
    assert "which is 75 % of them" in page
    (row,) = [line for line in page.splitlines() if line.strip().startswith("$700")]
    assert row.split()[:4] == ["$700", "$230", "33%", "12.3"]
    assert "51.0 to 59.1" in row
    data = frontier_json(front)["points"][0]
    assert data["attained"] == {"lower": 51.04, "median": 55.0, "upper": 59.06}
    assert (data["compute_usd"], data["compute_share"]) == (230, pytest.approx(230 / 700, abs=1e-4))


def test_the_page_of_an_indifference_curve_counts_by_the_thousand():
    cheap = IndifferencePoint(
        n_second=900, n_labels=50.0, labels_lower=40.0, labels_upper=None, cost_usd=34.0, substitution_rate=0.0281,
        saved_usd=0.014, spent_usd=0.01,
    )  # fmt: skip
    dear = replace(cheap, n_second=10, n_labels=500.0, labels_upper=600.0, cost_usd=250.0, substitution_rate=None)
    curve = IndifferenceCurve(
        route=DISTILL,
        teacher=None,
        second="n_unlabeled",
        score=55.0,
        start=10,
        points=(dear, cheap),
        highest=58.0,
    )
    (grid,) = curve_page(curve, "f1")
    assert grid.rows[1] == ("900", "50", "40 to never", "$34.00", "28.1", "$14.00", "$10.00", "cheapest")
    assert (grid.rows[0][2], grid.rows[0][4], grid.rows[0][-1]) == ("40 to 600", "-", "")


def next_run(student="s", **more):
    facts = {
        "design": replace(of_student(student), n_labels=500), "again": False, "cost_usd": 50.0, "days": None, "kept_usd": 20.0, "score": 50.0, "lower": 48.0,
        "upper": 52.0, "information": (0.5, 2.0), "falls": (0.2, 0.6), "p_switch": 0.25,
    }  # fmt: skip
    return NextRun(**(facts | more))


def test_the_page_of_the_next_run():
    large = next_run(student="big", cost_usd=400.0, falls=(1.0, 1.0), again=True)
    loss = next_run(student="no", falls=(-0.004, 0.0))
    answer = NextAnswer(
        task="stance", budgets_usd=(250.0, 1000.0), best_now=(50.0, 55.0), plans_now=(CONSTANT_ROUTE, ANNOTATE), regret_now=(1.0, 2.0),
        runs=(next_run(), large, loss),
    )  # fmt: skip
    page = text(next_page(answer, "made", "f1", 3))
    assert page.startswith("stance at $250 to $1,000, 2 budgets: made")
    assert (
        "Measure next: annotate (s), 500 labels, for $50.00 (of which $20.00 stays owned): expected regret falls by 0.40 "
        "points, 0.8 a $100."
    ) in page
    assert "Largest fall: annotate (big), 500 labels, another seed, for $400" in page
    assert "2 of 3 runs are expected to pay for themselves." in page
    rows = [line.split() for line in page.splitlines() if line.startswith("annotate (")]
    assert rows[0][-4:] == ["2.00", "0.40", "0.80", "25%"]  # at most, if free; the fall; a $100; a switch
    assert rows[2][-3:] == ["0.00", "0.00", "25%"]
    data = next_json(answer, 1)
    assert (data["measure"], data["n_worth"], data["n_candidates"], len(data["runs"])) == (True, 2, 3, 1)
    assert data["now"][1] == {"budget_usd": 1000, "score": 55, "plan": "annotate (s)", "expected_regret": 2}


def test_dollars_kinds_and_digits():
    assert [usd(v) for v in (0.0, 0.0049, 0.005, 99.994, 100.4, 1e6)] == [
        "$0.00", "under $0.01", "$0.01", "$99.99", "$100", "$1,000,000",
    ]  # fmt: skip
    assert kind_words("extrapolated", 1234.5) == "extrapolated 1,234-fold"
    assert kind_words("interpolated", 1.0) == "interpolated"
    assert rounded({"a": [0.123456, 7]}) == {"a": [0.1235, 7]}
    grid = Table(title="t", headings=("who", "n"), rows=(("a", "10"), ("bcde", "5")))
    assert grid.lines() == ["t", "who    n", "----  --", "a     10", "bcde   5"]
    assert [sentence(s) for s in ("two words", "t5-v1 is", "why not?")] == ["Two words.", "t5-v1 is.", "Why not?"]


def test_a_share_that_was_held_is_weighted_by_its_rows():
    """9 of 10 and 18 of 30 rows: 27 of 40 are 68 %; what shares one check is counted once."""
    a, b = ({"checked": {"n": n, "coverage": {"90": share}}} for n, share in ((10, 0.9), (30, 0.6)))
    fit = replace(FIT, surfaces=tuple(replace(SURFACE, diagnostics=d) for d in (a, b, a)))
    assert coverage_note(fit) == "of 40 rows left out one at a time, 90 % intervals held 68%."
    nine = {"checked": {"n": 9, "coverage": {"90": 8 / 9}}}
    assert "9 rows left out one at a time: too few" in coverage_note(
        replace(FIT, surfaces=(replace(SURFACE, diagnostics=nine),))
    )
    facts = {"loo_rmse_points": 1.234, "noise_sd_points": 0.5, "forms": [{"form": "power", "weight": 0.751}]}
    rows = fit_page(replace(fit, surfaces=tuple(replace(SURFACE, diagnostics=d | facts) for d in (nine, a))))[1].rows
    assert rows[0][1:] == ("4", "power 0.75", "1.23", "8 of 9", "0.50")
    assert rows[1][4] == "90%"


def test_measured_hours_are_nobodys_choice_of_a_model():
    assert compute_model(CHOICES, "cached") == "measured"
    published = replace(OPTION, evidence=replace(NOTE, source="published"))
    assert compute_model(replace(CHOICES, options=(published,)), "cached") == "cached"
    none = Infeasible(route=ANNOTATE, reason=NoUnits(input="n_labels", limit=0.0), evidence=NOTE)
    assert reach_notes(CHOICES, [none], constant=True) == [
        "annotate (s) is infeasible: people give 0 labels; n_labels needs one or more.",
        "Nothing that this budget buys is expected to beat answering Discussing always.",
    ]
    assert reach_notes(CHOICES, [], constant=False) == []


def test_cards_and_tasks_as_tables():
    rows = {row[0]: row[1] for row in rates_table(CARD).rows}
    assert rows["label, stance"] == "0.364 USD"
    assert rows["cpu hour, Google Cloud a2-highgpu-1g host, virtual core (whole instance, on-demand)"] == "0.06162 USD"
    assert rows["million tokens, openai/text-davinci-003"] == "20 in, 20 out USD"
    assert rows["text, default pool of 100,000"] == "0 USD"
    (row,) = tasks_table([TASK]).rows
    assert row[:4] == ("stance", "f1", "45.5", "4,750")


def test_points_as_a_table():
    point = make_point({"task": "stance", "strategy": "distill", "n_labels": "1000", "n_unlabeled": "50"}, "here")
    known = PointAnswer(
        point=point,
        score=56.25,
        lower=54.0,
        upper=58.5,
        kind="extrapolated",
        factor=2.0,
        source="published",
        cost_usd=604.4,
    )
    rows = points_table([known, PointAnswer(point=point, notes=(Refusal(message="why"),))]).rows
    assert rows[0] == (
        "stance distill", "1,000", "-", "50", "56.2", "54.0 to 58.5", "$604", "published, extrapolated 2-fold",
    )  # fmt: skip
    assert rows[1][4:] == ("-", "-", "-", "why")


def test_break_even_prices_as_a_table():
    low = PriceBreak(
        price="labels", unit="a label", now_usd=0.364, up=False, limit_usd=0.00364, choice=DISTILL,
        instead=Alternative(usd=0.0917, route=ANNOTATE, worlds=Spread(lower=0.05, upper=0.2, happens=0.445)),
    )  # fmt: skip
    none = replace(low, up=True, instead=None)
    free = replace(none, now_usd=0.0, limit_usd=1.0)
    rows = breaks_table([low, none, free]).rows
    assert rows[0][1:] == ("$0.364 a label", "below", "$0.0917", "$0.05 to $0.2", "44%", "annotate (s)")
    assert rows[1][2:4] == ("above", "never within 100x")
    assert rows[2][1:4] == ("$0 a label", "above", "never up to $1.00")


def test_a_tornado_as_a_table():
    """From 50.0 at the low end over 56.25 now to 60 at the high one: bars left and right of now."""
    top = replace(PLAN, score=60.0, kind="observed")
    swing = Swing(name="pool", unit="texts", low=500.0, high=2000.0, at_low=PLAIN, at_high=top)
    (row,) = swings_table([swing], PLAN, "f1").rows
    assert row[:6] == ("pool", "500 texts", "50.0", "2,000 texts", "60.0", "10.0")
    assert row[7] == "low: annotate (s)"
    assert row[6] == bar(50.0, 56.25, 60.0, 50.0, 60.0) == "-" * 19 + "|" + "+" * 11
    assert swings_table([replace(swing, at_high=PLAN)], PLAN, "f1").rows[0][4] == "56.2*"
    assert bar(1.0, 1.0, 1.0, 1.0, 1.0)[0] == "|"


def test_cases_side_by_side():
    case = Case(
        kind="card", name="c", plan=PLAN, label_usd=0.364, device_hour_usd=1.875, llm_label_usd=0.0599,
        beside=(PLAIN, PLAN),
    )  # fmt: skip
    first, beside = cases_table("t", [case], "f1").rows
    assert first[:5] == ("c", "$0.364", "$1.88", "$0.0599", "distill (t into s)")
    assert first[-3:] == ("54.0 to 58.5", "80%", "extrapolated 3.21-fold")
    assert beside[0] == "  that strategy alone"  # the plan itself is not said again

"""What is said of a number: the right one, in the right unit, on the right side of its threshold."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.answers.choices import Choices
from budgetsim.answers.learners import NO_SERVING, LlmCaller, Serving
from budgetsim.answers.notes import Refusal
from budgetsim.answers.points import PointAnswer, make_point
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.reply import reply
from budgetsim.answers.rivals import Rival
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
    answer_json,
    answer_page,
    corner_table,
    recommendation,
    size_notes,
)
from budgetsim.report.answer_table import allocation_table, quantity, student_megabytes
from budgetsim.report.fit import fit_page
from budgetsim.report.frontier import curve_page, frontier_json, frontier_page
from budgetsim.report.goal import goal_page
from budgetsim.report.listing import rates_table, tasks_table
from budgetsim.report.next_run import next_json, next_page
from budgetsim.report.notes import compute_model, coverage_note, moot_note, note_lines, reach_notes, sentence
from budgetsim.report.points import points_table
from budgetsim.report.sensitivity import bar, breaks_table, cases_table, swings_table
from budgetsim.report.table import BRIEF, Showing, Table, kind_words, rounded, usd
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
    stop_here=None,
    shadow=ShadowPrice(step_usd=100.0, gain=0.25, loss=0.04),
    corners=(Corner(initial_n_labels=100, annotate=PLAIN, distill=None),),
    infeasible=(),
    remarks=(RunMayEndAtConstant(answer="Discussing", score=45.5),),
)
STOP = replace(
    PLAN, design=replace(PLAN.design, n_labels=500), cost_usd=333.3, costs={"labels": 167.3, "teacher": 166.0}, score=55.31,
    lower=53.0, upper=57.0, days=9.0, standing=None,
)  # fmt: skip
ANSWER = replace(ANSWER, stop_here=StopHere(budget_usd=333.3, score=55.31, plan=STOP))
SPENT = replace(ANSWER, budget_usd=700.0, stop_here=None)
SURFACE = make_surface(np.full((4, 3), 0.5), (N,))
FIT = TaskFit(
    task="stance", evidence_set="measured-cpu-x", method="m", rows_hash="", n_draws=4, seed=0, surfaces=(SURFACE,)
)
OPTION = make_option(SURFACE, CostModel(per_unit={"n_labels": {"labels": 1.0}}))
CHOICES = Choices(task=TASK, fit=FIT, pricing=Pricing(CARD), options=(OPTION,))
CACHED = replace(CHOICES, pricing=Pricing(CARD, "cached"))


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
        SPENT,
        allocations=(replace(PLAN, standing=replace(PLAN.standing, objective=53.2)), *ANSWER.allocations[1:]),
        level=0.1,
    )
    cautious, sorry = (recommendation(reply(replace(aimed, choose=c), CHOICES)) for c in ("quantile", "regret"))
    assert "its expected score is 53.2 or more in 90 % of cases." in cautious
    assert "in the worst 10 % of cases it gives up 53.2 points on average" in sorry


def test_prices_that_change_the_choice_are_said_with_their_side():
    changes = (
        PriceChange(price="labels", factor=2.46, instead=CONSTANT_ROUTE),
        PriceChange(price="compute", factor=0.31, instead=ANNOTATE),
    )
    words = recommendation(reply(replace(SPENT, changes=changes), CHOICES))
    assert words.endswith(
        "What would change it: human labels above 2.5 times the card's price (then constant); compute below 0.31 times "
        "the card's price (then annotate s)."
    )


@pytest.mark.parametrize(("n", "said"), [(1, ", on 1 run alone"), (3, ", on 3 runs alone"), (4, None)])
def test_a_plan_of_fewer_than_four_runs_says_so(n, said):
    few = replace(PLAN, evidence=replace(NOTE, n_rows=n))
    words = recommendation(reply(replace(SPENT, allocations=(few,)), CHOICES))
    assert (said in words) if said else ("alone" not in words)


def test_an_amount_below_a_cent_is_not_about_that():
    cheap = replace(STOP, cost_usd=0.0024, costs={"teacher": 0.0024}, score=56.0)
    answer = replace(ANSWER, stop_here=StopHere(budget_usd=0.0024, score=56.0, plan=cheap))
    assert recommendation(reply(answer, CHOICES)).startswith("Spend under $0.01 on stance, not $800: ")


EXPLAIN = Showing(explain=True)


def test_the_page_of_an_answer_begins_with_what_to_do():
    """$333 of the $800 buy all but a point; the plan that is advised is the first row, too."""
    first, *rest = answer_page(reply(ANSWER, CACHED))
    assert first == (
        "Spend about $340 on stance, not $800: distill t to s buys f1 55.3 (53.0 to 57.0 in 90 % of runs), but that is "
        "3.2-fold outside what was run; the other $460 would add 0.9."
    )
    page = text(rest)
    assert page.startswith("The plan: 500 human labels ($167), 30,000 unlabelled texts, $166 of compute")
    assert "it beats annotate s (50.0) by 5.3 and the answer that never reads a text (45.5) by 9.8 points." in page
    assert "It rests on 4 runs of this task measured on a CPU; the plan lies 3.2-fold outside them." in page
    assert "Prices: card paper-2023; evidence: measured-cpu-x; compute: measured. --explain" in page
    assert "Note: A run may end at or below the constant answer (Discussing, 45.5), which costs nothing." in page
    assert [line.split()[:3] for line in page.splitlines() if line.startswith("distill")] == 2 * [
        ["distill", "t", "to"]
    ]


def test_authors_words_stay_behind_explain():
    brief, explained = (text(answer_page(reply(ANSWER, CACHED), s)) for s in (BRIEF, EXPLAIN))
    for word in ("world", "regret", "n_unlabeled", "Stop here"):
        assert word not in brief
    assert "worlds" in explained
    assert "Stop here: $333 already buys 55.3 (distill t to s), within 1 point." in explained
    # half of what nobody can measure, .05 points, is the least that is said
    assert "The next $100 would add 0.25 points; $100 less would cost nothing to speak of." in explained
    poor = text(answer_page(reply(replace(ANSWER, budget_usd=99.0), CACHED), EXPLAIN))
    assert "; no money at all would cost" in poor
    low = replace(ANSWER, shadow=ShadowPrice(step_usd=100.0, gain=0.049, loss=0.051))
    assert "would add nothing to speak of; $100 less would cost 0.051 points." in text(
        answer_page(reply(low, CACHED), EXPLAIN)
    )


def test_a_budget_that_is_needed_whole_is_spent_whole():
    first, *_ = answer_page(reply(SPENT, CACHED))
    assert first.startswith("Spend $700 on stance: distill t to s buys f1 56.2 (54.0 to 58.5 in 90 % of runs)")
    nothing = replace(SPENT, recommended=2)
    (first, second, *_) = answer_page(reply(nothing, CACHED))
    assert first.startswith("Spend nothing on stance: nothing that $700 buys is expected to beat answering Discussing")
    assert second == "The best that trains is distill t to s, 56.2."


def test_three_notes_and_where_the_others_are():
    notes = [f"{n}." for n in range(5)]
    assert note_lines(notes) == ["Note: 0.", "Note: 1.", "Note: 2.", "(2 more notes: --notes)"]
    assert note_lines(notes[:3]) == ["Note: 0.", "Note: 1.", "Note: 2."]
    assert len(note_lines(notes, Showing(notes=True))) == 5


def test_what_is_owned_is_told_with_and_without():
    owning = Owning(score=56.2, score_without=52.5, route_without=ANNOTATE, worth_usd=182.0)
    page = text(answer_page(reply(ANSWER, CACHED, owning=owning)))
    assert "What you own: 56.2 with it, 52.5 without it at the same budget (annotate s); worth $182, the fur" in page
    none = text(answer_page(reply(ANSWER, CACHED, owning=replace(owning, worth_usd=None))))
    assert "no amount of money makes up for it" in none


def table_of(answer, rivals=(), *, explain=False, serving=NO_SERVING):
    return allocation_table(reply(answer, CHOICES, rivals, serving=serving), explain=explain)


def cells_of(grid, row):
    return dict(zip(grid.headings, grid.rows[row], strict=True))


def test_the_table_of_an_answer_has_chances_in_percent_and_regret_in_points_where_they_are_explained():
    grid = table_of(SPENT, explain=True)
    assert cells_of(grid, 0) == {
        "strategy": "distill t to s", "labels": "1,200", "LLM": "-", "texts": "30,000", "cost": "$700", "days": "12.3",
        "f1": "56.2", "90 % of runs": "54.0 to 58.5", "best": "80%", "regret": "0.3", "from": "measured, 3.21-fold outside",
    }  # fmt: skip
    assert not {"best", "regret"} & set(table_of(SPENT).headings)
    assert {"best", "regret"} & set(table_of(SPENT, explain=True).optional) == set()  # it goes on to explain them
    on_a_terminal = table_of(SPENT, explain=True).lines(80)[0].split()
    assert {"best", "regret"} <= set(on_a_terminal)
    aimed = replace(
        SPENT, allocations=(replace(PLAN, standing=replace(PLAN.standing, objective=53.24)),), choose="quantile"
    )
    assert cells_of(table_of(aimed), 0)["10 % quantile"] == "53.2"


def test_measured_students_are_rows_with_what_they_cost_and_take():
    """At the CPU's $0.0616 an hour, 2 ms for each of a million texts are 0.56 hours: 3 cents."""
    found = rival(50.1, 90.0, student="encoder-lr", n_runs=3, sd=1.0, n_test=900, hours=0.5, ms_per_text=2.0)
    grid = table_of(SPENT, [found], serving=Serving(texts_a_month=1e6))
    assert [row[0] for row in grid.rows] == ["distill t to s", "annotate encoder-lr", "annotate s", "constant"]
    cells = cells_of(grid, 1)
    t, se = 2.92, 1.0 * (1 + 1 / 3) ** 0.5
    lower, upper = map(float, cells["90 % of runs"].split(" to "))
    assert (lower, upper) == (pytest.approx(50.1 - t * se, abs=0.1), pytest.approx(50.1 + t * se, abs=0.1))
    assert (cells["cost"], cells["hours"], cells["MB"], cells["CPU ms a text"]) == ("$90.00", "0.5", "91", "2")
    assert cells["a month"] == "$0.03"
    assert cells["from"] == "measured, 3 runs, 900 other test items"


def test_a_plan_of_a_forecast_is_served_at_what_its_student_took_elsewhere():
    """2 ms for each of a million texts at the CPU's $0.0616 an hour: 3 cents; of a student that nobody timed nothing."""
    grid = table_of(SPENT, serving=Serving(texts_a_month=1e6, ms_per_text={PLAN.route.student: 2.0}))
    assert (cells_of(grid, 0)["CPU ms a text"], cells_of(grid, 0)["a month"]) == ("2", "$0.03")
    assert cells_of(grid, -1)["a month"] == "-"


def test_an_llm_that_answers_every_text_is_a_row_with_its_price():
    caller = LlmCaller(model="m", n_labels=4, cost_usd=1.456, score=52.0, usd_per_text=0.002, source="measured")
    grid = table_of(SPENT, serving=Serving(texts_a_month=50_000, callers=(caller,)))
    cells = cells_of(grid, 1)
    assert (cells["strategy"], cells["f1"], cells["a month"]) == ("LLM on every text (m)", "52.0", "$100")
    assert cells["cost"] == "$1.46"
    unknown = table_of(SPENT, serving=Serving(texts_a_month=1.0, callers=(replace(caller, score=None),)))
    assert cells_of(unknown, -1)["f1"] == "-"


def test_sizes_and_quantities():
    """77.0 million parameters of four bytes are 308 MB."""
    assert student_megabytes("t5-v1_1-small") == pytest.approx(307.8, abs=0.1)
    assert (student_megabytes("encoder-lr:mpnet"), student_megabytes("tfidf-lr"), student_megabytes("encoder-lr:x")) == (
        438, None, None,
    )  # fmt: skip
    assert [quantity(n) for n in (0.0, 0.0009, 12.34)] == ["0", "under 0.001", "12"]


def test_a_mix_gains_what_it_has_above_the_better_corner():
    corners = (Corner(initial_n_labels=100, annotate=PLAIN, distill=replace(PLAN, score=52.25)),)
    (pure,) = answer_json(reply(replace(ANSWER, corners=corners), CACHED))["pure"]
    assert pure["mix_gain"] == pytest.approx(56.25 - 52.25)
    ((start, *cells),) = corner_table(ANSWER, "f1").rows
    assert (start, cells) == ("100", ["2,000 labels", "50.0", "not affordable", "-", "56.2"])


def test_nothing_is_advised_that_a_cheaper_measured_student_beats():
    """The plan scores 56.25 for $700: a student within a point of the best of all, and cheaper, takes its place."""
    assert reply(SPENT, CHOICES, [rival(56.25, 600.0)]).advice.learner.score == 56.25
    assert reply(SPENT, CHOICES, [rival(55.3, 600.0)]).advice.learner.score == 55.3
    assert reply(SPENT, CHOICES, [rival(55.2, 600.0)]).advice.learner is None  # more than a point worse
    assert (
        reply(SPENT, CHOICES, [rival(56.3, 700.0)]).advice.learner is None
    )  # no cheaper, and no more than a point better
    assert reply(SPENT, CHOICES, [rival(60.0, 700.0)]).advice.learner.score == 60.0
    assert reply(SPENT, CHOICES, [rival(99.0, 700.01), rival(99.0, None)]).advice.learner is None
    cheap = [rival(60.0, 9.0), rival(60.5, 90.0, n_labels=900)]
    found = reply(SPENT, CHOICES, cheap).advice
    assert (found.learner.n_labels, found.gain) == (90, pytest.approx(0.5))
    words = recommendation(reply(SPENT, CHOICES, cheap))
    assert words.startswith(
        "Spend about $9.00 on stance, not $700: cheap from 90 labels scores f1 60.0 (measured here, 1 run); the other $691 "
        "would add 0.5."
    )
    assert "it beats distill t to s (56.2) by 3.8 and the answer that never" in words
    assert moot_note([rival(56.0, 9.0)], 9.0, 56.0)[0].endswith(": no less than the best plan here, 56.0.")
    assert moot_note([rival(56.0, 9.0)], 9.0, 56.1) == moot_note([rival(56.0, 9.0)], 8.9, 1.0) == []


def test_test_items_that_are_not_those_of_the_scores_beside_it_are_said():
    other, same = (recommendation(reply(SPENT, CHOICES, [rival(60.0, 9.0, n_test=n)])) for n in (900, TASK.n_test))
    assert "its 900 test items are not the 4,750 of the scores of measured-cpu-x" in other
    assert "test items are not" not in same


def of_student(name):
    return replace(PLAIN.design, route=replace(ANNOTATE, student=name))


def test_a_larger_student_is_told_how_much_larger_it_is():
    """247.6 million parameters to 77.0 are 3.2."""
    base, small = (
        replace(PLAIN, design=of_student(f"t5-v1_1-{size}"), score=s) for size, s in (("base", 60.0), ("small", 57.04))
    )
    (note,) = size_notes(replace(ANSWER, allocations=(base, small)))
    assert note.startswith("t5-v1_1-base has 3.2 times the parameters of t5-v1_1-small, whose best is annotate Small")
    assert "with 57.0; --student t5-v1_1-small keeps to it." in note
    assert size_notes(replace(ANSWER, allocations=(small, base))) == []


GOAL = Goal(
    task="stance", target=55.0, wanted_chance=0.9, reached=(GoalPlan(allocation=PLAN, chance=0.912),),
    short=(GoalPlan(allocation=PLAIN, chance=0.05),), budget_usd=650.0, at_budget=GoalPlan(allocation=PLAIN, chance=0.05),
)  # fmt: skip


def test_the_page_of_a_target():
    page = text(goal_page(GOAL, CHOICES, CARD, "cached", alone=True))
    assert page.startswith(
        "Spend $700 on stance to reach f1 55 or more in one new run with a chance of 90 %: distill (t into s): 1,200 human"
    )
    assert "Prices: card paper-2023; evidence: measured-cpu-x" in page
    assert "Chance 91%." in page
    assert (
        "$650 is not enough: the likeliest plan within it reaches the target with a chance of 5% (annotate (s)" in page
    )
    rows = {line.split("  ")[0]: line for line in page.splitlines() if line.startswith(("distill t", "annotate s "))}
    assert " 91%  yes " in rows["distill t to s"]
    assert "  5%  no " in rows["annotate s"]
    hopeless = replace(GOAL, at_budget=GoalPlan(allocation=PLAIN, chance=0.0049))
    assert "is not enough: no plan within it has a chance worth a number" in text(
        goal_page(hopeless, CHOICES, CARD, "cached", alone=False)
    )
    enough = replace(GOAL, at_budget=GoalPlan(allocation=PLAN, chance=0.9))
    assert "$650 is enough: the likeliest plan" in text(goal_page(enough, CHOICES, CARD, "cached", alone=False))
    none = replace(GOAL, reached=())
    assert "the highest chance of f1 55 or more in one new run is 5%, at $650 (annotate (s)" in text(
        goal_page(none, CHOICES, CARD, "cached", alone=False)
    )


def test_of_cheap_students_that_reach_a_target_the_cheapest_is_told_if_it_is_cheaper_than_the_plan():
    several = [rival(70.0, 650.0), rival(55.0, 300.0, student="least"), rival(54.9, 1.0, n_labels=9)]
    (line,) = [
        n for n in text(goal_page(GOAL, CHOICES, CARD, "c", several, alone=False)).splitlines() if "for less" in n
    ]
    assert line.startswith("Least reaches 55.0 from 90 labels ($300")  # right below the headline, no note
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
    assert "Break-even $120, constant to annotate s: $80.00 to $300 in 90 % of cases where it happens" in page
    assert "which it does in 75 %" in page
    (row,) = [line for line in page.splitlines() if line.strip().startswith("$700")]
    assert row.split()[:4] == ["$700", "$230", "33%", "12.3"]
    assert "54.0 to 58.5" in row  # of one run of this plan, whatever else is printed; as `optimize` says
    assert "51.0 to 59.1" not in page
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
        "Measure next: annotate s, 500 labels, for $50.00 (of which $20.00 stays owned): the plan is expected to gain 0.40 "
        "points, 0.8 a $100."
    ) in page
    assert "Largest gain: annotate big, 500 labels, another seed, for $400" in page
    assert "2 of 3 runs are expected to pay for themselves." in page
    rows = [line.split() for line in page.splitlines() if line.startswith("annotate ")]
    assert rows[0][-4:] == ["2.00", "0.40", "0.80", "25%"]  # at most, if free; the fall; a $100; a switch
    assert rows[2][-3:] == ["0.00", "0.00", "25%"]
    data = next_json(answer, 1)
    assert (data["measure"], data["n_worth"], data["n_candidates"], len(data["runs"])) == (True, 2, 3, 1)
    assert data["now"][1] == {"budget_usd": 1000, "score": 55, "plan": "annotate (s)", "expected_regret": 2}


def test_dollars_kinds_and_digits():
    assert [usd(v) for v in (0.0, 0.0049, 0.005, 99.994, 100.4, 1e6)] == [
        "$0.00", "under $0.01", "$0.01", "$99.99", "$100", "$1,000,000",
    ]  # fmt: skip
    assert kind_words("extrapolated", 1234.5) == "1,234-fold outside"
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
        "annotate s is infeasible: people give 0 labels; one or more is needed.",
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
        "stance distill XXL to Small", "1,000", "-", "50", "56.2", "54.0 to 58.5", "$604", "published, 2-fold outside",
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
    assert rows[0][1:] == ("$0.364 a label", "below", "$0.0917", "$0.05 to $0.2", "44%", "annotate s")
    assert rows[1][2:4] == ("above", "never within 100x")
    assert rows[2][1:4] == ("$0 a label", "above", "never up to $1.00")


def test_a_tornado_as_a_table():
    """From 50.0 at the low end over 56.25 now to 60 at the high one: bars left and right of now."""
    top = replace(PLAN, score=60.0, kind="observed")
    swing = Swing(name="pool", unit="texts", low=500.0, high=2000.0, at_low=PLAIN, at_high=top)
    (row,) = swings_table([swing], PLAN, "f1").rows
    assert row[:6] == ("pool", "500 texts", "50.0", "2,000 texts", "60.0", "10.0")
    assert row[7] == "low: annotate s"
    assert row[6] == bar(50.0, 56.25, 60.0, 50.0, 60.0) == "-" * 19 + "|" + "+" * 11
    assert swings_table([replace(swing, at_high=PLAN)], PLAN, "f1").rows[0][4] == "56.2*"
    assert bar(1.0, 1.0, 1.0, 1.0, 1.0)[0] == "|"


def test_cases_side_by_side():
    case = Case(
        kind="card", name="c", plan=PLAN, label_usd=0.364, device_hour_usd=1.875, llm_label_usd=0.0599,
        beside=(PLAIN, PLAN),
    )  # fmt: skip
    first, beside = cases_table("t", [case], "f1").rows
    assert first[:5] == ("c", "$0.364", "$1.88", "$0.0599", "distill t to s")
    assert first[-3:] == ("54.0 to 58.5", "80%", "3.21-fold outside")
    assert beside[0] == "  that strategy alone"  # the plan itself is not said again

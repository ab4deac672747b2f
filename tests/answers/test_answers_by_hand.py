"""From evidence and a card to an option, a point or a what-if, on made rows: hours, dollars and words by hand."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from budgetsim.answers.choices import Choices, Selection, _assumptions, _check_teacher, _term_notes
from budgetsim.answers.evidence import Evidence
from budgetsim.answers.llm_labels import rule_note
from budgetsim.answers.notes import ImpliedLabeler, LeftOut, LlmRule, NoCost, PlateauRule, TableEnd
from budgetsim.answers.points import (
    PointAnswer,
    answer_constant,
    answer_surface,
    find_surface,
    make_point,
    parse_points,
)
from budgetsim.answers.pricing import (
    Pricing,
    modelled_speed,
    priced_option,
    priced_options,
    priced_route,
    uncharged_training,
)
from budgetsim.answers.rivals import rivals
from budgetsim.answers.sensitivity import _implied_notes, llm_case, plateau_case, trace_sensitivity
from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.options import Infeasible
from budgetsim.choosing.remarks import TooDear
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel, llm_usd_per_label
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import Terms
from budgetsim.data.custom import Findings
from budgetsim.data.tasks import TASKS
from budgetsim.design.points import Route
from budgetsim.design.surface import TaskFit
from budgetsim.economics.noisy_labels import ImpliedAccuracy, llm_surface
from budgetsim.errors import InfeasibleBudgetError, InputError, MissingPriceError, NoEvidenceError
from budgetsim.measure import get_preset
from budgetsim.measure.executors.options import ExecutorOptions
from budgetsim.report.listing import findings_page, task_page
from budgetsim.report.points import point_words
from budgetsim.report.wording import note_words
from budgetsim.store.location import StorePaths, find_card
from budgetsim.store.query import ComputeRow, ScoreRow, StageRow
from budgetsim_cli.console import check_amount, check_percent
from budgetsim_cli.inquiry import Inquiry, TaskReport, buys_training, check_strategies, read_terms, refuse_unbought
from budgetsim_cli.main import app, main
from budgetsim_cli.measure import _limits
from budgetsim_cli.next_run import budget_range
from budgetsim_cli.question import Question
from made import NOTE, ROOT, make_option, make_row, make_surface

CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
STANCE = TASKS["stance"]
CPU_USD = 0.73948 / 12
N = np.array([1.0, 10.0, 100.0, 1000.0])
MINE, PAPER = "measured-cpu-mini-1", "published-kang2023"


def stage(kind, hours, *, strategy="distill", labeler=None, n=(0.0, 0.0, 0.0), examples=1.0, task="stance"):
    return StageRow(
        evidence_set=MINE, task=task, kind=kind, model="m",
        route=Route(strategy=strategy, student="s", teacher="t" if strategy == "distill" else None, labeler=labeler),
         n_labels=n[0], n_llm_labels=n[1], n_unlabeled=n[2], examples=examples, hours=hours,
    )  # fmt: skip


def evidence(**more):
    facts = {
        "paths": StorePaths(Path("x.duckdb")),
        "sets": {"stance": MINE},
        "measurements": (),
        "cheap": (),
        "compute": (),
    }
    return Evidence(**(facts | more))


def surface(strategy="distill", **more):
    shape = (2, *[4] * (2 if strategy in ("distill", "annotate_plus_llm") else 1))
    return make_surface(np.full(shape, 0.5), (N,) * (len(shape) - 1), strategy=strategy, **more)


def priced(s, rows, **more):
    return priced_option(evidence(stages=tuple(rows)), s, STANCE, Pricing(CARD, **more))


def test_a_distilled_student_is_timed_by_its_texts_and_its_teacher_by_its_labels():
    """Students of 100 and 300 texts took 2 and 4 hours: 1 and .01 a text; the teacher 5 hours on 60 labels."""
    rows = [
        stage("train_student", 2.0, n=(60, 0, 100)),
        stage("train_student", 4.0, n=(60, 0, 300)),
        stage("finetune_teacher", 5.0, n=(60, 0, 0)),
        stage("soft_label", 3.0, n=(60, 0, 300), examples=300),
        stage("train_student", 99.0, n=(60, 0, 100), task="fever"),
        stage("train_student", 99.0, n=(60, 0, 100), strategy="annotate"),
    ]
    option = priced(surface(), rows)
    assert option.hours.teacher_n == (60,)
    bill = option.cost.stages({"n_labels": 60.0, "n_unlabeled": 200.0})
    assert {k: float(v) for k, v in bill.items()} == pytest.approx(
        {
            "labels": 60 * 0.364, "teacher": 5 * CPU_USD, "student": CPU_USD, "distillation": 2 * CPU_USD,
            "labelling": 200 * 0.01 * CPU_USD, "texts": 0,
        }
    )  # fmt: skip
    assert (option.evidence.set, option.evidence.source, option.evidence.device) == (MINE, "measured", "cpu")


def test_a_student_of_an_llm_is_timed_by_its_labels_and_of_that_llm_alone():
    rows = [
        stage("train_student", 2.0, strategy="llm_annotate", labeler="llm", n=(0, 100, 0)),
        stage("train_student", 4.0, strategy="llm_annotate", labeler="llm", n=(0, 300, 0)),
        stage("train_student", 99.0, strategy="llm_annotate", labeler="other", n=(0, 100, 0)),
    ]
    option = priced(surface("llm_annotate"), rows)
    assert (option.hours.train_fixed, option.hours.train_label) == pytest.approx((1.0, 0.01))


def test_published_hours_are_those_of_the_pair_in_its_own_table():
    facts = {"task": "stance", "student": "t5-v1_1-small"}
    rows = [
        ComputeRow(source=source, teacher=teacher, kind=kind, n_labels=n, gpu_hours=h, **facts)
        for source, teacher, kind, n, h in (
            ("published:kang2023", "t5-v1_1-xxl", "finetune_teacher", 100, 2.0),
            ("published:kang2023", "t5-v1_1-xxl", "distill_text", 0, 0.001),
            ("published:kang2023", "t5-v1_1-xl", "distill_text", 0, 9.0),
            ("published:mine", "t5-v1_1-xxl", "distill_text", 0, 9.0),
        )
    ]
    found = evidence(sets={"stance": PAPER}, compute=tuple(rows))
    s = surface(student="t5-v1_1-small", teacher="t5-v1_1-xxl")
    option = priced_option(found, s, STANCE, Pricing(CARD))
    assert (option.hours.teacher_hours, option.hours.train_text) == ((2.0,), 0.001)
    assert (option.evidence.source, option.evidence.device) == ("published", None)
    free = CARD.model_copy(update={"overheads": CARD.overheads.model_copy(update={"charge_student_training": False})})
    small = surface("annotate", student="t5-v1_1-small")
    charged, uncharged = (priced_option(found, small, STANCE, Pricing(c)) for c in (CARD, free))
    assert (charged.hours.model, uncharged.hours.model) == ("modelled", "not charged")
    unknown = priced_option(found, surface("annotate"), STANCE, Pricing(CARD))  # nobody knows its shape
    said = [uncharged_training(o, c) for o, c in ((charged, CARD), (uncharged, free), (unknown, CARD))]
    assert said[:2] == [None, None]
    assert note_words(said[2]).endswith("the card has no utilisation to model it with.")


def test_an_owned_teacher_makes_two_options_of_its_own_and_of_no_other():
    rows = [stage("train_student", 2.0, n=(60, 0, 100)), stage("finetune_teacher", 5.0, n=(60, 0, 0))]
    found = evidence(stages=tuple(rows))
    for teacher, aside in (("t", [None, 30]), ("u", [None])):
        terms = Terms(owned_teacher=(teacher, 30))
        options = priced_options(found, surface(), STANCE, Pricing(CARD, terms=terms))
        assert [o.left_aside for o in options] == aside
        assert ("n_labels" in options[0].cost.at_least) == (teacher == "t")
    assert "n_labels" not in options[-1].cost.at_least


def test_each_share_of_the_utilisation_is_used_for_its_own_work():
    use, speed = CARD.utilisation, modelled_speed(CARD)
    assert (speed.peak_tflops, speed.teacher_training, speed.labelling, speed.student_training, speed.seconds_per_step) == (
        312, 0.24, 0.14, 0.26, 0.03,
    )  # fmt: skip
    assert use.labelling != use.student_training


def test_other_tasks_beside_a_fit_are_of_the_same_kind_and_not_the_task_itself():
    rows = [
        make_row(key=k, task=task, evidence_set=name)
        for k, (task, name) in enumerate(
            [("stance", MINE), ("fever", "measured-cpu-mini-2"), ("nq", "measured-cpu-pico-3"), ("wlp", PAPER)]
        )
    ]
    found = evidence(related=tuple(rows), measurements=(rows[0], rows[3]))
    assert [m.task for m in found.others("stance")] == ["fever"]
    assert [m.key for m in found.rows("stance")] == [0]
    assert evidence(sets={"stance": MINE, "nq": PAPER}).tasks == ["nq", "stance"]
    assert evidence(sets={"stance": MINE, "fever": MINE, "unheard": MINE}).tasks == ["fever", "stance"]


def score_row(student, n, score, task="stance"):
    return ScoreRow(task=task, evidence_set="e", student=student, n_labels=n, score=score, n_runs=3)


def test_cheap_students_by_score_then_by_labels_and_what_their_labels_cost():
    rows = (
        score_row("a", 100, 60.0),
        score_row("b", 50, 60.0),
        score_row("c", 1000, 70.0),
        score_row("d", 9, 99.0, "nq"),
    )
    found = evidence(cheap=rows)

    def cheap(**terms):
        return rivals(found, "stance", Pricing(CARD, terms=Terms(owned_labels=80, **terms)))

    assert [(r.student, r.cost_usd) for r in cheap()] == [
        ("c", pytest.approx(920 * 0.364)),
        ("b", 0),
        ("a", 20 * 0.364),
    ]

    def reached(**terms):
        return [r.student for r in cheap(**terms) if r.in_reach]

    assert reached(labels_per_day=10, deadline_days=2) == ["b", "a"]
    assert reached(max_labels=900, labels_per_day=10, deadline_days=1.9) == ["b"]


def test_a_cheap_student_pays_what_any_plan_of_labels_pays_and_keeps_its_deadline():
    """20 labels beside 80 owned, 30 for dev and test, $7 fixed, half an hour of a core; 5 days of labels, then training."""
    over = {"dev_labels": 10, "test_labels": 20, "fixed_usd": 7, "charge_student_training": True}
    card = CARD.model_copy(update={"overheads": CARD.overheads.model_copy(update=over)})
    found = evidence(cheap=(replace(score_row("a", 100, 60.0), hours=0.5),))

    def only(days):
        terms = Terms(owned_labels=80, labels_per_day=10, deadline_days=days)
        (r,) = rivals(found, "stance", Pricing(card, terms=terms))
        return r

    row = only(6)
    assert row.costs == pytest.approx(
        {"labels": 20 * 0.364, "dev_and_test_labels": 30 * 0.364, "fixed": 7.0, "student": CPU_USD / 2}
    )
    assert row.cost_usd == pytest.approx(50 * 0.364 + 7 + CPU_USD / 2)
    assert (only(5 + 0.5 / 24).in_reach, only(5).in_reach) == (True, False)
    bare = card.model_copy(update={"labels": {}})
    assert [(r.cost_usd, r.in_reach) for r in rivals(found, "stance", Pricing(bare))] == [(None, True)]


def test_an_llm_that_teaches_is_paid_by_the_text():
    """Soft labels of 1,000 texts cost what 1,000 hard ones do, beside the hours of asking and of training."""
    asked = replace(surface().route, teacher="chat:small")
    rows = [
        replace(r, route=asked)
        for r in (stage("soft_label", 1.0, examples=100), stage("train_student", 2.0, n=(0, 0, 100)))
    ]
    found = evidence(stages=tuple(rows))
    cost, hours = priced_route(found, asked, STANCE, Pricing(CARD))
    assert cost.per_unit["n_unlabeled"]["llm_labels"] == pytest.approx(llm_usd_per_label(CARD.llm, STANCE))
    assert hours.label_text == pytest.approx(0.01)
    bare = CARD.model_copy(update={"llm": None})
    with pytest.raises(MissingPriceError, match="no price for an LLM"):
        priced_route(found, asked, STANCE, Pricing(bare))


def test_a_student_among_the_rows_does_not_stand_beside_them_too():
    """Measured in the set that answers, and before in another: the older scores would have it beat itself."""
    own = make_row(key=0, task="stance", evidence_set=MINE)
    cheap = (score_row(own.route.student, 100, 60.0), score_row("other", 100, 50.0))
    assert [r.student for r in rivals(evidence(cheap=cheap, ran=(own,)), "stance", Pricing(CARD))] == ["other"]
    elsewhere = replace(own, task="fever")
    assert len(rivals(evidence(cheap=cheap, ran=(elsewhere,)), "stance", Pricing(CARD))) == 2


def test_terms_are_taken_for_granted_with_a_word():
    held = Terms(owned_teacher=("t", 500))
    (note,) = _term_notes(held._replace(owned_labels=499))
    assert note_words(note).startswith("the labels of the owned teacher do not count as owned")
    assert _term_notes(held._replace(owned_labels=500)) == []
    words = note_words(*_term_notes(Terms(labels_per_day=40, gpus=3)))
    assert words.startswith("days are labels at 40 a day")
    assert "the devices, 3 of them day and night" in words


def test_a_teacher_owned_on_all_that_is_known_may_be_used_and_on_one_label_more_not():
    fit = TaskFit(
        task="stance",
        evidence_set=MINE,
        method="",
        rows_hash="",
        n_draws=2,
        seed=0,
        surfaces=(surface(), surface("annotate")),
    )
    _check_teacher(Terms(owned_teacher=("t", 1000)), fit)
    with pytest.raises(NoEvidenceError, match="Name a teacher on 1,000 labels or fewer"):
        _check_teacher(Terms(owned_teacher=("t", 1001)), fit)
    with pytest.raises(NoEvidenceError, match="no fitted teacher u on stance; it has t"):
        _check_teacher(Terms(owned_teacher=("u", 1)), fit)


def test_what_dollars_imply_is_counted():
    derived = [("n_unlabeled",), ("n_unlabeled", "capped:n_unlabeled"), ("n_unlabeled", "capped:n_unlabeled"), ()]
    rows = tuple(make_row(evidence_set=MINE, derived=d) for d in derived)
    option = make_option(surface(), CostModel())
    (note,) = _assumptions(evidence(measurements=rows), STANCE, CARD, [option])
    assert (
        note_words(note)
        == "the texts of 3 distilled rows are implied by dollars, 2 of them cut at the pool of 100,000."
    )
    assert _assumptions(evidence(measurements=rows), STANCE, CARD, []) == []


DISTILLED = {"task": "stance", "strategy": "distill", "n_labels": "10", "n_unlabeled": "100"}


def test_a_point_is_told_in_percent_with_its_cost_and_where_its_table_ends():
    table = np.linspace(0.2, 0.6, 16).reshape(1, 4, 4)
    s = replace(
        make_surface(np.concatenate([table, table]), (N, N), strategy="distill"), run_noise=np.array([-0.02, 0.02])
    )
    cost = CostModel(fixed={"fixed": 5.0}, per_unit={"n_labels": {"labels": 2.0}, "n_unlabeled": {"texts": 0.1}})
    (found,) = answer_surface([make_point(DISTILLED, "here")], s, NOTE, cost)
    mean = 100 * table[0, 1, 2]
    assert (found.score, found.lower, found.upper) == pytest.approx((mean, mean - 1.8, mean + 1.8))
    assert (found.cost_usd, found.kind, found.notes) == (5 + 20 + 10, "interpolated", ())
    end, beyond = (
        answer_surface([make_point(DISTILLED | {"n_unlabeled": n}, "here")], s, NOTE, None, [NoCost(reason="why")])[0]
        for n in ("1000", "1001")
    )
    assert (end.notes, end.cost_usd) == ((NoCost(reason="why"),), None)
    assert beyond.notes == (NoCost(reason="why"), TableEnd(name="n_unlabeled", n=1000))
    assert point_words(end) == "no cost: why"
    assert point_words(beyond) == "no cost: why; the score is that at n_unlabeled 1,000, where the table ends"
    constant = answer_constant(make_point({"task": "stance", "strategy": "constant"}, "here"), STANCE)
    assert (constant.score, constant.lower, constant.upper, constant.cost_usd) == (45.5, 45.5, 45.5, 0)


def test_what_a_question_leaves_out_is_filled_in_and_what_it_has_too_much_refused():
    point = make_point(DISTILLED, "here")
    route = point.design.route
    assert (route.teacher, route.student, route.labeler) == ("t5-v1_1-xxl", "t5-v1_1-small", None)
    assert point.design.inputs == (10, 100)
    assert make_point({"task": "a", "strategy": "annotate", "n_labels": "1e3"}, "here").design.inputs == (1000,)
    for spoilt, message in (
        ({"n_llm_labels": "5"}, "n_llm_labels: found 5, but distill has no such input"),
        ({"n_labels": ""}, "n_labels: distill needs it"),
        ({"n_labels": "1000000000001"}, "wanted a whole number from 0 to 1,000,000,000,000"),
        ({"n_labels": "1.5"}, "wanted a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            make_point(DISTILLED | spoilt, "here")
    make_point(DISTILLED | {"n_labels": "1000000000000"}, "here")
    rows = parse_points("n_labels, strategy\n5,annotate\n\n6,annotate\n", "p.csv", task="stance")
    assert [(p.design.inputs, p.place) for p in rows] == [((5,), "p.csv, line 2"), ((6,), "p.csv, line 4")]


def test_a_point_finds_its_own_labeler():
    one, two = (surface("llm_annotate", labeler=name) for name in ("a", "b"))
    fit = TaskFit(task="stance", evidence_set=MINE, method="", rows_hash="", n_draws=2, seed=0, surfaces=(one, two))
    facts = {"task": "stance", "strategy": "llm_annotate", "n_llm_labels": "5", "student": "s"}
    assert find_surface(fit, make_point(facts | {"labeler": "b"}, "here")) is two
    with pytest.raises(InputError, match="several labelers: a, b; name one"):
        find_surface(fit, make_point(facts, "here"))
    with pytest.raises(NoEvidenceError, match=r"no fitted llm_annotate \(c for s\) on stance; it has"):
        find_surface(fit, make_point(facts | {"labeler": "c"}, "here"))


HOURS = Hours(model="cached", device_class="gpu", train_label=0.001)


PRICING = Pricing(CARD)


def choices_of(*options, notes=(), pricing=PRICING):
    fit = TaskFit(task="stance", evidence_set=PAPER, method="", rows_hash="", n_draws=2, seed=0, surfaces=())
    return Choices(task=STANCE, fit=fit, pricing=pricing, options=options, notes=notes)


def annotate(student="s", scores=(0.46, 0.5, 0.6, 0.7)):
    s = make_surface(np.array([scores] * 2), (N,), student=student)
    cost = CostModel(per_unit={"n_labels": {"labels": 0.364, "student": 0.001875}})
    return replace(make_option(s, cost), hours=HOURS, evidence=replace(NOTE, source="published"))


def test_an_llm_that_is_nearly_always_right_is_used_alone_and_beside_people():
    """A prompt's label costs 6 cents to a person's 36, and the student's GPU time a thousandth of $1.875 a label."""
    for errors in ("random", "learnable", "real"):
        case = llm_case(choices_of(annotate()), 60.0, 0.9, errors)
        assert {p.route.strategy for p in case.beside} == {"llm_annotate", "annotate_plus_llm"}
        plan = case.beside[0]
        assert plan.cost_usd <= 60 + 1e-6
        assert plan.costs["llm_labels"] / plan.design.n_llm_labels == pytest.approx(0.0599, abs=1e-4)
        assert plan.costs["student"] / plan.design.n_llm_labels == pytest.approx(0.001 * 1.875)
        assert case.plan.route.strategy != "annotate"
        assert plan.evidence.source == "modelled"
    with pytest.raises(InputError, match="wanted more than chance on stance: 20"):
        llm_case(choices_of(annotate()), 60.0, 0.2, "random")
    llm_case(choices_of(annotate()), 60.0, 0.201, "random")


def test_only_students_that_the_evidences_llm_labelled_for_get_the_modelled_one():
    best = make_surface(np.full((2, 4), 0.99), (N,), strategy="llm_annotate", student="b")
    seen = make_option(best, CostModel(per_unit={"n_llm_labels": {}}))
    case = llm_case(choices_of(annotate("a"), annotate("b"), seen), 60.0, 0.9, "learnable")
    assert {p.route.student for p in case.beside} == {"b"}
    assert case.plan.route.labeler == "LLM at 90 %"  # the evidence's own, free and better, makes way
    both = llm_case(choices_of(annotate("a"), annotate("b")), 60.0, 0.9, "learnable")
    assert {p.route.student for p in both.beside} == {"a", "b"}


def test_a_teacher_with_a_plateau_below_the_labels_is_left():
    """Distilling scores .5 whatever is bought; under a plateau of .46 nothing of it beats the labels for $40."""
    distill = make_option(surface(), CostModel(per_unit={"n_labels": {"labels": 0.1}, "n_unlabeled": {"texts": 0.1}}))
    case = plateau_case(STANCE, [annotate(), distill], 40.0, 0.46)
    assert (case.plan.route.strategy, case.name) == ("annotate", "teacher never above 46")
    (beside,) = case.beside
    assert (beside.route.strategy, beside.score, beside.standing) == ("distill", pytest.approx(46), None)
    assert plateau_case(STANCE, [annotate()], 40.0, 0.46).plan is None


def test_the_words_of_the_rules():
    random, learnable = (note_words(rule_note(0.8, 5, errors)) for errors in ("random", "learnable"))
    assert random.startswith("a label is worth 0.56 true ones, its errors random among 5 labels")
    assert learnable.startswith("the student learns the errors")
    seen = ImpliedAccuracy(errors="random", lower=0.712, upper=0.855, misfit=0.0199, n_points=4)
    note = ImpliedLabeler(labeler="x", implied=seen, is_described=True)
    assert note_words(rule_note(0.8, 5, "random")) == note_words(LlmRule(errors="random", classes=5, worth=0.5625))
    assert note_words(note) == (
        "by this rule x of the evidence works like labels right in 71 to 86 % of cases (misfit 2.0 points, 4 sizes)."
    )
    assert note_words(replace(note, is_described=False)).startswith("no accuracy makes this rule describe x")


@pytest.mark.parametrize(("above", "is_described"), [(0.0199, True), (0.0201, False)])
def test_a_rule_describes_an_llm_up_to_two_points(above, is_described):
    """Labels score .5 whatever their number, so any accuracy says .5, and an LLM at .5 + x is x away from it."""
    flat = annotate(scores=(0.5, 0.5, 0.5, 0.5))
    llm = llm_surface(flat.surface, 0.8, 5, "random", "x")
    support = replace(llm.support, points=np.array([[20.0], [300.0]]))
    seen = make_option(replace(llm, draws=llm.draws + above, support=support), CostModel())
    (note,) = _implied_notes([flat, seen], 5, "random")
    assert (note.labeler, note.implied.misfit, note.is_described) == ("x", pytest.approx(above), is_described)


def test_a_case_of_a_card_tells_its_main_prices_and_utilisation_moves_only_modern_hours():
    """Shares of .24, .14 and .26 can be doubled; where one is .65 they can grow 1 / .65-fold at most."""
    use = CARD.utilisation.model_copy(update={"student_training": 0.65})
    asked = []

    left_out = LeftOut(strategy="a", reason="b")

    def reprice(pricing):
        asked.append(pricing.card.utilisation.labelling)
        return choices_of(annotate(), notes=(left_out, PlateauRule()))

    for card, high in ((CARD, 2.0), (CARD.model_copy(update={"utilisation": use}), 1 / 0.65)):
        asked.clear()
        found = trace_sensitivity(choices_of(annotate(), pricing=Pricing(card, "modern")), 40.0, reprice, cards=[card])
        (swing,) = (s for s in found.swings if s.name == "utilisation")
        assert (swing.low, swing.high) == (0.5, pytest.approx(high))
        assert asked[:2] == pytest.approx([0.07, 0.14 * high])
        case, *models = found.cases
        assert (case.label_usd, case.device_hour_usd, case.llm_label_usd) == (
            0.364,
            1.875,
            pytest.approx(0.0599, abs=1e-4),
        )
        assert case.notes == (left_out,)
        assert [m.name for m in models] == ["published", "cached", "modern"]
    found = trace_sensitivity(choices_of(annotate(), pricing=Pricing(CARD, "cached")), 40.0, reprice)
    assert not [s for s in found.swings if s.name == "utilisation"]


# The command line: what a user types, taken for what it says.


def asks(**more):
    return Question(**more)


def test_terms_as_they_are_typed():
    terms = read_terms(
        asks(task=["stance"], owned_teacher="a:b:50", max_labels=7, pool=9, labels_per_day=4.0, gpus=2, deadline=3.0)
    )
    assert terms == Terms(
        owned_teacher=("a:b", 50), max_labels=7, pool=9, labels_per_day=4.0, gpus=2, deadline_days=3.0
    )
    assert read_terms(asks()) == Terms()
    with pytest.raises(InputError, match="wanted MODEL:N"):
        read_terms(asks(task=["stance"], owned_teacher="a:0"))


def test_a_budget_that_buys_nothing_is_refused_unless_nothing_was_asked_for():
    open_to = choices_of(annotate("a"), annotate("b"))
    dear = [
        Infeasible(route=o.route, reason=TooDear(least_usd=9, budget_usd=5, stage="labels", stage_usd=9), evidence=NOTE)
        for o in open_to.options
    ]
    assert buys_training(open_to, dear[:1])
    assert not buys_training(open_to, dear)
    bought, nothing = (TaskReport({}, [], buys=buys) for buys in (True, False))

    def asked(**more):
        return Inquiry(asks(**more), evidence(), open_to.pricing, Selection(), [open_to])

    refuse_unbought(asked(), [nothing, bought], "--budget", 5.0)
    refuse_unbought(asked(strategy=["constant"]), [nothing], "--budget", 5.0)
    with pytest.raises(InfeasibleBudgetError, match=r"\$5\.00 buys no trained model on stance; .* Raise --budget"):
        refuse_unbought(asked(), [nothing], "--budget", 5.0)


def test_amounts_and_percent_are_what_they_say():
    assert [check_percent(v, "--x") for v in (1, 100)] == [1, 100]
    assert [check_amount(v, "--x") for v in (0, 1e12)] == [0, 1e12]
    for check, value in ((check_percent, 0.99), (check_percent, 100.5), (check_amount, 1.1e12), (check_amount, -1)):
        with pytest.raises(InputError, match="--x: found"):
            check(value, "--x")
    with pytest.raises(InputError, match="above zero"):
        check_amount(0.0, "--x", above_zero=True)
    check_strategies(["distill", "constant"])
    with pytest.raises(NoEvidenceError, match="nothing is published or measured"):
        check_strategies(["distill_plus_llm"])


def test_a_range_of_budgets_has_even_steps_of_a_factor_and_one_is_half_to_twice_itself():
    for text, low, high in (("100-1600", 100, 1600), ("400", 200, 800)):
        found = budget_range([text])
        assert (len(found), found[0], found[-1]) == (5, low, high)
        assert np.diff(np.log(found)) == pytest.approx(np.full(4, np.log(high / low) / 4), rel=1e-6)


def test_a_file_of_that_name_goes_before_an_example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_card(Path("late-2026")).is_file()
    Path("late-2026").write_text("mine")
    assert find_card(Path("late-2026")) == Path("late-2026")
    assert find_card(None) != Path("rates.yaml")
    Path("rates.yaml").write_text("mine")
    assert find_card(None) == Path("rates.yaml")


def run(*words):
    return CliRunner().invoke(app, list(words))


SHIPPED = (
    "--store",
    str(ROOT / "results" / "budgetsim.duckdb"),
    "--rates",
    str(ROOT / "rates.yaml"),
    "--task",
    "stance",
)


def test_a_what_if_is_typed_in_percent_and_reckoned_in_fractions():
    """No mean above the plateau of 50 where 58 are reached without it."""
    words = ("--budget", "900", "--card", str(ROOT / "rates.yaml"), "--teacher-plateau", "50", "--strategy", "distill")
    rows = run("sensitivity", *SHIPPED, *words).stdout.splitlines()
    (line,) = [row for row in rows if row.startswith("teacher never above 50")]
    assert " 50.0 " in line
    assert sum(row.startswith("paper-2023 ") for row in rows) == 1  # the card itself, once


def test_a_cheap_student_is_set_beside_the_end_of_a_frontier():
    """encoder-lr reaches 83.5 on multipit_id for $200; labels for $20,000 reach more, though the first dollars do not."""
    files = (*SHIPPED[:4], "--task", "multipit_id", "--strategy", "annotate", "--points", "2", "--json")
    notes = {end: run("frontier", *files, "--max-budget", end).stdout for end in ("250", "20000")}
    assert {end: "no less than the best plan here" in text for end, text in notes.items()} == {
        "250": True,
        "20000": False,
    }


def test_one_picture_is_of_one_task(tmp_path):
    files = ("--task", "nq", "--task", "wlp", "--plot", str(tmp_path / "x.png"), *SHIPPED[:2])
    with pytest.raises(InputError, match="--plot: draws one task; name one of nq, wlp"):
        raise run("fit", *files).exception


@pytest.mark.parametrize(
    ("words", "code"), [("--compute free", 2), ("--budget 0", 3), ("--strategy distill_plus_llm", 4)]
)
def test_an_expected_error_has_its_own_exit_code(words, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["budgetsim", "optimize", *SHIPPED, "--budget", "9", *words.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code
    assert capsys.readouterr().err


def test_a_cap_in_dollars_is_reckoned_at_the_price_of_the_device_that_runs():
    presets = ("cpu", "modern", "paper")
    prices = [_limits(None, 5.0, CARD, get_preset(name), ExecutorOptions()).usd_per_hour for name in presets]
    assert prices == pytest.approx([CPU_USD, CPU_USD, 1.875])
    two = _limits(None, 5.0, CARD, get_preset("modern"), ExecutorOptions(gpus=2)).usd_per_hour
    assert two == pytest.approx(2 * 1.875)  # nodes with GPUs are paid for as GPUs


def test_pure_corners_start_from_what_is_owned():
    owned, none = (
        run("optimize", *SHIPPED, "--budget", "900", "--pure", *words).stdout.split("Pure corners")[1].splitlines()
        for words in (("--owned-labels", "300"), ())
    )
    assert [row.split()[0] for row in owned[3:4]] == ["300"]
    assert [row.split()[0] for row in none[3:8]] == ["100", "500", "1,000", "5,000", "10,000"]


def test_a_target_without_a_chance_is_wanted_in_nine_runs_of_ten():
    assert "57 or more in one new run with a chance of 90 %" in run("optimize", *SHIPPED, "--target", "57").stdout


def test_one_silent_point_is_told_and_all_silent_ones_are_an_error(tmp_path):
    file = tmp_path / "p.csv"
    file.write_text("task,strategy,student,n_labels\nstance,annotate,,2000\nstance,annotate,none,2000\n")
    done = run("simulate", *SHIPPED[:4], "--points", str(file))
    assert done.exit_code == 0
    assert "No answer: p.csv, line 3: evidence" in done.output
    file.write_text("task,strategy,student,n_labels\nstance,annotate,none,2000\n")
    assert isinstance(run("simulate", *SHIPPED[:4], "--points", str(file)).exception, NoEvidenceError)


def test_a_card_is_copied_listed_and_checked(tmp_path):
    file = tmp_path / "mine.yaml"
    assert run("rates", "init", str(file), "--from", "late-2026").exit_code == 0
    assert parse_rates(file.read_text()).name == "mine"
    assert "card mine is in order; prices of wlp, stance" in run("rates", "check", str(file)).stdout
    assert run("rates", "list").stdout.count("example - ") >= 5


def test_what_is_in_a_task_of_ones_own_is_told_in_percent():
    found = Findings(
        n_train=1000, n_test=50, n_unlabeled=7, labels={"yes": 900, "no": 100}, majority_label="yes", majority_share=0.9,
        shared_texts=3, duplicate_train_texts=0, contradicting_texts=1, unlabeled_in_test=0, unknown_test_labels=(),
        rare_labels=(), long_shares={"cpu": 0.25},
    )  # fmt: skip
    page = "\n".join(findings_page(replace(STANCE, constant_answer="yes", constant_score=0.9), found))
    assert "Always answering yes scores 90.0." in page
    assert "and are not trained on: 3." in page
    assert "Duplicate texts" not in page
    assert "unlabelled texts, of which one" not in page
    assert "About 25 % of the texts are cut" in page
    left = replace(found, n_unlabeled=9, unlabeled_in_train=2, duplicate_unlabeled=3, n_usable_texts=4)
    lines = findings_page(STANCE, left)
    assert "Unlabelled texts that stand in train, which has their label: 2." in lines
    assert "Duplicate unlabelled texts, of which one is kept: 3." in lines


def test_the_scores_of_a_task_are_shown_in_percent():
    lines = task_page(replace(STANCE, constant_score=0.4553, floors=(0.2, 0.25)))
    assert {"constant_score: 45.53 %", "floors: 20 %, 25 %"} <= set(lines)


def test_the_store_says_where_it_lies(tmp_path):
    done = run("store", "path", "--store", str(tmp_path / "a.duckdb"), "--json")
    assert '"exists": false' in done.stdout


def test_nothing_that_trains_is_nothing_bought():
    answer = optimize_task(STANCE, [annotate()], 0.1)
    assert [a.route.strategy for a in answer.allocations] == ["constant"]
    assert [entry.route.strategy for entry in answer.infeasible] == ["annotate"]
    assert PointAnswer(point=make_point(DISTILLED, "x")).score is None

"""What stands beside an answer: an LLM on every text, another way of computing, an LLM of another accuracy, prices."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from budgetsim.answers.choices import choices, reprice
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.llm_labels import is_annotated, llm_needed, with_llm_accuracy
from budgetsim.answers.notes import ComputeDiffers, LlmRule, OtherGpu, OtherLlm
from budgetsim.answers.otherwise import other_compute
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.serving import serving_of
from budgetsim.choosing.optimize import optimize_task
from budgetsim.choosing.recommend import best_plan
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import Terms
from budgetsim.data.tasks import TASKS
from budgetsim.economics.noisy_labels import llm_surface
from budgetsim.errors import InputError
from budgetsim.store.location import StorePaths, example_cards
from budgetsim.store.query import CallerRow
from budgetsim_cli.main import app
from made import ROOT

EVIDENCE = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"))
PAPER, LATE = (parse_rates(example_cards()[name].read_text("utf-8"), name) for name in ("paper-2023", "late-2026"))


def opened(task, card=PAPER, **pricing):
    return choices(EVIDENCE, task, Pricing(card, **pricing))


def test_an_llm_of_the_card_that_nobody_scored_is_told():
    assert not any(isinstance(n, OtherLlm) for n in opened("stance").notes)
    assert OtherLlm(scored="gpt-3.5", priced="openai/gpt-6.1-terra") in opened("stance", LATE).notes
    found = CliRunner().invoke(app, ["optimize", "--task", "stance", "--budget", "2000", "--rates", "late-2026"])
    assert "gpt-3.5 quality at openai/gpt-6.1-terra prices" in found.stdout


def test_an_llm_of_a_stated_accuracy_takes_the_place_of_the_evidences():
    """Between what the two rules say, and in no world above as many labels of people."""
    stated = with_llm_accuracy(opened("stance", LATE), 0.6)
    labelers = {o.route.labeler for o in stated.options if o.route.kind.has_labeler}
    assert labelers == {"LLM at 60 %"}
    assert not any(isinstance(n, OtherLlm) for n in stated.notes)
    llm, beside = (o for o in stated.options if o.route.kind.has_labeler)
    assert beside.route.kind.inputs == ("n_labels", "n_llm_labels")
    (people,) = [o for o in stated.options if is_annotated(o) and o.route.student == llm.route.student]
    low, high = (llm_surface(people.surface, 0.6, 5, errors, "x").at([[2000.0]]) for errors in ("learnable", "random"))
    assert low.mean() < llm.surface.at([[2000.0]]).mean() < high.mean()
    assert (llm.surface.draws <= people.surface.draws + 1e-12).all()
    with pytest.raises(InputError, match="wanted more than chance on stance: 20"):
        with_llm_accuracy(opened("stance"), 0.2)
    with pytest.raises(InputError, match="answers of nq are texts"):
        with_llm_accuracy(opened("nq"), 0.9)


def test_an_llm_as_good_as_needed_does_as_well_and_a_worse_one_does_not():
    open_to = opened("fever", LATE)
    best = optimize_task(open_to.task, open_to.options, 300.0).best
    needed = llm_needed(open_to, best.cost_usd, best.score)
    assert 0.5 < needed.accuracy < 1.0
    assert needed.plan.cost_usd <= best.cost_usd
    assert needed.plan.score >= best.score
    for accuracy, is_enough in ((needed.accuracy, True), (needed.accuracy - 0.006, False)):
        stated = with_llm_accuracy(open_to, accuracy)
        llm = [o for o in stated.options if o.route.kind.inputs == ("n_llm_labels",)]
        assert (best_plan(stated.task, llm, best.cost_usd).score >= best.score) is is_enough


def test_what_a_probe_found_of_an_llm_makes_its_labels_an_option():
    """The best of them, above chance, where no run was on labels of an LLM; what is owned or a pool bounds it, too."""
    models = (("chat:small", 55.0), ("chat:large", 92.0), ("chat:guess", 49.0))
    rows = {
        name: CallerRow(
            task="fever", model=name, n_labels=0, score=s, n_runs=1, usd_per_million_texts=None, is_probed=True
        )
        for name, s in models
    }

    def labelers(*names, **terms):
        known = replace(EVIDENCE, callers=tuple(rows[name] for name in names))
        pricing = Pricing(LATE, terms=Terms(**terms))
        open_to = choices(known, "fever", pricing)
        return open_to, reprice(known, open_to, pricing), [o for o in open_to.options if o.route.kind.has_labeler]

    open_to, again, llm = labelers(*rows, pool=5000, owned_labels=100)
    assert {o.route.labeler for o in llm} == {"chat:large"}
    assert all(o.cost.limits["n_llm_labels"] == 5000 for o in llm)
    assert [o.cost for o in again] == [o.cost for o in open_to.options]
    assert any(isinstance(n, LlmRule) for n in open_to.notes)
    (told,) = [n for n in open_to.notes if isinstance(n, OtherLlm)]
    assert told.scored == "chat:large"
    assert labelers("chat:guess")[2] == []
    caller = serving_of(replace(EVIDENCE, callers=(rows["chat:large"],)), TASKS["fever"], Pricing(LATE), None)
    assert [c.source for c in caller.callers] == ["probed on your labels"]


def test_an_llm_whose_labels_were_learnt_from_is_an_option_where_those_runs_are_too_few_for_a_fit():
    """Of four LLMs on css_emotion Flan-T5 large is most often right, 72 % of 298 rows that people labelled, too."""
    known = load_evidence(EVIDENCE.paths, tasks=["css_emotion"])
    right = {m.route.labeler: m.labeler_accuracy for m in known.rows("css_emotion") if m.labeler_accuracy}
    best = max(right, key=right.__getitem__)
    assert best.startswith("recorded:flan-t5-large@")
    assert right[best] == pytest.approx(0.72, abs=0.02)
    open_to = choices(known, "css_emotion", Pricing(LATE, terms=Terms(pool=2000)))
    assert {o.route.labeler for o in open_to.options if o.route.kind.has_labeler} == {best}


def test_students_of_an_llm_that_has_no_texts_to_label_are_told_together():
    """css_ibc has no unlabelled text; its own runs learnt from labels of LLMs."""
    found = CliRunner().invoke(app, ["optimize", "--task", "css_ibc", "--budget", "50", "--rates", "late-2026"])
    rows = [line for line in found.stdout.splitlines() if line.startswith(("llm_annotate", "annotate_plus_llm"))]
    assert len(rows) == 2
    assert all(
        " to 6 students " in row and row.endswith("the pool holds 0 texts; one or more is needed") for row in rows
    )


def test_where_no_accuracy_is_a_question_none_is_told():
    assert llm_needed(opened("nq", LATE), 300.0, 10.0) is None  # answers are texts
    assert llm_needed(opened("stance", LATE), 300.0, 40.0) is None  # the evidence has an LLM
    assert llm_needed(opened("fever", LATE.model_copy(update={"llm": None})), 300.0, 60.0) is None
    assert llm_needed(opened("fever", LATE), 300.0, 99.0) is None  # not even true labels


def test_another_gpu_is_said_to_be_taken_as_the_one_that_was_billed():
    h100 = PAPER.model_copy(update={"gpu": PAPER.gpu.model_copy(update={"model": "H100"})})
    assert OtherGpu(billed="A100", priced="H100") in opened("stance", h100).notes
    assert not any(isinstance(n, OtherGpu) for n in opened("stance").notes)
    assert not any(isinstance(n, OtherGpu) for n in opened("stance", h100, compute="modern").notes)


def test_compute_is_told_where_another_way_of_working_changes_the_answer():
    """On WLP for $300 distilling takes $145 as billed and about a dollar as modelled: that buys more labels."""
    open_to = opened("wlp", LATE)
    plan = best_plan(open_to.task, open_to.options, 300.0)
    note = other_compute(open_to, lambda pricing: choices(EVIDENCE, "wlp", pricing), 300.0, plan)
    assert isinstance(note, ComputeDiffers)
    assert note.compute_usd > 50 * note.other_usd > 0
    assert note.score > plan.score + 1
    same = opened("stance")
    best = best_plan(same.task, same.options, 2000.0)
    assert other_compute(same, lambda pricing: choices(EVIDENCE, "stance", pricing), 2000.0, best) is None


def test_an_llm_on_every_text_has_a_price_a_month_and_a_score_where_somebody_measured_it():
    """33 texts of 36 + 4 tokens and so on: the price of an LLM label, a hundred thousand times a month."""
    stance = TASKS["stance"]
    (card,) = serving_of(EVIDENCE, stance, Pricing(PAPER), 100_000.0).callers
    assert (card.model, card.score) == ("openai/text-davinci-003", None)
    assert card.usd_per_text == pytest.approx(0.0599, rel=0.01)
    assert serving_of(EVIDENCE, stance, Pricing(PAPER), None).callers == ()
    assert serving_of(EVIDENCE, stance, Pricing(PAPER), None, 0.7).callers[0].score == 70.0
    assert serving_of(EVIDENCE, TASKS["nq"], Pricing(PAPER), None, 0.7).callers[0].score is None
    row = CallerRow(task="stance", model="chat:m", n_labels=8, score=61.0, n_runs=1, usd_per_million_texts=250.0)
    measured, _ = serving_of(replace(EVIDENCE, callers=(row,)), stance, Pricing(PAPER), 1.0).callers
    assert (measured.model, measured.score, measured.usd_per_text) == ("chat:m", 61.0, 0.00025)


def test_the_examples_in_a_prompt_are_labels_that_people_give():
    """32 labels at $0.364 are $11.65; of owned ones none is paid for again, and without a price nobody knows."""
    stance, pricing = TASKS["stance"], Pricing(PAPER)
    paid = serving_of(EVIDENCE, stance, pricing, 1.0).callers[0]
    assert (paid.n_labels, paid.cost_usd) == (32, pytest.approx(32 * 0.364))
    for owned, missing in ((30.0, 2), (32.0, 0), (500.0, 0)):
        terms = Terms(owned_labels=owned)
        assert serving_of(EVIDENCE, stance, replace(pricing, terms=terms), 1.0).callers[0].cost_usd == pytest.approx(
            missing * 0.364
        )
    unpriced = replace(pricing, card=PAPER.model_copy(update={"labels": {}}))
    assert serving_of(EVIDENCE, stance, unpriced, 1.0).callers[0].cost_usd is None


def test_a_price_of_a_task_of_ones_own_is_written_into_a_card(tmp_path):
    card = tmp_path / "mine.yaml"
    words = ["rates", "init", str(card), "--task", "mine", "--usd-per-label", "0.25", "--source", "a quote"]
    assert CliRunner().invoke(app, words).exit_code == 0
    price = parse_rates(card.read_text("utf-8")).labels["mine"]
    assert (float(price.usd), price.source) == (0.25, "a quote")
    assert card.read_text("utf-8").count("#") == example_cards()["paper-2023"].read_text("utf-8").count("#")
    other = tmp_path / "other.yaml"
    again = CliRunner().invoke(app, ["rates", "init", str(other), "--task", "stance", "--usd-per-label", "1"])
    assert again.exit_code == 0
    example = parse_rates(example_cards()["paper-2023"].read_text("utf-8")).labels
    changed = parse_rates(other.read_text("utf-8")).labels
    assert float(changed["stance"].usd) == 1.0  # the example's gives way, and no other
    assert {k: v.usd for k, v in changed.items() if k != "stance"} == {
        k: v.usd for k, v in example.items() if k != "stance"
    }


def test_the_json_of_an_answer_has_the_advice_and_what_it_would_replace():
    found = CliRunner().invoke(
        app, ["optimize", "--task", "multipit_id", "--budget", "2000", "--serve", "1k", "--json"]
    )
    task = json.loads(found.stdout)["tasks"]["multipit_id"]
    advice = task["advice"]
    assert advice["plan"] is None
    assert advice["learner"]["student"] == "encoder-lr"
    assert advice["spend_usd"] + advice["kept_usd"] == pytest.approx(2000)
    assert task["llm_on_every_text"][0]["score"] is None


@pytest.mark.parametrize(("task", "usd", "part"), [("fever", 1000.0, "n_llm_labels"), ("wlp", 60.0, "n_labels")])
def test_a_mix_that_comes_down_to_one_label_of_either_is_no_row_of_its_own(task, usd, part):
    """At 70 % one label of the LLM beside 7,750 of people, or of people beside 31,971 of it, is a plan told before."""
    stated = with_llm_accuracy(opened(task, LATE), 0.7)
    answer = optimize_task(stated.task, stated.options, usd)
    (hollow,) = (a for a in answer.allocations if a.route.kind.name == "annotate_plus_llm")
    assert getattr(hollow.design, part) == 1
    assert [a for a in answer.allocations if a is not hollow] == list(answer.distinct)
    asked = ["optimize", "--task", task, "--budget", f"{usd:g}", "--rates", "late-2026", "--llm-accuracy", "70"]
    table = CliRunner().invoke(app, asked)
    assert not any(line.startswith("annotate_plus_llm") for line in table.stdout.splitlines())


def test_a_mix_of_two_is_a_row_beside_its_parts():
    stated = with_llm_accuracy(opened("fever", LATE), 0.9)
    answer = optimize_task(stated.task, stated.options, 300.0)
    assert answer.distinct == answer.allocations
    assert "annotate_plus_llm" in {a.route.kind.name for a in answer.distinct}

"""What stands beside an answer: an LLM on every text, another way of computing, an LLM of another accuracy, prices."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.notes import ComputeDiffers, OtherGpu, OtherLlm
from budgetsim.answers.otherwise import other_compute
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.sensitivity import with_llm_accuracy
from budgetsim.answers.serving import serving_of
from budgetsim.choosing.recommend import best_plan
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
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
    """A student that learns an LLM's errors scores at most what the LLM does."""
    stated = with_llm_accuracy(opened("stance", LATE), 0.6)
    labelers = {o.route.labeler for o in stated.options if o.route.kind.has_labeler}
    assert labelers == {"LLM at 60 %"}
    assert not any(isinstance(n, OtherLlm) for n in stated.notes)
    (llm,) = [o for o in stated.options if o.route.kind.has_labeler]
    assert llm.surface.draws.max() <= 0.6 + 1e-9
    with pytest.raises(InputError, match="wanted more than chance on stance: 20"):
        with_llm_accuracy(opened("stance"), 0.2)
    with pytest.raises(InputError, match="answers of nq are texts"):
        with_llm_accuracy(opened("nq"), 0.9)


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

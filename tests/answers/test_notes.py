"""Typed notes of answers: every type has words, and what a case keeps of a card's notes is decided by type."""

from functools import partial
from typing import get_args

import pytest

from budgetsim.answers import notes
from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.notes import LeftOut, Note
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.sensitivity import trace_sensitivity
from budgetsim.costs.rates import parse_rates
from budgetsim.design.stages import COMPUTE_STAGES
from budgetsim.design.strategies import STRATEGIES
from budgetsim.economics.noisy_labels import ImpliedAccuracy
from budgetsim.report.wording import note_words
from budgetsim.store.location import StorePaths
from made import ROOT

CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
IMPLIED = ImpliedAccuracy(errors="random", lower=0.62, upper=0.71, misfit=0.014, n_points=4)
WORDS = {
    notes.Refusal(message="no"): "no",
    notes.LeftOut(strategy="distill", reason="no price."): "distill left out: no price.",
    notes.NeverRun(strategies=("a", "b"), task="t"): "no run of a or b on t",
    notes.SimulatedLeftOut(("simulated:accuracy=0.9",), ("llm_annotate",)): "llm_annotate with labels of simulated:acc",
    notes.TrainingNotCharged(device_class="cpu"): "no price for a cpu; add a `cpu:`.",
    notes.TrainingNotCharged(device_class=None): "no utilisation",
    notes.ImpliedLlmLabels(prompt_texts=17, usd_per_mtok=2.0, usd_per_label=0.00123, model="m"): "$0.00123 (m)",
    notes.ImpliedTexts(n_rows=3, n_capped=1, pool_size=10_000): "the pool of 10,000",
    notes.OwnedTeacherLabels(): "--owned-labels",
    notes.DaysInSequence(labels_per_day=100, gpus=2): "labels at 100 a day",
    notes.OwnPool(task="mine", n=2000): "the pool is the 2,000 unlabelled texts that mine has; --pool N",
    notes.OwnPool(task="mine", n=0): "the pool is empty, since mine has no unlabelled texts",
    notes.OwnTexts(
        task="mine", n=2600, n_train=600
    ): "no plan asks for more labels than mine has texts: 2,600, of which 600 have a label now (--owned-labels 600",
    notes.BeyondTexts(n=2600): "n_labels is more than the 2,600 texts",
    notes.BeyondPool(name="n_unlabeled", n=2000): "n_unlabeled is more than the 2,000 unlabelled texts",
    notes.ComputeDiffers(
        now="published",
        other="modern",
        budget_usd=300.0,
        compute_usd=145.0,
        other_usd=1.33,
        short="distill XXL to Small",
        score=71.44,
    ): "the plan's compute would cost $1.33, not $145, and $300 would buy 71.4 (distill XXL to Small)",
    notes.OtherLlm(scored="gpt-3.5", priced="m"): "the quality of gpt-3.5, which was scored, at the price of m",
    notes.OtherGpu(billed="A100", priced="H100"): "billed on an A100; the card's H100 is taken to be as fast",
    notes.PlateauRule(): "at most what its teacher does",
    notes.LlmRule(errors="random", classes=4, worth=0.75): "worth 0.75 true ones, its errors random among 4",
    notes.LlmRule(errors="learnable", classes=4): "learns the errors",
    notes.ImpliedLabeler(labeler="gpt", implied=IMPLIED, is_described=True): "62 to 71 % of cases (misfit 1.4 points",
    notes.ImpliedLabeler(
        labeler="gpt", implied=IMPLIED, is_described=False
    ): "no accuracy makes this rule describe gpt",
    notes.NoTeacher(): "no distilled student",
    notes.NoAnnotation(): "no annotation curve",
    notes.NoAccuracyScale(task="nq"): "an answer of nq is text",
    notes.NoCost(reason="no price"): "no cost: no price",
    notes.TableEnd(name="n_labels", n=1e6): "n_labels 1,000,000, where the table ends",
}


def test_every_type_of_note_has_words_with_its_numbers():
    assert {type(note) for note in WORDS} == set(get_args(Note))
    for note, words in WORDS.items():
        assert words in note_words(note)


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), tasks=["stance"])


def test_the_case_of_a_card_says_what_the_card_leaves_out_and_nothing_else(evidence):
    bare = CARD.model_copy(update={"name": "bare", "llm": None})
    open_to = choices(evidence, "stance", Pricing(CARD))
    answer = trace_sensitivity(open_to, 500, partial(choices, evidence, "stance"), cards=[bare])
    (case,) = [c for c in answer.cases if c.name == "bare"]
    assert {note.strategy for note in case.notes if isinstance(note, LeftOut)} == {"llm_annotate", "annotate_plus_llm"}
    assert all(isinstance(note, LeftOut) for note in case.notes)
    assert len(choices(evidence, "stance", Pricing(bare)).notes) > len(case.notes)  # assumptions are no part of it


def test_every_stage_that_a_strategy_names_counts_as_compute():
    stages = {stage for s in STRATEGIES.values() for paces in s.paces.values() for stage in paces}
    assert stages <= set(COMPUTE_STAGES)

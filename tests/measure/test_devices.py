"""What a grid's stages take on GPUs: which stages there are, once each, and how the page tells them."""

import json

import pytest

from budgetsim.costs.hours import ModelledSpeed
from budgetsim.costs.rates import parse_rates
from budgetsim.errors import InputError
from budgetsim.learners.sizes import model_sizes, sizes_of
from budgetsim.measure import get_preset, make_spec
from budgetsim.measure.devices import best_plans_table, devices_json, devices_page, plan_devices
from budgetsim.store.location import example_cards

CARD = parse_rates(example_cards()["paper-2023"].read_text(encoding="utf-8"))
SPEED = ModelledSpeed(
    peak_tflops=312, teacher_training=0.24, labelling=0.14, student_training=0.26, seconds_per_step=0.0
)


def distill(preset="paper", **values):
    recipe = get_preset(preset)
    models = {"teacher": recipe.teacher, "student": recipe.student}
    design = {"task": "stance", "strategy": "distill", "n_labels": 1000, "n_unlabeled": 5000}
    return make_spec(recipe=recipe, **{**models, **design, **values})


def by_kind(found):
    return {stage.kind: stage for stage in found}


def test_a_teacher_and_its_labels_are_paid_for_once_whatever_the_number_of_students():
    specs = [distill(n_unlabeled=u, seed=s) for u in (1000, 5000) for s in (0, 1)]
    stages = by_kind(plan_devices(specs, [80], SPEED, 2.0))
    assert (stages["finetune_teacher"].n, stages["soft_label"].n, stages["train_student"].n) == (2, 2, 4)
    assert stages["finetune_teacher"].steps == 2 * 20 * -(-1000 // 32)
    assert stages["soft_label"].steps == 2 * 5000 / 32  # the larger number of texts holds the smaller
    assert stages["train_student"].steps == 2 * 50 * (-(-1000 // 32) + -(-5000 // 32))


def test_longer_answers_and_prompts_count():
    short, long = (
        by_kind(plan_devices([distill(task=t)], [80], SPEED, None))["train_student"] for t in ("stance", "wlp")
    )
    assert long.plans[0].memory.activations > short.plans[0].memory.activations
    (lm,) = sizes_of("lm:Qwen/Qwen3-14B:shots=2:lora=4")
    assert (lm.rank, lm.source_tokens(100)) == (4, 100 + 24 + 2 * 108)


def test_learners_without_layers_need_no_gpu_and_frozen_ones_only_read():
    modern = distill("modern", teacher="encoder-lr:minilm", student="tfidf-lr")
    (stage,) = plan_devices([modern], [24], SPEED, None)
    assert (stage.kind, stage.best.method, stage.best.memory.gradients) == ("soft_label", "bf16", 0)
    annotate = make_spec(recipe=get_preset("cpu"), task="stance", strategy="annotate", student="tfidf-lr", n_labels=9)
    assert devices_page(plan_devices([annotate], [24], SPEED, None), CARD)[0] == "No stage of these runs needs a GPU."


def test_first_layers_alone_are_smaller_and_ensembles_have_every_member():
    (whole,), (cut,) = sizes_of("ft:minilm"), sizes_of("ft:minilm:layers=2")
    assert whole.sizes.in_layers == 3 * cut.sizes.in_layers
    assert [s.model for s in sizes_of("ensemble:ft:minilm+encoder-lr:minilm")] == ["minilm", "minilm"]
    assert model_sizes("pico").n_parameters < 1e6


def test_the_page_marks_the_cheapest_and_says_what_fits_nowhere():
    found = plan_devices(
        [distill(), distill("modern", teacher="lm:Qwen/Qwen3-14B:lora", student="tfidf-lr")], [24], SPEED, 2.0
    )
    page = devices_page(found, CARD)
    text = "\n".join(part if isinstance(part, str) else "\n".join(part.lines()) for part in page)
    assert text.count("cheapest") == 5  # teacher, labels, student by adapters and whole, Qwen's labels
    assert "finetune_teacher of lm:Qwen/Qwen3-14B:lora on stance: nothing here fits." in text
    assert "16 " in next(line for line in text.splitlines() if "sharded" in line)  # GPUs
    brief = "\n".join(best_plans_table(found).lines())
    assert "nothing fits" in brief
    assert json.loads(json.dumps(devices_json(found, CARD)))["stages"][0]["best"]["fits"] is True


@pytest.mark.parametrize("gib", [0, -24, float("nan"), 1e9])
def test_a_card_of_no_size_is_refused(gib):
    with pytest.raises(InputError, match="wanted GiB of one GPU"):
        plan_devices([distill()], [gib], SPEED, None)


def test_a_model_of_unknown_sizes_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}', encoding="utf-8")
    with pytest.raises(InputError, match="Memory is counted for"):
        model_sizes(str(tmp_path))
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match="name a folder with its"):
        model_sizes(str(tmp_path))

"""Memory by its formula, and the plans that follow from it."""

from dataclasses import replace

import pytest

from budgetsim.costs.hours import ModelledSpeed, forward_flops
from budgetsim.costs.memory import GIB, Load, Way, activations, answering_memory, training_memory
from budgetsim.costs.operations import forward_operations, training_operations
from budgetsim.costs.plans import CARDS_GIB, METHODS, Work, cheapest, plans, usable_bytes
from budgetsim.design.architectures import PUBLISHED, architecture, from_config
from budgetsim.design.models import T5_SHAPES
from budgetsim.errors import InputError

SPEED = ModelledSpeed(
    peak_tflops=312, teacher_training=0.24, labelling=0.14, student_training=0.26, seconds_per_step=0.0
)
XXL, QWEN, LARGE = (architecture(n) for n in ("t5-v1_1-xxl", "Qwen/Qwen3-14B", "answerdotai/ModernBERT-large"))
T5_LOAD, TEXTS = Load(rows=32, source=128, target=8, scored=8), Load(rows=32, source=128, scored=1)


@pytest.mark.parametrize(
    ("name", "printed"),  # millions, as the models' cards print them
    [("Qwen/Qwen3-14B", 14_800), ("answerdotai/ModernBERT-large", 395), ("answerdotai/ModernBERT-base", 149),
     ("sentence-transformers/all-MiniLM-L6-v2", 22.7)],
)  # fmt: skip
def test_sizes_are_those_that_the_models_cards_print(name, printed):
    assert architecture(name).n_parameters / 1e6 == pytest.approx(printed, rel=0.005)


@pytest.mark.parametrize("name", T5_SHAPES)
def test_a_t5_has_the_parameters_and_operations_counted_for_it_elsewhere(name):
    model, shape = architecture(name), T5_SHAPES[name]
    assert model.n_parameters == shape.n_parameters
    one = Load(rows=1, source=87, target=5, scored=5)
    assert forward_operations(model, one) == pytest.approx(forward_flops(shape, 87, 5).total, rel=1e-12)


def test_adam_in_fp32_takes_sixteen_bytes_a_parameter_and_sharding_divides_them():
    n = XXL.n_parameters
    whole = training_memory(XXL, Way(), T5_LOAD)
    assert whole.weights + whole.gradients + whole.optimizer == 16 * n
    shared = training_memory(XXL, Way(devices=4), replace(T5_LOAD, rows=128))
    assert shared.gradients + shared.optimizer == 12 * n / 4
    assert shared.activations == whole.activations  # each device has as many rows
    gathered = shared.weights - 4 * n / 4
    assert 0 < gathered < 0.4 * n


def test_eight_bits_save_six_bytes_a_parameter_and_adapters_all_but_two():
    bf16 = training_memory(QWEN, Way(precision="bf16"), TEXTS)
    small = training_memory(QWEN, Way(precision="bf16", optimizer="adamw_8bit"), TEXTS)
    assert bf16.total - small.total == 6 * QWEN.n_parameters
    lora = training_memory(QWEN, Way(precision="bf16", rank=16), TEXTS)
    adapters = QWEN.adapters(16)
    assert adapters / QWEN.n_parameters < 0.01
    assert lora.total - lora.activations == 2 * QWEN.n_parameters + 18 * adapters


def test_bf16_keeps_fewer_bytes_and_checkpointing_fewer_still_in_proportion_to_the_texts():
    kept = [
        activations(LARGE, way, TEXTS)
        for way in (Way(), Way(precision="bf16"), Way(precision="bf16", checkpointing=True))
    ]
    assert kept == sorted(kept, reverse=True)
    assert kept[2] < kept[1] / 5
    twice = activations(LARGE, Way(), replace(TEXTS, rows=64))
    assert twice == pytest.approx(2 * kept[0])


def test_attention_scores_grow_with_the_square_of_the_length_where_they_are_kept():
    def of(model, source):
        return activations(model, Way(), Load(rows=1, source=source, target=1))

    def curvature(model):
        return of(model, 400) - 2 * of(model, 300) + of(model, 200)

    assert curvature(XXL) > 100 * curvature(LARGE) > 0


def test_frozen_weights_save_a_third_of_a_step_and_checkpointing_adds_a_third():
    full, frozen, twice = (
        training_operations(LARGE, way, TEXTS) for way in (Way(), Way(rank=8), Way(checkpointing=True))
    )
    assert (frozen / full, twice / full) == pytest.approx((2 / 3, 4 / 3))


def test_plans_of_three_models_on_three_cards():
    found = {
        (name, card): {
            p.method: p
            for p in plans(Work(model=model, load=load, typical=load, steps=625, share=0.24), card, SPEED, 2.0)
        }
        for name, model, load in (("xxl", XXL, T5_LOAD), ("qwen", QWEN, TEXTS), ("large", LARGE, TEXTS))
        for card in CARDS_GIB
    }
    fits = {key: {m for m, p in of.items() if p.fits} for key, of in found.items()}
    assert fits["xxl", 24] == {"fsdp"}  # its frozen weights in bf16 alone take 20.7 GiB
    assert fits["xxl", 40] == fits["xxl", 80] == {"lora", "fsdp"}
    assert fits["qwen", 24] == {"fsdp"}
    assert fits["qwen", 80] == {"lora", "fsdp"}
    assert fits["large", 24] == set(METHODS)
    assert [found["xxl", c]["fsdp"].way.devices for c in CARDS_GIB] == [16, 8, 4]
    assert found["qwen", 40]["lora"].way.checkpointing
    assert cheapest(list(found["xxl", 80].values())).method == "lora"
    assert cheapest(list(found["xxl", 80].values()), all_weights=True).method == "fsdp"
    assert cheapest(list(found["large", 24].values()), all_weights=True).method == "bf16"  # not 8bit: it is no cheaper
    assert cheapest([p for p in found["xxl", 24].values() if p.method != "fsdp"]) is None


def test_a_plan_that_fits_is_within_the_card_and_costs_its_hours():
    for plan in plans(Work(model=XXL, load=T5_LOAD, typical=T5_LOAD, steps=10, share=0.24), 80, SPEED, 3.0):
        assert plan.fits == (plan.memory.total <= usable_bytes(80))
        if plan.fits:
            assert plan.usd == pytest.approx(3 * plan.device_hours)
            assert plan.rows * plan.way.devices <= 32


def test_a_larger_card_never_costs_more():
    work = Work(model=QWEN, load=TEXTS, typical=TEXTS, steps=10, share=0.24)
    hours = [cheapest(plans(work, card, SPEED, None), all_weights=True).device_hours for card in (24, 40, 80, 141)]
    assert hours == sorted(hours, reverse=True)


def test_waiting_for_launches_is_paid_for_every_piece_and_device():
    slow = replace(SPEED, seconds_per_step=10.0)
    (plan,) = plans(
        Work(model=LARGE, load=TEXTS, typical=TEXTS, steps=36, share=0.24), 24, slow, None, methods=("bf16",)
    )
    assert plan.device_hours == pytest.approx(36 * 10 / 3600 * 32 / plan.rows)


def test_answering_takes_weights_and_one_layer():
    memory = answering_memory(XXL, "bf16", Load(rows=64, source=128, target=4, scored=4))
    assert memory.weights == 2 * XXL.n_parameters
    assert memory.gradients == memory.optimizer == 0
    assert memory.activations < 3 * GIB
    methods = [
        p.method
        for p in plans(
            Work(model=XXL, load=T5_LOAD, typical=T5_LOAD, steps=1, share=0.1, trains=False), 24, SPEED, None
        )
    ]
    assert methods == ["fp32", "bf16", "fsdp"]


def test_configs_that_cannot_be_counted_are_refused():
    with pytest.raises(InputError, match="the config says 'mamba'"):
        from_config({"model_type": "mamba"})
    with pytest.raises(InputError, match="lacks num_hidden_layers"):
        from_config({k: v for k, v in PUBLISHED["Qwen/Qwen3-14B"].items() if k != "num_hidden_layers"})
    with pytest.raises(InputError, match="not known here; known are"):
        architecture("nobody/nothing")

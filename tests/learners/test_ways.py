"""Ways to train the same thing: in pieces, layers twice, in bf16, by several processes."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.ways import check_way, settle

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

from budgetsim.learners import finetune, models  # noqa: E402
from budgetsim.learners.finetune import TrainExample  # noqa: E402
from budgetsim.learners.lora import merge, wrap  # noqa: E402
from budgetsim.learners.trainer import Optimisation  # noqa: E402

HOW = Optimisation(steps=3, batch=8, lr=1e-2, weight_decay=0.01, warmup_share=0.4)
ROWS = [
    TrainExample([5 + (7 * i + j) % 40 for j in range(4 + i % 5)], [5 + i % 3, 1]) for i in range(24)
]  # equal answers


def tiny():
    return models.build_cpu("pico", 60, seed=0)


def trained(how, rows=ROWS, model=None):
    model = model or tiny()
    finetune.train(model, rows, how)
    return {name: value.float() for name, value in model.state_dict().items()}


def apart(a, b):
    """How far two trainings are from each other, beside how far the first went from its start; Euclidean norms."""
    start = tiny().state_dict()
    went = sum(((a[name] - start[name]) ** 2).sum().item() for name in a)
    return (sum(((a[name] - b[name]) ** 2).sum().item() for name in a) / went) ** 0.5


@pytest.mark.parametrize(
    "change", [{"micro_batch": 2}, {"checkpointing": True}, {"micro_batch": 4, "checkpointing": True}]
)
def test_pieces_and_layers_twice_are_the_same_steps(change):
    """Adam divides by the root of the second moment, which lets rounding of tiny gradients show."""
    whole = trained(HOW)
    assert apart(whole, trained(replace(HOW, **change))) < 0.01
    assert apart(whole, trained(replace(HOW, steps=2))) > 0.1  # what another training differs by


def test_checkpointing_is_off_again_once_it_has_been_trained():
    model = tiny()
    trained(replace(HOW, checkpointing=True), model=model)
    assert not any(getattr(part, "gradient_checkpointing", False) for part in model.modules())


def test_bf16_trains_weights_in_fp32_to_about_the_same():
    whole, rounded = trained(HOW), trained(replace(HOW, precision="bf16"))
    assert 0 < apart(whole, rounded) < 1.5
    assert all(value.dtype == torch.float32 for value in tiny().state_dict().values())


def test_adapters_leave_frozen_weights_in_bf16_and_are_trained_in_fp32():
    model = wrap(tiny(), 4, "bf16")
    kinds = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    before = {n: w.clone() for n, w in model.named_parameters() if w.requires_grad}
    finetune.train(model, ROWS, replace(HOW, precision="bf16"))
    assert any(not torch.equal(before[n], w) for n, w in model.named_parameters() if n in before)
    assert merge(model)(input_ids=torch.tensor([[5, 6]]), labels=torch.tensor([[5]])).loss.isfinite()


def test_a_gpu_with_less_room_takes_smaller_pieces_and_then_layers_twice():
    model, lengths = tiny(), ([200], [8])
    room = [settle(model, HOW, lengths, room=mib * 2**20) for mib in (1000, 15, 9)]
    assert (room[0].micro_batch, room[0].checkpointing) == (0, False)
    assert (room[1].micro_batch, room[1].checkpointing) == (2, False)
    assert (room[2].micro_batch, room[2].checkpointing) == (2, True)
    assert settle(model, replace(HOW, micro_batch=4), lengths, room=1.0).micro_batch == 4  # named: left alone
    assert settle(model, HOW, lengths, room=1.0) == replace(HOW, checkpointing=True, micro_batch=1)
    assert settle(model, HOW, lengths) == HOW  # a CPU
    odd = settle(model, replace(HOW, batch=9), lengths, room=25 * 2**20)
    assert odd.micro_batch == 3  # of equal pieces
    assert check_way(odd) == odd


def test_what_is_not_to_be_had_here_is_refused(monkeypatch):
    with pytest.raises(InputError, match="A batch of 8 cannot be cut into 3 rows"):
        check_way(replace(HOW, micro_batch=3))
    with pytest.raises(InputError, match="on 3 devices"):
        check_way(replace(HOW, devices=3))
    with pytest.raises(InputError, match="CUDA GPUs alone, and torch finds none"):
        check_way(replace(HOW, optimizer="adamw_8bit"))
    with pytest.raises(InputError, match="trained by adamw_torch; found the optimiser adafactor"):
        check_way(replace(HOW, devices=2, optimizer="adafactor"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(MissingExtraError, match="pip install bitsandbytes"):
        check_way(replace(HOW, optimizer="adamw_8bit"))
    with pytest.raises(InputError, match="shared by 2 GPUs, and this machine has 1"):
        check_way(replace(HOW, devices=2))
    monkeypatch.undo()
    adapted = wrap(tiny(), 2)
    with pytest.raises(InputError, match="Adapters fit one GPU"):
        finetune.train(adapted, ROWS, replace(HOW, devices=2))


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="two processes on CPUs")
@pytest.mark.parametrize("change", [{}, {"micro_batch": 2, "checkpointing": True}])
def test_two_processes_that_share_a_model_train_what_one_does(change):
    """FSDP2 over gloo: gradients are means of two halves of a batch, added in another order; within 1 % of the way moved."""
    one = trained(HOW)
    two = trained(replace(HOW, devices=2, **change))
    assert apart(one, two) < 0.01


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="two processes on CPUs")
def test_a_process_that_fails_is_told_in_a_line():
    from budgetsim.errors import BudgetsimError

    broken = [*ROWS[:-1], TrainExample([10_000], [5, 1])]  # a token that there is none of
    with pytest.raises(BudgetsimError, match="Training on 2 devices failed: IndexError"):
        trained(replace(HOW, devices=2), rows=broken)


def test_a_model_that_is_trained_by_two_comes_back_in_place():
    from budgetsim.learners.sharded import layers

    model = tiny()
    assert len(list(layers(model))) == 2 * 2  # of encoder and decoder
    assert copy.deepcopy(model).state_dict().keys() == model.state_dict().keys()

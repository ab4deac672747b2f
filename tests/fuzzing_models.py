"""Checkpoints of others for `fuzzing.py`: files of weights, and folders that hold a whole model."""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from fuzzing_tools import hurt_bytes, hurt_value

KINDS: Final = {"ft:": ("bert", "AutoModel"), "encoder-lr:": ("deberta", "AutoModel"), "lm:": ("llama", "AutoModelForCausalLM"), "": ("t5", "AutoModel")}  # fmt: skip


def _safetensors(rng: random.Random) -> bytes:
    """A small file of safetensors, its header or its bytes hurt."""
    header: Any = {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}, "__metadata__": {"format": "pt"}}
    data = struct.pack("4f", 1.0, 2.0, 3.0, 4.0)
    if rng.random() < 0.6:
        header = hurt_value(header, rng)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    whole = struct.pack("<Q", len(text)) + text + data
    return hurt_bytes(whole, rng) if rng.random() < 0.5 else whole


def weights(rng: random.Random, folder: Path) -> None:
    """A folder of weights, its file or the index of it hurt: refused in words, or whole and finite."""
    from budgetsim.learners.tensors import INDEX, SINGLE, check_tensors, count_held, weight_files

    home = folder / f"weights{rng.randrange(10**9)}"  # what was looked at is remembered by name
    home.mkdir()
    try:
        if rng.random() < 0.3:
            index = hurt_value({"metadata": {"total_size": 16}, "weight_map": {"a": "part.safetensors"}}, rng)
            (home / INDEX).write_bytes(json.dumps(index).encode("utf-8", "surrogatepass"))
            (home / "part.safetensors").write_bytes(_safetensors(rng))
        else:
            (home / SINGLE).write_bytes(_safetensors(rng))
        files = weight_files(home)
        assert all(file.parent == home and file.suffix == ".safetensors" for file in files)
        check_tensors(files)
        held = count_held(files)
    finally:
        shutil.rmtree(home)
    assert held.tensors > 0
    assert 0 <= held.numbers <= 10**12


@cache
def _gguf(folder: Path) -> bytes:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(folder / "whole.gguf", "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_block_count(1)
    writer.add_tensor("a.weight", np.zeros((4, 64), dtype=np.float32))
    writer.add_tensor("b.weight", np.zeros(64, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (folder / "whole.gguf").read_bytes()


def ggufs(rng: random.Random, folder: Path) -> None:
    """A gguf with wrong bytes, most of them in its head."""
    from budgetsim.learners.tensors import check_gguf

    whole = _gguf(folder)
    head = hurt_bytes(whole[:600], rng)
    file = folder / f"m{rng.randrange(10**9)}.gguf"
    file.write_bytes(head + whole[600:] if rng.random() < 0.8 else hurt_bytes(whole, rng))
    try:
        held = check_gguf(file)
    finally:
        file.unlink()
    assert held.tensors > 0
    assert 0 <= held.numbers <= 10**12


@cache
def _whole_models(folder: Path) -> dict[str, Path]:
    from tiny_models import save_model

    return {word: save_model(folder / "models" / kind, kind, auto=auto) for word, (kind, auto) in KINDS.items()}


def checkpoints(rng: random.Random, folder: Path) -> None:
    """One file of a model's folder hurt: refused, or loaded, taught for a step and finite in what it answers."""
    import numpy as np

    from budgetsim.learners.protocol import Desk, Examples, Training
    from budgetsim.learners.registry import parse_learner
    from tiny_models import made_texts, make_task, true_answers

    word = rng.choice(list(KINDS))
    home = folder / f"model{rng.randrange(10**9)}"
    shutil.copytree(_whole_models(folder)[word], home)
    spoil(home, rng)
    task, texts = make_task(), made_texts(4, 0)
    how = Training(steps=1, batch=4, lr=1e-3, max_tokens=32)
    try:
        examples = Examples(sources=texts, answers=true_answers(task, texts))
        fitted = parse_learner(f"{word}{home}").fit(task, examples, how, Desk(home / "desk"))
        logits = fitted.logits(texts)
    finally:
        shutil.rmtree(home)
    assert logits.shape == (4, 2)
    assert np.isfinite(logits).all()
    assert math.isfinite(float(np.abs(logits).max()))


def spoil(folder: Path, rng: random.Random) -> None:
    """One file of a checkpoint: a value of it changed, bytes changed, or the file gone."""
    place = rng.choice(sorted(file for file in folder.iterdir() if file.is_file()))
    data = place.read_bytes()
    if rng.random() < 0.05:
        place.unlink()
    elif place.suffix == ".json" and rng.random() < 0.7:
        place.write_bytes(json.dumps(hurt_value(json.loads(data), rng)).encode("utf-8", "surrogatepass"))
    else:
        place.write_bytes(hurt_bytes(data, rng))


MODELS: dict[str, Callable[[random.Random, Path], None]] = {
    "weights": weights, "ggufs": ggufs, "checkpoints": checkpoints,
}  # fmt: skip

"""A tiny random T5 v1.1 with its own tokenizer and an untied output matrix, and tiny task files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

WORDS = [f"w{i}" for i in range(40)]
LABELS = ("no", "yes")


def tiny_random_t5(*, d_model: int = 16, seed: int = 0, vocab_size: int = 5 + len(WORDS)) -> Any:
    """A random T5 v1.1 of a few thousand parameters."""
    from transformers import T5Config

    from budgetsim.learners.models import build_random_t5

    config = T5Config(
        vocab_size=vocab_size, d_model=d_model, d_kv=8, d_ff=32, num_layers=1, num_decoder_layers=1, num_heads=2,
        feed_forward_proj="gated-gelu", dropout_rate=0.0, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        tie_word_embeddings=False,
    )  # fmt: skip
    return build_random_t5(config, seed)


def save_tiny_t5(folder: Path, *, d_model: int = 16, seed: int = 0) -> Path:
    """Weights (safetensors), config and tokenizer of a T5 v1.1 of a few thousand parameters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocab = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *LABELS, *WORDS])}
    unknown = "<unk>"
    plain = Tokenizer(models.WordLevel(vocab, unk_token=unknown))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    plain.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": unknown}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, **marks)
    folder.mkdir(parents=True)
    tiny_random_t5(d_model=d_model, seed=seed, vocab_size=len(vocab)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_rows(n: int, seed: int) -> list[tuple[str, str]]:
    """Texts whose label is whether w0 stands in them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        words = [WORDS[i] for i in rng.integers(1, len(WORDS) - 1, size=5)]
        positive = bool(rng.random() < 0.5)
        rows.append((" ".join([*words, "w0" if positive else "w1", f"t{seed}x{number}"]), LABELS[positive]))
    return rows


def write_tiny_task(folder: Path) -> dict[str, Path]:
    """train.csv, test.jsonl and unlabeled.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {"train": folder / "train.csv", "test": folder / "test.jsonl", "unlabeled": folder / "unlabeled.txt"}
    places["train"].write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in tiny_rows(60, 1)), encoding="utf-8")
    lines = [json.dumps({"text": t, "label": y}) for t, y in tiny_rows(24, 2)]
    places["test"].write_text("\n".join(lines) + "\n", encoding="utf-8")
    places["unlabeled"].write_text("\n".join(t for t, _ in tiny_rows(40, 3)) + "\n", encoding="utf-8")
    return places

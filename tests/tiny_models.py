"""Checkpoints of a few thousand random weights with a word-piece tokenizer of their own, for every architecture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from budgetsim.data.tasks import Task

FILLERS = ("the", "a", "room", "bed", "view", "was", "is", "very", "night", "door", "w1", "w2", "w12", "w21")
WORDS = ("good", "bad", "no", "yes", "Choose", "label", "of", "each", "text", "Text", "Label", ".", ",", ":")
PIECES = ("w", "##1", "##2", *(f for f in FILLERS if not f.startswith("w") or f == "was"))
# padding 0 and end 1, as T5 has them
MARKS = {"pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
VOCABULARY = {word: i for i, word in enumerate((*MARKS.values(), *WORDS, *PIECES))}


PAD, SEP, CLS = (VOCABULARY[f"[{mark}]"] for mark in ("PAD", "SEP", "CLS"))
DECODERS = ("qwen3", "llama")


def save_tokenizer(folder: Path, kind: str) -> None:
    """Word pieces: `w12` is `w ##1 ##2`; a decoder's has an end mark alone, a T5's no beginning."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))  # noqa: S106
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", CLS), ("[SEP]", SEP)]
    marks, names = MARKS, ["input_ids", "token_type_ids", "attention_mask"]
    if kind == "t5":
        plain.post_processor = processors.TemplateProcessing(single="$A [SEP]", special_tokens=ends[1:])
        marks, names = {"pad_token": "[PAD]", "eos_token": "[SEP]", "unk_token": "[UNK]"}, [names[0], names[2]]
    elif kind in DECODERS:
        marks, names = {"eos_token": "[SEP]", "unk_token": "[UNK]"}, [names[0], names[2]]
    else:
        plain.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
        )
    made = PreTrainedTokenizerFast(tokenizer_object=plain, model_input_names=names, model_max_length=64, **marks)
    made.save_pretrained(folder)


def save_model(folder: Path, kind: str, *, seed: int = 0, layers: int = 2, auto: str = "AutoModel") -> Path:
    """A random checkpoint of an architecture, its base model alone unless `auto` says otherwise."""
    import torch
    import transformers

    config = _config(kind, layers)
    torch.manual_seed(seed)
    if kind == "t5":
        from budgetsim.learners.models import build_random_t5

        model = build_random_t5(config, seed)
    else:
        model = getattr(transformers, auto).from_config(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    save_tokenizer(folder, kind)
    return folder


def _config(kind: str, layers: int) -> Any:
    import transformers as t

    common: dict[str, Any] = {
        "vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": layers,
        "num_attention_heads": 2, "max_position_embeddings": 96, "initializer_range": 0.1,
    }  # fmt: skip
    decoder = {"num_key_value_heads": 1, "head_dim": 16, "bos_token_id": None, "eos_token_id": SEP}
    marks = {"pad_token_id": PAD, "cls_token_id": CLS, "sep_token_id": SEP, "bos_token_id": CLS, "eos_token_id": SEP}
    makers = {
        "bert": lambda: t.BertConfig(**common),
        "mpnet": lambda: t.MPNetConfig(**{**common, "pad_token_id": 0}),
        "modernbert": lambda: t.ModernBertConfig(**common, **marks, global_attn_every_n_layers=2, local_attention=8),
        "deberta": lambda: t.DebertaV2Config(
            **common, relative_attention=True, position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True,
            pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
        ),
        "qwen3": lambda: t.Qwen3Config(**common, **decoder, tie_word_embeddings=True),
        "llama": lambda: t.LlamaConfig(**common, **decoder),
        "t5": lambda: t.T5Config(
            vocab_size=len(VOCABULARY), d_model=32, d_kv=16, d_ff=48, num_layers=1, num_decoder_layers=1, num_heads=2,
            feed_forward_proj="gated-gelu", dropout_rate=0.0, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
            tie_word_embeddings=False,
        ),
    }  # fmt: skip
    return makers[kind]()


def edit_config(folder: Path, **changes: Any) -> None:
    """Change keys of a checkpoint's config."""
    place = folder / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


def edit_weights(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the tensors of a checkpoint."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def make_task(kind: str = "classification", **changes: Any) -> Task:
    """A task of made texts: two labels, or tags of words."""
    labels = {"classification": ("no", "yes"), "tagging": ("O", "B-good", "B-bad")}.get(kind, ())
    values: dict[str, Any] = {
        "name": f"made_{kind}", "kind": kind, "metric": "accuracy", "constant_score": 0.5, "constant_answer": "no",
        "floors": (0.5,), "n_test": 40, "source_tokens": 8.0, "target_tokens": 2.0, "description": "made",
        "labels": labels, "origin": "custom",
    }  # fmt: skip
    return Task(**{**values, **changes})


def made_texts(n: int, seed: int) -> list[str]:
    """Sentences of fillers with `good` or `bad` in one place."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        words = [FILLERS[i] for i in rng.integers(0, len(FILLERS), size=int(rng.integers(3, 8)))]
        words.insert(int(rng.integers(0, len(words))), "good" if rng.random() < 0.5 else "bad")
        made.append(" ".join(words))
    return made


def true_answers(task: Task, sources: list[str]) -> list[str]:
    """The label of each text, or the tags of its words."""
    if task.kind == "tagging":
        tags = {"good": "B-good", "bad": "B-bad"}
        return [" ".join(tags.get(word, "O") for word in source.split()) for source in sources]
    return ["yes" if "good" in source.split() else "no" for source in sources]


def teacher_logits(task: Task, sources: list[str], height: float = 2.0) -> np.ndarray:
    """Logits of a teacher who is right and not certain, of each text or of each word."""
    answers = " ".join(true_answers(task, sources)).split()
    return np.array([[height * (label == answer) for label in task.labels] for answer in answers], dtype=np.float32)

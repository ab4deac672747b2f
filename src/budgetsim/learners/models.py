"""Models: the T5 v1.1 sizes, the CPU family built from configs, and checkpoints by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from transformers import AutoConfig, T5Config, T5ForConditionalGeneration

from budgetsim.design.models import CPU_SHAPES, SHAPES, T5_SHAPES, T5_VOCABULARY
from budgetsim.errors import InputError
from budgetsim.learners import pretrained
from budgetsim.learners.hub import load_there
from budgetsim.learners.pretrained import is_none, load_model
from budgetsim.learners.weights import check_weights, open_weights

SEQ2SEQ: Final = "AutoModelForSeq2SeqLM"
EMBEDDING_STD: Final = 0.1  # with unscaled logits, std 1 starts at a loss far above ln(vocabulary)


def config_of(name: str, vocab_size: int = T5_VOCABULARY) -> T5Config:
    """The configuration of a size of T5 v1.1 or of the CPU family; logits are not scaled in either.

    raises : InputError naming the sizes
    """
    if name not in SHAPES:
        raise InputError(f"There is no size {name!r}; known are {', '.join(SHAPES)}.")
    shape = SHAPES[name]
    values: dict[str, Any] = {
        "vocab_size": vocab_size,
        "d_model": shape.d_model,
        "d_kv": shape.d_kv,
        "d_ff": shape.d_ff,
        "num_layers": shape.n_layers,
        "num_decoder_layers": shape.n_layers,
        "num_heads": shape.n_heads,
        "feed_forward_proj": "gated-gelu",
        "dropout_rate": 0.0 if name in CPU_SHAPES else 0.1,
        "tie_word_embeddings": False,  # here this only turns the scaling of the logits off; see `untie`
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    return T5Config(**values)


def build_cpu(name: str, vocab_size: int, seed: int) -> T5ForConditionalGeneration:
    """A model of the CPU family from scratch: tied embeddings of std 0.1, unscaled logits."""
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(config_of(name, vocab_size))
    nn.init.normal_(model.shared.weight, std=EMBEDDING_STD)
    return model


def build_meta(name: str, layers: int | None = None) -> T5ForConditionalGeneration:
    """A size of T5 v1.1 without weights (meta device), its output matrix untied as in the real one.

    layers : of the encoder and of the decoder, where not the size's own number
    """
    config = config_of(name)
    if layers is not None:
        config.num_layers = config.num_decoder_layers = layers
    with torch.device("meta"):
        return untie(T5ForConditionalGeneration(config))


def build_random_t5(config: T5Config, seed: int) -> T5ForConditionalGeneration:
    """A T5 v1.1 of any shape with random weights and an untied output matrix, for tests."""
    torch.manual_seed(seed)
    model = untie(T5ForConditionalGeneration(config))
    nn.init.normal_(model.shared.weight, std=EMBEDDING_STD)
    nn.init.normal_(model.lm_head.weight, std=EMBEDDING_STD)
    return model


def untie(model: T5ForConditionalGeneration) -> T5ForConditionalGeneration:
    """Give the model an output matrix of its own: transformers 5 always ties those built from a config."""
    weight = model.lm_head.weight
    model.config.tie_word_embeddings = False
    model.lm_head.weight = nn.Parameter(torch.empty_like(weight) if weight.is_meta else weight.detach().clone())
    return model


def load_checkpoint(name: str) -> Any:
    """A seq2seq checkpoint by hub name or folder, safetensors only, whole, never with code of its own.

    raises : InputError where it is not there, not whole or not a seq2seq model
    """
    weights = open_weights(hub_name(name))
    check_weights(weights)
    try:
        return load_model(weights, SEQ2SEQ, pretrained.load_config(weights), fresh=is_none)[0]
    except InputError as error:
        raise InputError(f"{error} A seq2seq checkpoint is wanted here, or one of {', '.join(CPU_SHAPES)}.") from None


def placed(model: Any, precision: str = "fp32") -> Any:
    """A model where models work, ready to answer: in bf16 on a GPU where that is the precision."""
    where = pretrained.device()
    return model.to(where, torch.bfloat16 if where.type == "cuda" and precision == "bf16" else None).eval()


def load_config(name: str) -> Any:
    """The configuration of a size known here, or of a checkpoint folder or hub name."""
    if name in SHAPES:
        return config_of(name)
    try:
        return load_there(AutoConfig.from_pretrained, name)
    except (OSError, ValueError) as error:
        raise InputError(f"The configuration of {name} cannot be loaded ({str(error).splitlines()[0]}).") from None


def hub_name(name: str) -> str:
    """Name on the hub of a T5 v1.1 size; any other name as it is.

    >>> hub_name("t5-v1_1-small")
    'google/t5-v1_1-small'
    """
    return f"google/{name}" if name in T5_SHAPES else name


def parameters(model: nn.Module) -> int:
    """Number of distinct parameters."""
    return sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())


def load_cpu(name: str, vocab_size: int, folder: Path) -> T5ForConditionalGeneration:
    """A saved model of the CPU family; a config that is read back would scale the logits again."""
    from safetensors.torch import load_model

    model = T5ForConditionalGeneration(config_of(name, vocab_size))
    load_model(model, folder / "model.safetensors")
    return model

"""Architectures: the sizes that memory and operations depend on, from a config as it is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from budgetsim.design.models import SHAPES, T5_VOCABULARY, T5Shape
from budgetsim.errors import InputError

Family = Literal["t5", "bert", "modernbert", "decoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Arrays that a layer keeps for its backward pass, counted a token, as transformers 5 writes the layer.

    norms : of the layer's width, in fp32 whatever the precision (norms and the residual stream)
    reads : of its width, what linear layers read: in bf16 each keeps a copy of its own
    shared : the same in fp32, where they share
    heads, heads_fp32 : of the width of all heads, in the precision of products and in fp32
    keys, keys_fp32 : of the width of the heads of keys
    inner : of the width of the feed-forward
    scores : of heads times the tokens attended, in fp32; 0 where a fused kernel keeps none of them
    masks, inner_masks, score_masks : of dropout, a byte each, of the widths above
    """

    norms: int
    reads: int
    shared: int
    heads: int
    heads_fp32: int = 0
    keys: int = 0
    keys_fp32: int = 0
    inner: int
    scores: int = 0
    masks: int = 0
    inner_masks: int = 0
    score_masks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers that are alike, one above the other."""

    n_layers: int
    width: int
    n_heads: int
    n_key_heads: int
    head_width: int
    inner: int  # width of the feed-forward
    n_inner: int  # its matrices: 3 where it is gated, else 2
    crossed: bool = False  # whether a layer attends an encoder besides itself
    fused: bool = False  # whether queries, keys and values, and the feed-forward's two, are one matrix each
    small: int = 0  # parameters of a layer besides its matrices: norms, biases
    kept: Kept

    @property
    def heads(self) -> int:
        """Width of all heads."""
        return self.n_heads * self.head_width

    @property
    def keys(self) -> int:
        """Width of all heads of keys."""
        return self.n_key_heads * self.head_width

    @property
    def attention(self) -> int:
        """Parameters of one attention block's matrices."""
        return 2 * self.width * (self.heads + self.keys)

    @property
    def matrices(self) -> int:
        """Parameters of a layer's matrices."""
        return self.attention * (2 if self.crossed else 1) + self.n_inner * self.width * self.inner

    @property
    def layer(self) -> int:
        """Parameters of a layer."""
        return self.matrices + self.small

    @property
    def ends(self) -> int:
        """Inputs and outputs of a layer's matrices: what adapters of rank one on all of them have in parameters."""
        if self.fused:
            return 4 * self.width + 2 * self.heads + 2 * self.keys + 3 * self.inner
        block = 4 * self.width + 2 * self.heads + 2 * self.keys
        return block * (2 if self.crossed else 1) + self.n_inner * (self.width + self.inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A model's sizes.

    stacks : an encoder, a decoder, or an encoder and its decoder
    n_vocabularies : matrices of vocabulary times width: 2 where input and output have their own
    rest : parameters outside layers and vocabularies
    writes : whether it gives scores of its vocabulary; else of a few classes
    n_labels : classes of its head, where it writes nothing
    """

    family: Family
    stacks: tuple[Stack, ...]
    vocabulary: int
    n_vocabularies: int
    rest: int
    writes: bool
    n_labels: int = 0

    @property
    def width(self) -> int:
        """Width of its layers."""
        return self.stacks[-1].width

    @property
    def in_layers(self) -> int:
        """Parameters of all layers."""
        return sum(s.n_layers * s.layer for s in self.stacks)

    @property
    def outside(self) -> int:
        """Parameters outside its layers."""
        head = self.n_labels * (self.width + 1)
        return self.n_vocabularies * self.vocabulary * self.width + self.rest + head

    @property
    def n_parameters(self) -> int:
        """All parameters.

        >>> architecture("Qwen/Qwen3-14B").n_parameters
        14768307200
        """
        return self.in_layers + self.outside

    def adapters(self, rank: int) -> int:
        """Parameters of adapters of that rank on every matrix of its layers, and of a head that is trained whole.

        source : Hu et al. (2022), LoRA, arXiv 2106.09685: a matrix of (n, m) gets r (n + m)
        """
        head = 0 if self.writes else self.rest_of_head
        return rank * sum(s.n_layers * s.ends for s in self.stacks) + head

    @property
    def rest_of_head(self) -> int:
        """Parameters of a classifier's head: one matrix of its width, and the classes."""
        return self.width * (self.width + 1) + self.n_labels * (self.width + 1)

    def with_layers(self, n: int) -> Architecture:
        """The first layers of each stack alone."""
        return replace(self, stacks=tuple(replace(s, n_layers=n) for s in self.stacks))


def t5(shape: T5Shape, vocabulary: int = T5_VOCABULARY, n_vocabularies: int = 2) -> Architecture:
    """A model of T5 v1.1's kind: gated feed-forward, no biases, relative positions in the first layer of each stack.

    Its attention adds a bias that is learnt, and so keeps its scores; its GELU is written out and keeps seven arrays.
    """
    encoder = Stack(
        n_layers=shape.n_layers, width=shape.d_model, n_heads=shape.n_heads, n_key_heads=shape.n_heads,
        head_width=shape.d_kv, inner=shape.d_ff, n_inner=3, small=2 * shape.d_model,
        kept=Kept(
            norms=4, reads=5, shared=2, heads=1, heads_fp32=3, inner=7, scores=1, masks=2, inner_masks=1, score_masks=1
        ),
    )  # fmt: skip
    decoder = replace(
        encoder, crossed=True, small=3 * shape.d_model,
        kept=Kept(
            norms=6, reads=6, shared=3, heads=3, heads_fp32=3, inner=7, scores=1, masks=3, inner_masks=1, score_masks=1
        ),
    )  # fmt: skip
    rest = 2 * shape.d_model + 2 * 32 * shape.n_heads
    return Architecture(
        family="t5", stacks=(encoder, decoder), vocabulary=vocabulary, n_vocabularies=n_vocabularies, rest=rest,
        writes=True,
    )  # fmt: skip


def architecture(name: str) -> Architecture:
    """The architecture of a model whose sizes are known here: a size of T5, or one of `PUBLISHED`.

    raises : InputError naming them

    >>> architecture("answerdotai/ModernBERT-large").n_parameters
    395833346
    """
    if name.removeprefix("google/") in SHAPES:
        return t5(SHAPES[name.removeprefix("google/")])
    if name not in PUBLISHED:
        raise InputError(f"The sizes of {name!r} are not known here; known are {', '.join((*SHAPES, *PUBLISHED))}.")
    return from_config(PUBLISHED[name])


def from_config(config: Mapping[str, Any], n_labels: int = 2) -> Architecture:
    """The architecture that a config.json describes.

    n_labels : classes of the head of an encoder
    raises : InputError where the kind of model is none of those counted here, or a size is missing
    """
    kind = str(config.get("model_type"))
    family = _FAMILIES.get(kind)
    if family is None:
        raise InputError(f"Memory is counted for {', '.join(_FAMILIES)}; the config says {kind!r}.")
    try:
        return _BUILD[family](config, n_labels)
    except KeyError as error:
        raise InputError(f"The config of a {kind} lacks {error.args[0]}, which its memory depends on.") from None


def _t5(c: Mapping[str, Any], n_labels: int) -> Architecture:
    shape = T5Shape(
        d_model=c["d_model"], d_kv=c["d_kv"], d_ff=c["d_ff"], n_heads=c["num_heads"], n_layers=c["num_layers"]
    )  # fmt: skip
    return t5(shape, c["vocab_size"], 1 if c.get("tie_word_embeddings", True) else 2)


def _bert(c: Mapping[str, Any], n_labels: int) -> Architecture:
    h, f = c["hidden_size"], c["intermediate_size"]
    stack = Stack(
        n_layers=c["num_hidden_layers"], width=h, n_heads=c["num_attention_heads"],
        n_key_heads=c["num_attention_heads"], head_width=h // c["num_attention_heads"], inner=f, n_inner=2,
        small=9 * h + f, kept=Kept(norms=2, reads=4, shared=2, heads=4, inner=2, masks=2),
    )  # fmt: skip
    positions = c.get("max_position_embeddings", 512) + c.get("type_vocab_size", 2)
    return Architecture(
        family="bert", stacks=(stack,), vocabulary=c["vocab_size"], n_vocabularies=1,
        rest=(positions + 2) * h + h * h + h, writes=False, n_labels=n_labels,
    )  # fmt: skip


def _modernbert(c: Mapping[str, Any], n_labels: int) -> Architecture:
    h, heads = c["hidden_size"], c["num_attention_heads"]
    stack = Stack(
        n_layers=c["num_hidden_layers"], width=h, n_heads=heads, n_key_heads=heads, head_width=h // heads,
        inner=c["intermediate_size"], n_inner=3, small=2 * h, fused=True,
        kept=Kept(norms=2, reads=2, shared=2, heads=6, inner=4),
    )  # fmt: skip
    return Architecture(  # the norms of embeddings, end and head, less the one that the first layer lacks
        family="modernbert", stacks=(stack,), vocabulary=c["vocab_size"], n_vocabularies=1, rest=2 * h + h * h,
        writes=False, n_labels=n_labels,
    )  # fmt: skip


def _decoder(c: Mapping[str, Any], n_labels: int) -> Architecture:
    h, heads = c["hidden_size"], c["num_attention_heads"]
    keys, head = c.get("num_key_value_heads") or heads, c.get("head_dim") or h // heads
    is_normed = c["model_type"] == "qwen3"  # queries and keys
    biases = (heads + 2 * keys) * head if c["model_type"] == "qwen2" else 0
    stack = Stack(
        n_layers=c["num_hidden_layers"], width=h, n_heads=heads, n_key_heads=keys, head_width=head,
        inner=c["intermediate_size"], n_inner=3, small=2 * h + biases + (2 * head if is_normed else 0),
        kept=Kept(
            norms=4, reads=5, shared=2, heads=5 if is_normed else 4, heads_fp32=int(is_normed), keys=int(is_normed),
            keys_fp32=int(is_normed), inner=4,
        ),
    )  # fmt: skip
    return Architecture(
        family="decoder", stacks=(stack,), vocabulary=c["vocab_size"],
        n_vocabularies=1 if c.get("tie_word_embeddings", False) else 2, rest=h, writes=True,
    )  # fmt: skip


_FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {"t5": "t5", "bert": "bert", "modernbert": "modernbert"}
    | dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), "decoder")  # type: ignore[arg-type]
)
_BUILD: Final = {"t5": _t5, "bert": _bert, "modernbert": _modernbert, "decoder": _decoder}

# As the models' own config.json say; the numbers of parameters that follow are those their cards print.
PUBLISHED: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "Qwen/Qwen3-14B": {
            "model_type": "qwen3", "hidden_size": 5120, "num_hidden_layers": 40, "num_attention_heads": 40,
            "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 17408, "vocab_size": 151936,
            "tie_word_embeddings": False,
        },
        "answerdotai/ModernBERT-large": {
            "model_type": "modernbert", "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16,
            "intermediate_size": 2624, "vocab_size": 50368,
        },
        "answerdotai/ModernBERT-base": {
            "model_type": "modernbert", "hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12,
            "intermediate_size": 1152, "vocab_size": 50368,
        },
        "sentence-transformers/all-MiniLM-L6-v2": {
            "model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
            "intermediate_size": 1536, "vocab_size": 30522,
        },
    }
)  # fmt: skip

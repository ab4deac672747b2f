"""Bytes that training or running a model takes on a GPU, by part, as a function of its sizes.

Weights, gradients and the optimiser's state are counted as Rajbhandari et al. (2020), ZeRO, arXiv 1910.02054, do: 16
bytes a parameter for Adam in fp32, divided by the devices where they are sharded. Activations follow Korthikanti et al.
(2022), arXiv 2205.05198: arrays that a layer keeps for its backward pass, times their bytes; which arrays these are is
a matter of how the layer is written, and stands in `design.architectures.Kept`. With gradient checkpointing (Chen et
al. 2016, arXiv 1604.06174) a layer keeps its input alone, and one layer at a time is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from budgetsim.design.architectures import Architecture, Stack

Precision = Literal["fp32", "bf16"]

GIB: Final = 2**30
FP32: Final = 4
BF16: Final = 2
# Bytes of an optimiser's state for each parameter that is trained; of Adam in 8 bits: Dettmers et al. (2022), arXiv
# 2110.02861; Adafactor's rows and columns are nothing beside them: Shazeer & Stern (2018), arXiv 1804.04235.
STATE: Final[Mapping[str, float]] = MappingProxyType(
    {"adamw_torch": 8.0, "adamw_torch_fused": 8.0, "adamw_8bit": 2.0, "adafactor": 0.02, "sgd": 0.0}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What goes through a model in one pass.

    rows : texts; source, target : tokens of each, padding included, target 0 without a decoder beside an encoder
    scored : positions of each that the vocabulary is scored at
    """

    rows: int
    source: int
    target: int = 0
    scored: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of the pass."""
        return self.rows * (self.source + self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to train, as far as memory and speed depend on it.

    precision : bf16 computes products in bf16 from weights in fp32 (autocast); frozen weights are then kept in bf16
    rank : of adapters beside frozen weights; 0 trains every weight
    devices : that weights, gradients and state are sharded over, and rows divided among
    """

    precision: Precision = "fp32"
    checkpointing: bool = False
    optimizer: str = "adamw_torch_fused"
    rank: int = 0
    devices: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on one device, by part.

    weights : with the copies in bf16 that products are computed from, and what sharding gathers
    """

    weights: float
    gradients: float = 0.0
    optimizer: float = 0.0
    activations: float = 0.0

    @property
    def total(self) -> float:
        """All of them: the most there may be at once, as gradients grow while activations go."""
        return self.weights + self.gradients + self.optimizer + self.activations


def training_memory(model: Architecture, way: Way, load: Load, *, mask_bytes: int = 1) -> Memory:
    """Bytes of training on one device.

    load : of all devices together; mask_bytes : of an element of a dropout mask (1 on a GPU, 0 without dropout)
    """
    n, shards = model.n_parameters, way.devices
    trained = model.adapters(way.rank) if way.rank else n
    copies = BF16 * (trained if way.rank else _multiplied(model)) if way.precision == "bf16" else 0
    held = (BF16 if way.precision == "bf16" else FP32) * n + FP32 * trained if way.rank else FP32 * n
    gathered = _gathered(model, way)
    return Memory(
        weights=held / shards + (gathered if shards > 1 else copies),
        gradients=FP32 * trained / shards,
        optimizer=STATE[way.optimizer] * trained / shards,
        activations=activations(model, way, _share(load, shards), mask_bytes),
    )


def answering_memory(model: Architecture, precision: Precision, load: Load, devices: int = 1) -> Memory:
    """Bytes of answering: weights, and what the widest layer holds while it works."""
    e = BF16 if precision == "bf16" else FP32
    mine = _share(load, devices)
    widest = max(_layer(s, model, mine, precision, 0) for s in model.stacks)
    gathered = _gathered(model, Way(precision=precision, devices=devices)) if devices > 1 else 0
    return Memory(weights=e * model.n_parameters / devices + gathered, activations=widest + _scores(model, mine, e))


def activations(model: Architecture, way: Way, load: Load, mask_bytes: int = 1) -> float:
    """Bytes kept for the backward pass, and the gradient of the scores where it begins."""
    e = BF16 if way.precision == "bf16" else FP32
    layers = [_layer(s, model, load, way.precision, mask_bytes) for s in model.stacks]
    ends = sum(_tokens(s, model, load) * s.width * 3 * FP32 for s in model.stacks)  # embedding, last norm
    if not way.checkpointing:
        return sum(s.n_layers * a for s, a in zip(model.stacks, layers, strict=True)) + ends + _scores(model, load, e)
    inputs = sum(s.n_layers * _tokens(s, model, load) * s.width * FP32 for s in model.stacks)
    return inputs + max(layers) + ends + _scores(model, load, e)


def _share(load: Load, devices: int) -> Load:
    """The rows of one device, at least one."""
    rows = -(-load.rows // devices)
    return Load(rows=rows, source=load.source, target=load.target, scored=load.scored)


def _tokens(stack: Stack, model: Architecture, load: Load) -> int:
    return load.rows * (load.target if stack.crossed else load.source)


def _layer(stack: Stack, model: Architecture, load: Load, precision: Precision, mask_bytes: int) -> float:
    """Bytes that one layer keeps."""
    k, e = stack.kept, BF16 if precision == "bf16" else FP32
    own = load.target if stack.crossed else load.source
    attended = own + (load.source if stack.crossed else 0)
    reads = k.reads if precision == "bf16" else k.shared
    token = (
        stack.width * (FP32 * k.norms + e * reads + mask_bytes * k.masks)
        + stack.heads * (e * k.heads + FP32 * k.heads_fp32)
        + stack.keys * (e * k.keys + FP32 * k.keys_fp32)
        + stack.inner * (e * k.inner + mask_bytes * k.inner_masks)
    )
    dropped = FP32 + mask_bytes if mask_bytes else 0
    per_score = k.scores * FP32 + k.score_masks * dropped
    token += stack.n_heads * attended * per_score if k.scores else e * attended  # else the mask of a fused kernel
    kept = load.rows * own * token
    if stack.crossed:  # keys and values of the source, and what they are made of
        kept += load.rows * load.source * (2 * stack.heads * e + (2 * stack.width * e if precision == "bf16" else 0))
    return kept


def _scores(model: Architecture, load: Load, e: int) -> float:
    """Log-probabilities of the vocabulary in fp32, and the gradients of scores in both precisions."""
    return load.rows * load.scored * model.vocabulary * (2 * FP32 + 2 * e) if model.writes else 0.0


def _multiplied(model: Architecture) -> int:
    """Parameters that products are computed from: an input matrix of the vocabulary is looked up."""
    is_tied = model.writes and model.n_vocabularies == 1
    return model.n_parameters - (0 if is_tied else model.vocabulary * model.width)


def _gathered(model: Architecture, way: Way) -> float:
    """What sharding holds whole for a while: two layers and all that is outside layers, and a gradient of the largest.

    source : Zhao et al. (2023), PyTorch FSDP, arXiv 2304.11277: the next layer is gathered while one works
    """
    e = BF16 if way.precision == "bf16" else FP32
    layer = max(s.layer for s in model.stacks)
    return e * (2 * layer + model.outside) + FP32 * max(layer, model.outside)

"""Ways to train: refused where this machine has not what they need, and fitted to the memory that a GPU has."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from budgetsim.costs.memory import Load, Way
from budgetsim.costs.plans import LOST, Work, form_that_fits
from budgetsim.design.architectures import from_config
from budgetsim.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from budgetsim.learners.trainer import Optimisation

EIGHT_BIT: Final = "adamw_8bit"
SHARDED: Final = ("adamw_torch", "adamw_torch_fused")
logger = logging.getLogger("budgetsim.learners")


def check_way(how: Optimisation) -> Optimisation:
    """Refuse what cannot be done here, before anything is spent.

    raises : InputError where numbers do not go together or devices are not there, MissingExtraError for bitsandbytes
    """
    _check_pieces(how)
    gpus = torch.cuda.device_count()
    if how.optimizer == EIGHT_BIT and not gpus:
        raise InputError("8-bit Adam works on CUDA GPUs alone, and torch finds none here; take bf16 or lora.")
    if how.optimizer == EIGHT_BIT and importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError("8-bit Adam needs bitsandbytes: pip install bitsandbytes, or take bf16 or lora.")
    if how.devices > 1:
        _check_shared(how, gpus)
    return how


def _check_pieces(how: Optimisation) -> None:
    if how.batch % how.devices or how.batch % (how.rows_at_once * how.devices):
        raise InputError(
            f"A batch of {how.batch} cannot be cut into {how.rows_at_once} rows at a time on {how.devices} devices; "
            f"wanted numbers that divide it."
        )


def _check_shared(how: Optimisation, gpus: int) -> None:
    if gpus and how.devices > gpus:
        raise InputError(f"The model is to be shared by {how.devices} GPUs, and this machine has {gpus}.")
    if how.optimizer not in SHARDED:
        raise InputError(f"A shared model is trained by {SHARDED[0]}; found the optimiser {how.optimizer}.")


def settle(model: Any, how: Optimisation, lengths: Sequence[Sequence[int]], room: float | None = None) -> Optimisation:
    """How to train so that it fits the GPU: pieces of a batch, then layers computed twice, as the formula says.

    room : bytes; None asks the GPU, and leaves everything as it is where there is none or the way was named
    """
    room = _free_bytes() if room is None else room
    if room is None or how.checkpointing or how.micro_batch:
        return how
    work, way = _work(model, how, lengths)
    found = None if work is None else form_that_fits(work, way, room)
    if work is None:
        return how
    if found is None:
        logger.warning(
            "The formula says that this does not fit the GPU: `measure --dry-run --gpu-memory` says what does."
        )
        return replace(how, checkpointing=True, micro_batch=1)
    way, rows = found
    return replace(how, checkpointing=way.checkpointing, micro_batch=rows if rows < how.batch // how.devices else 0)


def _free_bytes() -> float | None:
    return (1 - LOST) * torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None


def _work(model: Any, how: Optimisation, lengths: Sequence[Sequence[int]]) -> tuple[Work | None, Way]:
    """What a model and its rows are to the formula; None for kinds of model that it does not know."""
    ranks = {c.r for c in getattr(model, "peft_config", {}).values()}
    way = Way(
        precision="bf16" if how.precision == "bf16" else "fp32", optimizer=how.optimizer, rank=max(ranks, default=0),
        devices=how.devices,
    )  # fmt: skip
    config = model.config.to_dict()
    try:
        sizes = from_config(config, int(config.get("num_labels") or len(config.get("id2label") or {}) or 2))
    except InputError:
        return None, way
    source, target = max(lengths[0]), max(lengths[1]) if len(lengths) > 1 else 0
    scored = target or (1 if sizes.writes else 0)
    load = Load(rows=how.batch // how.devices, source=source, target=target, scored=scored)
    return Work(model=sizes, load=load, typical=load, steps=how.steps, share=1.0, optimizer=how.optimizer), way

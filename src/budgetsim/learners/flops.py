"""Floating point operations, counted on one step by torch's own counter."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def count_step(model: Any, *, batch: int, source_tokens: int, target_tokens: int, training: bool) -> int:
    """FLOPs of one forward (and, in training, backward) pass at these shapes; meta models need no memory.

    No attention mask is given: on the meta device its content cannot be read.
    """
    device = next(model.parameters()).device
    ids = torch.zeros(batch, source_tokens, dtype=torch.long, device=device)
    labels = torch.zeros(batch, target_tokens, dtype=torch.long, device=device)
    model.train(training)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        loss = model(input_ids=ids, labels=labels).loss
        if training:
            loss.backward()
    model.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def forward_per_token(model: Any, tokens: int = 128) -> float | None:
    """FLOPs per token of reading one text, counted on a model without weights; None where it needs them to run."""
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()(input_ids=torch.zeros(1, tokens, dtype=torch.long, device="meta"))
    except Exception:  # architectures that look at their numbers, each with an error of its own
        return None
    return counter.get_total_flops() / tokens


def count_size(name: str, *, source_tokens: int, target_tokens: int, training: bool) -> int:
    """FLOPs of one example at a size of T5 v1.1, counted on one and on two layers.

    Layers are alike, so every further one adds what the second did: the same count as on the whole model, sooner.
    """
    from budgetsim.design.models import T5_SHAPES
    from budgetsim.learners.models import build_meta

    one, two = (
        count_step(
            build_meta(name, layers), batch=1, source_tokens=source_tokens, target_tokens=target_tokens,
            training=training,
        )
        for layers in (1, 2)
    )  # fmt: skip
    return one + (T5_SHAPES[name].n_layers - 1) * (two - one)


def per_token(model: Any, *, source_tokens: int, target_tokens: int, training: bool) -> float:
    """FLOPs per source and target token of one example at this shape, counted on a copy without weights."""
    from transformers import T5ForConditionalGeneration

    key = (repr(sorted(model.config.to_diff_dict().items(), key=str)), source_tokens, target_tokens, training)
    if key not in _counted:
        with torch.device("meta"):
            copy = T5ForConditionalGeneration(model.config)
        flops = count_step(
            copy, batch=1, source_tokens=source_tokens, target_tokens=target_tokens, training=training
        )  # fmt: skip
        _counted[key] = flops / (source_tokens + target_tokens)
    return _counted[key]


_counted: dict[tuple[str, int, int, bool], float] = {}

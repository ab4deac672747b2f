"""Floating point operations of a pass through any architecture that memory is counted for."""

from __future__ import annotations

from budgetsim.costs.memory import Load, Way
from budgetsim.design.architectures import Architecture, Stack


def forward_operations(model: Architecture, load: Load) -> float:
    """Operations of one forward pass: two a parameter and token, attention scores, and the vocabulary where scored.

    source : Kaplan et al. (2020), arXiv 2001.08361, with cross-attention; of a T5 the same as `hours.forward_flops`
    """
    layers = sum(s.n_layers * _layer(s, load) for s in model.stacks)
    scored = 2.0 * load.scored * model.width * model.vocabulary if model.writes else 0.0
    return load.rows * (layers + scored)


def training_operations(model: Architecture, way: Way, load: Load) -> float:
    """Operations of one step: the backward pass takes two forwards, one where weights are frozen.

    With gradient checkpointing the forward pass runs twice (Chen et al. 2016, arXiv 1604.06174).
    """
    passes = (2 if way.rank else 3) + (1 if way.checkpointing else 0)
    return passes * forward_operations(model, load)


def _layer(stack: Stack, load: Load) -> float:
    own = load.target if stack.crossed else load.source
    feed_forward = stack.n_inner * stack.width * stack.inner
    work = 2.0 * own * (stack.attention + feed_forward) + 4.0 * own * own * stack.heads
    if stack.crossed:
        asked, told = 2 * stack.width * stack.heads, 2 * stack.width * stack.keys
        work += 2.0 * (own * asked + load.source * told) + 4.0 * own * load.source * stack.heads
    return work

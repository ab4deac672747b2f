"""Training of a seq2seq model on hard labels or a teacher's soft ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.utils.rnn import pad_sequence

from budgetsim.learners import trainer
from budgetsim.learners.distill import LabelHead, StateHead, label_loss, state_loss
from budgetsim.learners.trainer import IGNORE, Loss, Optimisation, Trained, pad

__all__ = ["IGNORE", "Optimisation", "TrainExample", "Trained", "collate", "train"]

SOFT_INPUTS: Final = ("label_probs", "states", "is_gold")


@dataclass(frozen=True, slots=True)
class TrainExample:
    """One training example: ids in, ids out, and at most one kind of soft target.

    label_probs : (classes,) teacher's probabilities at the temperature, for the first output token
    states : (tokens out, d_teacher) teacher's last decoder states
    """

    source: list[int]
    target: list[int]
    label_probs: torch.Tensor | None = None
    states: torch.Tensor | None = None


def train(
    model: Any,
    examples: Sequence[TrainExample],
    how: Optimisation,
    *,
    soft: LabelHead | StateHead | None = None,
    checkpoints: Path | None = None,
    checkpoint_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
    loss: Loss | None = None,
) -> Trained:
    """Train a model in place; with `checkpoints`, go on from the newest one that is whole.

    loss : another one than cross entropy on hard labels and KL at a temperature on soft ones

    The same model, examples and `how` give the same weights, to the bit, on one machine with one thread.
    """
    return trainer.train(
        model,
        examples,
        how,
        lengths=([len(e.source) for e in examples], [len(e.target) for e in examples]),
        collate=collate,
        loss=loss or Taught(soft),
        checkpoints=checkpoints,
        checkpoint_every=checkpoint_every,
        progress=progress,
    )


@dataclass(frozen=True, slots=True)
class Taught:
    """Cross entropy on hard labels, KL at a temperature on soft ones; padding is never scored."""

    soft: LabelHead | StateHead | None

    def __call__(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        taught: dict[str, Any] = {name: inputs.pop(name) for name in SOFT_INPUTS if name in inputs}
        outputs = model(**inputs)
        if isinstance(self.soft, LabelHead):
            return label_loss(outputs.logits, inputs["labels"], taught["label_probs"], self.soft)
        if isinstance(self.soft, StateHead):
            return state_loss(outputs.logits, inputs["labels"], taught["states"], taught["is_gold"], self.soft)
        hard: torch.Tensor = outputs.loss
        return hard


def collate(batch: Sequence[TrainExample]) -> dict[str, torch.Tensor]:
    """Pad a batch: (batch, longest) ids with 0, labels with -100, soft targets beside them."""
    sources = pad([e.source for e in batch], 0)
    made = {
        "input_ids": sources,
        "attention_mask": (sources != 0).long(),
        "labels": pad([e.target for e in batch], IGNORE),
    }
    if batch[0].label_probs is not None:
        made["label_probs"] = torch.stack([e.label_probs for e in batch if e.label_probs is not None])
    if any(e.states is not None for e in batch):
        width = next(e.states.shape[1] for e in batch if e.states is not None)
        states = [e.states if e.states is not None else torch.zeros(len(e.target), width) for e in batch]
        made["states"] = pad_sequence([s.float() for s in states], batch_first=True)
        made["is_gold"] = torch.tensor([e.states is None for e in batch])
    return made

"""What a fine-tuned model is asked: one class a text (or pair of texts). `tagger` asks for one a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812

from budgetsim.data.formats import split_fields
from budgetsim.data.tasks import Task
from budgetsim.learners.distill import kl_tokens
from budgetsim.learners.protocol import Examples, Probabilities
from budgetsim.learners.trainer import Batch, pad

Encoded = dict[str, list[int]]
Pick = Callable[[torch.Tensor, list[list[int]] | None], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Row:
    """One text to be trained on.

    inputs : what the tokenizer made of it; classes : (k,) its hard answers, one, or one a word
    teacher : (k, classes) logits, None where it is taught hard; places : (k,) tokens that are asked, None for the text
    """

    inputs: Encoded
    classes: NDArray[np.int64]
    teacher: NDArray[np.float32] | None = None
    places: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A way to ask: how texts become inputs, rows come of examples, and answers of logits.

    task_type : as peft calls it
    encode : (tokenizer, task, sources, most tokens) to inputs, and the tokens that are asked
    rows : (task, examples, inputs, places) to rows
    pick : (model's logits, places of each text) to (all that is asked, classes)
    spread : (task, sources, logits of what was asked, places) to the logits of `Fitted.logits`
    read : (task, sources, those logits) to answers
    """

    task_type: str
    encode: Callable[[Any, Task, Sequence[str], int], tuple[list[Encoded], list[list[int]] | None]]
    rows: Callable[[Task, Examples, list[Encoded], list[list[int]] | None], list[Row]]
    pick: Pick
    spread: Callable[[Task, Sequence[str], Probabilities, list[list[int]] | None], Probabilities]
    read: Callable[[Task, Sequence[str], Probabilities], list[str]]


def encode_texts(
    tokenizer: Any, task: Task, sources: Sequence[str], max_tokens: int
) -> tuple[list[Encoded], list[list[int]] | None]:
    """Inputs of texts, pairs as pairs; the longer text of a pair is cut first."""
    parts = [split_fields(source, task.fields) for source in sources]
    if len(task.fields) == 2 and all(len(part) == 2 for part in parts):
        made = tokenizer([a for a, _ in parts], [b for _, b in parts], truncation=True, max_length=max_tokens)
    else:
        made = tokenizer(list(sources), truncation=True, max_length=max_tokens)
    return split_rows(made, len(sources)), None


def text_rows(task: Task, examples: Examples, inputs: list[Encoded], places: list[list[int]] | None) -> list[Row]:
    """One class and at most one row of the teacher's logits for each text."""
    classes = examples.classes(task.labels)
    return [
        Row(encoded, classes[i : i + 1], examples.logits[i : i + 1] if soft and examples.logits is not None else None)
        for i, (encoded, soft) in enumerate(zip(inputs, soft_rows(examples), strict=True))
    ]


def soft_rows(examples: Examples) -> list[bool]:
    """Which examples are taught by the teacher's logits."""
    if examples.logits is None:
        return [False] * len(examples)
    return [True] * len(examples) if examples.is_gold is None else (~examples.is_gold).tolist()


def all_logits(logits: torch.Tensor, places: list[list[int]] | None) -> torch.Tensor:
    """A text is asked once: its logits are all there are."""
    return logits


TEXTS = Head(
    task_type="SEQ_CLS",
    encode=encode_texts,
    rows=text_rows,
    pick=all_logits,
    spread=lambda task, sources, logits, places: logits,
    read=lambda task, sources, logits: [task.labels[i] for i in logits.argmax(1)],
)


@dataclass(frozen=True, slots=True)
class Collate:
    """What makes a batch: inputs padded, targets of all that is asked one under the other."""

    pad_id: int
    classes: int

    def __call__(self, batch: Sequence[Row]) -> Batch:
        soft = np.concatenate([np.full(len(row.classes), row.teacher is not None) for row in batch])
        none = [np.zeros((len(row.classes), self.classes), dtype=np.float32) for row in batch]
        teacher = [row.teacher if row.teacher is not None else blank for row, blank in zip(batch, none, strict=True)]
        return {
            "inputs": pad_inputs([row.inputs for row in batch], self.pad_id),
            "classes": torch.from_numpy(np.concatenate([row.classes for row in batch])),
            "teacher": torch.from_numpy(np.concatenate(teacher)).float(),
            "is_soft": torch.from_numpy(soft),
            "places": [row.places for row in batch],
        }


@dataclass(frozen=True, slots=True)
class LossOfRows:
    """The loss of a batch that `Collate` made."""

    pick: Pick
    temperature: float

    def __call__(self, model: Any, batch: Batch) -> torch.Tensor:
        asked = self.pick(model(**batch["inputs"]).logits, batch["places"])
        return mixed_loss(asked, batch["classes"], batch["teacher"], batch["is_soft"], self.temperature)


def mixed_loss(
    logits: torch.Tensor, classes: torch.Tensor, teacher: torch.Tensor, is_soft: torch.Tensor, temperature: float
) -> torch.Tensor:
    r"""Mean over rows: KL to the teacher at a temperature, times its square, where soft; else cross entropy.

    .. math:: T^2 \, \mathrm{KL}(\mathrm{softmax}(u / T) \,\|\, \mathrm{softmax}(z / T)), \quad -\log q_y

    logits, teacher : (rows, classes); classes, is_soft : (rows,)
    source : Hinton, Vinyals and Dean (2015), arXiv 1503.02531
    """
    hard = F.cross_entropy(logits.float(), classes, reduction="none")
    if not bool(is_soft.any()):
        return hard.mean()
    return torch.where(is_soft, kl_tokens(logits, teacher, temperature), hard).mean()


def pad_inputs(rows: Sequence[Encoded], pad_id: int) -> dict[str, torch.Tensor]:
    """Padded tensors of what a tokenizer gave, (rows, longest) each."""
    fill = {"input_ids": pad_id}
    return {name: pad([row[name] for row in rows], fill.get(name, 0)) for name in rows[0]}


def split_rows(made: Any, n: int) -> list[Encoded]:
    """What a tokenizer gave for many texts, text by text."""
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in made]
    return [{name: made[name][i] for name in names} for i in range(n)]

"""Fine-tuning of a checkpoint with a head: build, train, answer, save and load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.learners.checks import check_answers
from budgetsim.learners.features import longest
from budgetsim.learners.finetuned import HEADS, Finetuned
from budgetsim.learners.heads import TEXTS, Collate, Head, LossOfRows, pad_inputs
from budgetsim.learners.lora import adapt, load_adapters
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.pooling import read_mean, reads_mean
from budgetsim.learners.pretrained import device, is_head, is_none, load_config, load_model, load_tokenizer
from budgetsim.learners.protocol import Desk, Effort, Examples, Probabilities, Stateless, Training
from budgetsim.learners.tagger import WORDS
from budgetsim.learners.trainer import Optimisation, train
from budgetsim.learners.weights import Weights, check_weights, open_weights

ASKS: Final[dict[TaskKind, Head]] = {"classification": TEXTS, "tagging": WORDS}
BATCH: Final = 64
HEAD_RATE: Final = 10.0  # times the learning rate, for weights that are new (docs/measuring.md)


def tune(learner: Finetuned, task: Task, examples: Examples, how: Training, desk: Desk) -> TunedFitted:
    """A checkpoint taught by examples."""
    head, weights = ASKS[task.kind], open_weights(learner.model)
    tokenizer = load_tokenizer(weights)
    rank = learner.adapter_rank(how)
    model, new = build(learner, weights, tokenizer, task, rank, how.seed, how.precision)
    max_tokens = min(how.max_tokens, longest(tokenizer, model.config))
    inputs, places = head.encode(tokenizer, task, examples.sources, max_tokens)
    rows = [row for row in head.rows(task, examples, inputs, places) if len(row.classes)]
    trained = train(
        model, rows, replace(Optimisation.of(how), faster={} if rank else dict.fromkeys(new, HEAD_RATE)),
        lengths=([len(row.inputs["input_ids"]) for row in rows],),
        collate=Collate(tokenizer.pad_token_id, len(task.labels)),
        loss=LossOfRows(head.pick, how.temperature),
        checkpoints=desk.folder / "checkpoints", checkpoint_every=desk.checkpoint_every, progress=desk.progress,
    )  # fmt: skip
    effort = Effort(examples=trained.examples, tokens=trained.tokens, resumed_at=trained.resumed_at)
    return TunedFitted(learner.name, task, model.eval(), tokenizer, max_tokens, rank, effort, how.precision)


def build(
    learner: Finetuned, weights: Weights, tokenizer: Any, task: Task, rank: int, seed: int, precision: str = "fp32"
) -> tuple[Any, list[str]]:
    """The checkpoint with a head for the task's labels and its adapters, and the names of the weights that are new."""
    names = dict(enumerate(task.labels))
    config = load_config(
        weights, learner.layers, num_labels=len(names), id2label=names, label2id={v: k for k, v in names.items()}
    )
    config.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(seed)
    model, new = load_model(weights, HEADS[task.kind], config, fresh=is_head)
    if task.kind == "classification" and reads_mean(weights, learner.layers):
        read_mean(model)
    return (adapt(model, rank, ASKS[task.kind].task_type, new, precision) if rank else model), new


def load_tuned(learner: Finetuned, task: Task, folder: Path) -> TunedFitted:
    """A fine-tuned checkpoint that was saved.

    raises : InputError where the folder does not hold one
    """
    notes = read_notes(folder, learner.name, task)
    saved = Weights(str(folder), str(folder), folder, None)
    tokenizer = load_tokenizer(saved)
    rank = int(notes["rank"])
    if rank:
        base, _ = build(learner, open_weights(learner.model), tokenizer, task, rank=0, seed=0)
        model = load_adapters(base, folder, learner.name)
    else:
        check_weights(saved)
        model, _ = load_model(saved, HEADS[task.kind], load_config(saved), fresh=is_none)
        if getattr(model.config, "reads_mean", False):
            read_mean(model)
    return TunedFitted(
        learner.name, task, model.to(device()), tokenizer, notes["max_tokens"], rank, effort_of(notes),
        notes.get("precision", "fp32"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TunedFitted(Stateless):
    """A fine-tuned checkpoint in memory."""

    name: str
    task: Task
    model: Any
    tokenizer: Any
    max_tokens: int
    rank: int
    effort: Effort
    precision: str = "fp32"  # in which it answers, as it was taught

    def answer(self, sources: Sequence[str]) -> list[str]:
        return ASKS[self.task.kind].read(self.task, sources, self.logits(sources))

    @torch.no_grad()
    def logits(self, sources: Sequence[str]) -> Probabilities:
        head = ASKS[self.task.kind]
        inputs, places = head.encode(self.tokenizer, self.task, sources, self.max_tokens)
        self.model.eval()
        asked: list[np.ndarray] = [np.empty(0)] * len(inputs)
        order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]["input_ids"]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batch = pad_inputs([inputs[i] for i in rows], self.tokenizer.pad_token_id)
            with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                found = self.model(**{k: v.to(self.model.device) for k, v in batch.items()}).logits
            picked = head.pick(found, None if places is None else [places[i] for i in rows]).float().cpu().numpy()
            ends = np.cumsum([1 if places is None else len(places[i]) for i in rows])
            for i, part in zip(rows, np.split(picked, ends[:-1]), strict=True):
                asked[i] = part
        flat = np.concatenate(asked) if asked else np.zeros((0, len(self.task.labels)), dtype=np.float32)
        return head.spread(self.task, sources, check_answers(self.name, flat), places)

    def save(self, folder: Path) -> None:
        write_notes(
            folder, self.name, self.task, self.effort, max_tokens=self.max_tokens, rank=self.rank,
            precision=self.precision,
        )  # fmt: skip
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

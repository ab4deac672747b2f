"""`encoder-lr`: a pretrained encoder that stays as it is, and logistic regression on its sentence vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.encoder import MAX_TOKENS, LogisticHead
from budgetsim.learners.linear import fit_head, load_head, save_head
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.options import split_options
from budgetsim.learners.protocol import (
    SOFT,
    Desk,
    Effort,
    Examples,
    Facts,
    Probabilities,
    Signal,
    Stateless,
    Training,
)  # fmt: skip
from budgetsim.learners.tfidf import need_sklearn
from budgetsim.learners.weights import check_model_name, check_weights, model_name, open_weights, resolve, weigh

GRAMMAR: Final = "encoder-lr[:MODEL]"
USUAL: Final = "minilm"


def parse(name: str, rest: str) -> Frozen:
    """The learner of a name; `minilm-lr` is what `encoder-lr` is called as a teacher.

    raises : InputError for options and models that cannot be
    """
    if not rest and ":" not in name:
        return Frozen(USUAL, name)
    model, _ = split_options(name, rest, {}, GRAMMAR)
    check_model_name(model)
    return Frozen(model, f"encoder-lr:{model_name(model)}")


@dataclass(frozen=True, slots=True)
class Frozen:
    """Any encoder whose states can be averaged: mean pooling, unit length."""

    model: str
    name: str
    learns: frozenset[Signal] = SOFT
    gives: frozenset[Signal] = SOFT
    kinds: frozenset[TaskKind] = frozenset({"classification"})
    is_cheap: bool = True
    usual_lr: float = 0.0
    usual_l2: float = 1e-3

    @property
    def encoders(self) -> tuple[str, ...]:
        return (self.model,)

    def identity(self, how: Training) -> dict[str, object]:
        return {"l2": how.l2, "temperature": how.temperature, "max_tokens": how.max_tokens}

    def identity_alone(self, how: Training) -> dict[str, object] | None:
        """Of the usual encoder by its short names alone, which said no model and read so many tokens."""
        if ":" in self.name:
            return None
        longer = {} if how.max_tokens == MAX_TOKENS else {"max_tokens": how.max_tokens}
        return {"l2": how.l2, "kind": self.name, **longer}

    def check(self, task: Task) -> None:
        check_kind(self, task)
        need_sklearn()
        weights = resolve(self.model)
        if weights.gguf is not None:
            raise InputError(f"{self.model} is a gguf, which is no encoder here; use lm:{self.model}.")
        config = check_weights(weights)
        if config.get("is_encoder_decoder") or config.get("model_type") in ("t5", "mt5", "bart"):
            raise InputError(
                f"{self.model} is a seq2seq model; {self.name} wants an encoder. Use it as a T5 by its name."
            )

        from budgetsim.learners.pretrained import check_checkpoint, is_pooler

        check_checkpoint(weights, "AutoModel", is_pooler)

    def facts(self) -> Facts:
        weights = resolve(self.model)
        held = weigh(weights)
        return Facts(
            kind=GRAMMAR,
            parameters=held.numbers if held else None,
            trainable=None,
            megabytes=round(held.megabytes, 1) if held else None,
            licence=weights.licence,
            place=weights.target if weights.folder else "the hub",
            notes=("its encoder is not trained: mean pooling, unit length, one weight a feature and class",),
        )

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> FrozenFitted:
        self.check(task)
        check_examples(self, task, examples)
        examples.classes(task.labels)
        reader = self._reader(task, how.max_tokens, desk.cache)
        head = fit_head(reader.features(examples.sources), examples, task.labels, how)
        return FrozenFitted(task, self.name, reader, head, Effort(examples=len(examples)))

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> FrozenFitted:
        notes = read_notes(folder, self.name, task)
        head, _ = load_head(folder / "head.safetensors")
        reader = self._reader(task, notes["max_tokens"], cache)
        return FrozenFitted(task, self.name, reader, head, effort_of(notes))

    def _reader(self, task: Task, max_tokens: int, cache: Path | None) -> Reader:
        return Reader(self.model, task.fields, max_tokens, cache)


@dataclass(frozen=True, slots=True)
class Reader:
    """What turns texts into features."""

    model: str
    fields: tuple[str, ...]
    max_tokens: int
    cache: Path | None

    def features(self, sources: Sequence[str]) -> np.ndarray:
        """(sources, width), of pairs (sources, 4 * width + 1)."""
        from budgetsim.learners.features import encode

        return encode(open_weights(self.model), sources, self.fields, self.max_tokens, self.cache)


@dataclass(frozen=True, slots=True)
class FrozenFitted(Stateless):
    """A reader and a head."""

    task: Task
    name: str
    reader: Reader
    head: LogisticHead
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return [self.task.labels[i] for i in self.logits(sources).argmax(1)]

    def logits(self, sources: Sequence[str]) -> Probabilities:
        return self.head.logits(self.reader.features(sources)).astype(np.float32)

    def save(self, folder: Path) -> None:
        write_notes(folder, self.name, self.task, self.effort, max_tokens=self.reader.max_tokens)
        save_head(self.head, folder / "head.safetensors")

"""`tfidf-lr`: logistic regression on words and pairs of words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.encoder import LogisticHead, tfidf_vectorizer
from budgetsim.learners.linear import fit_head, load_head, save_head
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
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

NAME: Final = "tfidf-lr"


def parse(name: str, rest: str) -> Tfidf:
    """The learner of a name.

    raises : InputError where something follows it
    """
    if name != NAME:
        raise InputError(f"{NAME} takes no model and no options; found {rest!r} after it.")
    return Tfidf()


@dataclass(frozen=True, slots=True)
class Tfidf:
    """Counts of words and word pairs, and one weight for each and every class."""

    name: str = NAME
    learns: frozenset[Signal] = SOFT
    gives: frozenset[Signal] = SOFT
    kinds: frozenset[TaskKind] = frozenset({"classification"})
    is_cheap: bool = True
    usual_lr: float = 0.0
    usual_l2: float = 1e-4
    encoders: tuple[str, ...] = ()

    def identity(self, how: Training) -> dict[str, object]:
        return {"l2": how.l2, "temperature": how.temperature}

    def identity_alone(self, how: Training) -> dict[str, object]:
        return {"l2": how.l2, "kind": NAME}

    def check(self, task: Task) -> None:
        check_kind(self, task)
        need_sklearn()

    def facts(self) -> Facts:
        return Facts(
            kind=NAME, parameters=None, trainable=None, megabytes=None, licence=None, place="trained from nothing",
            notes=("one weight for each word, pair of words and class of the examples",),
        )  # fmt: skip

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> TfidfFitted:
        self.check(task)
        check_examples(self, task, examples)
        examples.classes(task.labels)
        vectorizer = tfidf_vectorizer()
        try:
            features = vectorizer.fit_transform(examples.sources)
        except ValueError:
            raise InputError(f"No example of {task.name} holds a word; {NAME} has nothing to count.") from None
        head = fit_head(features, examples, task.labels, how)
        return TfidfFitted(task, vectorizer, head, Effort(examples=len(examples)))

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> TfidfFitted:
        notes = read_notes(folder, NAME, task)
        head, more = load_head(folder / "head.safetensors")
        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        vectorizer = tfidf_vectorizer({word: i for i, word in enumerate(words)})
        vectorizer.idf_ = more["idf"]
        return TfidfFitted(task, vectorizer, head, effort_of(notes))


@dataclass(frozen=True, slots=True)
class TfidfFitted(Stateless):
    """A vocabulary and a head."""

    task: Task
    vectorizer: Any
    head: LogisticHead
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return [self.task.labels[i] for i in self.logits(sources).argmax(1)]

    def logits(self, sources: Sequence[str]) -> Probabilities:
        return self.head.logits(self.vectorizer.transform(sources)).astype(np.float32)

    def save(self, folder: Path) -> None:
        write_notes(folder, NAME, self.task, self.effort)
        words = sorted(self.vectorizer.vocabulary_, key=self.vectorizer.vocabulary_.get)
        (folder / "words.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
        save_head(self.head, folder / "head.safetensors", {"idf": self.vectorizer.idf_})


def need_sklearn() -> None:
    """Refuse where scikit-learn is not installed.

    raises : MissingExtraError with the command
    """
    import importlib.util

    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtraError("This learner needs scikit-learn: pip install 'budgetsim[measure,cpu]'.")

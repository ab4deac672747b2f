"""`window-lr`: a tag a word by logistic regression on the word, its shape and its neighbours: taggers must beat it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.encoder import LogisticHead
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
)
from budgetsim.learners.tfidf import need_sklearn
from budgetsim.learners.words import check_tags, read_tags, tags_of

NAME: Final = "window-lr"
N_FEATURES: Final = 2**16  # that strings are hashed into
REACH: Final = 2  # words to either side
AFFIX: Final = 3  # letters at either end, at most


def parse(name: str, rest: str) -> Window:
    """The learner of a name.

    raises : InputError where something follows it
    """
    if name != NAME:
        raise InputError(f"{NAME} takes no model and no options; found {rest!r} after it.")
    return Window()


@dataclass(frozen=True, slots=True)
class Window:
    """Words, shapes, ends of words and neighbours, hashed, and one weight for each and every tag."""

    name: str = NAME
    learns: frozenset[Signal] = SOFT
    gives: frozenset[Signal] = SOFT
    kinds: frozenset[TaskKind] = frozenset({"tagging"})
    is_cheap: bool = True
    usual_lr: float = 0.0
    usual_l2: float = 1e-5
    encoders: tuple[str, ...] = ()

    def identity(self, how: Training) -> dict[str, object]:
        return {"l2": how.l2, "temperature": how.temperature}

    def identity_alone(self, how: Training) -> dict[str, object]:
        return {"l2": how.l2, "kind": NAME}

    def check(self, task: Task) -> None:
        check_kind(self, task)
        check_tags(NAME, task)
        need_sklearn()

    def facts(self) -> Facts:
        return Facts(
            kind=NAME, parameters=None, trainable=None, megabytes=None, licence=None, place="trained from nothing",
            notes=(f"{N_FEATURES:,} weights a tag: the word, its shape and ends, {REACH} words to either side",),
        )  # fmt: skip

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> WindowFitted:
        self.check(task)
        check_examples(self, task, examples)
        words = word_examples(task, examples)
        head = fit_head(features(examples.sources), words, task.labels, how)
        return WindowFitted(task, head, Effort(examples=len(examples)))

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> WindowFitted:
        notes = read_notes(folder, NAME, task)
        head, _ = load_head(folder / "head.safetensors")
        return WindowFitted(task, head, effort_of(notes))


@dataclass(frozen=True, slots=True)
class WindowFitted(Stateless):
    """A head over hashed features."""

    task: Task
    head: LogisticHead
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return read_tags(self.task, sources, self.logits(sources))

    def logits(self, sources: Sequence[str]) -> Probabilities:
        return self.head.logits(features(sources)).astype(np.float32)

    def save(self, folder: Path) -> None:
        write_notes(folder, NAME, self.task, self.effort)
        save_head(self.head, folder / "head.safetensors")


def word_examples(task: Task, examples: Examples) -> Examples:
    """The words of all examples as examples of their own, with what a teacher said of each."""
    sizes = [len(source.split()) for source in examples.sources]
    tags = [task.labels[k] for i in range(len(examples)) for k in tags_of(task, examples, i)]
    gold = None if examples.is_gold is None else np.repeat(examples.is_gold, sizes)
    words = [word for source in examples.sources for word in source.split()]
    return Examples(sources=words, answers=tags, logits=examples.logits, is_gold=gold)


def features(sources: Sequence[str]) -> Any:
    """Hashed features of the words of all sources, (words, N_FEATURES), sparse."""
    from sklearn.feature_extraction import FeatureHasher

    hasher = FeatureHasher(N_FEATURES, input_type="string", alternate_sign=False)
    sentences = (source.split() for source in sources)
    return hasher.transform(list(told(words, i)) for words in sentences for i in range(len(words)))


def told(words: Sequence[str], i: int) -> Iterator[str]:
    """What is told of a word: itself, its shape and ends, and those around it.

    >>> sorted(told(["In", "New", "York2"], 2))[:5]
    ['+0=york2', '+0shape=Xx0', '-1=new', '-1shape=Xx', '-2=in']
    """
    for k in range(-REACH, REACH + 1):
        if 0 <= i + k < len(words):
            yield f"{k:+d}={words[i + k].lower()}"
            yield f"{k:+d}shape={shape(words[i + k])}"
    for n in range(1, AFFIX + 1):
        yield f"ends={words[i][-n:].lower()}"
        yield f"begins={words[i][:n].lower()}"


def shape(word: str) -> str:
    """Capitals, small letters and digits, runs of one kind told once.

    >>> shape("McDonald's"), shape("B52"), shape("@bob")
    ("XxXx'x", 'X0', '@x')
    """
    kinds = re.sub(r"\d", "0", "".join("X" if c.isupper() else "x" if c.islower() else c for c in word))
    return "".join(kind for kind, _ in groupby(kinds))

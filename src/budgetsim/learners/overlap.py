"""Answers that cost nothing: a constant, and a threshold on the words two sentences share (NumPy only)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.data.formats import split_fields
from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task, TaskKind
from budgetsim.design.arrays import Floats
from budgetsim.errors import InputError
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.protocol import (
    HARD,
    Desk,
    Effort,
    Examples,
    Facts,
    Probabilities,
    Signal,
    Stateless,
    Training,
)  # fmt: skip

NAME: Final = "overlap"
_FORMER_L2: Final = 1e-3  # which it never read, and which stands in the ids of its runs


def parse(name: str, rest: str) -> Overlap:
    """The learner of a name.

    raises : InputError where something follows it
    """
    if name != NAME:
        raise InputError(f"{NAME} takes no model and no options; found {rest!r} after it.")
    return Overlap()


@dataclass(frozen=True, slots=True)
class Overlap:
    """A threshold on the words that two texts share: what a learner must beat."""

    name: str = NAME
    learns: frozenset[Signal] = HARD
    gives: frozenset[Signal] = HARD
    kinds: frozenset[TaskKind] = frozenset({"classification"})
    is_cheap: bool = True
    usual_lr: float = 0.0
    usual_l2: float = 0.0
    encoders: tuple[str, ...] = ()

    def identity(self, how: Training) -> dict[str, object]:
        return {}

    def identity_alone(self, how: Training) -> dict[str, object]:
        return {"l2": _FORMER_L2, "kind": NAME}

    def check(self, task: Task) -> None:
        check_kind(self, task)
        if not has_overlap_rule(task):
            raise InputError(
                f"{NAME} compares two texts and gives one of two labels; {task.name} has {len(task.fields) or 1} text "
                f"and {len(task.labels)} labels. Use tfidf-lr."
            )

    def facts(self) -> Facts:
        return Facts(
            kind=NAME, parameters=2, trainable=2, megabytes=0.0, licence=None, place="trained from nothing",
            notes=("a threshold and its side",),
        )  # fmt: skip

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> OverlapFitted:
        self.check(task)
        check_examples(self, task, examples)
        values = np.array([overlap(source, task.fields) for source in examples.sources])
        threshold, above = _best_threshold(values, examples.classes(task.labels) == 1)
        return OverlapFitted(task, threshold, above, Effort(examples=len(examples)))

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> OverlapFitted:
        notes = read_notes(folder, NAME, task)
        return OverlapFitted(task, float(notes["threshold"]), bool(notes["above"]), effort_of(notes))


@dataclass(frozen=True, slots=True)
class OverlapFitted(Stateless):
    """A threshold, and whether more overlap than it means the second label."""

    task: Task
    threshold: float
    above: bool
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return _sides(self.task, sources, self.threshold, self.above)

    def logits(self, sources: Sequence[str]) -> Probabilities:
        raise InputError(f"{NAME} gives no probabilities; teach by its hard labels, or use tfidf-lr.")

    def save(self, folder: Path) -> None:
        write_notes(folder, NAME, self.task, self.effort, threshold=self.threshold, above=self.above)


def constant_answer(rows: Sequence[Row]) -> str:
    """The most frequent target; the first in the alphabet among equals.

    >>> constant_answer([Row("x", "b", ""), Row("y", "a", ""), Row("z", "b", "")])
    'b'
    """
    counts = Counter(row.target for row in rows)
    return min(counts, key=lambda target: (-counts[target], target))


def overlap(source: str, fields: Sequence[str]) -> float:
    """Jaccard overlap of the words of the two parts of a source, 0 to 1."""
    parts = [set(part.lower().split()) for part in split_fields(source, fields)]
    if len(parts) != 2 or not (parts[0] | parts[1]):
        return 0.0
    return len(parts[0] & parts[1]) / len(parts[0] | parts[1])


def has_overlap_rule(task: Task) -> bool:
    """Whether a word-overlap threshold can answer the task: two texts, two labels."""
    return len(task.fields) == 2 and len(task.labels) == 2


def overlap_answers(task: Task, labelled: Sequence[Row], sources: Sequence[str]) -> list[str]:
    """Answers of the one-parameter rule: the threshold and side that are best on the labelled rows."""
    values = np.array([overlap(row.source, task.fields) for row in labelled])
    positive = np.array([row.target == task.labels[1] for row in labelled])
    threshold, above = _best_threshold(values, positive)
    return _sides(task, sources, threshold, above)


def _sides(task: Task, sources: Sequence[str], threshold: float, above: bool) -> list[str]:
    seen = [overlap(source, task.fields) for source in sources]
    return [task.labels[1] if (value > threshold) == above else task.labels[0] for value in seen]


def _best_threshold(values: Floats, positive: NDArray[np.bool_]) -> tuple[float, bool]:
    edges = np.unique(values)
    candidates = np.concatenate([[-1.0], (edges[1:] + edges[:-1]) / 2, [2.0]])
    right = np.array([np.mean((values > t) == positive) for t in candidates])
    best, worst = int(right.argmax()), int(right.argmin())
    if right[best] >= 1 - right[worst]:
        return float(candidates[best]), True
    return float(candidates[worst]), False

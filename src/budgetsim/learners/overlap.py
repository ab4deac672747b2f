"""Answers that cost nothing: a constant, and a threshold on the words two sentences share (NumPy only)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from budgetsim.data.formats import split_fields
from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats


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
    seen = np.array([overlap(source, task.fields) for source in sources])
    return [task.labels[1] if (value > threshold) == above else task.labels[0] for value in seen]


def _best_threshold(values: Floats, positive: NDArray[np.bool_]) -> tuple[float, bool]:
    edges = np.unique(values)
    candidates = np.concatenate([[-1.0], (edges[1:] + edges[:-1]) / 2, [2.0]])
    right = np.array([np.mean((values > t) == positive) for t in candidates])
    best, worst = int(right.argmax()), int(right.argmin())
    if right[best] >= 1 - right[worst]:
        return float(candidates[best]), True
    return float(candidates[worst]), False

"""Which rows of other tasks a fit can see: those of students that it asks about. Light: readers of fits need no SciPy.

A run on another task makes a fit stale only if the fit asks about its student: because it has few sizes of its own and
leans on others, or because what distilling gained elsewhere ties its two strategies.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeVar

from budgetsim.design.points import Ran
from budgetsim.design.strategies import STRATEGIES

FEW_SIZES: Final = 5  # distinct points: with fewer, other tasks are the prior, else the largest group of the kind

T = TypeVar("T", bound=Ran)
Group = tuple[str | None, str | None, str]  # curve, teacher and student


def is_fitted(m: Ran) -> bool:
    """Whether a row stands in a fit: a trained student, every input known and in range, and a teacher that was paid."""
    if m.route.strategy not in STRATEGIES or not m.route.kind.is_trained:
        return False
    if any(v is None or not math.isfinite(v) or v < 0 for v in m.inputs):
        return False
    return not (m.route.kind.has_teacher and m.n_unlabeled == 0 and m.source.startswith("published"))


def borrowed(rows: Sequence[Ran], others: Sequence[T]) -> list[T]:
    """The rows of other tasks that a fit of `rows` can depend on, and maybe some more.

    A task that itself has few sizes of a student asked about leans on its other students, so it counts whole.
    """
    asked = _asked(rows)
    by_task: dict[str, list[T]] = defaultdict(list)
    for m in others:
        by_task[m.task].append(m)
    out: list[T] = []
    for mine in by_task.values():
        sizes = _sizes(mine)
        leans = any(student in asked and len(at) < FEW_SIZES for (_, _, student), at in sizes.items())
        out += mine if leans else [m for m in mine if m.route.student in asked]
    return out


def _asked(rows: Sequence[Ran]) -> set[str]:
    """Students of few sizes, and those that were both taught by people and distilled."""
    sizes = _sizes(rows)
    few = {student for (_, _, student), at in sizes.items() if len(at) < FEW_SIZES}
    curves: dict[str, set[str | None]] = defaultdict(set)
    for curve, _, student in sizes:
        curves[student].add(curve)
    return few | {student for student, each in curves.items() if len(each) > 1}


def _sizes(rows: Sequence[Ran]) -> dict[Group, set[tuple[object, ...]]]:
    """Distinct points of each group of rows that one posterior describes."""
    out: dict[Group, set[tuple[object, ...]]] = defaultdict(set)
    designs = {(m.route, m.n_labels, m.n_llm_labels, m.n_unlabeled, m.source): m for m in rows}  # of many seeds each
    for m in filter(is_fitted, designs.values()):
        labelled_by = m.route.labeler if m.n_llm_labels else None
        point = (m.n_labels or 0, m.n_unlabeled or 0, m.n_llm_labels or 0, labelled_by)
        out[m.route.kind.curve, m.route.teacher, m.route.student].add(point)
    return out

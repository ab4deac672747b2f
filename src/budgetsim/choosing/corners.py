"""The paper's own comparison: from the same labels, the rest of the money buys labels or compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.choosing.options import Allocation, Option, allocation_at
from budgetsim.data.tasks import Task
from budgetsim.design.strategies import ANNOTATE, DISTILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """The paper's own comparison: from the same labels, the extra money buys labels or compute."""

    initial_n_labels: int
    annotate: Allocation | None
    distill: Allocation | None


def corner(task: Task, options: Sequence[Option], initial: int, budget_usd: float) -> Corner:
    """All the money beyond the initial labels in labels, or all of it in compute."""
    annotate = [c for o in options if o.route.kind is ANNOTATE for c in _all_labels(task, o, initial, budget_usd)]
    distill = [c for o in options if o.route.kind is DISTILL for c in _all_compute(task, o, initial, budget_usd)]
    return Corner(initial_n_labels=initial, annotate=_top(annotate), distill=_top(distill))


def _top(allocations: Sequence[Allocation]) -> Allocation | None:
    return max(allocations, key=lambda a: a.score, default=None)


def _all_labels(task: Task, option: Option, initial: int, budget_usd: float) -> list[Allocation]:
    n = option.cost.max_units("n_labels", budget_usd)
    return [allocation_at(task, option, np.array([float(n)]))] if n >= max(initial, 1) else []


def _all_compute(task: Task, option: Option, initial: int, budget_usd: float) -> list[Allocation]:
    if not option.cost.at_least.get("n_labels", 0) <= initial <= option.cost.limit("n_labels"):
        return []
    n = option.cost.max_units("n_unlabeled", budget_usd, {"n_labels": initial})
    return [allocation_at(task, option, np.array([float(initial), float(n)]))] if n >= 1 else []

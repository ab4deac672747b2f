"""How a budget is best split on one task, and what to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from budgetsim.allocate import Choice, allocate, best_per_draw
from budgetsim.breakeven import PriceChange, price_changes
from budgetsim.corners import Corner, corner
from budgetsim.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.simulate import chance_of_best, expected_regret
from budgetsim.targets import StopHere, stop_here
from budgetsim.tasks import Task
from budgetsim.winners import searches


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """What a budget buys on one task; `allocations` holds the best expected score first."""

    task: str
    budget_usd: float
    allocations: tuple[Allocation, ...]
    recommended: int | None
    changes: tuple[PriceChange, ...]
    stop_here: StopHere | None
    corners: tuple[Corner, ...]
    notes: tuple[str, ...]

    @property
    def best(self) -> Allocation | None:
        return None if self.recommended is None else self.allocations[self.recommended]


def optimize_task(
    task: Task, options: Sequence[Option], budget_usd: float, *, initial_sizes: Sequence[int] = ()
) -> TaskAnswer:
    """Split a budget here and now: one allocation an option, judged on the same joint draws.

    initial_sizes : starting labels of the paper's own comparison, where it is asked for
    """
    choices = [allocate(o.surface, o.cost, [budget_usd]) for o in options]
    entries = [_entry(o, c, budget_usd) for o, c in zip(options, choices, strict=True)]
    entries.append(constant_allocation(task))
    judged = _judge(task, options, choices, entries, budget_usd)
    # a constant answer that ties is the better buy: it costs nothing
    ordered = sorted(judged, key=lambda a: (not a.feasible, -(a.score or 0.0), a.cost_usd or 0.0))
    best, ready = ordered[0], searches(options)
    return TaskAnswer(
        task=task.name,
        budget_usd=budget_usd,
        allocations=tuple(ordered),
        recommended=0 if best.feasible else None,
        changes=price_changes(task, options, ready, budget_usd, best),
        stop_here=stop_here(task, options, ready, budget_usd, best),
        corners=tuple(corner(task, options, n, budget_usd) for n in initial_sizes),
        notes=_task_notes(task, best),
    )


def _entry(option: Option, choice: Choice, budget_usd: float) -> Allocation:
    s = option.surface
    if not choice.feasible[0]:
        reason = _why_infeasible(option, budget_usd)
        return Allocation(
            strategy=s.strategy,
            teacher=s.teacher,
            student=s.student,
            labeler=s.labeler,
            feasible=False,
            reason=reason,
            evidence=option.evidence,
        )
    return allocation_at(option, choice.counts[0])


def _why_infeasible(option: Option, budget_usd: float) -> str:
    for name in option.surface.inputs:
        if option.cost.limit(name) < 1:
            return f"the pool holds {option.cost.limit(name):,.0f} texts; {name} needs one or more"
    ones = dict.fromkeys(option.surface.inputs, 1.0)
    stages = option.cost.stages(ones)
    least = float(option.cost.total(ones))
    dearest = max(stages, key=lambda stage: float(stages[stage]))
    return (
        f"the least it takes is ${least:,.2f} (of which {dearest.replace('_', ' ')} ${float(stages[dearest]):,.2f}); "
        f"the budget is ${budget_usd:,.2f}"
    )


def _judge(
    task: Task,
    options: Sequence[Option],
    choices: Sequence[Choice],
    entries: Sequence[Allocation],
    budget_usd: float,
) -> list[Allocation]:
    """Add to each feasible entry its chance of being best and its regret, on joint draws."""
    n_draws = options[0].surface.n_draws if options else 1
    columns, reference = [], np.full(n_draws, task.constant_score)
    for option, choice in zip(options, choices, strict=True):
        if choice.feasible[0]:
            columns.append(option.surface.at(choice.counts)[:, 0])
            reference = np.maximum(reference, best_per_draw(option.surface, option.cost, budget_usd))
    columns.append(np.full(n_draws, task.constant_score))
    scores = np.stack(columns, axis=1)
    chances, regrets = iter(chance_of_best(scores)), iter(expected_regret(scores, reference))
    return [
        replace(e, p_best=float(next(chances)), expected_regret=100 * float(next(regrets))) if e.feasible else e
        for e in entries
    ]


def _task_notes(task: Task, best: Allocation) -> tuple[str, ...]:
    if best.strategy == "constant":
        return (f"Nothing that this budget buys is expected to beat answering {task.constant_answer} always.",)
    if best.lower is not None and best.lower <= 100 * task.constant_score:
        return (
            f"A run may end at or below the constant answer ({task.constant_answer}, "
            f"{100 * task.constant_score:.1f}), which costs nothing.",
        )
    return ()

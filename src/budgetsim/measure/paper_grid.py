"""What a grid of the paper's models would take in GPU-hours and dollars, each shared teacher counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from budgetsim.costs.hours import (
    COMPUTE_MODELS,
    ComputeModel,
    ModelledSpeed,
    PublishedHours,
    distill_hours,
    student_only,
)
from budgetsim.data.tasks import Task, get_task
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Route
from budgetsim.measure.spec import RunSpec
from budgetsim.report.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCost:
    """Runs of one task, strategy, teacher and student under one compute model.

    gpu_hours, usd : None where nothing is known of the pair under that model
    """

    task: str
    strategy: str
    teacher: str | None
    student: str
    runs: int
    teachers: int  # distinct (labels, seed): one teacher serves every number of texts
    model: str
    gpu_hours: float | None
    usd: float | None


def estimate_grid(
    specs: Sequence[RunSpec], bills: dict[str, PublishedHours | None], speed: ModelledSpeed, usd_per_hour: float
) -> tuple[GridCost, ...]:
    """Cost of a grid's T5 runs by task, strategy and pair.

    bills : published hours of the paper's pair, by task
    """
    groups: dict[tuple[str, Route], list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault((spec.task, replace(spec.route, labeler=None)), []).append(spec)
    return tuple(
        _cost(group, compute, bills.get(key[0]), speed, usd_per_hour)
        for key, group in groups.items()
        for compute in COMPUTE_MODELS
    )


def _cost(
    group: Sequence[RunSpec], compute: ComputeModel, bills: PublishedHours | None, speed: ModelledSpeed, usd: float
) -> GridCost:
    route, task = group[0].route, get_task(group[0].task)
    if route.teacher is None:
        hours = _student_hours(group, task, speed)
    else:
        hours = _distill_hours(group, task, compute, bills, speed)
    return GridCost(
        task=task.name,
        strategy=route.strategy,
        teacher=route.teacher,
        student=route.student,
        runs=len(group),
        teachers=len(_teachers(group)) if route.teacher else 0,
        model=compute,
        gpu_hours=hours,
        usd=None if hours is None else hours * usd,
    )


def _student_hours(group: Sequence[RunSpec], task: Task, speed: ModelledSpeed) -> float | None:
    """Training on labels is modelled in the same way whatever the compute model: no bill shows it."""
    hours = student_only(group[0].route.student, task, speed)
    return None if hours is None else sum(s.design.n_labels + s.design.n_llm_labels for s in group) * hours.train_label


def _distill_hours(
    group: Sequence[RunSpec], task: Task, compute: ComputeModel, bills: PublishedHours | None, speed: ModelledSpeed
) -> float | None:
    teacher, student = group[0].teacher, group[0].route.student
    pair_bills = bills if (teacher, student) == (PAPER_TEACHER, PAPER_STUDENT) else None
    hours = distill_hours(compute, teacher, student, task, pair_bills, speed)
    if hours is None:
        return None
    teachers = _teachers(group)
    total = sum(float(hours.teacher_at(n)) for n, _ in teachers)
    total += sum(most * hours.label_text for most in teachers.values())  # one labelling pass serves every U
    return total + sum(s.design.n_unlabeled for s in group) * hours.train_text


def _teachers(group: Sequence[RunSpec]) -> dict[tuple[int, int], int]:
    """The most texts that each distinct teacher labels, by (labels, seed)."""
    most: dict[tuple[int, int], int] = {}
    for spec in group:
        key = (spec.design.n_labels, spec.seed)
        most[key] = max(most.get(key, 0), spec.design.n_unlabeled)
    return most


def grid_costs_table(costs: Sequence[GridCost]) -> Table:
    """Hours and dollars side by side by compute model, and their sum."""
    lines: dict[tuple[str, ...], dict[str, GridCost]] = {}
    for cost in costs:
        pair = f"{cost.teacher} into {cost.student}" if cost.teacher else cost.student
        key = (cost.task, cost.strategy, pair, str(cost.runs), str(cost.teachers or "-"))
        lines.setdefault(key, {})[cost.model] = cost
    rows = [
        (*key, *(_shown(by_model[m].gpu_hours, by_model[m].usd) for m in COMPUTE_MODELS))
        for key, by_model in lines.items()
    ]
    rows.append(
        ("in all", "", "", str(sum(int(key[3]) for key in lines)), "", *(_sum(costs, m) for m in COMPUTE_MODELS))
    )
    headings = ("task", "strategy", "models", "runs", "teachers", *(f"{m}: GPU-h, $" for m in COMPUTE_MODELS))
    return Table(title="The grid", headings=headings, rows=tuple(rows), text_columns=frozenset({0, 1, 2}))


def _shown(hours: float | None, usd: float | None) -> str:
    return "not known" if hours is None else f"{hours:,.1f}, ${usd:,.2f}"


def _sum(costs: Sequence[GridCost], model: str) -> str:
    priced = [c for c in costs if c.model == model]
    hours_of = [c for c in priced if c.gpu_hours is not None]
    if not hours_of:
        return "not known"
    at_least = "over " if len(hours_of) < len(priced) else ""
    return at_least + _shown(sum(c.gpu_hours or 0.0 for c in hours_of), sum(c.usd or 0.0 for c in hours_of))

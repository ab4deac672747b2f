"""What money can buy, one strategy with its models an option, and how a budget is split by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from budgetsim.choosing.remarks import (
    AllocationRemark,
    ConstantAnswer,
    DeadlineBinds,
    LimitBinds,
    OwnedTeacherLeftAside,
    OwnedTeacherRetuned,
    OwnedTeacherUsed,
    Shortfall,
    TableEnds,
)
from budgetsim.choosing.simulate import run_interval
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import CONSTANT_ROUTE, Design, Route
from budgetsim.design.surface import Kind, Surface

CLASS_SHARES = "class-shares"  # evidence of the constant answer: counted on the evaluation files


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceNote:
    """Where an allocation's score comes from."""

    set: str
    source: str  # measured, published or modelled
    device: str | None
    n_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One strategy, teacher and student that money can buy: what it scores, and what it costs."""

    surface: Surface
    cost: CostModel
    evidence: EvidenceNote
    hours: Hours | None = None
    left_aside: int | None = None  # labels of an owned teacher that it does without
    most_labels: float | None = None  # for want of texts; None where nobody counted those

    @property
    def route(self) -> Route:
        """Strategy and models."""
        return self.surface.route

    @property
    def label(self) -> str:
        """Strategy and models in words."""
        return self.route.label

    def named(self, counts: Floats) -> dict[str, float]:
        """Counts (n_inputs,) by the name of their input."""
        return dict(zip(self.surface.inputs, counts.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an allocation compares with all others that the same budget buys, on joint draws; percent points.

    p_best : share of worlds in which it is the best, 0 to 1
    expected_regret : None where the best of each world was not looked for
    objective : what was asked to be best; None where that is the expected score
    """

    p_best: float
    expected_regret: float | None = None
    objective: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """How a budget is split by one route, and what that is worth; scores are percent.

    costs : US dollars by stage
    lower, upper : 90 % interval of one new run
    factor : how many fold outside the evidence; 1 inside
    days : None where nobody said how many labels people give in a day
    standing : None where it was not compared with others
    """

    design: Design
    cost_usd: float
    costs: Mapping[str, float]
    score: float
    lower: float
    upper: float
    kind: Kind
    factor: float
    days: float | None
    evidence: EvidenceNote
    remarks: tuple[AllocationRemark, ...] = ()
    standing: Standing | None = None

    @property
    def route(self) -> Route:
        """Strategy and models."""
        return self.design.route

    @property
    def label(self) -> str:
        """Strategy and models in words."""
        return self.design.route.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """A route of which a budget buys nothing, and why."""

    route: Route
    reason: Shortfall
    evidence: EvidenceNote


def allocation_at(task: Task, option: Option, counts: Floats) -> Allocation:
    """One allocation of an option on a task at given counts, without its standing among others.

    counts : (n_inputs,), whole units in the order of the surface's inputs
    """
    s = option.surface
    named = option.named(counts)
    stages = {stage: float(usd) for stage, usd in option.cost.stages(named).items()}
    clock = option.cost.days
    means = s.at(counts[None, :])
    (kind,), (factor,) = s.support.classify(counts[None, :])
    (lower,), (upper,) = run_interval(means, s.deviations(counts[None, :]))
    return Allocation(
        design=Design(task=task.name, route=s.route, **{name: int(n) for name, n in named.items()}),
        cost_usd=sum(stages.values()),
        costs=stages,
        score=100 * float(means.mean()),
        lower=100 * float(lower),
        upper=100 * float(upper),
        kind=kind,
        factor=float(factor),
        days=None if clock is None else float(clock.total(named)),
        evidence=option.evidence,
        remarks=_remarks(option, named),
    )


def constant_allocation(task: Task) -> Allocation:
    """The answer that never looks at the text: free, and always a candidate."""
    score = 100 * task.constant_score
    return Allocation(
        design=Design(task=task.name, route=CONSTANT_ROUTE),
        cost_usd=0.0,
        costs={},
        score=score,
        lower=score,
        upper=score,
        kind="observed",
        factor=1.0,
        days=None,
        evidence=EvidenceNote(set=CLASS_SHARES, source="measured", device=None, n_rows=task.n_test),
        remarks=(ConstantAnswer(answer=task.constant_answer),),
    )


def _remarks(option: Option, named: Mapping[str, float]) -> tuple[AllocationRemark, ...]:
    cost = option.cost
    ends = {name: float(knots[-1]) for name, knots in zip(option.surface.inputs, option.surface.knots, strict=True)}
    return (
        *_teacher_remarks(option, named),
        *(_limit_remark(option, name) for name, n in named.items() if n >= cost.limit(name)),
        *(TableEnds(input=name, end=ends[name]) for name, n in named.items() if n >= ends[name]),
        *_deadline_remarks(cost, named),
    )


def _teacher_remarks(option: Option, named: Mapping[str, float]) -> list[AllocationRemark]:
    """What becomes of a teacher that is owned."""
    n, teacher = option.cost.at_least.get("n_labels"), option.route.teacher or ""
    if option.left_aside is not None:
        return [OwnedTeacherLeftAside(teacher=teacher, n_labels=option.left_aside)]
    if n is None:
        return []
    remark = OwnedTeacherUsed if named["n_labels"] == n else OwnedTeacherRetuned
    return [remark(teacher=teacher, n_labels=int(n))]


def _limit_remark(option: Option, name: str) -> LimitBinds:
    limit = option.cost.limit(name)
    owned, texts = option.cost.at_least.get(name) == limit, name == "n_labels" and option.most_labels == limit
    return LimitBinds(input=name, limit=limit, of_owned_teacher=owned, of_texts=texts)


def _deadline_remarks(cost: CostModel, named: Mapping[str, float]) -> list[DeadlineBinds]:
    """The inputs of which one more would miss the deadline."""
    if cost.days is None:
        return []
    more = {name: {**named, name: n + 1} for name, n in named.items()}
    late = tuple(name for name, plan in more.items() if float(cost.days.total(plan)) > cost.deadline_days)
    return [DeadlineBinds(deadline_days=cost.deadline_days, inputs=late)] if late else []

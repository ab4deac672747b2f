"""What money can buy, one strategy with its models an option, and how a budget is split by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from budgetsim.compute import Hours
from budgetsim.costs import CostModel
from budgetsim.simulate import run_interval
from budgetsim.surface import Floats, Kind, Surface
from budgetsim.tasks import Task

CLASS_SHARES = "class-shares"  # evidence of the constant answer: counted on the evaluation files
COMPUTE_STAGES = ("teacher", "labelling", "distillation", "student")


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

    @property
    def label(self) -> str:
        """Strategy and models in words."""
        return label_of(*self.surface.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """How a budget is split by one strategy, and what that is worth; scores are percent."""

    strategy: str
    teacher: str | None
    student: str | None
    labeler: str | None = None
    n_labels: int | None = None
    n_llm_labels: int | None = None
    n_unlabeled: int | None = None
    cost_usd: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    feasible: bool = True
    reason: str | None = None
    score: float | None = None
    lower: float | None = None
    upper: float | None = None
    kind: Kind | None = None
    factor: float | None = None
    p_best: float | None = None
    expected_regret: float | None = None
    evidence: EvidenceNote
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Strategy and models in words."""
        return label_of(self.strategy, self.teacher, self.labeler, self.student)


def allocation_at(option: Option, counts: Floats) -> Allocation:
    """One allocation of an option at given counts, without its place among others.

    counts : (n_inputs,), whole units in the order of the surface's inputs
    """
    s = option.surface
    named = dict(zip(s.inputs, counts.tolist(), strict=True))
    stages = {stage: float(usd) for stage, usd in option.cost.stages(named).items()}
    means = s.at(counts[None, :])
    (kind,), (factor,) = s.support.classify(counts[None, :])
    (lower,), (upper,) = run_interval(means, s.run_noise)
    units = {name: int(n) for name, n in named.items()}
    return Allocation(
        strategy=s.strategy,
        teacher=s.teacher,
        student=s.student,
        labeler=s.labeler,
        n_labels=units.get("n_labels", 0),
        n_llm_labels=units.get("n_llm_labels", 0),
        n_unlabeled=units.get("n_unlabeled", 0),
        cost_usd=sum(stages.values()),
        costs=stages,
        score=100 * float(means.mean()),
        lower=100 * float(lower),
        upper=100 * float(upper),
        kind=kind,
        factor=float(factor),
        evidence=option.evidence,
        notes=_notes(option, named),
    )


def constant_allocation(task: Task) -> Allocation:
    """The answer that never looks at the text: free, and always a candidate."""
    score = 100 * task.constant_score
    return Allocation(
        strategy="constant",
        teacher=None,
        student=None,
        n_labels=0,
        n_llm_labels=0,
        n_unlabeled=0,
        cost_usd=0.0,
        score=score,
        lower=score,
        upper=score,
        kind="observed",
        factor=1.0,
        evidence=EvidenceNote(set=CLASS_SHARES, source="measured", device=None, n_rows=task.n_test),
        notes=(f"answers {task.constant_answer}",),
    )


def _notes(option: Option, named: Mapping[str, float]) -> tuple[str, ...]:
    limits = option.cost
    pool = [f"the pool of {limits.limit(k):,.0f} texts bounds {k}" for k, n in named.items() if n >= limits.limit(k)]
    ends = dict(zip(option.surface.inputs, (knots[-1] for knots in option.surface.knots), strict=True))
    table = [
        f"scores are known up to {ends[k]:,.0f} {k}; more is not looked at" for k, n in named.items() if n >= ends[k]
    ]
    return (*pool, *table)


def label_of(strategy: str, teacher: str | None, labeler: str | None, student: str | None) -> str:
    """A strategy and its models in words.

    >>> label_of("distill", "t5-v1_1-xxl", None, "t5-v1_1-small")
    'distill (t5-v1_1-xxl into t5-v1_1-small)'
    >>> label_of("llm_annotate", None, "gpt-3.5", "t5-v1_1-small")
    'llm_annotate (gpt-3.5 for t5-v1_1-small)'
    """
    if student is None:
        return strategy
    if teacher:
        return f"{strategy} ({teacher} into {student})"
    return f"{strategy} ({labeler} for {student})" if labeler else f"{strategy} ({student})"

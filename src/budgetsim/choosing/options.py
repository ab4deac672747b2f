"""What money can buy, one strategy with its models an option, and how a budget is split by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from budgetsim.choosing.simulate import run_interval
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Kind, Surface

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
    left_aside: int | None = None  # labels of an owned teacher that it does without

    @property
    def label(self) -> str:
        """Strategy and models in words."""
        return self.surface.route.label

    def named(self, counts: Floats) -> dict[str, float]:
        """Counts (n_inputs,) by the name of their input."""
        return dict(zip(self.surface.inputs, counts.tolist(), strict=True))


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
    objective: float | None = None  # what was asked to be best, where that is not the expected score
    days: float | None = None  # None where nobody said how many labels people give in a day
    evidence: EvidenceNote
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Strategy and models in words."""
        return label_of(self.strategy, self.teacher, self.labeler, self.student)

    @property
    def kinds(self) -> int:
        """How many kinds of thing are bought: labels, LLM labels, unlabelled texts."""
        return sum(bool(n) for n in (self.n_labels, self.n_llm_labels, self.n_unlabeled))


def allocation_at(option: Option, counts: Floats) -> Allocation:
    """One allocation of an option at given counts, without its place among others.

    counts : (n_inputs,), whole units in the order of the surface's inputs
    """
    s = option.surface
    named = option.named(counts)
    stages = {stage: float(usd) for stage, usd in option.cost.stages(named).items()}
    clock = option.cost.days
    means = s.at(counts[None, :])
    (kind,), (factor,) = s.support.classify(counts[None, :])
    (lower,), (upper,) = run_interval(means, s.run_noise)
    units = {name: int(n) for name, n in named.items()}
    return Allocation(
        strategy=s.route.strategy,
        teacher=s.route.teacher,
        student=s.route.student,
        labeler=s.route.labeler,
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
        days=None if clock is None else float(clock.total(named)),
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
    cost = option.cost
    ends = dict(zip(option.surface.inputs, (knots[-1] for knots in option.surface.knots), strict=True))
    return (
        *_teacher_words(option, named),
        *(_bound_words(k, cost.limit(k), cost.at_least) for k, n in named.items() if n >= cost.limit(k)),
        *(
            f"scores are known up to {ends[k]:,.0f} {k}; more is not looked at"
            for k, n in named.items()
            if n >= ends[k]
        ),
        *_deadline_words(cost, named),
    )


def _teacher_words(option: Option, named: Mapping[str, float]) -> list[str]:
    """What becomes of a teacher that is owned."""
    n = option.cost.at_least.get("n_labels")
    if option.left_aside is not None:
        aside = f"the one that is owned, tuned on {option.left_aside:,} labels, is left aside"
        return [f"{option.surface.route.teacher} is tuned anew; {aside}"]
    if n is None:
        return []
    if named["n_labels"] == n:
        return [f"{option.surface.route.teacher} is used as it is owned, tuned on {n:,.0f} labels: neither is paid for"]
    return [f"{option.surface.route.teacher} is tuned again, on more than the {n:,.0f} labels of the one that is owned"]


def _bound_words(name: str, limit: float, at_least: Mapping[str, float]) -> str:
    if name != "n_labels":
        return f"the pool of {limit:,.0f} texts bounds {name}"
    if at_least.get(name) == limit:
        return f"people can give no more labels than the {limit:,.0f} of the owned teacher"
    return f"the {limit:,.0f} labels that people can give bound n_labels"


def _deadline_words(cost: CostModel, named: Mapping[str, float]) -> list[str]:
    """The inputs of which one more would miss the deadline."""
    if cost.days is None:
        return []
    more = {name: {**named, name: n + 1} for name, n in named.items()}
    late = [k for k, plan in more.items() if float(cost.days.total(plan)) > cost.deadline_days]
    return [f"the deadline of {cost.deadline_days:g} days bounds {' and '.join(late)}"] if late else []


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

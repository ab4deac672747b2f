"""The answer: what each strategy makes of a budget, which one to take, and what would change that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.allocate import EASY, Choice, Search, allocate, best_per_draw, prepare
from budgetsim.compute import Hours
from budgetsim.costs import CostModel
from budgetsim.simulate import chance_of_best, expected_regret, run_interval
from budgetsim.surface import Floats, Kind, Surface
from budgetsim.tasks import Task

CLASS_SHARES = "class-shares"  # evidence of the constant answer: counted on the evaluation files
STOP_WITHIN = 0.01  # "stop here": the cheapest budget within one point of the best
_FACTORS = (4.0, 32.0)  # price changes that are tried
_HALVINGS = 7  # of a factor 8: to about 2 %
COMPUTE_STAGES = ("teacher", "labelling", "distillation", "student")
PRICED_STAGES = {"labels": ("labels", "dev_and_test_labels"), "LLM": ("llm_labels",), "compute": COMPUTE_STAGES}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """A price at which another option would be recommended."""

    price: str  # a key of PRICED_STAGES
    factor: float  # of the card's price
    instead: str  # label of the option then best


@dataclass(frozen=True, slots=True, kw_only=True)
class StopHere:
    """The cheapest budget within a point of the best score that the asked budget reaches."""

    budget_usd: float
    score: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """The paper's own comparison: from the same labels, the extra money buys labels or compute."""

    initial_n_labels: int
    annotate: Allocation | None
    distill: Allocation | None


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
        changes=_changes(task, options, ready, budget_usd, best),
        stop_here=_stop_here(task, options, ready, budget_usd, best),
        corners=tuple(_corner(task, options, n, budget_usd) for n in initial_sizes),
        notes=_task_notes(task, best),
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


def _notes(option: Option, named: Mapping[str, float]) -> tuple[str, ...]:
    limits = option.cost
    pool = [f"the pool of {limits.limit(k):,.0f} texts bounds {k}" for k, n in named.items() if n >= limits.limit(k)]
    ends = dict(zip(option.surface.inputs, (knots[-1] for knots in option.surface.knots), strict=True))
    table = [
        f"scores are known up to {ends[k]:,.0f} {k}; more is not looked at" for k, n in named.items() if n >= ends[k]
    ]
    return (*pool, *table)


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


def best_values(task: Task, costs: Sequence[CostModel], searches: Sequence[Search], budgets: ArrayLike) -> Floats:
    """Best mean score of each option and of the constant answer (last row) at each budget.

    budgets : (n_budgets,), US dollars
    returns : (n_options + 1, n_budgets), fractions; -inf where an option is not affordable
    """
    rows = [search.best(cost, budgets).value for cost, search in zip(costs, searches, strict=True)]
    return np.stack([*rows, np.full(np.size(budgets), task.constant_score)])


def searches(options: Sequence[Option], fine: int = EASY) -> list[Search]:
    """The tables of mean scores of some options, made ready."""
    return [prepare(o.surface, o.surface.mean_table(), o.cost, fine) for o in options]


def _stop_here(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, best: Allocation
) -> StopHere | None:
    """Search a geometric grid of budgets up to the best plan's cost, then the gap in which the aim is first reached."""
    if budget_usd <= 0 or not options:
        return None
    costs = [o.cost for o in options]
    cheapest = min(float(o.cost.total(dict.fromkeys(o.surface.inputs, 1.0))) for o in options)
    top = best.cost_usd or budget_usd
    grid = np.geomspace(min(max(cheapest, top / 1e6), top), top, 61)
    values = best_values(task, costs, ready, grid)
    aim = values[:, -1].max() - STOP_WITHIN
    if task.constant_score >= aim:
        return StopHere(budget_usd=0.0, score=100 * task.constant_score, label="constant")
    first = int(np.argmax(values.max(axis=0) >= aim))
    gap = np.geomspace(grid[max(first - 1, 0)], grid[first], 17)
    values = best_values(task, costs, ready, gap)
    first = int(np.argmax(values.max(axis=0) >= aim))
    row = int(values[:, first].argmax())
    a = allocation_at(options[row], ready[row].best(costs[row], [gap[first]]).counts[0])
    return StopHere(budget_usd=float(a.cost_usd or 0.0), score=float(a.score or 0.0), label=a.label)


def _changes(
    task: Task, options: Sequence[Option], ready: Sequence[Search], budget_usd: float, best: Allocation
) -> tuple[PriceChange, ...]:
    """For each price, up and down: the nearest at which another option is best."""
    names = [*(o.label for o in options), "constant"]
    found = []
    for price, stages in PRICED_STAGES.items():
        for up in (True, False):

            def winner(factor: float, stages: tuple[str, ...] = stages, up: bool = up) -> str:
                costs = [o.cost.scaled(stages, factor if up else 1 / factor) for o in options]
                return names[winners(best_values(task, costs, ready, [budget_usd]))[0]]

            change = _first_change(winner, best.label)
            if change is not None:
                factor, instead = change
                found.append(PriceChange(price=price, factor=factor if up else 1 / factor, instead=instead))
    return tuple(found)


def winners(values: Floats) -> list[int]:
    """Row with the highest value in each column; the last (the constant answer) wins ties: it is free.

    >>> winners(np.array([[0.5, 0.6], [0.5, 0.5]]))
    [1, 0]
    """
    best = values.argmax(axis=0)
    return [int(i) for i in np.where(values[-1] >= values.max(axis=0), len(values) - 1, best)]


def _first_change(winner: Callable[[float], str], now: str) -> tuple[float, str] | None:
    """The smallest factor tried at which somebody else wins, narrowed by bisection, and who."""
    low = 1.0
    for high in _FACTORS:
        other = winner(high)
        if other != now:
            break
        low = high
    else:
        return None
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        seen = winner(middle)
        low, high, other = (middle, high, other) if seen == now else (low, middle, seen)
    return high, other


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


def _corner(task: Task, options: Sequence[Option], initial: int, budget_usd: float) -> Corner:
    """All the money beyond the initial labels in labels, or all of it in compute."""
    annotate = [c for o in options if o.surface.strategy == "annotate" for c in _all_labels(o, initial, budget_usd)]
    distill = [c for o in options if o.surface.strategy == "distill" for c in _all_compute(o, initial, budget_usd)]
    return Corner(initial_n_labels=initial, annotate=_top(annotate), distill=_top(distill))


def _top(allocations: Sequence[Allocation]) -> Allocation | None:
    return max(allocations, key=lambda a: a.score or 0.0, default=None)


def _all_labels(option: Option, initial: int, budget_usd: float) -> list[Allocation]:
    n = option.cost.affordable("n_labels", budget_usd - option.cost.fixed_usd)
    return [allocation_at(option, np.array([float(n)]))] if n >= max(initial, 1) else []


def _all_compute(option: Option, initial: int, budget_usd: float) -> list[Allocation]:
    left = budget_usd - option.cost.fixed_usd - float(option.cost.input_usd("n_labels", initial))
    n = option.cost.affordable("n_unlabeled", left) if left >= 0 else -1
    return [allocation_at(option, np.array([float(initial), float(n)]))] if n >= 1 else []

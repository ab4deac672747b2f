"""Students measured here beside the evidence that answers: what each size scored and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from budgetsim.answers.evidence import Evidence
from budgetsim.answers.pricing import NOT_CHARGED, Pricing, bounded
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel, cost_model
from budgetsim.costs.terms import apply
from budgetsim.data.tasks import Task, get_task
from budgetsim.design.points import Route
from budgetsim.design.strategies import ANNOTATE
from budgetsim.errors import MissingPriceError
from budgetsim.store.query import ScoreRow, is_miniature


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A student measured here beside the evidence that answers, at one size. Percent, mean over runs.

    cost_usd : in all, as of any plan of labels; None where the card has no price of a label
    costs : the same by stage
    in_reach : whether people can give so many labels, in time
    sd, n_test, hours, ms_per_text : as of `store.query.ScoreRow`
    """

    student: str
    n_labels: int
    score: float
    n_runs: int
    cost_usd: float | None
    evidence_set: str
    costs: Mapping[str, float] = field(default_factory=dict)
    in_reach: bool = True
    sd: float = 0.0
    n_test: int | None = None
    hours: float | None = None
    ms_per_text: float | None = None


def rivals(evidence: Evidence, task: str, pricing: Pricing) -> list[Rival]:
    """Every size of every student measured here on labels of the task beside the evidence that answers, best first.

    Each is priced as a plan that annotates, with what is owned and the overheads of the card. Sizes whose labels nobody
    can give, or not in time, are among them: the score of a curve rests on all its sizes.
    """
    facts = get_task(task)
    return [_rival(row, facts, pricing) for row in rows_beside(evidence, task)]


def rows_beside(evidence: Evidence, task: str) -> list[ScoreRow]:
    """Scores of students that are told beside an answer, not among its rows, best first; each student in one place."""
    answering = {d.route.student for d in evidence.ran if d.task == task and d.evidence_set == evidence.sets.get(task)}
    beside = [
        row for row in evidence.cheap if row.task == task and row.student not in answering and _is_beside(evidence, row)
    ]
    return sorted(beside, key=lambda row: (-row.score, row.n_labels))


def row_route(row: ScoreRow) -> Route:
    """A measured student as a way to use money."""
    return Route(strategy=ANNOTATE.name, student=row.student)


def rival_cost(row: ScoreRow, task: Task, pricing: Pricing) -> tuple[CostModel, Hours] | None:
    """What labels for a measured student cost, with its training as it was timed; None without a price of a label."""
    card, device = pricing.card, "gpu" if row.evidence_set.startswith("measured-gpu-") else "cpu"
    hours = Hours(model="measured", device_class=device, train_fixed=row.hours or 0.0)
    if not card.has_device(device):
        hours = Hours(model=NOT_CHARGED, device_class=device)
    try:
        cost = cost_model(ANNOTATE, task, card, hours)
    except MissingPriceError:
        return None
    return apply(cost, card, hours, bounded(pricing, task), row_route(row)), hours


def _rival(row: ScoreRow, task: Task, pricing: Pricing) -> Rival:
    priced, counts = rival_cost(row, task, pricing), {"n_labels": float(row.n_labels)}
    cost = None if priced is None else priced[0]
    costs = {} if cost is None else {stage: float(usd) for stage, usd in cost.stages(counts).items()}
    return Rival(
        student=row.student,
        n_labels=row.n_labels,
        score=row.score,
        n_runs=row.n_runs,
        cost_usd=None if cost is None else sum(costs.values()),
        evidence_set=row.evidence_set,
        costs=costs,
        in_reach=cost is None or (row.n_labels <= cost.limit("n_labels") and cost.in_time(counts)),
        sd=row.sd,
        n_test=row.n_test,
        hours=row.hours,
        ms_per_text=row.ms_per_text,
    )


def _is_beside(evidence: Evidence, row: ScoreRow) -> bool:
    """Whether a student is told beside an answer, not among its rows: of another set, or of the miniature's."""
    return is_miniature(row.evidence_set) or row.evidence_set != evidence.sets.get(row.task)

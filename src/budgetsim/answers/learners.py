"""Learners measured here as rows of an answer: what each is expected to score, not the luckiest of its runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from budgetsim.answers.rivals import Rival
from budgetsim.choosing.winners import HAIR
from budgetsim.store.query import is_miniature

_Z = 1.6448536269514722  # 95 % quantile of the standard normal
_NEAR = 4  # fold: sizes whose runs scatter about alike


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerRow:
    """What one measured student reaches within a budget: its smallest size that is within a hair of the best.

    cost_usd, costs : in all, and by stage
    score : percent, of the curve through all its sizes that never falls (`never_falling`)
    lower, upper : 90 % interval of one new run, within 0 and 100; None where no size has two runs
    n_runs : that the score is a mean of, at this size and at those pooled with it
    hours, ms_per_text : as of `Rival`
    n_test : items of the test split, which may be others than those of published scores
    """

    student: str
    n_labels: int
    cost_usd: float
    costs: Mapping[str, float]
    score: float
    lower: float | None
    upper: float | None
    n_runs: int
    n_test: int | None
    hours: float | None
    ms_per_text: float | None
    evidence_set: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCaller:
    """An LLM that answers every text itself: nothing is trained, every text is paid for.

    n_labels : labels of people that its prompts show
    cost_usd : of those that are not owned; None where a label has no price
    score : percent, on the test items; None where nobody measured it
    usd_per_text : None where the LLM has no price
    source : where the score comes from, in a few words
    """

    model: str
    n_labels: int
    cost_usd: float | None
    score: float | None
    usd_per_text: float | None
    source: str


class Serving(NamedTuple):
    """What it takes to answer texts once the choice is made.

    ms_per_text : of a processor, by student, borrowed from other tasks where a task is forecast
    """

    texts_a_month: float | None = None
    callers: tuple[LlmCaller, ...] = ()
    ms_per_text: Mapping[str, float] = MappingProxyType({})


NO_SERVING = Serving()


def learner_rows(rivals: Sequence[Rival], budget_usd: float, within: float = HAIR) -> list[LearnerRow]:
    """A row for each measured student that a budget pays for, best first.

    Of a student with several evidence sets, one that people would ship goes before the miniature's.
    within : fraction of the metric by which a smaller size may be worse than the best and still do
    """
    known = sorted((r for r in rivals if r.cost_usd is not None), key=_by_curve)
    rows = []
    for _, same in groupby(known, key=lambda r: r.student):
        curve = list(next(groupby(same, key=lambda r: r.evidence_set))[1])
        row = _row(curve, budget_usd, within)
        rows += [row] if row is not None else []
    return sorted(rows, key=lambda r: (-r.score, r.cost_usd))


def cheapest_reaching(rivals: Sequence[Rival], target: float) -> LearnerRow | None:
    """The cheapest size of any measured student whose expected score is a target or more; None where none gets there.

    target : percent
    """
    prices = sorted({r.cost_usd for r in rivals if r.in_reach and r.cost_usd is not None})
    for price in prices:
        reached = [row for row in learner_rows(rivals, price) if row.score >= target]
        if reached:
            return min(reached, key=lambda row: row.cost_usd)
    return None


def _by_curve(r: Rival) -> tuple[str, bool, str, int]:
    return r.student, is_miniature(r.evidence_set), r.evidence_set, r.n_labels


def _row(curve: Sequence[Rival], budget_usd: float, within: float) -> LearnerRow | None:
    """The cheapest size of one student that is good enough beside the best that the budget pays for."""
    scores = never_falling([r.score for r in curve], [r.n_runs for r in curve])
    paid = [i for i, r in enumerate(curve) if r.in_reach and r.cost_usd is not None and r.cost_usd <= budget_usd]
    if not paid:
        return None
    at = next(i for i in paid if scores[i] >= scores[paid[-1]] - 100 * within)
    chosen, pooled = curve[at], [r for r, score in zip(curve, scores, strict=True) if score == scores[at]]
    n_runs = sum(r.n_runs for r in pooled)
    spread = _spread([r for r in curve if _NEAR >= r.n_labels / max(chosen.n_labels, 1) >= 1 / _NEAR], n_runs)
    return LearnerRow(
        student=chosen.student,
        n_labels=chosen.n_labels,
        cost_usd=chosen.cost_usd or 0.0,
        costs=chosen.costs,
        score=scores[at],
        lower=None if spread is None else max(scores[at] - spread, 0.0),
        upper=None if spread is None else min(scores[at] + spread, 100.0),
        n_runs=n_runs,
        n_test=chosen.n_test,
        hours=chosen.hours,
        ms_per_text=chosen.ms_per_text,
        evidence_set=chosen.evidence_set,
    )


def never_falling(scores: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The never falling sequence nearest to some scores in weighted least squares; neighbours that fall are pooled.

    More labels do not make a learner worse but by luck: the best of several noisy sizes is too good to be true.
    source : pool adjacent violators (Ayer et al. 1955, Annals of Mathematical Statistics 26)

    >>> never_falling([53.0, 52.0, 52.5, 60.0], [1, 1, 2, 1])
    [52.5, 52.5, 52.5, 60.0]
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for score, weight in zip(scores, weights, strict=True):
        block = (score, float(weight), 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, w, n = blocks.pop()
            block = ((mean * w + block[0] * block[1]) / (w + block[1]), w + block[1], n + block[2])
        blocks.append(block)
    return [mean for mean, _, n in blocks for _ in range(n)]


def _spread(curve: Sequence[Rival], n_runs: int) -> float | None:
    """Half the 90 % interval of a new run: the spread within sizes near it, and what the mean itself may be off."""
    freedom = sum(r.n_runs - 1 for r in curve)
    if freedom < 1:
        return None
    sd = math.sqrt(sum((r.n_runs - 1) * r.sd**2 for r in curve) / freedom)
    return student_t(freedom) * sd * math.sqrt(1 + 1 / n_runs)


def student_t(freedom: int) -> float:
    """The 95 % quantile of Student's t, within 1 % from 4 degrees of freedom on.

    source : Abramowitz & Stegun 26.7.5

    >>> round(student_t(12), 2), round(student_t(1000), 3)
    (1.78, 1.646)
    """
    z, n = _Z, freedom
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3

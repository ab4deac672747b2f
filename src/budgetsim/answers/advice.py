"""What to do with a budget: the one thing that a reader should take from an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budgetsim.answers.learners import LearnerRow
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation
from budgetsim.choosing.targets import MOST_OF_IT, STOP_WITHIN
from budgetsim.choosing.winners import HAIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do with a budget.

    plan : the cheapest within a point of the best where that saves money, else the best plan
    learner : a measured student to take instead: within a point of all that the budget buys, and cheaper than any such
        plan; None where there is none
    best : the best plan of the whole budget
    gain : percent points that the rest of the money would add; 0 where it adds nothing
    """

    budget_usd: float
    plan: Allocation
    learner: LearnerRow | None
    best: Allocation
    gain: float

    @property
    def cost_usd(self) -> float:
        """What is to be spent."""
        return self.plan.cost_usd if self.learner is None else self.learner.cost_usd

    @property
    def score(self) -> float:
        """What it is expected to score, percent."""
        return self.plan.score if self.learner is None else self.learner.score

    @property
    def saves(self) -> bool:
        """Whether a part of the budget worth a word is kept."""
        return self.cost_usd < MOST_OF_IT * self.budget_usd


def advise(answer: TaskAnswer, learners: Sequence[LearnerRow], thrifty: Sequence[LearnerRow]) -> Advice:
    """What to do with a budget: the cheapest plan or measured learner within a point of the best of them all.

    learners, thrifty : what each measured student reaches within the budget, and at its smallest size within a point
        of that
    """
    best, stop = answer.best, answer.stop_here
    top = max([best.score, *(r.score for r in learners)])
    enough = [r for r in thrifty if r.score >= top - 100 * STOP_WITHIN]
    learner = min(enough, key=lambda r: (r.cost_usd, -r.score), default=None)
    plan = best if stop is None or stop.plan.cost_usd >= MOST_OF_IT * best.cost_usd else stop.plan
    if plan.score < top - 100 * STOP_WITHIN:  # then a learner is the best, and no plan is near it
        plan = best
    elif learner is not None and learner.cost_usd >= plan.cost_usd:
        learner = None
    gain = top - (plan.score if learner is None else learner.score)
    return Advice(
        budget_usd=answer.budget_usd,
        plan=plan,
        learner=learner,
        best=best,
        gain=gain if gain > 100 * HAIR / 2 else 0.0,
    )

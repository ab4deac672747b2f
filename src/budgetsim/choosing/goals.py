"""The cheapest budget at which one new run reaches a target with a chance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.choosing.allocate import Search, prepare
from budgetsim.choosing.cheapest import cheapest, dearest_usd, least_usd
from budgetsim.choosing.objectives import attained, chance_of, closer, runs_of
from budgetsim.choosing.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route

_PRIMARY = 2  # candidates of the primary input between two knots of the closer surface
_SAME_CHANCE = 0.005  # two worlds of 400: no more money is spent for less
_LADDER = np.arange(-5, 61) * 0.002  # budgets around the one found, as shares of it


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalPlan:
    """A plan and the chance (0 to 1) that one new run of it reaches the target."""

    allocation: Allocation
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """How a target is reached with a chance.

    target : percent; wanted_chance : 0 to 1
    reached : the cheapest plan of each option that gets there, cheapest first; the first is the answer
    short : the likeliest plan of each other option, whatever it costs, likeliest first
    at_budget : the likeliest plan within a budget that was named; None where none was
    """

    task: str
    target: float
    wanted_chance: float
    reached: tuple[GoalPlan, ...]
    short: tuple[GoalPlan, ...]
    budget_usd: float | None
    at_budget: GoalPlan | None

    @property
    def plan(self) -> GoalPlan | None:
        """The cheapest plan of all that gets there; None where nothing does."""
        return self.reached[0] if self.reached else None

    @property
    def suffices(self) -> bool | None:
        """Whether the named budget is enough; None where none was named."""
        return None if self.at_budget is None else self.at_budget.chance >= self.wanted_chance


def reach_target(
    task: Task, options: Sequence[Option], target: float, chance: float, *, budget_usd: float | None = None
) -> Goal:
    """Find the cheapest plan with a chance of at least `chance` that one new run scores `target` or more.

    A run is its world's mean with the deviation of one training run: seeds as well as ignorance count.
    target : percent of the metric; chance : between 0 and 1
    budget_usd : also say how likely the target is within it
    """
    reached: list[GoalPlan | None] = []
    short: list[GoalPlan | None] = []
    within: list[GoalPlan | None] = []
    for option in options:
        search = _GoalSearch.of(task, option, target / 100, chance)
        plan = search.cheapest_plan()
        (reached if plan else short).append(plan or search.likeliest_plan())
        if budget_usd is not None:
            within.append(search.within(budget_usd))
            within += [plan] if plan and plan.allocation.cost_usd <= budget_usd else []
    constant = GoalPlan(allocation=constant_allocation(task), chance=float(task.constant_score >= target / 100))
    (reached if constant.chance else short).append(constant)
    by_cost = _first_of_each_route(sorted((p for p in reached if p), key=lambda p: p.allocation.cost_usd))
    return Goal(
        task=task.name,
        target=target,
        wanted_chance=chance,
        reached=tuple(by_cost.values()),
        short=tuple(_first_of_each_route(sorted((p for p in short if p), key=_likeliest), by_cost).values()),
        budget_usd=budget_usd,
        at_budget=None if budget_usd is None else min((p for p in [*within, constant] if p), key=_likeliest),
    )


def _first_of_each_route(plans: Sequence[GoalPlan], besides: Collection[Route] = ()) -> dict[Route, GoalPlan]:
    """A teacher that is owned is one option as it is and another anew: of one route only the first plan counts."""
    firsts: dict[Route, GoalPlan] = {}
    for plan in plans:
        if plan.allocation.route not in besides:
            firsts.setdefault(plan.allocation.route, plan)
    return firsts


def _likeliest(plan: GoalPlan) -> tuple[float, float]:
    return -plan.chance, plan.allocation.cost_usd


@dataclass(frozen=True, slots=True)
class _GoalSearch:
    """One option made ready to be searched for a target: the score that a run reaches surely enough, and its chance."""

    task: Task
    option: Option
    target: float
    chance: float
    sure: Search  # score that a run reaches with the chance
    likely: Search  # chance of the target

    @classmethod
    def of(cls, task: Task, option: Option, target: float, chance: float) -> _GoalSearch:
        runs = closer(runs_of(option.surface))
        sure = prepare(runs, attained(runs.draws, chance), option.cost, _PRIMARY)
        likely = prepare(runs, chance_of(runs.draws, target), option.cost, _PRIMARY)
        return cls(task, option, target, chance, sure, likely)

    def cheapest_plan(self) -> GoalPlan | None:
        usd = self._cheapest(self.sure, self.target)
        if usd is None:
            return None
        # between two knots the tables are a little off: the plan itself has the last word
        ladder = usd * (1 + _LADDER)
        ladder = np.append(ladder, np.geomspace(max(ladder[-1], 1e-6), max(self._dearest, ladder[-1], 1e-6), 60))
        counts = self.sure.best(self.option.cost, ladder).counts
        some = np.isfinite(counts).all(axis=1)
        counts = counts[some]
        good = self._chances(counts) >= self.chance - 1e-9
        return self._plan(counts[int(np.argmax(good))]) if good.any() else None

    def likeliest_plan(self) -> GoalPlan | None:
        """The cheapest of the plans that are as likely as any, whatever they cost; None where there is no plan."""
        top = self.likely.best(self.option.cost, [self._dearest])
        if not top.feasible[0]:
            return None
        usd = self._cheapest(self.likely, float(top.value[0]) - _SAME_CHANCE)
        return self.within(self._dearest if usd is None else usd)

    def within(self, budget_usd: float) -> GoalPlan | None:
        """The likeliest plan that a budget pays for; None where it buys nothing."""
        bests = [search.best(self.option.cost, [budget_usd]) for search in (self.likely, self.sure)]
        plans = [self._plan(best.counts[0]) for best in bests if best.feasible[0]]
        return min(plans, key=_likeliest, default=None)

    @property
    def _dearest(self) -> float:
        return dearest_usd([self.option])

    def _cheapest(self, search: Search, aim: float) -> float | None:
        cost = self.option.cost
        return cheapest(lambda usd: search.best(cost, usd).value >= aim, least_usd([self.option]), self._dearest)

    def _chances(self, counts: Floats) -> Floats:
        runs = self.option.surface.at(counts) + self.option.surface.deviations(counts)
        return chance_of(runs, self.target)

    def _plan(self, counts: Floats) -> GoalPlan:
        chance = float(self._chances(counts[None, :])[0])
        return GoalPlan(allocation=allocation_at(self.task, self.option, counts), chance=chance)

"""The worth of one more run: what a pilot adds to the best plan, out of the same budget.

With a budget B a pilot at cost c is worth

    E_y[best expected score with B - c, what it bought owned, knowing y] - best expected score with B.

The best of each world does not depend on the pilot, so this is also the expected fall of regret. It
is negative where the money does more in the plan than in the pilot: then nothing should be measured.
Labels and texts of the pilot count among those there are; its days are taken from the deadline.
It looks one run ahead: two runs that are only worth something together are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from budgetsim.choosing.allocate import EASY, best_per_draw, prepare
from budgetsim.choosing.options import Option
from budgetsim.choosing.simulate import run_interval
from budgetsim.choosing.winners import best_values, by_route, rows_by_route, searches, winners
from budgetsim.costs.model import CostModel
from budgetsim.costs.terms import own_units
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import CONSTANT_ROUTE, Design, Route
from budgetsim.design.stages import PROJECT_STAGES
from budgetsim.errors import InputError
from budgetsim.pilots.candidates import Candidate, candidate_runs
from budgetsim.pilots.condition import run_outlook, slices

LEAST_FALL: Final = 0.02  # points; 400 draws tell no smaller ones apart
_SAME_FALL: Final = 6  # decimals of points; sums of the last bits differ from machine to machine


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRun:
    """A run, what it costs and what it is worth; scores are percent points."""

    design: Design
    again: bool  # another seed where there are runs already
    cost_usd: float
    days: float | None  # that it takes; None where nobody said how many labels people give in a day
    kept_usd: float  # part of it that buys labels, texts and the like, owned afterwards
    score: float  # expected
    lower: float  # 90 % interval of its result
    upper: float
    information: tuple[float, ...]  # at each budget: expected fall of regret if the run were free
    falls: tuple[float, ...]  # at each budget: expected fall of regret, its cost taken from the budget
    p_switch: float  # chance that its result makes another option best by more than a hair, mean over budgets

    @property
    def route(self) -> Route:
        """Strategy and models."""
        return self.design.route

    @property
    def fall(self) -> float:
        """Mean over budgets."""
        return sum(self.falls) / len(self.falls)

    @property
    def fall_per_100_usd(self) -> float:
        return 100 * self.fall / max(self.cost_usd, 0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAnswer:
    """Runs worth measuring first, best first, then the others; none may be worth it."""

    task: str
    budgets_usd: tuple[float, ...]
    best_now: tuple[float, ...]  # at each budget: expected score of the best plan, percent; none wins by a hair
    plans_now: tuple[Route, ...]  # and whose it is
    regret_now: tuple[float, ...]  # and the points it gives up against who knew the truth
    runs: tuple[NextRun, ...]

    @property
    def worth(self) -> tuple[NextRun, ...]:
        """Runs that are expected to pay for themselves."""
        return tuple(r for r in self.runs if r.fall >= LEAST_FALL)


def rank_runs(task: Task, options: Sequence[Option], budgets_usd: Sequence[float]) -> NextAnswer:
    """Judge every candidate run over a range of budgets, by expected fall of regret per dollar.

    A budget too small for a run counts as one at which it is not run: its fall there is 0.

    budgets_usd : US dollars, one or more, each above zero
    raises : InputError where there is no budget
    """
    if not len(budgets_usd):
        raise InputError("budgets_usd: found none, wanted one or more US dollar amounts; name a budget.")
    budgets = np.asarray(budgets_usd, dtype=np.float64)
    costs = [o.cost for o in options]
    rows = rows_by_route(options)
    now = by_route(rows, best_values(task, costs, searches(options), budgets))  # (routes + 1, budgets)
    runs = [_judge(task, options, c, budgets, now) for c in candidate_runs(options, float(budgets.max()))]
    won, routes = winners(now), [*rows, CONSTANT_ROUTE]
    standing = now[won, np.arange(len(budgets))]
    return NextAnswer(
        task=task.name,
        budgets_usd=tuple(budgets.tolist()),
        best_now=tuple((100 * standing).tolist()),
        plans_now=tuple(routes[i] for i in won),
        regret_now=tuple(_regret(task, options, standing, budgets)),
        runs=tuple(sorted(runs, key=_order)),
    )


def _order(r: NextRun) -> tuple[bool, float, float]:
    """By the dollar among those that are worth it; else by the fall, the least loss first; the cheaper of equals."""
    is_worth = r.fall >= LEAST_FALL
    return not is_worth, -round(r.fall_per_100_usd if is_worth else r.fall, _SAME_FALL), r.cost_usd


def _regret(task: Task, options: Sequence[Option], now: Floats, budgets: Floats) -> list[float]:
    out = []
    for value, budget in zip(now, budgets, strict=True):
        reached = [best_per_draw(o.surface, o.cost, float(budget)) for o in options]
        best = np.max([*reached, np.full(_n_draws(options), task.constant_score)], axis=0)
        out.append(100 * max(float(best.mean() - value), 0.0))  # the worlds are searched more coarsely than the mean
    return out


def _n_draws(options: Sequence[Option]) -> int:
    return options[0].surface.n_draws if options else 1


def _judge(task: Task, options: Sequence[Option], c: Candidate, budgets: Floats, now: Floats) -> NextRun:
    option = options[c.option]
    s = option.surface
    outlook = run_outlook(s, c.counts)
    cut = slices(outlook)
    costs_after = [_after(o, option, c.counts) for o in options]
    tables = [cut.expected(o.surface.draws) for o in options]
    models = zip(options, tables, costs_after, strict=True)
    ready = [prepare(o.surface, table, o.cost, EASY, also=after) for o, table, after in models]
    free = best_values(task, [o.cost for o in options], ready, budgets)
    free, won = by_route(rows_by_route(options), free), winners(now)  # (routes + 1, slices, budgets)
    left = best_values(task, costs_after, ready, np.maximum(budgets - c.cost_usd, 0.0)).max(axis=0)
    value = cut.chance @ np.maximum(left, cut.expected(outlook.mean)[:, None])  # the run's own model is kept
    paid = budgets >= c.cost_usd
    named = option.named(c.counts)
    (lower,), (upper,) = run_interval(outlook.mean[:, None], s.deviations([c.counts]))
    return NextRun(
        design=Design(task=task.name, route=s.route, **{name: int(n) for name, n in named.items()}),
        again=c.again,
        cost_usd=c.cost_usd,
        days=None if option.cost.days is None else float(option.cost.days.total(named)),
        kept_usd=c.cost_usd - float(_after(option, option, c.counts).total(named)),
        score=100 * float(outlook.mean.mean()),
        lower=100 * float(lower),
        upper=100 * float(upper),
        information=tuple((100 * (cut.chance @ free.max(axis=0) - now.max(axis=0))).tolist()),
        falls=tuple((100 * np.where(paid, value - now.max(axis=0), 0.0)).tolist()),
        p_switch=float(cut.chance @ [_switched(after, won) for after in free.swapaxes(0, 1)]),
    )


def _switched(after: Floats, won: Sequence[int]) -> float:
    """Share of budgets at which another wins (routes + 1, budgets) than before."""
    return sum(a != b for a, b in zip(winners(after, won), won, strict=True)) / len(won)


def _after(option: Option, run: Option, counts: Floats) -> CostModel:
    """What an option costs once the run has been paid: its labels and texts are owned, its days are over."""
    bought = run.named(counts)
    if option.route.labeler != run.route.labeler:
        bought.pop("n_llm_labels", None)  # another model's answers
    if "n_labels" in run.cost.at_least:
        bought.pop("n_labels")  # the owned teacher's: nobody handed them over
    taken = 0.0 if run.cost.days is None else float(run.cost.days.total(run.named(counts)))
    return replace(own_units(option.cost, bought, PROJECT_STAGES), deadline_days=option.cost.deadline_days - taken)

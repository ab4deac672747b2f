"""Which plan to recommend: the one rule of `optimize`, `frontier` and `sensitivity`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from budgetsim.choosing.allocate import FINE, BestInputs, allocate
from budgetsim.choosing.options import Allocation, Infeasible, Option, Standing, allocation_at, constant_allocation
from budgetsim.choosing.remarks import NoUnits, OwnedBeyondTable, Shortfall, TooDear, TooSlow
from budgetsim.choosing.simulate import OverWorlds, chance_of_best
from budgetsim.choosing.winners import HAIR, rows_by_route, searches
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.surface import interpolate

CHEAPER = 0.99  # a plan is cheaper where it saves at least one percent
FIRM = 0.5  # standard deviations by which own runs must put a plan first before the one of other tasks is left


def recommended(worths: Sequence[float], costs_usd: Sequence[float], kinds: Sequence[int] = ()) -> int:
    """The plan worth most, or one that is worse by less than anybody can measure and cheaper, or else simpler.

    worths : fractions, higher is better; -inf for what cannot be feasible
    costs_usd : US dollars; of plans worth the same the cheaper is taken, then the first
    kinds : how many kinds of thing a plan buys; for the same money fewer are simpler. None: all alike

    >>> recommended([0.6, 0.5995, 0.5985], [100.0, 50.0, 10.0])
    1
    >>> recommended([0.6, 0.5995, 0.5985], [100.0, 100.0, 100.0], [2, 1, 0])
    1
    """
    top = max(range(len(worths)), key=lambda i: (worths[i], -costs_usd[i]))
    near = [i for i, worth in enumerate(worths) if worth > worths[top] - HAIR]
    cheaper = [i for i in near if costs_usd[i] < CHEAPER * costs_usd[top]]
    if cheaper:
        return min(cheaper, key=lambda i: (costs_usd[i], -worths[i]))
    simpler = [i for i in near if kinds and kinds[i] < kinds[top] and CHEAPER * costs_usd[i] <= costs_usd[top]]
    return min(simpler, key=lambda i: (kinds[i], -worths[i], costs_usd[i]), default=top)


@dataclass(frozen=True, slots=True)
class Offers:
    """What budgets buy of each option, and of the constant answer in the last row: (options + 1, budgets).

    worth : fractions, higher is better; -inf where a budget buys nothing
    cost_usd : US dollars; inf where a budget buys nothing
    kinds : how many kinds of thing are bought
    """

    worth: Floats
    cost_usd: Floats
    kinds: Floats

    def best_of_routes(self, rows: Sequence[Sequence[int]], column: int) -> list[int]:
        """Of the options of each route the one to recommend: with an owned teacher as it is, or with one tuned anew."""
        worth, usd = self.worth[:, column].tolist(), self.cost_usd[:, column].tolist()
        return [same[recommended([worth[i] for i in same], [usd[i] for i in same])] for same in rows]

    def choose(self, rows: Sequence[Sequence[int]], column: int) -> int:
        """The option to recommend at one budget; the number of options stands for the constant answer."""
        kept = [*self.best_of_routes(rows, column), len(self.worth) - 1]
        worth, usd, kinds = (table[kept, column].tolist() for table in (self.worth, self.cost_usd, self.kinds))
        return kept[recommended(worth, usd, kinds)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Own runs of a forecast put another plan first, but by less than `FIRM` of the gain's own standard deviation.

    kept, instead : options; the number of options stands for the constant answer
    gain, sd : of the mean score, fractions
    """

    kept: int
    instead: int
    gain: float
    sd: float


def doubt_of(
    task: Task, options: Sequence[Option], bests: Sequence[BestInputs], kept: Sequence[int], column: int = 0
) -> Doubt | None:
    """Whether to keep the plan that other tasks alone put first at one budget; None where own runs have their way.

    kept : options to compare, the constant answer's number among them
    """
    if all(o.surface.before is None for o in options):
        return None
    constant = np.full(options[0].surface.n_draws, task.constant_score)
    now: dict[int, Floats] = {len(options): constant}
    before = {len(options): task.constant_score}
    for i in kept:
        if i < len(options) and bests[i].feasible[column]:
            surface, counts = options[i].surface, bests[i].counts[column]
            now[i] = surface.at([counts])[:, 0]
            told = now[i].mean() if surface.before is None else interpolate(surface.knots, surface.before, [counts])[0]
            before[i] = float(told)
    first, top = max(before, key=lambda i: before[i]), max(now, key=lambda i: now[i].mean())
    gain = now[top] - now[first]
    if first == top or gain.mean() >= FIRM * gain.std():
        return None
    return Doubt(kept=first, instead=top, gain=float(gain.mean()), sd=float(gain.std()))


def offers_of(task: Task, options: Sequence[Option], bests: Sequence[BestInputs], n_budgets: int = 1) -> Offers:
    """The offers of some budgets.

    bests : of each option the best inputs for each budget
    """
    shape = (len(options) + 1, n_budgets)
    usd, kinds = np.full(shape, np.inf), np.zeros(shape)
    usd[-1] = 0.0
    for i, (option, best) in enumerate(zip(options, bests, strict=True)):
        feasible = best.feasible
        counts = best.counts[feasible]
        usd[i, feasible] = option.cost.total(dict(zip(option.surface.inputs, counts.T, strict=True)))
        kinds[i, feasible] = (counts > 0).sum(axis=1)
    return Offers(np.stack([*(best.value for best in bests), np.full(n_budgets, task.constant_score)]), usd, kinds)


def chosen_options(task: Task, options: Sequence[Option], bests: Sequence[BestInputs], n_budgets: int) -> list[int]:
    """The option to recommend at each budget; the number of options stands for the constant answer.

    bests : of each option the best inputs for each budget
    """
    offers, rows = offers_of(task, options, bests, n_budgets), list(rows_by_route(options).values())
    chosen = []
    for k in range(n_budgets):
        doubt = doubt_of(task, options, bests, [*offers.best_of_routes(rows, k), len(options)], k)
        chosen.append(offers.choose(rows, k) if doubt is None else doubt.kept)
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What one budget buys, an allocation a route and the constant answer last.

    worths : of each what was asked to be highest, a fraction
    scores : (draws, allocations), fractions
    row : of the recommended one
    doubt : why that is not the one worth most, where own runs tell too little
    """

    allocations: tuple[Allocation, ...]
    worths: tuple[float, ...]
    scores: Floats
    row: int
    doubt: Doubt | None = None


def rank(
    task: Task,
    options: Sequence[Option],
    bests: Sequence[BestInputs],
    over_worlds: OverWorlds | None = None,
) -> Ranking:
    """Compare what one budget buys of each route.

    bests : of each option the best inputs for that budget alone
    over_worlds : what is to be highest, of scores (draws, ...); None for their mean
    """
    offers, rows = offers_of(task, options, bests), list(rows_by_route(options).values())
    kept = [i for i in offers.best_of_routes(rows, 0) if bests[i].feasible[0]]
    n_draws = options[0].surface.n_draws if options else 1
    columns = [options[i].surface.at(bests[i].counts)[:, 0] for i in kept]
    scores = np.stack([*columns, np.full(n_draws, task.constant_score)], axis=1)
    kept.append(len(options))
    if over_worlds is not None:  # the table that was searched is a straight line between knots; this is exact
        worth = np.full_like(offers.worth, -np.inf)
        worth[kept, 0] = over_worlds(scores)
        offers = replace(offers, worth=worth)
    plans = [allocation_at(task, options[i], bests[i].counts[0]) for i in kept[:-1]]
    doubt = doubt_of(task, options, bests, kept) if over_worlds is None else None
    return Ranking(
        allocations=(*plans, constant_allocation(task)),
        worths=tuple(offers.worth[kept, 0].tolist()),
        scores=scores,
        row=kept.index(offers.choose(rows, 0) if doubt is None else doubt.kept),
        doubt=doubt,
    )


def best_plan(task: Task, options: Sequence[Option], budget_usd: float) -> Allocation:
    """The plan that `optimize` recommends for the expected score, with its chance of being the best of all.

    It has the highest mean score, or is cheaper or simpler and worse by a hair; the constant answer is an option.
    """
    bests = [s.best(o.cost, [budget_usd]) for o, s in zip(options, searches(options, FINE), strict=True)]
    ranking = rank(task, options, bests)
    chances = chance_of_best(ranking.scores)
    return replace(ranking.allocations[ranking.row], standing=Standing(p_best=float(chances[ranking.row])))


def out_of_reach(options: Sequence[Option], budget_usd: float) -> tuple[Infeasible, ...]:
    """The routes of which a budget buys nothing, and why."""
    bests = [allocate(o.surface, o.cost, [budget_usd]) for o in options]
    return infeasible_routes(options, bests, budget_usd)


def infeasible_routes(
    options: Sequence[Option], bests: Sequence[BestInputs], budget_usd: float
) -> tuple[Infeasible, ...]:
    """As `out_of_reach`, where the best inputs of each option are known already."""
    firsts = {
        route: options[same[0]]
        for route, same in rows_by_route(options).items()
        if not any(bests[i].feasible[0] for i in same)
    }
    return tuple(
        Infeasible(route=route, reason=shortfall(option, budget_usd), evidence=option.evidence)
        for route, option in firsts.items()
    )


def shortfall(option: Option, budget_usd: float) -> Shortfall:
    """What an option lacks under a budget, its limits and its deadline."""
    cost = option.cost
    for name, knots in zip(option.surface.inputs, option.surface.knots, strict=True):
        if cost.at_least.get(name, 0.0) > knots[-1]:
            return OwnedBeyondTable(input=name, end=float(knots[-1]))
        if cost.limit(name) < 1:
            return NoUnits(input=name, limit=cost.limit(name))
    fewest = cost.min_units(option.surface.inputs)
    stages = {stage: float(usd) for stage, usd in cost.stages(fewest).items()}
    least = float(cost.total(fewest))
    if least <= budget_usd and cost.days is not None:
        return TooSlow(least_days=float(cost.days.total(fewest)), deadline_days=cost.deadline_days)
    dearest = max(stages, key=lambda stage: stages[stage])
    return TooDear(least_usd=least, budget_usd=budget_usd, stage=dearest, stage_usd=stages[dearest])

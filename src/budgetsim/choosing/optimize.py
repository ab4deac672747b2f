"""How a budget is best split on one task, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from budgetsim.choosing.allocate import Choice, Search, allocate, best_per_draw
from budgetsim.choosing.breakeven import PriceChange, price_changes, prices_met
from budgetsim.choosing.corners import Corner, corner
from budgetsim.choosing.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.choosing.shadow import ShadowPrice, shadow_price
from budgetsim.choosing.simulate import chance_of_best, expected_regret
from budgetsim.choosing.targets import StopHere, stop_here
from budgetsim.choosing.winners import CHEAPER, HAIR, better_of_a_label, recommended, searches
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats

if TYPE_CHECKING:
    from budgetsim.choosing.objectives import Choose


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """What a budget buys on one task; `allocations` holds the best first, by what was chosen for.

    choose, level : what "best" means: the expected score, the `level` quantile over worlds, or the
        least mean regret in the worst `level` of worlds
    recommended : index of the best, or of a cheaper or a simpler one that is worse by a hair
    tried : prices that were turned to find `changes`, keys of `breakeven.PRICED_STAGES`; what is free cannot be
    changes, stop_here, shadow : None under `regret`, whose yardstick moves with budget and prices
    """

    task: str
    budget_usd: float
    choose: Choose = "mean"
    level: float = 0.1
    allocations: tuple[Allocation, ...]
    recommended: int | None
    tried: tuple[str, ...]
    changes: tuple[PriceChange, ...] | None
    stop_here: StopHere | None
    shadow: ShadowPrice | None
    corners: tuple[Corner, ...]
    notes: tuple[str, ...]

    @property
    def best(self) -> Allocation | None:
        return None if self.recommended is None else self.allocations[self.recommended]


def optimize_task(
    task: Task,
    options: Sequence[Option],
    budget_usd: float,
    *,
    initial_sizes: Sequence[int] = (),
    choose: Choose = "mean",
    level: float = 0.1,
) -> TaskAnswer:
    """Split a budget here and now: one allocation an option, judged on the same joint draws.

    initial_sizes : starting labels of the paper's own comparison, where it is asked for
    choose, level : as of `TaskAnswer`
    """
    reference = _reference(task, options, budget_usd)
    over_worlds = _over_worlds(choose, level, reference)
    if over_worlds is None:
        found, ready = [allocate(o.surface, o.cost, [budget_usd]) for o in options], searches(options)
    else:
        from budgetsim.choosing.objectives import search  # a plain answer is spared it

        ready = [search(o, over_worlds) for o in options]
        found = [s.best(o.cost, [budget_usd]) for s, o in zip(ready, options, strict=True)]
    kept = better_of_a_label(options, found)
    bought, found = [options[i] for i in kept], [found[i] for i in kept]
    entries = [_entry(o, c, budget_usd) for o, c in zip(bought, found, strict=True)]
    entries.append(constant_allocation(task))
    judged = _judge(task, bought, found, entries, reference, over_worlds)
    # a constant answer that ties is the better buy: it costs nothing
    ordered = sorted(judged, key=lambda a: (not a.feasible, -_worth(a, choose), a.cost_usd or 0.0))
    row = _recommended(ordered, choose)
    best = ordered[row]
    answer = TaskAnswer(
        task=task.name,
        budget_usd=budget_usd,
        choose=choose,
        level=level,
        allocations=tuple(ordered),
        recommended=row if best.feasible else None,
        tried=(),
        changes=None,
        stop_here=None,
        shadow=None,
        corners=tuple(corner(options, n, budget_usd) for n in initial_sizes),
        notes=_task_notes(task, ordered, row, choose),
    )
    return answer if choose == "regret" else _around(answer, task, options, ready, best)


def _around(
    answer: TaskAnswer, task: Task, options: Sequence[Option], ready: Sequence[Search], best: Allocation
) -> TaskAnswer:
    """What other budgets and prices would do."""
    budget_usd = answer.budget_usd
    return replace(
        answer,
        tried=prices_met(options),
        changes=price_changes(task, options, ready, budget_usd, best),
        stop_here=stop_here(task, options, ready, budget_usd, best),
        shadow=shadow_price(task, options, ready, budget_usd),
    )


def _over_worlds(choose: Choose, level: float, reference: Floats) -> Callable[[Floats], Floats] | None:
    """The number that is to be highest, of scores (draws, ...); None for the mean, which needs no draws."""
    if choose == "mean":
        return None
    from budgetsim.choosing.objectives import quantile, tail_regret

    if choose == "quantile":
        return lambda scores: quantile(scores, level)
    return lambda scores: -tail_regret(scores, reference, level)


def _reference(task: Task, options: Sequence[Option], budget_usd: float) -> Floats:
    """The best that the budget could have reached in each world, had the truth been known: (draws,)."""
    best = np.full(options[0].surface.n_draws if options else 1, task.constant_score)
    for option in options:
        best = np.maximum(best, best_per_draw(option.surface, option.cost, budget_usd))
    return best


def _entry(option: Option, choice: Choice, budget_usd: float) -> Allocation:
    s = option.surface
    if not choice.feasible[0]:
        reason = why_infeasible(option, budget_usd)
        return Allocation(
            strategy=s.route.strategy,
            teacher=s.route.teacher,
            student=s.route.student,
            labeler=s.route.labeler,
            feasible=False,
            reason=reason,
            evidence=option.evidence,
        )
    return allocation_at(option, choice.counts[0])


def out_of_reach(options: Sequence[Option], budget_usd: float) -> dict[str, str]:
    """Why a budget buys nothing of a label, for each label of which no option can be had."""
    found = [allocate(o.surface, o.cost, [budget_usd]) for o in options]
    kept = better_of_a_label(options, found)
    return {options[i].label: why_infeasible(options[i], budget_usd) for i in kept if not found[i].feasible[0]}


def why_infeasible(option: Option, budget_usd: float) -> str:
    """What an option lacks under a budget, its limits and its deadline."""
    cost = option.cost
    for name, knots in zip(option.surface.inputs, option.surface.knots, strict=True):
        if cost.at_least.get(name, 0.0) > knots[-1]:
            return f"scores are known up to {knots[-1]:,.0f} {name}; the owned teacher has more"
        if cost.limit(name) < 1:
            there = "people give 0 labels" if name == "n_labels" else f"the pool holds {cost.limit(name):,.0f} texts"
            return f"{there}; {name} needs one or more"
    fewest = cost.fewest(option.surface.inputs)
    stages = cost.stages(fewest)
    least = float(cost.total(fewest))
    if least <= budget_usd and cost.days is not None:
        takes, there_are = _apart(float(cost.days.total(fewest)), cost.deadline_days, 1)
        return f"the least it takes is {takes} days; the deadline is {there_are} days"
    dearest = max(stages, key=lambda stage: float(stages[stage]))
    takes, there_are = _apart(least, budget_usd, 2)
    return (
        f"the least it takes is ${takes} (of which {dearest.replace('_', ' ')} ${float(stages[dearest]):,.2f}); "
        f"the budget is ${there_are}"
    )


def _apart(one: float, other: float, digits: int) -> tuple[str, str]:
    """Two amounts with so many decimals, or with the fewest beyond that tell them apart from each other and from 0.

    >>> _apart(12.9, 12.8, 2), _apart(12.9014, 12.8996, 2), _apart(3.0, 0.04, 1)
    (('12.90', '12.80'), ('12.901', '12.900'), ('3.00', '0.04'))
    """
    for more in range(digits, 10):
        words = f"{one:,.{more}f}", f"{other:,.{more}f}"
        if words[0] != words[1] and (other == 0 or float(words[1].replace(",", "")) > 0):
            break
    return words


def _judge(
    task: Task,
    options: Sequence[Option],
    choices: Sequence[Choice],
    entries: Sequence[Allocation],
    reference: Floats,
    over_worlds: Callable[[Floats], Floats] | None,
) -> list[Allocation]:
    """Add to each feasible entry its chance of being best, its regret and what was asked for, on joint draws."""
    feasible = [(o, c) for o, c in zip(options, choices, strict=True) if c.feasible[0]]
    columns = [o.surface.at(c.counts)[:, 0] for o, c in feasible]
    scores = np.stack([*columns, np.full(len(reference), task.constant_score)], axis=1)
    chances, regrets = iter(chance_of_best(scores)), iter(expected_regret(scores, reference))
    asked = iter([None] * len(scores.T) if over_worlds is None else (100 * np.abs(over_worlds(scores))).tolist())
    return [
        replace(e, p_best=float(next(chances)), expected_regret=100 * float(next(regrets)), objective=next(asked))
        if e.feasible
        else e
        for e in entries
    ]


def _worth(a: Allocation, choose: Choose) -> float:
    """What was asked for, higher is better, percent points."""
    if a.objective is None:
        return a.score or 0.0
    return -a.objective if choose == "regret" else a.objective


def _recommended(ordered: Sequence[Allocation], choose: Choose) -> int:
    worths = [_worth(a, choose) / 100 if a.feasible else -math.inf for a in ordered]
    return recommended(worths, [a.cost_usd or 0.0 for a in ordered], [a.kinds for a in ordered])


def _task_notes(task: Task, ordered: Sequence[Allocation], row: int, choose: Choose) -> tuple[str, ...]:
    best, first = ordered[row], ordered[0]
    notes = []
    if row:
        more, dearer = _worth(first, choose) - _worth(best, choose), (first.cost_usd or 0.0) - (best.cost_usd or 0.0)
        cheaper = (best.cost_usd or 0.0) < CHEAPER * (first.cost_usd or 0.0)
        money, which = (f"${dearer:,.2f} more", "cheaper") if cheaper else ("the same money", "simpler")
        notes.append(
            f"{first.label} is better by {more:.2f} points for {money}: less than the {100 * HAIR:g} that anybody "
            f"could measure, so the {which} plan is recommended."
        )
    if best.strategy == "constant":
        notes.append(f"Nothing that this budget buys is expected to beat answering {task.constant_answer} always.")
    elif best.lower is not None and best.lower <= 100 * task.constant_score:
        notes.append(
            f"A run may end at or below the constant answer ({task.constant_answer}, "
            f"{100 * task.constant_score:.1f}), which costs nothing."
        )
    return tuple(notes)

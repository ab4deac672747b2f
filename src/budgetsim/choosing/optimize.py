"""How a budget is best split on one task, and what to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from budgetsim.choosing.allocate import BestInputs, Search, allocate, best_per_draw
from budgetsim.choosing.breakeven import OtherCosts, PriceChange, price_changes, prices_above_zero
from budgetsim.choosing.corners import Corner, corner
from budgetsim.choosing.options import Allocation, Infeasible, Option, Standing
from budgetsim.choosing.recommend import CHEAPER, Ranking, infeasible_routes, rank
from budgetsim.choosing.remarks import (
    AnswerRemark,
    NothingBeatsConstant,
    OwnRunsTooFew,
    RunMayEndAtConstant,
    WithinMargin,
)
from budgetsim.choosing.shadow import ShadowPrice, shadow_price
from budgetsim.choosing.simulate import OverWorlds, chance_of_best, expected_regret
from budgetsim.choosing.targets import StopHere, stop_here
from budgetsim.choosing.winners import searches
from budgetsim.data.tasks import Task
from budgetsim.design.arrays import Floats
from budgetsim.design.strategies import CONSTANT

if TYPE_CHECKING:
    from budgetsim.choosing.objectives import Choose


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """What a budget buys on one task; `allocations` holds the best first, by what was chosen for.

    choose, level : what "best" means: the expected score, the `level` quantile over worlds, or the
        least mean regret in the worst `level` of worlds
    infeasible : routes of which the budget buys nothing, and why
    recommended : index of the best, or of a cheaper or a simpler one that is worse by a hair
    scaled_prices : prices that were scaled to look for `changes`, keys of `breakeven.PRICED_STAGES`; a price of
        zero cannot be
    changes, stop_here, shadow : None under `regret`, whose yardstick moves with budget and prices, and where own runs
        are too few to leave the plan that other tasks put first
    """

    task: str
    budget_usd: float
    choose: Choose = "mean"
    level: float = 0.1
    allocations: tuple[Allocation, ...]
    infeasible: tuple[Infeasible, ...]
    recommended: int
    scaled_prices: tuple[str, ...]
    changes: tuple[PriceChange, ...] | None
    stop_here: StopHere | None
    shadow: ShadowPrice | None
    corners: tuple[Corner, ...]
    remarks: tuple[AnswerRemark, ...]

    @property
    def best(self) -> Allocation:
        """The recommended allocation; the constant answer where nothing else is."""
        return self.allocations[self.recommended]

    @property
    def distinct(self) -> tuple[Allocation, ...]:
        """Allocations less those that come down to another one: an LLM's one label beside 3,875 of people."""
        return tuple(
            a for a in self.allocations if a is self.best or not any(_is_all_of(b, a) for b in self.allocations)
        )


def optimize_task(
    task: Task,
    options: Sequence[Option],
    budget_usd: float,
    *,
    initial_sizes: Sequence[int] = (),
    choose: Choose = "mean",
    level: float = 0.1,
) -> TaskAnswer:
    """Split a budget here and now: one allocation a route, judged on the same joint draws.

    initial_sizes : starting labels of the paper's own comparison, where it is asked for
    choose, level : as of `TaskAnswer`
    raises : ValueError for a budget that is no amount of money
    """
    if not budget_usd >= 0:
        raise ValueError(f"budget_usd is {budget_usd}: wanted an amount of US dollars, zero or more.")
    reference = _reference(task, options, budget_usd)
    over_worlds = _over_worlds(choose, level, reference)
    ready, bests = _searched(options, budget_usd, over_worlds)
    ranking = rank(task, options, bests, over_worlds)
    allocations = _with_standing(ranking, reference, shows_objective=over_worlds is not None)
    # a constant answer that ties is the better buy: it costs nothing
    order = sorted(range(len(allocations)), key=lambda i: (-ranking.worths[i], allocations[i].cost_usd))
    answer = TaskAnswer(
        task=task.name,
        budget_usd=budget_usd,
        choose=choose,
        level=level,
        allocations=tuple(allocations[i] for i in order),
        infeasible=infeasible_routes(options, bests, budget_usd),
        recommended=order.index(ranking.row),
        scaled_prices=(),
        changes=None,
        stop_here=None,
        shadow=None,
        corners=tuple(corner(task, options, n, budget_usd) for n in initial_sizes),
        remarks=_remarks(task, ranking, order[0]),
    )
    return answer if choose == "regret" or ranking.doubt else _around(answer, task, options, ready)


def _is_all_of(part: Allocation, whole: Allocation) -> bool:
    """Whether a mix of labels is another allocation of its student, and hardly one label of what that has not."""
    few, many = part.route.kind.inputs, whole.route.kind.inputs
    mix = part.route.student == whole.route.student and not whole.route.kind.has_teacher and set(few) < set(many)
    return mix and bool(few) and all(_is_matched(getattr(part.design, n), getattr(whole.design, n)) for n in many)


def _is_matched(part: int, whole: int) -> bool:
    """Whether a count of a mix is one at most, or within a percent of the other's."""
    return whole <= 1 or abs(part - whole) <= max(1.0, 0.01 * whole)


def _searched(
    options: Sequence[Option], budget_usd: float, over_worlds: OverWorlds | None
) -> tuple[list[Search], list[BestInputs]]:
    """Tables ready to be searched at other budgets and prices, and the best inputs of each option for this one."""
    if over_worlds is None:
        return searches(options), [allocate(o.surface, o.cost, [budget_usd]) for o in options]
    from budgetsim.choosing.objectives import search  # a plain answer is spared it

    ready = [search(o, over_worlds) for o in options]
    return ready, [s.best(o.cost, [budget_usd]) for s, o in zip(ready, options, strict=True)]


def _around(answer: TaskAnswer, task: Task, options: Sequence[Option], ready: Sequence[Search]) -> TaskAnswer:
    """What other budgets and prices would do."""
    budget_usd = answer.budget_usd
    return replace(
        answer,
        scaled_prices=prices_above_zero(options),
        changes=price_changes(OtherCosts.of(task, options, ready, budget_usd)),
        stop_here=stop_here(task, options, ready, budget_usd, answer.best),
        shadow=shadow_price(task, options, ready, budget_usd),
    )


def _over_worlds(choose: Choose, level: float, reference: Floats) -> OverWorlds | None:
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


def _with_standing(ranking: Ranking, reference: Floats, *, shows_objective: bool) -> list[Allocation]:
    """Add to each allocation its chance of being best, its regret and what was asked for, on joint draws."""
    chances, regrets = chance_of_best(ranking.scores), expected_regret(ranking.scores, reference)
    return [
        replace(
            allocation,
            standing=Standing(
                p_best=float(chance),
                expected_regret=100 * float(regret),
                objective=100 * abs(worth) if shows_objective else None,
            ),
        )
        for allocation, chance, regret, worth in zip(ranking.allocations, chances, regrets, ranking.worths, strict=True)
    ]


def _remarks(task: Task, ranking: Ranking, top: int) -> tuple[AnswerRemark, ...]:
    """What is to be said of the recommended allocation beside the one worth most, which is the one numbered `top`."""
    best, first = ranking.allocations[ranking.row], ranking.allocations[top]
    remarks: list[AnswerRemark] = []
    if ranking.doubt is not None:
        gain, sd = 100 * ranking.doubt.gain, 100 * ranking.doubt.sd
        remarks.append(OwnRunsTooFew(route=first.route, points=gain, sd=sd))
    elif top != ranking.row:
        points = 100 * ranking.worths[top] - 100 * ranking.worths[ranking.row]
        cheaper = best.cost_usd < CHEAPER * first.cost_usd
        extra_usd = first.cost_usd - best.cost_usd if cheaper else None
        remarks.append(WithinMargin(route=first.route, points=points, extra_usd=extra_usd))
    if best.route.kind is CONSTANT:
        remarks.append(NothingBeatsConstant(answer=task.constant_answer))
    elif best.lower <= 100 * task.constant_score:
        remarks.append(RunMayEndAtConstant(answer=task.constant_answer, score=100 * task.constant_score))
    return tuple(remarks)

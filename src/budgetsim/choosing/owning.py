"""What owned labels, or an owned teacher, change: the score with and without, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budgetsim.choosing.cheapest import cheapest, dearest_usd
from budgetsim.choosing.options import Option
from budgetsim.choosing.winners import best_values, searches, winners
from budgetsim.data.tasks import Task
from budgetsim.design.points import CONSTANT_ROUTE, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Owning:
    """What is owned, by the best plan with it and without it; expected scores in percent.

    route_without : of the best plan without it
    worth_usd : how much more money reaches the same score without it; None where no money does
    """

    score: float
    score_without: float
    route_without: Route
    worth_usd: float | None


def worth_of_owning(task: Task, options: Sequence[Option], without: Sequence[Option], budget_usd: float) -> Owning:
    """Compare the best plan of a budget with what is owned and without it.

    options, without : the same options, priced with what is owned and as if nothing were; what is owned can be
        left aside, so it never makes an answer worse
    """
    owned = float(best_values(task, [o.cost for o in options], searches(options), [budget_usd]).max())
    costs, ready = [o.cost for o in without], searches(without)
    values = best_values(task, costs, ready, [budget_usd])
    score = max(owned, float(values.max()))
    same = cheapest(
        lambda usd: best_values(task, costs, ready, usd).max(axis=0) >= score - 1e-9,
        budget_usd,
        max(dearest_usd(without), budget_usd),
    )
    return Owning(
        score=100 * score,
        score_without=100 * float(values.max()),
        route_without=[*(o.route for o in without), CONSTANT_ROUTE][winners(values)[0]],
        worth_usd=None if same is None else max(same - budget_usd, 0.0),
    )

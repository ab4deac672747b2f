"""`budgetsim optimize`: how a budget is best split, and what it buys; or how little a target takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from budgetsim_cli.asked import Asked, open_asked, refuse_unbought
from budgetsim_cli.console import check_amount, print_json, print_page
from budgetsim_cli.question import Question, asks

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices
    from budgetsim.choosing.objectives import Choose
    from budgetsim.choosing.owning import Owning
    from budgetsim.report.table import Page

PURE_SIZES = (100, 500, 1000, 5000, 10_000)  # initial labels of the paper's own comparison
CHANCE = 0.9  # of reaching a target, where none is named

Budget = Annotated[
    float | None, typer.Option("--budget", help="US dollars to spend; needed without --target.", show_default=False)
]
Risk = Annotated[
    float | None,
    typer.Option("--risk", help="Choose for this quantile over worlds, e.g. 0.1, not the mean.", show_default=False),
]
Aim = Annotated[str, typer.Option("--choose", help="Choose for the mean, or for least regret: mean or regret.")]
Target = Annotated[
    float | None, typer.Option("--target", help="Score to reach, percent: the cheapest way.", show_default=False)
]
Chance = Annotated[
    float | None, typer.Option("--chance", help="Chance that one new run reaches it.", show_default=f"{CHANCE}")
]


class _Wanted(NamedTuple):
    """What was asked for besides what `open_asked` reads."""

    budget: float | None
    choose: Choose
    level: float
    target: float | None
    chance: float
    initial_sizes: tuple[int, ...]


@asks
def optimize(
    question: Question,
    budget: Budget = None,
    risk: Risk = None,
    choose: Aim = "mean",
    target: Target = None,
    chance: Chance = None,
    pure: Annotated[bool, typer.Option("--pure", help="Beside it, the paper's own comparison.")] = False,
) -> None:
    """Split a budget over labels and compute for the highest expected score, or find what a target takes."""
    aim, level = _check_aim(risk, choose)
    _check_question(budget, target, chance)
    _check_alone(budget, pure or aim != "mean")
    asked = open_asked(question)
    starts = ((question.owned_labels,) if question.owned_labels else PURE_SIZES) if pure else ()
    wanted = _Wanted(budget, aim, level, target, CHANCE if chance is None else chance, starts)
    objects: dict[str, dict[str, Any]] = {}
    page: Page = []
    bought = budget is None
    reached = target is None
    for open_to in asked.tasks:
        data, lines, buys, reaches = _answer_task(open_to, asked, wanted)
        objects[open_to.task.name] = data
        page += ["", *lines]
        bought |= buys
        reached |= reaches
    if question.as_json:
        print_json({"tasks": objects})
    else:
        print_page(page[1:])
    _refuse_unreached(wanted, list(objects), reached)
    refuse_unbought(question, "--budget", budget or 0.0, list(objects), bought=bought)


def _answer_task(open_to: Choices, asked: Asked, wanted: _Wanted) -> tuple[dict[str, Any], Page, bool, bool]:
    """One task as JSON and as a page; whether the budget buys anything, and whether the target is reached."""
    data: dict[str, Any] = {}
    page: Page = []
    buys = reaches = False
    if wanted.budget is not None:
        data, page, buys = _split(open_to, asked, wanted, wanted.budget)
    if wanted.target is not None:
        from budgetsim.choosing.goals import reach_target
        from budgetsim.report.goal import goal_json, goal_page

        goal = reach_target(open_to.task, open_to.options, wanted.target, wanted.chance, budget_usd=wanted.budget)
        alone = wanted.budget is None
        shown = (goal, open_to, asked.card, asked.compute, asked.rivals(open_to.task.name))
        data = {**goal_json(*shown, alone=alone), **data}
        page += goal_page(*shown, alone=alone)
        reaches = goal.plan is not None
    return data, page, buys, reaches


def _split(open_to: Choices, asked: Asked, wanted: _Wanted, budget: float) -> tuple[dict[str, Any], Page, bool]:
    from budgetsim.choosing.optimize import optimize_task
    from budgetsim.design.strategies import CONSTANT
    from budgetsim.report.answer import answer_json, answer_page

    answer = optimize_task(
        open_to.task,
        open_to.options,
        budget,
        initial_sizes=wanted.initial_sizes,
        choose=wanted.choose,
        level=wanted.level,
    )
    others = asked.rivals(answer.task)
    owning = _owning(open_to, asked, budget)
    shown = (answer, open_to, asked.card, others, asked.compute, owning)
    buys = any(a.route.kind is not CONSTANT for a in answer.allocations)
    return answer_json(*shown), answer_page(*shown), buys


def _owning(open_to: Choices, asked: Asked, budget: float) -> Owning | None:
    """What owned labels or an owned teacher change; None where nothing is owned."""
    if not open_to.options or not (asked.question.owned_labels or asked.terms.owned_teacher):
        return None
    from budgetsim.answers.choices import reprice
    from budgetsim.choosing.owning import worth_of_owning

    without = reprice(asked.evidence, open_to, asked.card, asked.compute, asked.terms._replace(owned_teacher=None))
    return worth_of_owning(open_to.task, open_to.options, without, budget)


def _check_aim(risk: float | None, choose: str) -> tuple[Choose, float]:
    from budgetsim.errors import InputError

    if choose not in ("mean", "regret"):
        raise InputError(f"--choose: found {choose!r}, wanted mean or regret.")
    if risk is None:
        return ("regret", 0.1) if choose == "regret" else ("mean", 0.1)
    if choose == "regret":
        raise InputError("--risk and --choose regret were both given; choose one of them.")
    if not 0.01 <= risk <= 0.99:  # 400 worlds tell no more
        raise InputError(f"--risk: found {risk:g}, wanted a share between 0.01 and 0.99, such as 0.1.")
    return "quantile", risk


def _check_question(budget: float | None, target: float | None, chance: float | None) -> None:
    from budgetsim.errors import InputError

    if budget is None and target is None:
        raise InputError("Give --budget, the US dollars to spend, or --target, the score to reach.")
    if budget is not None:
        check_amount(budget, "--budget")
    if target is None and chance is not None:
        raise InputError("--chance belongs to a --target; add it, or leave --chance out.")
    if target is not None and not 0 < target <= 100:
        raise InputError(f"--target: found {target:g}, wanted a score above 0 and up to 100 percent.")
    if chance is not None and not 0 < chance < 1:
        raise InputError(f"--chance: found {chance:g}, wanted a share between 0 and 1, e.g. 0.9.")


def _check_alone(budget: float | None, splits: bool) -> None:
    """What only a split can follow is not passed over in silence."""
    from budgetsim.errors import InputError

    if budget is None and splits:
        raise InputError(
            "--risk, --choose and --pure are about splitting a --budget; a --target alone has its --chance. "
            "Add --budget, or leave them out."
        )


def _refuse_unreached(wanted: _Wanted, tasks: list[str], reached: bool) -> None:
    """Exit code 3 where no money is enough."""
    from budgetsim.errors import InfeasibleBudgetError

    names = ", ".join(tasks)
    if not reached:
        raise InfeasibleBudgetError(
            f"No plan reaches {wanted.target:g} with a chance of {100 * wanted.chance:g} % on {names} within "
            f"tables, pools and bounds; the answer says how likely it can get. Lower --target or --chance."
        )

"""`budgetsim optimize`: how a budget is best split, and what it buys; or how little a target takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from budgetsim_cli.console import (
    LlmAccuracy,
    Plot,
    amount,
    check_amount,
    check_llm_accuracy,
    check_plot,
)
from budgetsim_cli.inquiry import Inquiry, TaskReport, open_inquiry, refuse_unbought, report_tasks, with_llm
from budgetsim_cli.question import Question, takes_question

if TYPE_CHECKING:
    from budgetsim.answers.choices import Choices
    from budgetsim.choosing.objectives import Choose
    from budgetsim.choosing.owning import Owning
    from budgetsim.report.pictures import Picture

PURE_SIZES = (100, 500, 1000, 5000, 10_000)  # initial labels of the paper's own comparison
CHANCE = 0.9  # of reaching a target, where none is named

Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        parser=amount("--budget"),
        metavar="USD",
        help="US dollars to spend, e.g. 2000, 2,000 or 2k; needed without --target.",
        show_default=False,
    ),
]
Risk = Annotated[
    float | None,
    typer.Option("--risk", help="Choose for this quantile over worlds, e.g. 0.1, not the mean.", show_default=False),
]
Objective = Annotated[str, typer.Option("--choose", help="Choose for the mean, or for least regret: mean or regret.")]
Target = Annotated[
    float | None,
    typer.Option(
        "--target",
        help="Score to reach, percent: find the cheapest budget that reaches it.",
        show_default=False,
    ),
]
Chance = Annotated[
    float | None, typer.Option("--chance", help="Chance that one new run reaches it.", show_default=f"{CHANCE}")
]


Serve = Annotated[
    float | None,
    typer.Option(
        "--serve",
        parser=amount("--serve"),
        metavar="TEXTS",
        help="Texts to answer a month: also show what that costs, and an LLM that answers them all.",
        show_default=False,
    ),
]


class _Aim(NamedTuple):
    """What is to be found, besides what the question asks about."""

    budget: float | None
    choose: Choose
    level: float
    target: float | None
    chance: float
    initial_sizes: tuple[int, ...]
    plot: Path | None
    serve: float | None
    llm_accuracy: float | None  # fraction


@takes_question
def optimize(
    question: Question,
    budget: Budget = None,
    risk: Risk = None,
    choose: Objective = "mean",
    target: Target = None,
    chance: Chance = None,
    pure: Annotated[
        bool,
        typer.Option(
            "--pure", help="Also show the paper's own comparison: all extra money in labels, or all in compute."
        ),
    ] = False,
    plot: Plot = None,
    serve: Serve = None,
    llm_accuracy: LlmAccuracy = None,
) -> None:
    """Split a budget over labels and compute for the highest expected score, or find what a target takes."""
    objective, level = _check_objective(risk, choose)
    _check_question(budget, target, chance)
    _check_alone(budget, pure or plot is not None or objective != "mean")
    check_plot(plot)
    accuracy = check_llm_accuracy(llm_accuracy)
    if serve is not None:
        check_amount(serve, "--serve", above_zero=True)
    inquiry = open_inquiry(question)
    starts = ((question.owned_labels,) if question.owned_labels else PURE_SIZES) if pure else ()
    aim = _Aim(budget, objective, level, target, CHANCE if chance is None else chance, starts, plot, serve, accuracy)
    reports = report_tasks(inquiry, lambda open_to: _report(inquiry, open_to, aim), plot)
    _refuse_unreached(inquiry, reports, aim)
    if budget is not None:
        refuse_unbought(inquiry, reports, "--budget", budget)


def _report(inquiry: Inquiry, open_to: Choices, aim: _Aim) -> TaskReport:
    open_to = with_llm(open_to, aim.llm_accuracy)
    if aim.target is None:
        return _split(inquiry, open_to, aim, aim.budget or 0.0)
    goal = _reach(inquiry, open_to, aim, aim.target)
    if aim.budget is None:
        return goal
    split = _split(inquiry, open_to, aim, aim.budget)
    data, page = {**goal.data, **split.data}, [*split.page, *goal.page]
    return TaskReport(data, page, split.buys, goal.reaches, split.picture, split.plan_share)


def _reach(inquiry: Inquiry, open_to: Choices, aim: _Aim, target: float) -> TaskReport:
    """The least money that reaches a target."""
    from budgetsim.choosing.goals import reach_target
    from budgetsim.report.goal import goal_json, goal_page

    goal = reach_target(open_to.task, open_to.options, target, aim.chance, budget_usd=aim.budget)
    alone = aim.budget is None
    parts = (goal, open_to, inquiry.card, inquiry.pricing.compute, inquiry.rivals(open_to.task.name))
    return TaskReport(
        goal_json(*parts, alone=alone),
        goal_page(*parts, inquiry.question.showing, alone=alone),
        reaches=goal.plan is not None,
    )


def _split(inquiry: Inquiry, open_to: Choices, aim: _Aim, budget: float) -> TaskReport:
    """The best split of a budget."""
    from budgetsim.answers.otherwise import other_compute
    from budgetsim.answers.reply import reply
    from budgetsim.answers.serving import serving_of
    from budgetsim.choosing.optimize import optimize_task
    from budgetsim.design.strategies import CONSTANT
    from budgetsim.report.answer import answer_json, answer_page

    answer = optimize_task(
        open_to.task,
        open_to.options,
        budget,
        initial_sizes=aim.initial_sizes,
        choose=aim.choose,
        level=aim.level,
    )
    owning = _owning(inquiry, open_to, budget)
    differs = other_compute(open_to, partial(inquiry.choices, open_to.task.name), budget, answer.best)
    if differs is not None and aim.choose == "mean":
        open_to = replace(open_to, notes=(differs, *open_to.notes))
    serving = serving_of(inquiry.evidence, open_to.task, inquiry.pricing, aim.serve, aim.llm_accuracy)
    told = reply(answer, open_to, inquiry.rivals(answer.task), owning=owning, serving=serving)
    buys = bool(told.learners) or any(a.route.kind is not CONSTANT for a in answer.allocations)
    picture = _picture(inquiry, open_to, budget) if aim.plot is not None else None
    page = answer_page(told, inquiry.question.showing)
    standing = answer.best.standing
    share = standing.p_best if standing is not None and answer.best.route.kind is not CONSTANT else None
    return TaskReport(answer_json(told), page, buys=buys, picture=picture, plan_share=share)


def _picture(inquiry: Inquiry, open_to: Choices, budget: float) -> Picture:
    """What budgets around this one buy, and students measured beside."""
    from budgetsim.report.pictures import budget_chart

    rivals = inquiry.rivals(open_to.task.name)
    points = [(r.cost_usd, r.score) for r in rivals if r.in_reach and r.cost_usd is not None]
    return budget_chart(open_to.task, open_to.options, budget, points)


def _owning(inquiry: Inquiry, open_to: Choices, budget: float) -> Owning | None:
    """What owned labels or an owned teacher change; None where nothing is owned."""
    pricing = inquiry.pricing
    if not open_to.options or not (pricing.terms.owned_labels or pricing.terms.owned_teacher):
        return None
    from budgetsim.answers.choices import reprice
    from budgetsim.choosing.owning import worth_of_owning

    nothing = replace(pricing, terms=pricing.terms._replace(owned_labels=0.0, owned_teacher=None))
    return worth_of_owning(open_to.task, open_to.options, reprice(inquiry.evidence, open_to, nothing), budget)


def _check_objective(risk: float | None, choose: str) -> tuple[Choose, float]:
    from budgetsim.errors import InputError

    if choose not in ("mean", "regret"):
        raise InputError(f"--choose: found {choose!r}, wanted mean or regret.")
    if risk is None:
        return ("regret", 0.1) if choose == "regret" else ("mean", 0.1)
    if choose == "regret":
        raise InputError("--risk and --choose regret were both given; choose one of them.")
    return "quantile", check_risk(risk)


def check_risk(risk: float) -> float:
    """A quantile over worlds to choose for."""
    from budgetsim.errors import InputError

    if not 0.01 <= risk <= 0.99:  # 400 worlds tell no more
        raise InputError(f"--risk: found {risk:g}, wanted a share between 0.01 and 0.99, such as 0.1.")
    return risk


def _check_question(budget: float | None, target: float | None, chance: float | None) -> None:
    from budgetsim.errors import InputError

    if budget is None and target is None:
        raise InputError("Give --budget, the US dollars to spend, or --target, the score to reach.")
    if budget is not None:
        check_amount(budget, "--budget")
    check_target(target, chance)


def check_target(target: float | None, chance: float | None) -> None:
    """A score to reach, percent, and the chance of it."""
    from budgetsim.errors import InputError

    if target is None and chance is not None:
        raise InputError("--chance belongs to a --target; add it, or leave --chance out.")
    if target is not None and 0 < target < 1:
        raise InputError(f"--target: found {target:g}; scores are percent: did you mean {100 * target:g}?")
    if target is not None and not 0 < target <= 100:
        raise InputError(f"--target: found {target:g}, wanted a score above 0 and up to 100 percent.")
    if chance is not None and not 0 < chance < 1:
        near = f" Did you mean {chance / 100:g}?" if 1 <= chance < 100 else ""
        raise InputError(f"--chance: found {chance:g}, wanted a share between 0 and 1, e.g. 0.9.{near}")


def _check_alone(budget: float | None, splits: bool) -> None:
    """What only a split can follow is not passed over in silence."""
    from budgetsim.errors import InputError

    if budget is None and splits:
        raise InputError(
            "--risk, --choose, --pure and --plot are about splitting a --budget; a --target alone has its --chance. "
            "Add --budget, or leave them out."
        )


def _refuse_unreached(inquiry: Inquiry, reports: Sequence[TaskReport], aim: _Aim) -> None:
    """Exit code 3 where no money is enough."""
    from budgetsim.errors import InfeasibleBudgetError

    if not any(report.reaches for report in reports):
        names = ", ".join(open_to.task.name for open_to in inquiry.tasks)
        raise InfeasibleBudgetError(
            f"No plan reaches {aim.target:g} with a chance of {100 * aim.chance:g} % on {names} within "
            f"tables, pools and bounds; the answer says how likely it can get. Lower --target or --chance."
        )

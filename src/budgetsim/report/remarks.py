"""Remarks in words: the one place where what the mathematics has to say becomes English."""

from __future__ import annotations

from budgetsim.choosing.remarks import (
    AllocationRemark,
    AnswerRemark,
    ConstantAnswer,
    DeadlineBinds,
    LimitBinds,
    NothingBeatsConstant,
    NoUnits,
    OwnedBeyondTable,
    OwnedTeacherLeftAside,
    OwnedTeacherRetuned,
    OwnedTeacherUsed,
    OwnRunsTooFew,
    RunMayEndAtConstant,
    Shortfall,
    TableEnds,
    TooDear,
    TooSlow,
    WithinMargin,
)
from budgetsim.choosing.winners import HAIR
from budgetsim.economics.tradeoff import OwnedTeacher

OWNED_TEACHER_WORDS: dict[OwnedTeacher, str] = {
    "used": "its teacher as it is owned",
    "left aside": "its teacher tuned anew",
}


def allocation_words(remark: AllocationRemark) -> str:
    """A remark on one allocation, in words."""
    match remark:
        case ConstantAnswer(answer=answer):
            return f"answers {answer}"
        case OwnedTeacherUsed(teacher=teacher, n_labels=n):
            return f"{teacher} is used as it is owned, tuned on {n:,} labels: neither is paid for"
        case OwnedTeacherRetuned(teacher=teacher, n_labels=n):
            return f"{teacher} is tuned again, on more than the {n:,} labels of the one that is owned"
        case OwnedTeacherLeftAside(teacher=teacher, n_labels=n):
            return f"{teacher} is tuned anew; the one that is owned, tuned on {n:,} labels, is left aside"
        case TableEnds(input=name, end=end):
            return f"scores are known up to {end:,.0f} {INPUT_WORDS[name]}; more is not looked at"
        case DeadlineBinds(deadline_days=days, inputs=names):
            return f"the deadline of {days:g} days bounds {' and '.join(INPUT_WORDS[name] for name in names)}"
        case LimitBinds():
            return _limit_words(remark)


INPUT_WORDS = {"n_labels": "labels", "n_llm_labels": "LLM labels", "n_unlabeled": "texts"}


def _limit_words(remark: LimitBinds) -> str:
    if remark.input == "n_unlabeled":
        return f"all {remark.limit:,.0f} texts of the pool are used: with more of them the answer may be another"
    if remark.input != "n_labels":
        return f"an LLM labels all {remark.limit:,.0f} texts of the pool: there are no more"
    if remark.of_owned_teacher:
        return f"people can give no more labels than the {remark.limit:,.0f} of the owned teacher"
    if remark.of_texts:
        return f"all {remark.limit:,.0f} texts that the task has would carry a label: more labels need more texts"
    return f"all {remark.limit:,.0f} labels that people can give are used"


def shortfall_words(reason: Shortfall) -> str:
    """Why a budget buys nothing of a route, in words."""
    match reason:
        case OwnedBeyondTable(input=name, end=end):
            return f"scores are known up to {end:,.0f} {INPUT_WORDS[name]}; the owned teacher has more"
        case NoUnits(input=name, limit=limit):
            there = "people give 0 labels" if name == "n_labels" else f"the pool holds {limit:,.0f} texts"
            return f"{there}; one or more is needed"
        case TooSlow(least_days=least, deadline_days=deadline):
            takes, there_are = distinct_amounts(least, deadline, 1)
            return f"the least it takes is {takes} days; the deadline is {there_are} days"
        case TooDear(least_usd=least, budget_usd=budget, stage=stage, stage_usd=usd):
            takes, there_are = distinct_amounts(least, budget, 2)
            part = f"of which {stage.replace('_', ' ')} ${usd:,.2f}"
            return f"the least it takes is ${takes} ({part}); the budget is ${there_are}"


def distinct_amounts(one: float, other: float, digits: int) -> tuple[str, str]:
    """Two amounts with so many decimals, or with the fewest beyond that tell them apart from each other and from 0.

    >>> distinct_amounts(12.9, 12.8, 2), distinct_amounts(12.9014, 12.8996, 2), distinct_amounts(3.0, 0.04, 1)
    (('12.90', '12.80'), ('12.901', '12.900'), ('3.00', '0.04'))
    """
    for more in range(digits, 10):
        words = f"{one:,.{more}f}", f"{other:,.{more}f}"
        if words[0] != words[1] and (other == 0 or float(words[1].replace(",", "")) > 0):
            break
    return words


def answer_words(remark: AnswerRemark) -> str:
    """A remark on a whole answer, in a sentence."""
    match remark:
        case WithinMargin(route=route, points=points, extra_usd=extra):
            money, which = ("the same money", "simpler") if extra is None else (f"${extra:,.2f} more", "cheaper")
            return (
                f"{route.short} is better by {points:.2f} points for {money}: less than the {100 * HAIR:g} that "
                f"anybody could measure, so the {which} plan is recommended."
            )
        case OwnRunsTooFew(route=route, points=points, sd=sd):
            return (
                f"Your own runs put {route.short} first by {points:.1f} points, give or take {sd:.1f}: too little to "
                "leave the plan that other tasks put first. More runs decide."
            )
        case NothingBeatsConstant(answer=answer):
            return f"Nothing that this budget buys is expected to beat answering {answer} always."
        case RunMayEndAtConstant(answer=answer, score=score):
            return f"A run may end at or below the constant answer ({answer}, {score:.1f}), which costs nothing."

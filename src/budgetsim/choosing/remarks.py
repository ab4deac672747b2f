"""What is to be said of an allocation or an answer, as values; `report.remarks` words them."""

from __future__ import annotations

from dataclasses import dataclass

from budgetsim.design.points import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantAnswer:
    """The plan spends nothing and always gives this answer."""

    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedTeacherUsed:
    """The owned teacher, tuned on so many labels, is used as it is: neither labels nor tuning are paid for."""

    teacher: str
    n_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedTeacherRetuned:
    """The owned teacher is tuned again, on more labels than the `n_labels` it was tuned on."""

    teacher: str
    n_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedTeacherLeftAside:
    """A teacher is tuned anew beside the owned one, which was tuned on so many labels."""

    teacher: str
    n_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitBinds:
    """All units of an input that there are, are used.

    of_owned_teacher : the limit is that of the labels of an owned teacher
    of_texts : the limit is that of the texts of a user's own task, one label each
    """

    input: str
    limit: float
    of_owned_teacher: bool
    of_texts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEnds:
    """An input stands at the end of the fitted surface."""

    input: str
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineBinds:
    """One unit more of any of these inputs would miss the deadline."""

    deadline_days: float
    inputs: tuple[str, ...]


AllocationRemark = (
    ConstantAnswer
    | OwnedTeacherUsed
    | OwnedTeacherRetuned
    | OwnedTeacherLeftAside
    | LimitBinds
    | TableEnds
    | DeadlineBinds
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedBeyondTable:
    """The owned teacher has more labels than the fitted surface."""

    input: str
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoUnits:
    """There is not one unit of an input."""

    input: str
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooSlow:
    """The smallest plan misses the deadline."""

    least_days: float
    deadline_days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooDear:
    """The smallest plan costs more than the budget.

    stage : the dearest stage of that plan, `stage_usd` its part of the cost
    """

    least_usd: float
    budget_usd: float
    stage: str
    stage_usd: float


Shortfall = OwnedBeyondTable | NoUnits | TooSlow | TooDear  # why a budget buys nothing of a route


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinMargin:
    """A plan is better than the recommended one by less than the margin.

    points : percent points by which it is better
    extra_usd : what it costs more; None where it costs the same and buys more kinds of thing
    """

    route: Route
    points: float
    extra_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRunsTooFew:
    """Own runs put another plan first by too little to leave the one that other tasks put first.

    points, sd : percent points of mean score, and their standard deviation over worlds
    """

    route: Route
    points: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingBeatsConstant:
    """Nothing that the budget buys is expected to beat the constant answer."""

    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMayEndAtConstant:
    """The interval of the recommended plan reaches down to the constant answer; score in percent."""

    answer: str
    score: float


AnswerRemark = WithinMargin | OwnRunsTooFew | NothingBeatsConstant | RunMayEndAtConstant

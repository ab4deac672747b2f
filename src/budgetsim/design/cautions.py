"""What a fit has to say of its rows and of what it rests on, as values; `report/cautions.py` words them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from budgetsim.design.points import Route

LeftOutReason = Literal["unknown_inputs", "inputs_out_of_range", "over_budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """Rows that one posterior describes: all labels of a student, or one route of transfer."""

    kind: Literal["labels", "transfer"]
    route: Route  # of labels: annotating for the student, whoever else labels


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsLeftOut:
    """Rows of a route that were not fitted."""

    route: Route
    n_rows: int
    reason: LeftOutReason
    inputs: tuple[str, ...] = ()  # that are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class FewRows:
    """A group whose score and interval rest on the prior, and on what that was learnt from."""

    group: GroupName
    n_rows: int
    n_tasks: int | None = None  # other tasks that the prior comes from
    from_group: GroupName | None = None  # or the group of the same task that it comes from


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFall:
    """The largest fall of a score where every input grew, beyond what noise explains."""

    group: GroupName
    strategy: str
    score_from: float  # fractions of the metric
    score_to: float
    key_from: str  # of the measurements
    key_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledGain:
    """A route whose gain over labels alone rests in part on other tasks."""

    route: Route
    n_rows: int
    n_tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FromOtherTasks:
    """A fit that is a forecast: what it rests on, how sure it is of plan and score, what to measure first.

    n_own : designs run on the task itself, a probe's among them
    plan_share : share of worlds in which the strategy that is best on the mean is best
    half_width : of a 90 % interval of one run at sizes that people ask about, percent points
    first_runs : designs whose scores would tell most, as words
    """

    task: str
    n_own: int
    n_tasks: int
    plan_share: float
    half_width: float
    first_runs: tuple[str, ...]


Caution = RowsLeftOut | FewRows | ScoreFall | PooledGain | FromOtherTasks
_TYPES: Final[dict[str, type[Caution]]] = {
    "rows_left_out": RowsLeftOut,
    "few_rows": FewRows,
    "score_fall": ScoreFall,
    "pooled_gain": PooledGain,
    "from_other_tasks": FromOtherTasks,
}


def caution_to_json(caution: Caution) -> dict[str, Any]:
    """A JSON object: `type`, then the fields."""
    name = next(name for name, kind in _TYPES.items() if isinstance(caution, kind))
    return {"type": name, **asdict(caution)}


def caution_from_json(data: Mapping[str, Any]) -> Caution:
    """The caution that `caution_to_json` wrote.

    raises : KeyError, TypeError where the object is none
    """
    fields = {name: value for name, value in data.items() if name != "type"}
    for name in ("group", "from_group"):
        if fields.get(name) is not None:
            fields[name] = GroupName(kind=fields[name]["kind"], route=Route(**fields[name]["route"]))
    if "route" in fields:
        fields["route"] = Route(**fields["route"])
    for name in ("inputs", "first_runs"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return _TYPES[data["type"]](**fields)

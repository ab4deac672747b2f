"""What happens in a campaign, as values: from workers to the conductor, and from the conductor to whoever listens.

They are decided on as they are; `wording` alone turns them into sentences.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from budgetsim.measure.limits import Cap
from budgetsim.store.records import StageRecord

# What a worker reports, a JSON line each


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has imported what it needs, and can begin."""

    device: str
    device_class: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps of a part of a run."""

    stage: str
    done: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A run whose file is written; `built` are the stages that the worker built since it last said so."""

    run_id: str
    scores: Mapping[str, float]  # percent, the main one first
    built: tuple[StageRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A run that could not be done."""

    message: str
    disk_full: bool = False  # then no other run can be done either
    built: tuple[StageRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker cannot start: something is not installed."""

    message: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know, e.g. of a file that was damaged."""

    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The worker's process is over."""


WorkerEvent = Ready | Progress | Done | Failed | Refused | Warned | Ended
_EVENTS: Final[Mapping[str, type[WorkerEvent]]] = {
    event.__name__: event for event in (Ready, Progress, Done, Failed, Refused, Warned, Ended)
}


def encode_event(event: WorkerEvent) -> str:
    """An event as one line of JSON."""
    if isinstance(event, Done | Failed):
        event = replace(event, built=tuple(replace(record, finished_at=None) for record in event.built))
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def decode_event(line: str) -> WorkerEvent:
    """Read the line of an event.

    raises : ValueError where it is none, e.g. the last line of a process that was killed

    >>> decode_event(encode_event(Progress("student", 3, 9)))
    Progress(stage='student', done=3, of=9)
    """
    try:
        values: dict[str, Any] = json.loads(line)
        kind = _EVENTS[values.pop("event")]
        if "built" in values:
            values["built"] = tuple(StageRecord(**record) for record in values["built"])
        return kind(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event of a worker: {error!r}") from None


# Why a campaign ends before everything is done


@dataclass(frozen=True, slots=True)
class DiskFull:
    """Nothing more can be written."""


@dataclass(frozen=True, slots=True)
class CannotStart:
    """Workers lack something."""


@dataclass(frozen=True, slots=True)
class CapReached:
    """A run took longer than predicted, and was cut at the cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapAhead:
    """The next run would pass a cap; seconds as predicted."""

    title: str
    startup_seconds: float  # of a worker that would be started for it, else 0
    run_seconds: float
    cap: Cap


StopReason = DiskFull | CannotStart | CapReached | CapAhead


# What a campaign tells whoever listens


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Runs of a grid that the task cannot give."""

    n_runs: int
    why: str


@dataclass(frozen=True, slots=True)
class CutToTexts:
    """Runs of a grid that ask for more texts than a task has, and get what there is."""

    n_runs: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What there is to do."""

    stored: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that this campaign did; seconds of the clock."""

    run_id: str
    title: str
    metric: str
    score: float  # percent
    seconds: float
    predicted_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDone:
    """A finished run among the others."""

    run: FinishedRun
    number: int
    of: int
    seconds_ahead: float  # until everything is done, as predicted


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run that could not be done, with its message."""

    title: str
    message: str


@dataclass(frozen=True, slots=True)
class RunLost:
    """A run whose workers died, too often to try again."""

    title: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class RunCut:
    """A run that was under way when the campaign stopped."""

    title: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker that died and is started again."""

    title: str  # of the run it was at
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Stopping:
    """The campaign begins nothing more."""

    reason: StopReason
    began: bool  # whether any worker was started


Notice = LeftOut | CutToTexts | Planned | RunDone | RunFailed | RunLost | RunCut | WorkerDied | Stopping | Warned
Listener = Callable[[Notice], None]


def ignore(notice: Notice) -> None:
    """Listens to nothing."""

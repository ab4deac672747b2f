"""What a crew asks of an executor, and what an executor asks of an engine.

Runs go in and run files come out, at least once: a worker that is lost loses its run, which another one does again
from the last checkpoint; a run done twice is one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from budgetsim.measure.process import Assignment, Events


class Worker(Protocol):
    """What a crew sees of a worker, wherever it runs."""

    number: int
    alive: bool
    ready: bool
    queued: bool  # whether it waits for a place to run: it is given nothing before it is ready
    assignment: Assignment | None

    @property
    def lifetime(self) -> float:
        """Seconds that its device is paid for so far."""
        ...

    @property
    def exit_code(self) -> int | None:
        """Of its process, where anybody knows it."""
        ...

    def give(self, assignment: Assignment) -> None:
        """Hand over a run."""
        ...

    def take(self) -> Assignment:
        """The run that it is done with."""
        ...

    def dismiss(self) -> None:
        """No more runs: it ends when it is done."""
        ...

    def stop(self) -> None:
        """End it now; what it had finished is kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many lost workers are borne; None for any number.

    of_a_run : a run may lose so many workers without having come further; one more, and it is given up
    of_all : workers of a campaign that are started again
    """

    of_a_run: int | None = None
    of_all: int | None = None


class Executor(Protocol):
    """Starts workers. Events of all of them come on one queue; `Ended` is the last of each."""

    @property
    def name(self) -> str:
        """As `--executor` has it."""
        ...

    @property
    def patience(self) -> Patience:
        """With workers that are lost."""
        ...

    def hire(self, number: int, settings: Mapping[str, Any], events: Events) -> Worker:
        """Start a worker, or queue for one.

        raises : BudgetsimError where the engine refuses
        """
        ...

    def open(self) -> int:
        """Get ready; how many workers there is room for, as far as it knows, at least 1.

        raises : BudgetsimError saying what is missing
        """
        ...

    def end(self, workers: Sequence[Any]) -> None:
        """End workers of its own now, together."""
        ...

    def close(self) -> None:
        """Leave nothing behind: no job, no connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command for an engine; it may be started again by the engine, and must bear that."""

    name: str  # of this campaign, used once
    words: Sequence[str]  # the command
    log: Path  # where it writes what it says
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of the node's own


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a job.

    why : in the engine's words, e.g. PREEMPTED or Resources
    """

    state: Literal["waiting", "running", "over"]
    why: str = ""
    exit_code: int | None = None


class Engine(Protocol):
    """Runs jobs on nodes: Ray, Slurm."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def check(self) -> None:
        """Whether it is there and has what is asked for.

        raises : BudgetsimError, InputError saying what is missing
        """
        ...

    def slots(self) -> int:
        """How many jobs of this size can run at once, as far as it knows; at least 1."""
        ...

    def start(self, jobs: Sequence[Job]) -> None:
        """Queue jobs.

        raises : BudgetsimError where they are refused
        """
        ...

    def look(self) -> Mapping[str, Fate]:
        """What became of each job that was started, by name."""
        ...

    def end(self, names: Sequence[str]) -> None:
        """End jobs, waiting or running; those that are over are left."""
        ...

    def close(self) -> None:
        """End every job and let go of the engine."""
        ...

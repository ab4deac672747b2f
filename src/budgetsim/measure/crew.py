"""The crew: worker processes that share the runs of a campaign, within its caps."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from budgetsim.design.points import Route
from budgetsim.errors import BudgetsimError, MissingExtraError
from budgetsim.measure.estimate import Estimator
from budgetsim.measure.limits import Limits
from budgetsim.measure.process import Event, Events, Task, Worker
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import PlannedStage
from budgetsim.store.records import StageRecord

MAX_RESTARTS: Final = 2  # of a worker that died
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a crew is to do, and how.

    runs : the runs with their stages, those that are there already among them
    is_there : whether the files of a stage lie in the cache
    settings : what a worker process is started with
    """

    runs: Sequence[tuple[RunSpec, Sequence[PlannedStage]]]
    is_there: Callable[[PlannedStage], bool]
    settings: Mapping[str, Any]
    workers: int
    limits: Limits
    began: float  # on the monotonic clock; what --max-hours counts from


@dataclass(slots=True)
class Crew:
    """Worker processes and the runs they share."""

    job: Job
    estimator: Estimator
    tell: Tell
    every_run: Callable[[], None]  # called after each finished run
    finished: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped: str | None = None
    capped: bool = False  # whether it stopped at a cap
    refused: BudgetsimError | None = None
    _stages: dict[RunSpec, Sequence[PlannedStage]] = field(init=False)
    _groups: list[list[RunSpec]] = field(init=False)
    _own: dict[int, list[RunSpec]] = field(default_factory=dict)  # the group each worker is at
    _events: Events = field(default_factory=queue.Queue)
    _workers: dict[int, Worker] = field(default_factory=dict)
    _dismissed: list[Worker] = field(default_factory=list)  # died, and made room for another
    _restarts: int = 0

    def __post_init__(self) -> None:
        self._stages = dict(self.job.runs)
        self._groups = _groups(list(self._stages))

    @property
    def device_seconds(self) -> float:
        """Seconds that devices are paid for so far: of every worker from its start to its end."""
        return sum(worker.lifetime for worker in (*self._workers.values(), *self._dismissed))

    @property
    def wall(self) -> float:
        """Seconds since the campaign began."""
        return time.monotonic() - self.job.began

    def work(self) -> None:
        """Until nothing is left, a cap is reached, or everything failed."""
        for number in range(min(self.job.workers, len(self._stages))):
            self._hire(number)
        while self._alive:
            try:
                worker, event = self._events.get(timeout=self._seconds_left())
            except queue.Empty:
                self._cut()
            else:
                self._handle(worker, event)

    def close(self) -> None:
        """End every process."""
        for worker in self._workers.values():
            worker.stop()

    @property
    def _alive(self) -> list[Worker]:
        return [worker for worker in self._workers.values() if worker.alive]

    @property
    def _busy(self) -> list[Task]:
        return [worker.task for worker in self._workers.values() if worker.task is not None]

    @property
    def _waiting(self) -> list[RunSpec]:
        return [spec for group in self._groups for spec in group]

    # What workers report

    def _handle(self, worker: Worker, event: Event) -> None:
        kind = event["event"]
        if kind == "warning":
            self.tell(event["message"])
        elif kind == "ready":
            self._ready(worker)
        elif kind == "done":
            self._finish(worker, event)
            self._next(worker)
        elif kind == "error":
            self._fail(worker, event)
            self._next(worker)
        elif kind == "refused":
            self.refused = MissingExtraError(event["message"])
            self._stop("the workers cannot start")
        elif kind == "ended":
            self._ended(worker)

    def _ready(self, worker: Worker) -> None:
        worker.ready = True
        self.estimator.startup = worker.lifetime
        if worker.task is not None:
            worker.task.began = time.monotonic()

    def _finish(self, worker: Worker, event: Event) -> None:
        task = worker.take()
        self._learn(task, event["made"])
        metric, value = next(iter(event["scores"].items()))
        self.finished.append(
            {
                "run_id": event["run_id"],
                "title": task.spec.title,
                "metric": metric,
                "score": value,
                "seconds": round(task.seconds, 2),
                "predicted_seconds": round(task.predicted, 2),
            }
        )
        left = self._waiting
        count = f"[{len(self.finished)}/{len(self.finished) + len(left) + len(self._busy)}]"
        self.tell(
            f"{count} {task.spec.title}: {metric} {value:.1f} in {task.seconds:.0f} s; about {span(self._eta())} left"
        )
        self.every_run()

    def _fail(self, worker: Worker, event: Event) -> None:
        task = worker.take()
        self._learn(task, event["made"])
        self.failed.append(event["message"])
        self.tell(f"{task.spec.title}: {event['message']}")
        if event["message"].startswith("The disk of"):
            self._stop("the disk is full")

    def _learn(self, task: Task, made: Sequence[Event]) -> None:
        records = [StageRecord(**values) for values in made]
        for record in records:
            self.estimator.learn(record, task.stages.get(record.stage_id))
        if task.stages.keys() == {record.stage_id for record in records}:  # else it waited for another worker's
            self.estimator.learn_overhead(task.seconds - sum(record.seconds or 0.0 for record in records))

    def _ended(self, worker: Worker) -> None:
        worker.alive = False
        if worker.task is None:
            return
        task = worker.take()
        if self.stopped is not None:
            self.tell(f"{task.spec.title} was cut after {task.seconds:.0f} s; its finished stages are kept.")
        elif self._restarts < MAX_RESTARTS:
            self._restarts += 1
            self.tell(f"A worker died at {task.spec.title} (exit {worker.exit_code}); it is started again.")
            self._groups.insert(0, [task.spec])
            self._dismissed.append(self._workers.pop(worker.number))
            self._hire(worker.number)
        else:
            self.failed.append(f"{task.spec.title}: the worker died (exit {worker.exit_code}).")

    # What workers get

    def _hire(self, number: int) -> None:
        """Start a worker at its first run, if both fit."""
        spec = None if self.stopped else self._choose(number)
        if spec is None or not self._fits(spec, startup=self.estimator.startup):
            return
        worker = self._workers[number] = Worker(number, dict(self.job.settings), self._events)
        worker.give(self._task(spec))

    def _next(self, worker: Worker) -> None:
        spec = None if self.stopped else self._choose(worker.number)
        if spec is None or not self._fits(spec):
            worker.dismiss()
        else:
            worker.give(self._task(spec))

    def _task(self, spec: RunSpec) -> Task:
        missing = self._missing(spec)
        return Task(spec, self.estimator.run(missing), {s.key: self.estimator.stage(s) for s in missing})

    def _missing(self, spec: RunSpec) -> list[PlannedStage]:
        return [stage for stage in self._stages[spec] if not self.job.is_there(stage)]

    def _choose(self, number: int) -> RunSpec | None:
        """The next run of the worker's own group, so that one teacher stays with one worker."""
        group = self._own.get(number)
        if not group:
            owned = [own for n, own in self._own.items() if n != number]
            free = [g for g in self._groups if g and not any(g is o for o in owned)] or [g for g in self._groups if g]
            if not free:
                return None
            group = self._own[number] = free[0]
        spec = group.pop(0)
        self._groups = [g for g in self._groups if g]
        return spec

    # Caps

    def _fits(self, spec: RunSpec, startup: float = 0.0) -> bool:
        """Whether a run ends before a cap, all that is running counted; else it goes back, and the crew may stop."""
        ahead = startup + self.estimator.run(self._missing(spec))
        cap = self.job.limits.passed(
            wall=self.wall + ahead,
            device=self.device_seconds + self._running + ahead,
            n_devices=len(self._alive) + bool(startup),
        )
        if cap is None:
            return True
        self._groups.insert(0, [spec])
        if not (startup and self._alive):  # one worker fewer is no reason to stop
            self.capped = True
            start = f"starting takes about {startup:.0f} s and " if startup else ""
            self._stop(f"{start}the next run ({spec.title}) about {span(ahead - startup)}, which would pass {cap}")
        return False

    @property
    def _running(self) -> float:
        """Seconds that the workers still need for the runs they are at, starting included."""
        left = 0.0
        for worker in self._alive:
            left += 0.0 if worker.ready else max(0.0, self.estimator.startup - worker.lifetime)
            left += 0.0 if worker.task is None else max(0.0, worker.task.predicted - worker.task.seconds)
        return left

    def _seconds_left(self) -> float | None:
        """How long to wait for a worker before the cap is here; never nothing, so that events are read."""
        limits = self.job.limits
        left = limits.seconds_left(wall=self.wall, device=self.device_seconds, n_devices=len(self._alive))
        return None if left is None else max(0.1, left)

    def _cut(self) -> None:
        """A run takes longer than predicted, and the cap is here: end it now rather than pass the cap."""
        self.capped = True
        self._stop("the cap is reached")
        for worker in self._alive:
            worker.stop()

    def _stop(self, reason: str) -> None:
        if self.stopped is None:
            self.stopped = reason
            kept = "What is done is kept; the same command goes on from there."
            self.tell(f"Stopping: {reason}. {kept if self._workers or self._dismissed else 'Nothing was started.'}")

    def _eta(self) -> float:
        """Seconds until all is done: each missing stage once."""
        stages = {stage.key: stage for spec in self._waiting for stage in self._missing(spec)}
        ahead = self.estimator.run(list(stages.values())) + self.estimator.overhead * (len(self._waiting) - 1)
        return max(0.0, ahead + self._running) / max(1, len(self._alive))


def _groups(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs that share a teacher together, cheap ones first within a task."""
    groups: dict[tuple[Any, ...], list[RunSpec]] = {}
    for spec in specs:
        shared = (
            spec.task,
            spec.route.teacher or spec.route.labeler or spec.route.strategy,
            spec.design.n_labels,
            spec.seed,
        )
        groups.setdefault(shared, []).append(spec)
    return list(groups.values())


def _label_source(route: Route) -> str:
    return route.teacher or route.labeler or route.strategy


def span(seconds: float) -> str:
    """A time for people.

    >>> span(75), span(600), span(7200)
    ('75 s', '10 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

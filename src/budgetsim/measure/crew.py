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
from budgetsim.measure.events import (
    CannotStart,
    CapAhead,
    CapReached,
    DiskFull,
    Done,
    Ended,
    Failed,
    FinishedRun,
    Listener,
    Ready,
    Refused,
    RunCut,
    RunDone,
    RunFailed,
    RunLost,
    Stopping,
    StopReason,
    Warned,
    WorkerDied,
    WorkerEvent,
)
from budgetsim.measure.limits import Limits
from budgetsim.measure.process import Assignment, Events, Worker
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import PlannedStage
from budgetsim.store.records import StageRecord

MAX_RESTARTS: Final = 2  # of a worker that died


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """What a crew is to do, and how.

    runs : the runs with their stages, those that are there already among them
    is_there : whether the files of a stage lie in the cache
    settings : what a worker process is started with
    paid : dollars that requests have cost since the campaign began
    """

    runs: Sequence[tuple[RunSpec, Sequence[PlannedStage]]]
    is_there: Callable[[PlannedStage], bool]
    settings: Mapping[str, Any]
    workers: int
    limits: Limits
    began: float  # on the monotonic clock; what --max-hours counts from
    paid: Callable[[], float] = lambda: 0.0


@dataclass(slots=True)
class Crew:
    """Worker processes and the runs they share."""

    plan: CampaignPlan
    estimator: Estimator
    listen: Listener
    every_run: Callable[[], None]  # called after each finished run
    finished: list[FinishedRun] = field(default_factory=list)
    failed: list[RunFailed | RunLost] = field(default_factory=list)
    stopped: StopReason | None = None
    refused: BudgetsimError | None = None
    _stages: dict[RunSpec, Sequence[PlannedStage]] = field(init=False)
    _groups: list[list[RunSpec]] = field(init=False)
    _own: dict[int, list[RunSpec]] = field(default_factory=dict)  # the group each worker is at
    _events: Events = field(default_factory=queue.Queue)
    _workers: dict[int, Worker] = field(default_factory=dict)
    _dismissed: list[Worker] = field(default_factory=list)  # died, and made room for another
    _restarts: int = 0

    def __post_init__(self) -> None:
        self._stages = dict(self.plan.runs)
        self._groups = _groups(list(self._stages))

    @property
    def capped(self) -> bool:
        """Whether it stopped at a cap."""
        return isinstance(self.stopped, CapReached | CapAhead)

    @property
    def device_seconds(self) -> float:
        """Seconds that devices are paid for so far: of every worker from its start to its end."""
        return sum(worker.lifetime for worker in (*self._workers.values(), *self._dismissed))

    @property
    def wall(self) -> float:
        """Seconds since the campaign began."""
        return time.monotonic() - self.plan.began

    def work(self) -> None:
        """Until nothing is left, a cap is reached, or everything failed."""
        for number in range(min(self.plan.workers, len(self._stages))):
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
    def _busy(self) -> list[Assignment]:
        return [worker.assignment for worker in self._workers.values() if worker.assignment is not None]

    @property
    def _waiting(self) -> list[RunSpec]:
        return [spec for group in self._groups for spec in group]

    # What workers report

    def _handle(self, worker: Worker, event: WorkerEvent) -> None:
        match event:
            case Warned():
                self.listen(event)
            case Ready():
                self._ready(worker)
            case Done():
                self._finish(worker, event)
                self._next(worker)
            case Failed():
                self._fail(worker, event)
                self._next(worker)
            case Refused(message):
                self.refused = MissingExtraError(message)
                self._stop(CannotStart())
            case Ended():
                self._ended(worker)

    def _ready(self, worker: Worker) -> None:
        worker.ready = True
        self.estimator.startup = worker.lifetime
        if worker.assignment is not None:
            worker.assignment.began = time.monotonic()

    def _finish(self, worker: Worker, event: Done) -> None:
        assignment = worker.take()
        self._learn(assignment, event.built)
        metric, score = next(iter(event.scores.items()))
        run = FinishedRun(
            run_id=event.run_id,
            title=assignment.spec.title,
            metric=metric,
            score=score,
            seconds=round(assignment.seconds, 2),
            predicted_seconds=round(assignment.predicted, 2),
        )
        self.finished.append(run)
        n = len(self.finished)
        of = n + len(self._waiting) + len(self._busy)
        self.listen(RunDone(run=run, number=n, of=of, seconds_ahead=self._eta()))
        self.every_run()

    def _fail(self, worker: Worker, event: Failed) -> None:
        assignment = worker.take()
        self._learn(assignment, event.built)
        self.failed.append(RunFailed(assignment.spec.title, event.message))
        self.listen(self.failed[-1])
        if event.disk_full:
            self._stop(DiskFull())

    def _learn(self, assignment: Assignment, built: Sequence[StageRecord]) -> None:
        for record in built:
            self.estimator.learn(record, assignment.stages.get(record.stage_id))
        if assignment.stages.keys() == {record.stage_id for record in built}:  # else it waited for another worker's
            self.estimator.learn_overhead(assignment.seconds - sum(record.seconds or 0.0 for record in built))

    def _ended(self, worker: Worker) -> None:
        worker.alive = False
        if worker.assignment is None:
            return
        assignment = worker.take()
        title = assignment.spec.title
        if self.stopped is not None:
            self.listen(RunCut(title, assignment.seconds))
        elif self._restarts < MAX_RESTARTS:
            self._restarts += 1
            self.listen(WorkerDied(title, worker.exit_code))
            self._groups.insert(0, [assignment.spec])
            self._dismissed.append(self._workers.pop(worker.number))
            self._hire(worker.number)
        else:
            self.failed.append(RunLost(title, worker.exit_code))

    # What workers get

    def _hire(self, number: int) -> None:
        """Start a worker at its first run, if both fit."""
        spec = None if self.stopped else self._choose(number)
        if spec is None or not self._fits(spec, startup=self.estimator.startup):
            return
        worker = self._workers[number] = Worker(number, dict(self.plan.settings), self._events)
        worker.give(self._assign(spec))

    def _next(self, worker: Worker) -> None:
        spec = None if self.stopped else self._choose(worker.number)
        if spec is None or not self._fits(spec):
            worker.dismiss()
        else:
            worker.give(self._assign(spec))

    def _assign(self, spec: RunSpec) -> Assignment:
        missing = self._missing(spec)
        return Assignment(spec, self.estimator.run(missing), {s.key: self.estimator.stage(s) for s in missing})

    def _missing(self, spec: RunSpec) -> list[PlannedStage]:
        return [stage for stage in self._stages[spec] if not self.plan.is_there(stage)]

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
        cap = self.plan.limits.passed(
            wall=self.wall + ahead,
            device=self.device_seconds + self._running + ahead,
            n_devices=len(self._alive) + bool(startup),
            paid_usd=self._paid,
        )
        if cap is None:
            return True
        self._groups.insert(0, [spec])
        if not (startup and self._alive):  # one worker fewer is no reason to stop
            self._stop(CapAhead(title=spec.title, startup_seconds=startup, run_seconds=ahead - startup, cap=cap))
        return False

    @property
    def _running(self) -> float:
        """Seconds that the workers still need for the runs they are at, starting included."""
        seconds = 0.0
        for worker in self._alive:
            seconds += 0.0 if worker.ready else max(0.0, self.estimator.startup - worker.lifetime)
            run = worker.assignment
            seconds += 0.0 if run is None else max(0.0, run.predicted - run.seconds)
        return seconds

    @property
    def _paid(self) -> float:
        """Dollars of requests, where a cap counts them."""
        return 0.0 if self.plan.limits.max_cost_usd is None else self.plan.paid()

    def _seconds_left(self) -> float | None:
        """How long to wait for a worker before the cap is here; never nothing, so that events are read."""
        limits = self.plan.limits
        seconds = limits.seconds_left(
            wall=self.wall, device=self.device_seconds, n_devices=len(self._alive), paid_usd=self._paid
        )
        return None if seconds is None else max(0.1, seconds)

    def _cut(self) -> None:
        """A run takes longer than predicted, and the cap is here: end it now rather than pass the cap."""
        self._stop(CapReached())
        for worker in self._alive:
            worker.stop()

    def _stop(self, reason: StopReason) -> None:
        if self.stopped is None:
            self.stopped = reason
            self.listen(Stopping(reason, began=bool(self._workers or self._dismissed)))

    def _eta(self) -> float:
        """Seconds until all is done: each missing stage once."""
        stages = {stage.key: stage for spec in self._waiting for stage in self._missing(spec)}
        ahead = self.estimator.run(list(stages.values())) + self.estimator.overhead * (len(self._waiting) - 1)
        return max(0.0, ahead + self._running) / max(1, len(self._alive))


def _groups(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs that share a teacher together, cheap ones first within a task."""
    groups: dict[tuple[Any, ...], list[RunSpec]] = {}
    for spec in specs:
        shared = (spec.task, _label_source(spec.route), spec.design.n_labels, spec.seed)
        groups.setdefault(shared, []).append(spec)
    return list(groups.values())


def _label_source(route: Route) -> str:
    return route.teacher or route.labeler or route.strategy

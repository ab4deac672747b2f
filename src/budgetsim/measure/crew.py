"""The crew: workers of any executor that share the runs of a campaign, within its caps."""

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
    Progress,
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
from budgetsim.measure.executors.local import LocalExecutor
from budgetsim.measure.executors.losses import Losses
from budgetsim.measure.executors.protocol import Executor, Worker
from budgetsim.measure.executors.units import SHARED, Rota, join_sharing
from budgetsim.measure.limits import Limits
from budgetsim.measure.process import Assignment, Events
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import PlannedStage
from budgetsim.store.records import StageRecord

FALSE_STARTS: Final = 3  # workers in a row that end before they begin
ETA_SHARE: Final = 20  # what is left is added up anew for each twentieth of it that was done


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
    executor: Executor = field(default_factory=LocalExecutor)


@dataclass(slots=True)
class Crew:
    """Workers and the runs they share."""

    plan: CampaignPlan
    estimator: Estimator
    listen: Listener
    every_run: Callable[[], None]  # called after each finished run
    finished: list[FinishedRun] = field(default_factory=list)
    failed: list[RunFailed | RunLost] = field(default_factory=list)
    stopped: StopReason | None = None
    refused: BudgetsimError | None = None
    _stages: dict[RunSpec, dict[str, PlannedStage]] = field(init=False)  # by key
    _rota: Rota[RunSpec] = field(init=False)
    _events: Events = field(default_factory=queue.Queue)
    _workers: dict[int, Worker] = field(default_factory=dict)
    _dismissed: list[Worker] = field(default_factory=list)  # died, and made room for another
    _losses: Losses = field(init=False)
    _false_starts: int = 0
    _made: set[str] = field(default_factory=set)  # stages that were seen in the cache
    _ahead: tuple[int, float] = (0, 0.0)  # runs that waited when what is left was added up, and its seconds

    def __post_init__(self) -> None:
        self._stages = {spec: {stage.key: stage for stage in stages} for spec, stages in self.plan.runs}
        self._rota = Rota(share_out(self.plan.runs), self._has_shared)
        self._losses = Losses(self.plan.executor.patience, self.plan.settings.get("checkpoint_every") or 1)

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
        self.plan.executor.end(list(self._workers.values()))

    @property
    def _alive(self) -> list[Worker]:
        return [worker for worker in self._workers.values() if worker.alive]

    @property
    def _busy(self) -> list[Assignment]:
        return [worker.assignment for worker in self._workers.values() if worker.assignment is not None]

    # What workers report

    def _handle(self, worker: Worker, event: WorkerEvent) -> None:
        match event:
            case Warned():
                self.listen(event)
            case Progress(part, done):
                if worker.assignment is not None:
                    self._losses.progress(worker.assignment.spec, part, done)
            case Ready():
                self._ready(worker)
            case Done():
                self._finish(worker, event)
                self._next(worker)
            case Failed():
                self._fail(worker, event)
                self._next(worker)
            case Refused(message):
                self._refuse(MissingExtraError(message))
            case Ended():
                self._ended(worker)

    def _ready(self, worker: Worker) -> None:
        worker.ready = True
        self._false_starts = 0
        self.estimator.startup = worker.lifetime
        if worker.assignment is not None:
            worker.assignment.began = time.monotonic()
        else:
            self._next(worker)

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
        of = n + self._rota.n_waiting + len(self._busy)
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
            self._replace_early(worker)
            return
        assignment = worker.take()
        spec, title = assignment.spec, assignment.spec.title
        if self.stopped is not None:
            self.listen(RunCut(title, assignment.seconds))
        elif self._losses.bear(spec):
            self.listen(WorkerDied(title, worker.exit_code))
            self._rota.put_back(spec)
            self._replace(worker)
        else:
            self.failed.append(RunLost(title, worker.exit_code))
            if self.plan.executor.patience.of_all is None:
                self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        self._dismissed.append(self._workers.pop(worker.number))
        self._hire(worker.number)

    def _replace_early(self, worker: Worker) -> None:
        """A worker that had no run is over: it was sent home, or its place was lost before it began."""
        self._rota.leave(worker.number)
        if not worker.queued or self.stopped is not None or not self._rota.n_waiting:
            return
        self._false_starts += not worker.ready
        if self._false_starts < FALSE_STARTS:
            self._replace(worker)
        elif not self._busy:
            code, where = worker.exit_code, self.plan.executor.name
            self._refuse(
                BudgetsimError(
                    f"Workers on {where} end before they begin (exit {code}), {self._false_starts} in a row; read "
                    f"their logs, mend what they say, and run the same command again."
                )
            )

    def _refuse(self, error: BudgetsimError) -> None:
        self.refused = error
        self._stop(CannotStart())

    # What workers get

    def _hire(self, number: int) -> None:
        """Start a worker at its first run, if both fit; one that has to queue gets it when it is there."""
        spec = None if self.stopped else self._rota.take(number)
        if spec is None or not self._fits(spec, startup=self.estimator.startup):
            return
        worker = self._workers[number] = self.plan.executor.hire(number, dict(self.plan.settings), self._events)
        if worker.queued:
            self._rota.put_back(spec)
            self._rota.leave(number)
        else:
            worker.give(self._assign(spec))

    def _next(self, worker: Worker) -> None:
        spec = None if self.stopped else self._rota.take(worker.number)
        if spec is None or not self._fits(spec):
            worker.dismiss()
            self._recall()
        else:
            worker.give(self._assign(spec))

    def _recall(self) -> None:
        """End those that still queue where nothing is left for them."""
        if self.stopped is None and self._rota.n_waiting:
            return
        self.plan.executor.end([worker for worker in self._alive if worker.queued and not worker.ready])

    def _assign(self, spec: RunSpec) -> Assignment:
        missing = self._missing(spec)
        seconds = {key: self.estimator.stage(stage) for key, stage in missing.items()}
        return Assignment(spec, self.estimator.run(list(missing.values())), seconds)

    def _missing(self, spec: RunSpec) -> dict[str, PlannedStage]:
        return {key: stage for key, stage in self._stages[spec].items() if not self._is_made(key, stage)}

    def _is_made(self, key: str, stage: PlannedStage) -> bool:
        """Whether a stage is in the cache; what was seen there is not looked for again."""
        if key not in self._made and self.plan.is_there(stage):
            self._made.add(key)
        return key in self._made

    def _shared(self, spec: RunSpec) -> dict[str, PlannedStage]:
        return {key: stage for key, stage in self._stages[spec].items() if stage.kind in SHARED}

    def _has_shared(self, spec: RunSpec) -> bool:
        """Whether what a run shares with others is there."""
        return all(self._is_made(key, stage) for key, stage in self._shared(spec).items())

    # Caps

    def _fits(self, spec: RunSpec, startup: float = 0.0) -> bool:
        """Whether a run ends before a cap, all that is running counted; else it goes back, and the crew may stop."""
        ahead = startup + self.estimator.run(list(self._missing(spec).values()))
        cap = self.plan.limits.passed(
            wall=self.wall + ahead,
            device=self.device_seconds + self._running + ahead,
            n_devices=len(self._alive) + bool(startup),
            paid_usd=self._paid,
        )
        if cap is None:
            return True
        self._rota.put_back(spec)
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
        self.plan.executor.end(self._alive)

    def _stop(self, reason: StopReason) -> None:
        if self.stopped is None:
            self.stopped = reason
            self.listen(Stopping(reason, began=bool(self._workers or self._dismissed)))
            self._recall()

    def _eta(self) -> float:
        """Seconds until all is done."""
        n, ahead = self._rota.n_waiting, 0.0
        if n:
            of, ahead = self._ahead
            if not of or (of - n) * ETA_SHARE >= of or n > of:
                of, ahead = self._ahead = n, self._add_up()
            ahead *= n / of
        return max(0.0, ahead + self._running) / max(1, len(self._alive))

    def _add_up(self) -> float:
        """Seconds of what waits: each missing stage once."""
        waiting = self._rota.waiting
        stages = {key: stage for spec in waiting for key, stage in self._missing(spec).items()}
        return self.estimator.run(list(stages.values())) + self.estimator.overhead * (len(waiting) - 1)


def share_out(runs: Sequence[tuple[RunSpec, Sequence[PlannedStage]]]) -> list[list[RunSpec]]:
    """Units of runs: what rests on one teacher or labelling pass is together."""
    shared = {spec: [stage.key for stage in stages if stage.kind in SHARED] for spec, stages in runs}
    return join_sharing(_groups(list(shared)), shared.__getitem__)


def _groups(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs that share a teacher together, cheap ones first within a task."""
    groups: dict[tuple[Any, ...], list[RunSpec]] = {}
    for spec in specs:
        shared = (spec.task, _label_source(spec.route), spec.design.n_labels, spec.seed)
        groups.setdefault(shared, []).append(spec)
    return list(groups.values())


def _label_source(route: Route) -> str:
    return route.teacher or route.labeler or route.strategy

"""Workers on nodes: an engine runs them, a shared folder carries what they and the conductor tell each other."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from budgetsim.errors import BudgetsimError
from budgetsim.measure.events import Done, Ended, Ready, Refused, Warned
from budgetsim.measure.executors.heart import Pulse, beat
from budgetsim.measure.executors.mailbox import LISTEN_EVERY, Mailbox
from budgetsim.measure.executors.office import Office
from budgetsim.measure.executors.options import ExecutorOptions
from budgetsim.measure.executors.protocol import Engine, Fate, Job, Patience
from budgetsim.measure.leases import free_leases
from budgetsim.measure.process import Assignment, Events

LOOK_EVERY: Final = 5.0  # seconds between questions to the engine
TELL_AFTER: Final = 20.0  # seconds of waiting for a place before it is said
LAST_WORDS: Final = 300  # characters of a log


class ClusterWorker:
    """One job of an engine, and the run it is at."""

    def __init__(self, number: int, box: Mailbox, name: str, staff: ClusterExecutor) -> None:
        self.number, self.box, self.name, self._staff = number, box, name, staff
        self.alive, self.ready, self.queued = True, False, True
        self.assignment: Assignment | None = None
        self.exit_code: int | None = None
        self.over = False
        self.fate = Fate("waiting")
        self.pulse = Pulse(box.beat)
        self.hired_at = time.monotonic()
        self._paid = 0.0
        self._since: float | None = None

    @property
    def lifetime(self) -> float:
        """Seconds that it ran: waiting for a place is not paid for."""
        return self._paid + (0.0 if self._since is None else time.monotonic() - self._since)

    def clock(self, running: bool) -> None:
        """Start or stop counting."""
        if running and self._since is None:
            self._since = time.monotonic()
        elif not running and self._since is not None:
            self._paid, self._since = self.lifetime, None

    def give(self, assignment: Assignment) -> None:
        """Put a run into its inbox."""
        self.assignment = assignment
        assignment.began = time.monotonic() if self.ready else None
        self.box.give(assignment.spec)

    def take(self) -> Assignment:
        """The run the worker is done with."""
        if self.assignment is None:
            raise BudgetsimError("A worker reported a run nobody gave it; run the command again.")
        assignment, self.assignment = self.assignment, None
        return assignment

    def dismiss(self) -> None:
        """No more runs: the job ends by itself."""
        self.box.say_no_more()

    def stop(self) -> None:
        """End the job now."""
        self._staff.end([self])


@dataclass(slots=True)
class ClusterExecutor:
    """Hires workers as jobs of an engine, and listens to them from a thread of its own."""

    engine: Engine
    office: Office
    options: ExecutorOptions
    _workers: dict[str, ClusterWorker] = field(default_factory=dict)
    _jobs: list[Job] = field(default_factory=list)  # not started yet
    _events: Events | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _closing: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _looked: float = 0.0
    _told: str = ""
    _stamp: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f"))
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    @property
    def patience(self) -> Patience:
        """With each run by itself: nodes come and go."""
        return Patience(of_a_run=self.options.retries)

    def open(self) -> int:
        """Claim the folder and look whether the engine is there: as `Executor.open`."""
        self._stack.enter_context(self.office.open(self.options.lease_seconds, self.options.beat_seconds))
        try:
            self.engine.check()
        except BaseException:
            self._stack.close()
            raise
        return self.engine.slots()

    def hire(self, number: int, settings: Mapping[str, Any], events: Events) -> ClusterWorker:
        """Queue for a worker; jobs of one moment are started together."""
        with self._lock:
            self._events = events
            box = self.office.new_box(self._stamp)
            name = f"{self._stamp}-{box.folder.name}"
            worker = self._workers[name] = ClusterWorker(number, box, name, self)
            self._jobs.append(self._job(name, box, settings))
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return worker

    def end(self, workers: Sequence[ClusterWorker]) -> None:
        """End workers' jobs, wherever they are; what they had finished is in the folder."""
        with self._lock:
            alive = [worker for worker in workers if not worker.over]
            names = {worker.name for worker in alive}
            self._jobs = [job for job in self._jobs if job.name not in names]
            if alive:
                self.engine.end(sorted(names))
            for worker in alive:
                self._bury(worker)

    def close(self) -> None:
        """End every job, collect what is finished, let go of engine and folder."""
        self._closing.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)
        try:
            self.end(list(self._workers.values()))
            self.engine.close()
        finally:
            self._stack.close()

    def _job(self, name: str, box: Mailbox, settings: Mapping[str, Any]) -> Job:
        options = self.options
        own = {
            "mailbox": str(box.folder),
            "office": str(self.office.folder),
            "conductor": str(self.office.pulse),
            "worker": name,
            "threads": options.cpus,
            "lease_seconds": options.lease_seconds,
            "beat_seconds": options.beat_seconds,
            "orphan_seconds": options.orphan_seconds,
        }
        threads = str(options.cpus)
        return Job(
            name=name,
            words=["-m", "budgetsim.measure.worker", json.dumps({**settings, **own})],
            log=box.log,
            environment={"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )

    # In the thread

    def _watch(self) -> None:
        while not self._closing.wait(LISTEN_EVERY):
            try:
                with self._lock:
                    self._start()
                    self._listen()
                    if time.monotonic() - self._looked >= LOOK_EVERY:
                        self._look()
            except BudgetsimError as error:
                self._tell(str(error))

    def _start(self) -> None:
        jobs, self._jobs = self._jobs, []
        if not jobs:
            return
        try:
            self.engine.start(jobs)
        except BudgetsimError as error:
            for job in jobs:
                self._put(self._workers[job.name], Refused(str(error)))
                self._bury(self._workers[job.name])

    def _listen(self) -> None:
        """Pass on what workers report; a finished run's file is in the store before its event is."""
        for worker in self._alive:
            for event in worker.box.reports():
                if isinstance(event, Ended):
                    self._bury(worker, 0)
                    break
                if isinstance(event, Ready):
                    worker.clock(True)
                if isinstance(event, Done):
                    self.office.collect()
                self._put(worker, event)

    def _look(self) -> None:
        """See what became of the jobs, and which workers fell silent."""
        self._looked = time.monotonic()
        beat(self.office.pulse, str(time.time_ns()))
        fates = self.engine.look()
        self._listen()  # what they said before they ended
        for worker in self._alive:
            worker.fate = fates.get(worker.name, worker.fate)
            worker.clock(worker.fate.state == "running")
            if worker.fate.state == "over":
                self._mourn(worker)
            elif worker.fate.state == "running" and worker.pulse.silence > self.options.silence_seconds:
                self._tell(f"Worker {worker.name} gave no sign of life for {worker.pulse.silence:.0f} s; it is ended.")
                self.end([worker])
            elif worker.fate.state == "waiting":
                worker.pulse = Pulse(worker.box.beat)
        self._tell_waits()

    def _mourn(self, worker: ClusterWorker) -> None:
        fate = worker.fate
        words = last_words(worker.box.log)
        said = f"; it said: {words}" if words and not worker.ready else ""
        self._tell(f"Worker {worker.name} is lost ({fate.why or 'no reason given'}){said}; its log: {worker.box.log}")
        self._bury(worker, fate.exit_code)

    def _bury(self, worker: ClusterWorker, exit_code: int | None = None) -> None:
        """A worker is over: nobody waits for what it held."""
        worker.clock(False)
        worker.over, worker.exit_code = True, exit_code
        free_leases(self.office.cache, worker.name)
        self._put(worker, Ended())

    def _tell_waits(self) -> None:
        waiting = [w for w in self._alive if w.fate.state == "waiting" and time.monotonic() - w.hired_at > TELL_AFTER]
        why = ", ".join(sorted({w.fate.why for w in waiting if w.fate.why})) or "no reason given"
        text = f"{len(waiting)} of {len(self._alive)} workers wait for a place on {self.engine.name} ({why})."
        if waiting and text != self._told:
            self._told = text
            self._tell(text)

    @property
    def _alive(self) -> list[ClusterWorker]:
        return [worker for worker in self._workers.values() if not worker.over]

    def _tell(self, text: str) -> None:
        for worker in self._workers.values():
            self._put(worker, Warned(text))
            return

    def _put(self, worker: ClusterWorker, event: Any) -> None:
        assert self._events is not None
        self._events.put((worker, event))


def last_words(log: Path) -> str:
    """The end of a log, on one line."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LAST_WORDS))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " ".join(text.split())

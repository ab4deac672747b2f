"""A worker process as the conductor sees it: its pipe, the run it is at, and how long it has lived."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budgetsim.errors import BudgetsimError
from budgetsim.measure.events import Ended, WorkerEvent, decode_event
from budgetsim.measure.spec import RunSpec, to_json

Events = queue.Queue[tuple[Any, WorkerEvent]]  # a worker of some executor, and what it reports


@dataclass(slots=True)
class Assignment:
    """A run given to a worker, with the seconds predicted for it and for each stage that it has to build."""

    spec: RunSpec
    predicted: float
    stages: dict[str, float]  # stage id -> seconds
    began: float | None = None  # on the monotonic clock; None while the worker starts

    @property
    def seconds(self) -> float:
        """Since the worker could begin."""
        return 0.0 if self.began is None else time.monotonic() - self.began


class Worker:
    """One worker process, its pipe, and the run it is at."""

    def __init__(self, number: int, settings: Mapping[str, Any], events: Events) -> None:
        self.number, self.alive, self.ready, self.queued = number, True, False, False
        self.assignment: Assignment | None = None
        self.started_at = time.monotonic()
        self.ended_at: float | None = None
        threads = str(settings["threads"])
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "budgetsim.measure.worker", json.dumps({**settings, "parent": os.getpid()})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            process_group=0,  # Ctrl-C reaches the conductor alone, which ends its workers
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(events,), daemon=True).start()

    def _listen(self, events: Events) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError):  # the last line of a process that was killed may be torn
                    events.put((self, decode_event(line)))
        self.process.wait()
        self.ended_at = time.monotonic()
        events.put((self, Ended()))

    @property
    def lifetime(self) -> float:
        """Seconds from start to end, or to now."""
        return (self.ended_at or time.monotonic()) - self.started_at

    @property
    def exit_code(self) -> int | None:
        """Of the process; None while it lives."""
        return self.process.returncode

    def give(self, assignment: Assignment) -> None:
        """Send a run; it begins once the worker is ready."""
        self.assignment = assignment
        assignment.began = time.monotonic() if self.ready else None
        with contextlib.suppress(BrokenPipeError):  # the `Ended` event that follows puts the run back
            assert self.process.stdin is not None
            self.process.stdin.write(to_json(assignment.spec) + "\n")
            self.process.stdin.flush()

    def take(self) -> Assignment:
        """The run the worker is done with."""
        if self.assignment is None:
            raise BudgetsimError("A worker reported a run nobody gave it; run the command again.")
        assignment, self.assignment = self.assignment, None
        return assignment

    def dismiss(self) -> None:
        """No more runs: the worker ends when its input does."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def stop(self) -> None:
        """End the process now; what it had finished is on disk."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # what was not sent has nobody to go to
            self.process.stdin.close()

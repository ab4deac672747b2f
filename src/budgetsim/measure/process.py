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
from dataclasses import dataclass
from typing import Any

from budgetsim.errors import BudgetsimError
from budgetsim.measure.spec import RunSpec, to_json

Event = dict[str, Any]
Events = queue.Queue[tuple["Worker", Event]]


@dataclass(slots=True)
class Task:
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

    def __init__(self, number: int, settings: Event, events: Events) -> None:
        self.number, self.alive, self.ready = number, True, False
        self.task: Task | None = None
        self.hired = time.monotonic()
        self.left: float | None = None
        threads = str(settings["threads"])
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "budgetsim.measure.worker", json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(events,), daemon=True).start()

    def _listen(self, events: Events) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # the last line of a process that was killed may be torn
                events.put((self, json.loads(line)))
        self.process.wait()
        self.left = time.monotonic()
        events.put((self, {"event": "ended"}))

    @property
    def lifetime(self) -> float:
        """Seconds from start to end, or to now."""
        return (self.left or time.monotonic()) - self.hired

    @property
    def exit_code(self) -> int | None:
        """Of the process; None while it lives."""
        return self.process.returncode

    def give(self, task: Task) -> None:
        """Send a run; it begins once the worker is ready."""
        self.task = task
        task.began = time.monotonic() if self.ready else None
        with contextlib.suppress(BrokenPipeError):  # the `ended` event that follows puts the run back
            assert self.process.stdin is not None
            self.process.stdin.write(to_json(task.spec) + "\n")
            self.process.stdin.flush()

    def take(self) -> Task:
        """The run the worker is done with."""
        if self.task is None:
            raise BudgetsimError("A worker reported a run nobody gave it; run the command again.")
        task, self.task = self.task, None
        return task

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
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

"""Where a worker gets its runs and sends its events: pipes of its conductor's, or a mailbox in a shared folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO, Any, Protocol

from budgetsim.measure.events import Ended, Progress, WorkerEvent, encode_event
from budgetsim.measure.executors.heart import Heart
from budgetsim.measure.executors.mailbox import Mailbox
from budgetsim.measure.leases import Leases, Locks, owner_name
from budgetsim.measure.signals import end_with_parent
from budgetsim.measure.spec import RunSpec, from_json
from budgetsim.store.location import StorePaths


class Post(Protocol):
    """A worker's side of what it and its conductor tell each other."""

    locks: Locks | None  # of stages, where builders are on other machines too
    store: StorePaths | None  # where run files go, if not into the store

    def runs(self) -> Iterator[RunSpec]:
        """Runs as they come in, until no more do."""
        ...

    def send(self, event: WorkerEvent) -> None:
        """Tell the conductor."""
        ...

    def close(self) -> None:
        """No more runs came in, and all are done."""
        ...


def open_post(settings: Mapping[str, Any]) -> Post:
    """The post that the settings of a worker name."""
    return MailPost(settings) if "mailbox" in settings else PipePost(settings)


class PipePost:
    """Standard input and output. Whatever libraries print goes to standard error instead."""

    locks: Locks | None = None
    store: StorePaths | None = None

    def __init__(self, settings: Mapping[str, Any]) -> None:
        end_with_parent(settings["parent"])
        self.pipe: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def runs(self) -> Iterator[RunSpec]:
        """As `Post.runs`."""
        return map(from_json, sys.stdin)

    def send(self, event: WorkerEvent) -> None:
        """As `Post.send`."""
        self.pipe.write(encode_event(event) + "\n")
        self.pipe.flush()

    def close(self) -> None:
        """Nothing: the end of the process is the end of the pipe."""


class MailPost:
    """A mailbox. The worker ends when it is told to, and when its conductor gives no sign of life any more."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        end_with_parent(os.getppid())
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, _leave)
        self.box = Mailbox(Path(settings["mailbox"]))
        self.box.open_again()
        self.store: StorePaths | None = StorePaths(Path(settings["office"]) / "store.duckdb")
        patience, beat = float(settings["lease_seconds"]), float(settings["beat_seconds"])
        self.locks: Locks | None = Leases(owner_name(settings["worker"]), patience=patience, beat=beat)
        self._every, self._told = beat, 0.0
        Heart(
            self.box.beat, Path(settings["conductor"]), every=beat, patience=float(settings["orphan_seconds"])
        ).start()

    def runs(self) -> Iterator[RunSpec]:
        """As `Post.runs`."""
        return self.box.runs()

    def send(self, event: WorkerEvent) -> None:
        """As `Post.send`; of steps every few seconds, since a shared folder is slow."""
        now = time.monotonic()
        if isinstance(event, Progress):
            if now - self._told < self._every and event.done < event.of:
                return
            self._told = now
        self.box.send(event)

    def close(self) -> None:
        """Say goodbye, so that nobody waits for the engine to notice."""
        self.box.send(Ended())


def _leave(number: int, frame: FrameType | None) -> None:
    """End on a signal by way of every `finally`: leases are let go of, and others need not wait."""
    for each in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)

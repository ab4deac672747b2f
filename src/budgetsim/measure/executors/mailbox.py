"""What a conductor and a worker on another machine tell each other: files in a folder that both see.

    inbox.jsonl   runs for the worker, one JSON line each; an empty line: no more
    outbox.jsonl  events of the worker, one JSON line each
    beat          a sign of life: its text changes every few seconds

Each file has one writer, is appended to by opening, writing and closing it (which is what shared file systems promise
that others see), and is there before the worker starts (what is not there yet may be remembered as absent).
A worker that takes the place of a lost one reads the inbox from its beginning and passes over what was answered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from budgetsim.measure.events import Done, Failed, Ready, WorkerEvent, decode_event, encode_event
from budgetsim.measure.spec import RunSpec, from_json, to_json

LISTEN_EVERY: Final = 0.2  # seconds
NO_MORE: Final = ""


@dataclass(slots=True)
class Lines:
    """A growing file of lines, read as far as they are whole."""

    path: Path
    _read: int = 0  # bytes

    def new(self) -> list[str]:
        """Whole lines since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        self._read += whole
        return data[:whole].decode("utf-8", "replace").splitlines()


@dataclass(slots=True)
class Mailbox:
    """The folder of one worker."""

    folder: Path
    _sent: Lines = field(init=False)

    def __post_init__(self) -> None:
        self._sent = Lines(self.outbox)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox.jsonl"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.jsonl"

    @property
    def beat(self) -> Path:
        return self.folder / "beat"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    # The conductor's side

    def make(self) -> None:
        """The folder with its files, empty."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.inbox, self.outbox, self.beat):
            path.touch()

    def give(self, spec: RunSpec) -> None:
        """A run for the worker."""
        _append(self.inbox, to_json(spec))

    def say_no_more(self) -> None:
        """The worker ends when it has done what it has."""
        _append(self.inbox, NO_MORE)

    def reports(self) -> list[WorkerEvent]:
        """Events since the last call; torn ones of a worker that was lost are passed over."""
        events = []
        for line in self._sent.new():
            try:
                events.append(decode_event(line))
            except ValueError:
                continue
        return events

    # The worker's side

    def send(self, event: WorkerEvent) -> None:
        """Tell the conductor."""
        _append(self.outbox, encode_event(event))

    def open_again(self) -> None:
        """Close a line that a lost worker left torn."""
        with self.outbox.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def runs(self) -> Iterator[RunSpec]:
        """Runs not answered yet, as they come in, until no more do."""
        answered = sum(isinstance(event, Done | Failed) for event in Mailbox(self.folder).reports())
        inbox = Lines(self.inbox)
        while True:
            for line in inbox.new():
                if line == NO_MORE:
                    return
                if answered:
                    answered -= 1
                    continue
                yield from_json(line)
            time.sleep(LISTEN_EVERY)

    @property
    def was_begun(self) -> bool:
        """Whether a worker was at this place before."""
        return any(isinstance(event, Ready) for event in Mailbox(self.folder).reports())


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())

"""Signs of life between a conductor and its workers: files whose text changes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Pulse:
    """Another's sign of life, watched by one's own clock."""

    path: Path
    _seen: str | None = None
    _since: float | None = None

    @property
    def silence(self) -> float:
        """Seconds since it was seen to change, counted from the first look."""
        now = time.monotonic()
        text: str | None
        try:
            text = self.path.read_text(encoding="utf-8")
        except OSError:
            text = self._seen
        if self._since is None or text != self._seen:
            self._seen, self._since = text, now
        return now - self._since


class Heart(threading.Thread):
    """Beats for a worker, and ends it when its conductor has been silent for too long: nobody pays for orphans.

    every, patience : seconds
    """

    def __init__(self, own: Path, conductor: Path, *, every: float, patience: float) -> None:
        super().__init__(daemon=True)
        self.own, self.conductor, self.every, self.patience = own, Pulse(conductor), every, patience

    def run(self) -> None:
        """Until the process ends."""
        number = 0
        while self.conductor.silence < self.patience:
            beat(self.own, f"{os.getpid()} {number}")
            number += 1
            time.sleep(self.every)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        os._exit(143)


def beat(path: Path, text: str) -> None:
    """Give a sign of life; a disk that is full or gone for a moment is no reason to die."""
    with contextlib.suppress(OSError):
        path.write_text(text, encoding="utf-8")

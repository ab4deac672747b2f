"""One writer at a time: who holds the store since when, and how long to wait for whom."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from budgetsim.errors import StoreLockedError

PATIENCE: Final = 20.0  # seconds without any progress of others
LONGEST: Final = 900.0  # seconds in all
_POLL: Final = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds the store."""

    pid: int
    command: str
    since: str  # hours and minutes UTC, with the day

    @property
    def words(self) -> str:
        return f"process {self.pid} ({self.command or 'unknown'}) since {self.since or 'an unknown time'}"


@contextmanager
def hold(database: Path, lock: Path, *, wait_seconds: float | None = None) -> Iterator[None]:
    """Be the one process that changes a store and its text files.

    Waits for as long as others make progress: the wait begins anew whenever another process has got hold of the store.

    wait_seconds : without progress; None for `PATIENCE`
    raises : StoreLockedError saying who holds it since when, OSError where the folder cannot be written
    """
    import filelock  # readers never need it

    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()  # filelock takes a place where nothing can be made for a lock that another holds
    patience = PATIENCE if wait_seconds is None else wait_seconds
    guard = filelock.FileLock(lock)
    note = lock.with_name(lock.name + ".holder")
    began = changed = time.monotonic()
    seen = _seen(note)
    while True:
        try:
            guard.acquire(timeout=0)
            break
        except filelock.Timeout:
            now = time.monotonic()
            if (found := _seen(note)) != seen:
                seen, changed = found, now
            if now - changed > patience or now - began > LONGEST:
                raise locked(database, _holder(note)) from None
            time.sleep(_POLL)
    try:
        _write_note(note)
        yield
    finally:
        note.unlink(missing_ok=True)
        guard.release()


def locked(database: Path, holder: Holder | None) -> StoreLockedError:
    """The error that says who holds the store and what to do."""
    who = holder.words if holder else "another process"
    end = f", or end it if it is stuck: kill {holder.pid}" if holder else ""
    return StoreLockedError(
        f"{database} is held by {who}. Wait for it, close that shell{end}; then give the same command again. "
        f"Finished runs are safe in their text files, and `budgetsim store rebuild` brings them in."
    )


def holder_of(message: str) -> Holder | None:
    """The process that DuckDB names where it could not open a file."""
    found = re.search(r"\(PID (\d+)\)", message)
    return process(int(found.group(1))) if found else None


def process(pid: int) -> Holder:
    """A process by its number, as far as this system tells of it."""
    with suppress(OSError, ValueError, IndexError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        started = Path(f"/proc/{pid}").stat().st_mtime
        return Holder(pid, " ".join(words).strip()[:120], _moment(started))
    return Holder(pid, "", "")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _write_note(note: Path) -> None:
    words = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:120]
    note.write_text(json.dumps({"pid": os.getpid(), "command": words, "since": _moment(time.time())}), encoding="utf-8")


def _seen(note: Path) -> tuple[int, int] | None:
    try:
        status = note.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _holder(note: Path) -> Holder | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads(note.read_text(encoding="utf-8"))
        return Holder(int(values["pid"]), str(values["command"]), str(values["since"]))
    return None

"""Who may build a stage, where builders are on many machines and any of them may vanish.

A lease is a folder `KEY.lease/` with one file in it: `free`, or `holder-OWNER`. Whoever wants it renames that file to
its own name. A rename of a name that is gone fails, so of many who want it one succeeds, and whoever judged by an old
name changes nothing. The holder touches its file every few seconds. Others watch it by their own clocks: one that did
not change for `patience` seconds is taken over by the same rename, and its builder finds at its next touch that it has
lost it. Stages are built inside the lease's folder under the owner's name; a successor renames that folder too, and
goes on from its checkpoints. No database, no clock that machines agree on, no lock of the file system.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import filelock

from budgetsim.doors.unfinished import here, is_over
from budgetsim.errors import BudgetsimError

FREE: Final = "free"
HOLDER: Final = "holder-"
PARTIAL: Final = "partial-"
BEAT: Final = 5.0  # seconds between touches
PATIENCE: Final = 60.0  # seconds without one until a lease is taken over; shared file systems show changes late
GLANCE: Final = 0.3  # seconds between looks at a lease that another holds


class Locks(Protocol):
    """One builder a stage."""

    def hold(self, place: Path) -> contextlib.AbstractContextManager[Path]:
        """Wait until nobody else builds a stage; the folder to build it in, which may hold a lost builder's files."""
        ...


class FileLocks:
    """Locks of this machine's file system: they end with the process that holds them."""

    @contextmanager
    def hold(self, place: Path) -> Iterator[Path]:
        """As `Locks.hold`."""
        with filelock.FileLock(f"{place}.lock"):
            yield place.with_name(place.name + ".partial")


class LeaseLostError(BudgetsimError):
    """Another builder took a stage over; what it makes is used."""


@dataclass(slots=True)
class Leases:
    """Leases of one owner; every name of an owner is used once.

    patience, beat : seconds
    """

    owner: str
    patience: float = PATIENCE
    beat: float = BEAT
    _held: set[Path] = field(default_factory=set)  # holder files
    _beating: threading.Thread | None = None

    @contextmanager
    def hold(self, place: Path, busy: Callable[[str], None] | None = None) -> Iterator[Path]:
        """As `Locks.hold`.

        busy : told the name of a holder who is alive, while that is waited for; may raise instead
        raises : LeaseLostError where another took it over meanwhile
        """
        lease = lease_of(place)
        mine = self._acquire(lease, busy)
        self._keep(mine)
        try:
            yield self._partial(lease)
        except BaseException:
            if not mine.exists():
                raise LeaseLostError(f"{place.name} was taken over by another worker.") from None
            raise
        finally:
            self._held.discard(mine)
            self._release(lease, mine, is_made=place.is_dir())

    def _acquire(self, lease: Path, busy: Callable[[str], None] | None) -> Path:
        mine = lease / f"{HOLDER}{self.owner}"
        seen: tuple[str, int] | None = None
        since = 0.0
        while True:
            if self._create(lease):
                return mine
            holder = _holder(lease)
            if holder is None:  # it was let go of just now, folder and all
                time.sleep(GLANCE / 10)
                continue
            mark = _mark(holder)
            if mark != seen:
                if busy is not None and seen is not None and mark[0] == seen[0]:
                    busy(holder.name.removeprefix(HOLDER))
                seen, since = mark, time.monotonic()
            if holder.name == FREE or time.monotonic() - since > self.patience or is_gone(holder.name):
                with contextlib.suppress(OSError):
                    holder.rename(mine)
                    os.utime(mine)
                    return mine
            time.sleep(GLANCE)

    def _create(self, lease: Path) -> bool:
        """Make a lease that nobody has made, with its holder in it from the first moment."""
        if lease.exists():
            return False
        own = lease.with_name(f"{lease.name}.{self.owner}")
        own.mkdir(parents=True, exist_ok=True)
        (own / f"{HOLDER}{self.owner}").touch()
        try:
            own.rename(lease)
        except OSError:  # another was faster
            shutil.rmtree(own, ignore_errors=True)
            return False
        return True

    def _partial(self, lease: Path) -> Path:
        """Where the owner builds: a predecessor's folder, the newest, goes on under the owner's name."""
        mine = lease / f"{PARTIAL}{self.owner}"
        others = sorted((p for p in lease.glob(f"{PARTIAL}*") if p != mine), key=_changed)
        if others and not mine.exists():
            with contextlib.suppress(OSError):
                others.pop().rename(mine)
        for other in others:
            shutil.rmtree(other, ignore_errors=True)
        return mine

    def _release(self, lease: Path, mine: Path, *, is_made: bool) -> None:
        with contextlib.suppress(OSError):
            if not is_made:
                mine.rename(lease / FREE)
            elif mine.exists():
                gone = lease.with_name(f"{lease.name}.{self.owner}")
                lease.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)

    def _keep(self, mine: Path) -> None:
        self._held.add(mine)
        if self._beating is None:
            self._beating = threading.Thread(target=self._touch, daemon=True)
            self._beating.start()

    def _touch(self) -> None:
        while True:
            time.sleep(self.beat)
            for mine in tuple(self._held):
                with contextlib.suppress(OSError):  # it is lost, which `hold` finds out
                    os.utime(mine)


def owner_name(name: str) -> str:
    """A name for the leases of this process, used once.

    name : without dots
    """
    return f"{name}.{here()}.{os.getpid():x}.{time.time_ns():x}"


def is_gone(owner: str) -> bool:
    """Whether an owner was a process of this machine that is over; of those elsewhere nobody here can say."""
    parts = owner.split(".")
    return len(parts) == 4 and is_over(parts[1], parts[2])


def free_leases(folder: Path, owner: str) -> int:
    """Free what a builder holds that is known to be gone, so that nobody waits; how many those were.

    owner : the name that `owner_name` was given
    """
    freed = 0
    for held in folder.glob(f"*.lease/{HOLDER}{owner}.*"):
        with contextlib.suppress(OSError):
            held.rename(held.with_name(FREE))
            freed += 1
    return freed


def lease_of(place: Path) -> Path:
    """The lease of a stage."""
    return place.with_name(place.name + ".lease")


def _holder(lease: Path) -> Path | None:
    with contextlib.suppress(OSError):
        return next((p for p in lease.iterdir() if p.name == FREE or p.name.startswith(HOLDER)), None)
    return None


def _mark(holder: Path) -> tuple[str, int]:
    try:
        return holder.name, holder.stat().st_mtime_ns
    except OSError:
        return holder.name, 0


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

"""The folder of a campaign that nodes see: mailboxes of its workers, run files that wait to be collected.

One campaign of a store at a time works from it; another store's has its own, and shares the stages.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.design.identity import canonical_hash
from budgetsim.doors.unfinished import unfinished
from budgetsim.errors import BudgetsimError, DiskFullError, InputError, StoreLockedError
from budgetsim.measure.executors.heart import beat
from budgetsim.measure.executors.mailbox import Mailbox
from budgetsim.measure.leases import Leases, owner_name
from budgetsim.store.location import StorePaths

FOLDER: Final = "campaigns"  # in the cache
PROBE: Final = 4 * 2**20  # bytes that must fit


@dataclass(slots=True)
class Office:
    """Where a campaign and its workers meet.

    cache : the shared folder
    paths : the store that run files go to
    """

    cache: Path
    paths: StorePaths
    number: int = 0
    _hired: int = 0

    @property
    def folder(self) -> Path:
        """The same for the same store, so that what a lost conductor's workers finished is found."""
        return self.cache / FOLDER / canonical_hash({"store": str(self.paths.database.resolve())})[:16]

    @property
    def runs(self) -> Path:
        """Run files that workers finished."""
        return StorePaths(self.folder / "store.duckdb").runs

    @property
    def pulse(self) -> Path:
        """The conductor's sign of life."""
        return self.folder / "conductor"

    def new_box(self, stamp: str) -> Mailbox:
        """A mailbox for one more worker."""
        box = Mailbox(self.folder / stamp / f"w{self._hired:04d}")
        self._hired += 1
        box.make()
        return box

    def collect(self) -> int:
        """Bring finished run files into the store's folder; how many those were."""
        files = sorted(self.runs.glob("*.jsonl"))
        for file in files:
            self.paths.runs.mkdir(parents=True, exist_ok=True)
            target = self.paths.runs / file.name
            if not target.exists():
                with unfinished(target) as beside:
                    shutil.copyfile(file, beside)
            file.unlink(missing_ok=True)
        return len(files)

    @contextlib.contextmanager
    def open(self, lease_seconds: float, beat_seconds: float) -> Iterator[None]:
        """Work from here, alone; what an earlier campaign's workers finished is collected first.

        raises : InputError, DiskFullError where nothing can be written, StoreLockedError where another is at it
        """
        self.check()
        host = platform.node().replace(".", "-") or "host"
        leases = Leases(owner_name(host), patience=lease_seconds, beat=beat_seconds)
        with leases.hold(self.folder, self._refuse):
            beat(self.pulse, f"{os.getpid()} {time.time_ns()}")
            self.collect()
            try:
                yield
            finally:
                self.collect()

    def _refuse(self, holder: str) -> None:
        host, _, pid, _ = holder.split(".")
        raise StoreLockedError(
            f"Another campaign (process {int(pid, 16)} on {host}) sends the runs of {self.paths.database} to a "
            f"cluster, from {self.cache}: wait for it, or stop it there; or give this one a store of its own "
            f"with --store."
        )

    def check(self) -> None:
        """Whether the folder takes what workers write.

        raises : InputError where it is not there or cannot be written, DiskFullError where it is full
        """
        probe = self.cache / f".probe-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with probe.open("wb") as file:
                file.write(b"\0" * PROBE)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unusable(self.cache, error) from None
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)


def _unusable(cache: Path, error: OSError) -> BudgetsimError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"The shared folder {cache} is full: free some space, or name another with `shared_cache`; nothing was "
            f"started."
        )
    return InputError(
        f"The shared folder {cache} cannot be written ({error.strerror}): name one that this machine and every node "
        f"can write, with `shared_cache` in executor.yaml."
    )

"""A library that is preloaded into this process and its children: the n-th write fails, or is the last."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("faults.c")
NOTHING, FULL_ONCE, FULL, KILLED_BEFORE, KILLED_AFTER = range(5)  # what happens at the n-th write
_FIELDS: Final = 5


def compiler() -> str | None:
    """A C compiler, if this machine has one and loads libraries before others."""
    return shutil.which("cc") or shutil.which("gcc") if sys.platform == "linux" else None


def begin_again(home: Path, words: Sequence[str]) -> None:
    """Become a Python with the library preloaded, for writes below `home`; returns where that was done already."""
    if os.environ.get("CHAOS_ROOT") == str(home):
        return
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    aside = home.with_name(home.name + ".library")  # beside it: what lies below `home` is counted
    aside.mkdir(exist_ok=True)
    library, state = aside / "faults.so", aside / "state"
    subprocess.run([str(compiler()), "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    state.write_bytes(bytes(8 * _FIELDS))
    scratch = home / "scratch"  # temporary files count too
    scratch.mkdir(exist_ok=True)
    environment = os.environ | {
        "LD_PRELOAD": str(library), "CHAOS_ROOT": str(home), "CHAOS_STATE": str(state), "TMPDIR": str(scratch),
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    os.execve(sys.executable, [sys.executable, *words], environment)  # noqa: S606 - this very Python


class Faults:
    """The numbers that the library reads; see faults.c."""

    def __init__(self) -> None:
        with open(os.environ["CHAOS_STATE"], "r+b") as file:
            self._state = mmap.mmap(file.fileno(), 8 * _FIELDS)

    def arm(self, how: int = NOTHING, n: int = 0, *, clock_back: int = 0) -> None:
        """From now on count, and let the n-th write fail or kill, or put the clock back so many seconds."""
        self._state[:] = struct.pack("5q", 0, n, how, 1, clock_back)

    def disarm(self) -> int:
        """No more of it; how many writes there were."""
        writes, *_ = struct.unpack("5q", self._state[:])
        self._state[:] = bytes(8 * _FIELDS)
        return int(writes)

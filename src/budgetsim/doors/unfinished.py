"""Files on their way: each is written under a name of its process beside its place, then renamed.

A process that is killed leaves such a file. Writers of a folder sweep it: those whose process is known to be over, and
those of any machine that are older than a day.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

ELSEWHERE: Final = "elsewhere"
SUFFIX: Final = ".tmp"
_OURS: Final = re.compile(rf"\..+\.([0-9a-f]{{12}}|{ELSEWHERE})\.([0-9a-f]+){re.escape(SUFFIX)}", re.DOTALL)
_BEFORE: Final = re.compile(rf"\..+\.[0-9]+{re.escape(SUFFIX)}", re.DOTALL)  # when the process alone was named
DAY: Final = 86_400.0  # seconds: nothing is written for longer


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A place to write a file to, which then takes the place of `target` whole; after an error it is gone."""
    temporary = target.with_name(f".{target.name}.{here()}.{os.getpid():x}{SUFFIX}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path, pattern: str = "*") -> int:
    """Take away what killed processes left of files that `unfinished` was to write; how many those were.

    pattern : of the names of the files they were to be
    """
    swept = 0
    for left in folder.glob(f".{pattern}{SUFFIX}"):
        with suppress(OSError):  # gone by now
            if _is_left(left):
                left.unlink()
                swept += 1
    return swept


def _is_left(temporary: Path) -> bool:
    named = _OURS.fullmatch(temporary.name)
    if named is None and _BEFORE.fullmatch(temporary.name) is None:
        return False
    if named is not None and is_over(*named.groups()):
        return True
    return time.time() - temporary.stat().st_mtime > DAY


def is_over(machine: str, process: str) -> bool:
    """Whether a process is known to be over: of those of other machines nobody here can say.

    machine : as `here` told it; process : its number, hexadecimal
    raises : ValueError where that is no number
    """
    return machine == here() != ELSEWHERE and not Path(f"/proc/{int(process, 16)}").exists()


@cache
def here() -> str:
    """This machine since it was started, and this view of its processes (a container has its own)."""
    if sys.platform != "linux":
        return ELSEWHERE
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        seen = os.readlink("/proc/self/ns/pid")
    except OSError:  # a sandbox that hides them
        return ELSEWHERE
    return hashlib.sha256(f"{boot} {seen}".encode()).hexdigest()[:12]

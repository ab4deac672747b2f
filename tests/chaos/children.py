"""Work in children of a process that stays free of threads, so that it can fork without end."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from budgetsim.errors import BudgetsimError

DONE, TOLD, TRACEBACK = 0, 3, 70
LONGEST: Final = 900.0  # seconds; a machine may be busy


def log_beside(name: str) -> Path:
    """Where a child's words go: not below the folder whose writes fail."""
    return Path(os.environ["CHAOS_STATE"]).with_name(name)


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended: its exit code (minus the signal that killed it) and what it said."""

    code: int
    said: str
    seconds: float

    @property
    def outcome(self) -> str:
        names = {DONE: "done", TOLD: "told", -signal.SIGKILL: "killed"}
        return names.get(self.code, "traceback")


def start(work: Callable[[], Any], log: Path) -> int:
    """A child that does the work; what it says, or what went wrong, goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = TRACEBACK
    try:
        # opened before anything is armed in the child's own work: a log that cannot be written hides nothing
        target = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        os.dup2(target, 1)
        os.dup2(target, 2)
        said = work()
        if said is not None:
            print(said, flush=True)
        code = DONE
    except BudgetsimError as error:
        print(error, file=sys.stderr, flush=True)
        code = TOLD
    except BaseException:  # whatever it is, it is what is looked for
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def finish(child: int, log: Path, *, kill_after: float | None = None) -> End:
    """Wait for a child; kill it after so many seconds, or when it hangs."""
    began = time.monotonic()
    limit = LONGEST if kill_after is None else kill_after
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() - began > limit:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if kill_after is None:
                return End(TRACEBACK, f"hung for {LONGEST:g} s", LONGEST)
            break
        time.sleep(0.001)
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return End(os.waitstatus_to_exitcode(status), said, time.monotonic() - began)


def do(work: Callable[[], Any], log: Path) -> End:
    """Work in a child, to its end."""
    return finish(start(work, log), log)


def moments(rng: random.Random, seconds: float) -> float:
    """A random moment of work that takes so long."""
    return rng.uniform(0.0, seconds * 1.1)

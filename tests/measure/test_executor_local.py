"""The contract of executors, kept by processes of this machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("torch")

from executor_contract import ExecutorContract, reference  # noqa: F401


def children(pid: int) -> list[int]:
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def workers() -> list[int]:
    return [pid for pid in children(os.getpid()) if b"measure.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
class TestLocal(ExecutorContract):
    @pytest.fixture
    def engine(self) -> str:
        return "local"

    def kill_a_worker(self, home: Path) -> None:
        os.kill(workers()[0], signal.SIGKILL)

    def left_behind(self) -> list[str]:
        return [str(pid) for pid in workers()]

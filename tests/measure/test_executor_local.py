"""The contract of executors, kept by processes of this machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("torch")

from executor_contract import ExecutorContract, workers


@pytest.mark.slow
class TestLocal(ExecutorContract):
    @pytest.fixture
    def engine(self) -> str:
        return "local"

    def kill_a_worker(self, home: Path) -> None:
        os.kill(workers(home)[0], signal.SIGKILL)

    def left_behind(self, home: Path) -> list[str]:
        return [str(pid) for pid in workers(home)]

"""Signals to a real campaign: workers end with their conductor, at once, and one line says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

SEEDS = tuple(f"--seed={seed}" for seed in range(40))
COMMAND = (
    "measure", "--strategy", "annotate", "--task", "toy_requests", "--student", "tfidf-lr", "--n-labels", "60", *SEEDS,
)  # fmt: skip


def start(folder: Path, workers: int) -> subprocess.Popen[str]:
    """A campaign that minds signals, also where whatever runs the tests ignores some (nohup does)."""
    environment = {**os.environ, "BUDGETSIM_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("budgetsim")), *COMMAND, "--workers", str(workers), "--store", str(folder / "s.duckdb")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        preexec_fn=mind_signals,
    )  # fmt: skip


def mind_signals() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def children(pid: int) -> list[int]:
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_workers(process: subprocess.Popen[str], *, a_run: bool) -> list[int]:
    """Process ids of the workers: of both when they are there, of the one when it has done a run."""
    deadline = time.monotonic() + 120
    assert process.stderr is not None
    for line in process.stderr if a_run else ():
        if line.startswith("[1/"):
            break
    while time.monotonic() < deadline and process.poll() is None:
        found = children(process.pid)
        if len(found) == 2 or (a_run and found):
            return found
        time.sleep(0.02)
    raise AssertionError(process.communicate())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "to_group", "a_run", "exit_code"),
    [
        (signal.SIGTERM, False, True, 143),
        pytest.param(signal.SIGTERM, True, False, 143, marks=pytest.mark.slow),
        (signal.SIGHUP, False, False, 129),
        (signal.SIGINT, True, False, 130),
        pytest.param(signal.SIGINT, False, False, 130, marks=pytest.mark.slow),
        (signal.SIGKILL, False, False, -9),
    ],
)
def test_workers_end_with_the_conductor_at_once(
    number: signal.Signals, to_group: bool, a_run: bool, exit_code: int, tmp_path: Path
) -> None:
    process = start(tmp_path, 1 if a_run else 2)
    try:
        workers = wait_for_workers(process, a_run=a_run)
        sent = time.monotonic()
        if to_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, error = process.communicate(timeout=60)
        while any(map(lives, workers)) and time.monotonic() - sent < 30:
            time.sleep(0.02)
        took = time.monotonic() - sent
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == exit_code, error
    assert not any(map(lives, workers))
    assert took < 15  # a second or two on a machine of one's own
    assert "Traceback" not in error
    assert "BrokenPipe" not in error
    if number != signal.SIGKILL:
        last = error.strip().splitlines()[-1]
        assert last.startswith(f"Stopped by {signal.Signals(number).name}: ")
        assert "of 40 runs are done and kept. The same command goes on from there." in last
    assert len(list((tmp_path / "runs").glob("*.jsonl"))) >= a_run

"""Clusters that are not as they should be: what the user sees, and the exit code; nothing is ever started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from budgetsim.measure.executors.office import Office
from budgetsim.store.location import StorePaths
from budgetsim_cli.main import main

WORDS = ("measure", "--strategy", "annotate", "--task", "toy_requests", "--student", "tfidf-lr", "--n-labels", "60")
Broken = Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Any]]


def nothing(home: Path, patch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
    """All is as it should be."""
    return nullcontext()


def without(module: str) -> Broken:
    """An extra is not installed."""

    def missing(home: Path, patch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
        patch.setitem(sys.modules, module, None)
        (home / "sbatch").write_text("#!/bin/sh\n")
        (home / "sbatch").chmod(0o755)
        patch.setenv("PATH", f"{home}:{os.environ['PATH']}")
        return nullcontext()

    return missing


def no_slurm(home: Path, patch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
    """A machine without Slurm."""
    patch.setenv("PATH", str(home))
    return nullcontext()


@contextmanager
def full(home: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shared folder on a disk of a megabyte."""
    (home / "disk").mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(home / "disk")], capture_output=True
    ).returncode:
        pytest.skip("needs root, for a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(home / "disk")], check=True)


@contextmanager
def another_at_it(home: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another campaign sends runs of this store."""
    ready, over = threading.Event(), threading.Event()

    def work() -> None:
        with Office(home / "cache", StorePaths(home / "x.duckdb")).open(lease_seconds=30, beat_seconds=0.1):
            ready.set()
            over.wait(60)

    other = threading.Thread(target=work)
    other.start()
    ready.wait(60)
    try:
        yield
    finally:
        over.set()
        other.join()


@dataclass(frozen=True)
class Case:
    """Words, executor.yaml (without it there is none; HOME is the folder at hand), and what must come of it."""

    name: str
    words: tuple[str, ...]
    exit_code: int
    message: str  # part of what stands on stderr
    options: str = ""
    broken: Broken = field(default=nothing)


RAY, SLURM = ("--executor", "ray"), ("--executor", "slurm")
CASES = [
    Case("an executor that is none", ("--executor", "rai"), 2, "--executor: found 'rai', wanted local, ray, ray:HOST:PORT or slurm. Did you mean ray?"),
    Case("Ray is not installed", RAY, 1, "--executor ray needs Ray, which is not installed: pip install 'budgetsim[ray]' here and on every node", broken=without("ray")),
    Case("submitit is not installed", SLURM, 1, "--executor slurm needs submitit, which is not installed: pip install 'budgetsim[slurm]'", broken=without("submitit")),
    Case("nobody at the address", ("--executor", "ray:127.0.0.1:9"), 1, "No Ray answers at 127.0.0.1:9 (Connection refused): start one there (`ray start --head`), or mend the address"),
    Case("an address that is none", ("--executor", "ray:head"), 2, "--executor: found the address 'head', wanted ray:HOST:PORT"),
    Case("no Slurm on this machine", SLURM, 1, "There is no `sbatch` on this machine: run the command where jobs are submitted from", broken=no_slurm),
    Case("a shared folder that cannot be written", RAY, 2, "The shared folder /proc/shared cannot be written (No such file or directory): name one that this machine and every node can write", "shared_cache: /proc/shared"),
    Case("a shared folder that is a file", RAY, 2, "/executor.yaml cannot be written (", "shared_cache: HOME/executor.yaml"),
    Case("a shared folder that is full", RAY, 1, "is full: free some space, or name another with `shared_cache`; nothing was started", "shared_cache: HOME/disk", full),
    Case("a bucket", RAY, 2, "executor.yaml, shared_cache: found 's3://bucket/x', wanted a folder that every node sees: stages are claimed by a rename that one of two wins, and s3:// has none; mount it", "shared_cache: s3://bucket/x"),
    Case("two campaigns of one store at once", RAY, 5, "Another campaign (process ", "beat_seconds: 0.1", another_at_it),
    Case("options that are wrong", RAY, 2, "executor.yaml, gpus: found -1, wanted 0 or more", "gpus: -1"),
    Case("options for nobody", ("--executor-file", "executor.yaml"), 2, "--executor-file is for workers on a cluster", "gpus: 1"),
    Case("options that are not there", (*RAY, "--executor-file", "none.yaml"), 2, "There is no file of executor options none.yaml"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_is_wrong_and_what_to_do(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, error = run(case, tmp_path, capsys, monkeypatch)
    assert code == case.exit_code, error
    assert case.message in error
    assert "Traceback" not in error
    assert not list(tmp_path.glob("**/outbox.jsonl"))


def run(case: Case, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The command in this process: its exit code, and what it says on one line."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("BUDGETSIM_CACHE_DIR", str(home / "cache"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if case.options:
        (home / "executor.yaml").write_text(case.options.replace("HOME", str(home)))
    monkeypatch.setattr("sys.argv", ["budgetsim", *WORDS, "--store", str(home / "x.duckdb"), *case.words])
    with case.broken(home, monkeypatch), pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), " ".join(capsys.readouterr().err.split())

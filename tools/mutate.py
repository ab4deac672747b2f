"""Mutation testing by a kept list: change one thing in a copy of the project, and see whether a test notices.

Each entry of `tools/mutations/*.toml` names a file, a text that stands in it once, what to put there, and the
tests that ought to notice:

    [[mutation]]
    id = "kl-reversed"
    file = "src/budgetsim/learners/distill.py"
    find = '''kl_div(student, teacher)'''
    replace = '''kl_div(teacher, student)'''
    tests = ["tests/learners/test_distill_loss.py"]

    python tools/mutate.py                     # all of them; `make mutate`
    python tools/mutate.py --only fitting      # one list, or one id
    python tools/mutate.py --tests-from REV    # the same mutations against the tests of another commit
    python tools/mutate.py --check             # only look whether every text still stands once in its file

A mutation is killed when pytest fails on the mutated copy, and survives when it passes. Exit status 1 where less
than the wanted share is killed, or where the tests fail without any mutation.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
WANTED: Final = 0.95  # share of mutations that tests ought to kill
QUIET: Final = "ignore::pytest.PytestAssertRewriteWarning"  # of modules that this process has loaded already
SECONDS: Final = 300.0  # a mutation that hangs a test for so long is noticed too
PYTEST: Final = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "", "-W", QUIET)
USAGE: Final = 4  # pytest's exit status where a file or node is not there
NO_TESTS: Final = 5  # and where nothing was collected
PRELOADED: Final = (
    "numpy", "scipy.stats", "scipy.optimize", "pandas", "duckdb", "pydantic", "pytest", "_pytest.doctest", "jsonschema",
    "hypothesis.strategies", "hypothesis.extra.numpy", "typer.testing", "ruamel.yaml", "moocore", "rich.table",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One change of one place, and the tests that ought to notice it."""

    id: str
    room: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]

    def problem(self, root: Path) -> str | None:
        """Why it cannot be applied, or None."""
        path = root / self.file
        if not path.is_file():
            return f"no file {self.file}"
        n = path.read_text("utf-8").count(self.find)
        if n != 1:
            return f"its text stands {n} times in {self.file}, wanted once"
        return "it changes nothing" if self.find == self.replace else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a mutation."""

    mutation: Mutation
    killed: bool
    seconds: float
    told: str  # the test that noticed, or why there was nothing to notice it


def read_mutations(folder: Path) -> list[Mutation]:
    """Every mutation of the lists, in order.

    raises : SystemExit where two share an id or a list is not of the form
    """
    found: dict[str, Mutation] = {}
    for path in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(path.read_text("utf-8"))["mutation"]:
            m = Mutation(room=path.stem, tests=tuple(entry.pop("tests")), **entry)
            if m.id in found:
                raise SystemExit(f"{path}: two mutations are called {m.id!r}; rename one.")
            found[m.id] = m
    return list(found.values())


def copy_project(to: Path, tests_from: str | None) -> None:
    """Copy what git tracks, and what it does not ignore, as it is in the working tree."""
    names = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    if tests_from is not None:
        shutil.rmtree(to / "tests")
        archive = subprocess.run(["git", "archive", tests_from, "tests"], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", str(to)], input=archive.stdout, check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def run_test(copy: Path, test: str) -> tuple[int, str]:
    """pytest's exit status on one file or node of a copy, and the first failure in a line.

    A fork of this process, which has loaded the libraries already: a second instead of four.
    """
    log = copy / ".mutation.log"
    child = os.fork()
    if child == 0:
        os._exit(_test_here(copy, test, log))
    end = time.monotonic() + SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 1, f"no end within {SECONDS:g} s"
        time.sleep(0.02)
    status, *lines = log.read_text("utf-8", errors="replace").splitlines()
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return int(status), (failures or lines[-1:] or [""])[0]


def _test_here(copy: Path, test: str, log: Path) -> int:
    """Run pytest in this process on a copy; its exit status is the first line of the log, what it printed follows."""
    import pytest

    os.setpgid(0, 0)
    paths = [str(copy / part) for part in ("src", "cli", "tests")]
    os.environ |= {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / ".hypothesis"),
    }
    sys.dont_write_bytecode = True
    sys.path[:0] = paths
    os.chdir(copy)
    output = log.with_suffix(".output")
    with output.open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    try:
        status = int(pytest.main([*PYTEST, test]))
    except BaseException as error:
        status = 1
        print(f"ERROR {type(error).__name__}: {error}")
    sys.stdout.flush()
    sys.stderr.flush()
    log.write_text(f"{status}\n{output.read_text('utf-8', errors='replace')}", "utf-8")
    return 0


def judge(copy: Path, m: Mutation) -> Verdict:
    """Apply a mutation in a copy, run its tests one after the other until one notices, and put the file back."""
    start = time.monotonic()
    path = copy / m.file
    text = path.read_text("utf-8")
    path.write_text(text.replace(m.find, m.replace), "utf-8")
    try:
        told = next(filter(None, (_noticed(copy, test) for test in m.tests)), None)
    finally:
        path.write_text(text, "utf-8")
    return Verdict(mutation=m, killed=told is not None, seconds=time.monotonic() - start, told=told or "")


def _noticed(copy: Path, test: str) -> str | None:
    """What a file or node of tests says against a copy, or None; for a node that is not there its file stands in."""
    if not (copy / test.split("::")[0]).exists():
        return None
    status, told = run_test(copy, test)
    if status == USAGE and "::" in test:
        status, told = run_test(copy, test.split("::")[0])
    return None if status in (0, NO_TESTS) else told


def preload() -> None:
    """Load the libraries once, so that forks have them."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


_worker: dict[str, Path] = {}


def _begin(folder: str, tests_from: str | None) -> None:
    _worker["copy"] = Path(folder) / str(os.getpid())
    copy_project(_worker["copy"], tests_from)


def _judge_in_worker(m: Mutation) -> Verdict:
    return judge(_worker["copy"], m)


def judge_all(mutations: Sequence[Mutation], workers: int, tests_from: str | None) -> Iterator[Verdict]:
    """Verdicts in order, each worker on a copy of its own."""
    fork = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory(prefix="mutate-") as folder,
        fork.Pool(workers, _begin, (folder, tests_from)) as pool,
    ):
        yield from pool.imap(_judge_in_worker, mutations)


def sound(mutations: Sequence[Mutation], tests_from: str | None) -> str | None:
    """What fails without any mutation, or None."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder)
        copy_project(copy, tests_from)
        files = dict.fromkeys(t.split("::")[0] for m in mutations for t in m.tests)
        return next(filter(None, (_noticed(copy, file) for file in files)), None)


def main() -> int:
    """Print killed or survived for each mutation, and a line for each room."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="ROOM_OR_ID", help="may be given several times")
    parser.add_argument("--tests-from", metavar="REV", help="take the tests of another commit")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="look only whether each can be applied")
    asked = parser.parse_args()
    mutations = [
        m for m in read_mutations(ROOT / "tools/mutations") if not asked.only or {m.room, m.id} & {*asked.only}
    ]
    problems = [f"{m.room} {m.id}: {why}" for m in mutations if (why := m.problem(ROOT))]
    if problems or asked.check or not mutations:
        print("\n".join(problems) or f"{len(mutations)} mutations can be applied")
        return bool(problems) or not mutations
    preload()
    if (told := sound(mutations, asked.tests_from)) is not None:
        print(f"the tests fail without any mutation: {told}")
        return 1
    verdicts = []
    for v in judge_all(mutations, asked.workers, asked.tests_from):
        word = "killed  " if v.killed else "SURVIVED"
        print(f"{word} {v.mutation.room:10} {v.mutation.id:40} {v.seconds:6.1f} s  {v.told}", flush=True)
        verdicts.append(v)
    for room in dict.fromkeys(m.room for m in mutations):
        there = [v.killed for v in verdicts if v.mutation.room == room]
        print(f"{room}: {sum(there)} of {len(there)} killed")
    killed = sum(v.killed for v in verdicts)
    print(f"all: {killed} of {len(verdicts)} killed ({killed / len(verdicts):.1%}, wanted {WANTED:.0%})")
    return killed < WANTED * len(verdicts)


if __name__ == "__main__":
    raise SystemExit(main())

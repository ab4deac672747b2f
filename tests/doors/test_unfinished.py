"""Half-written files of killed processes are swept; those of processes that live, here or elsewhere, are left."""

import os
import subprocess
import sys
import time

import pytest

from budgetsim.doors.unfinished import DAY, here, sweep, unfinished


def killed(target):
    """What a process leaves that is killed while it writes."""
    code = "import os, sys, pathlib\nfrom budgetsim.doors.unfinished import unfinished\n"
    code += (
        "with unfinished(pathlib.Path(sys.argv[1])) as file:\n    file.write_text('half')\n    os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == -9
    (left,) = target.parent.glob(".*.tmp")
    return left


def test_what_a_killed_process_left_is_swept(tmp_path):
    left = killed(tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()
    assert sweep(tmp_path, "b*") == 0
    assert sweep(tmp_path) == 1
    assert not left.exists()


def test_what_is_written_now_is_left_here_and_elsewhere(tmp_path):
    elsewhere = tmp_path / f".b.jsonl.{'0' * 12}.1.tmp"  # of another machine, whose processes nobody here knows
    odd = tmp_path / ".c.tmp"
    for file in (elsewhere, odd):
        file.write_text("half")
    with unfinished(tmp_path / "a.jsonl") as mine:
        mine.write_text("half")
        assert sweep(tmp_path) == 0
        assert all(file.exists() for file in (mine, elsewhere, odd))
    assert (tmp_path / "a.jsonl").read_text() == "half"


@pytest.mark.parametrize("name", [f".a.{'0' * 12}.1.tmp", ".a.jsonl.4711.tmp"])  # the second as they were called before
def test_of_any_machine_what_is_older_than_a_day_is_swept(tmp_path, name):
    old = tmp_path / name
    old.write_text("half")
    os.utime(old, (time.time() - 2 * DAY,) * 2)
    assert sweep(tmp_path) == 1


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def write():
        with unfinished(tmp_path / "a") as file:
            file.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert list(tmp_path.iterdir()) == []
    assert here()


@pytest.mark.parametrize("name", [".notes.tmp", ".a.b.tmp", ".a.elsewhere.x1.tmp"])
def test_files_of_others_are_left_however_old(tmp_path, name):
    old = tmp_path / name
    old.write_text("mine")
    os.utime(old, (time.time() - 2 * DAY,) * 2)
    assert sweep(tmp_path) == 0
    assert old.exists()


@pytest.mark.parametrize("process", ["9999999", "fffffff"])  # hexadecimal, with letters or without; nobody's
def test_a_process_that_is_over_is_known_whatever_its_number_looks_like(tmp_path, process):
    (tmp_path / f".a.jsonl.{here()}.{process}.tmp").write_text("half")
    assert sweep(tmp_path) == 1

"""A bounded part of `make chaos`: some kills and full disks, each of which leaves everything."""

import subprocess
import sys

import pytest

from chaos.faults import compiler
from made import ROOT


@pytest.mark.skipif(compiler() is None, reason="needs Linux and a C compiler")
def test_what_is_killed_or_finds_no_room_loses_nothing(tmp_path):
    words = ["--only", "kill", "full", "--acts", "merge", "--minutes", "0.02", "--kills", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "chaos.run", *words, "--home", str(tmp_path / "chaos")],
        capture_output=True, text=True, cwd=ROOT / "tests",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 went wrong" in done.stdout

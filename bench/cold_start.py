"""CPU seconds of `budgetsim optimize` against `python -c "import numpy, duckdb"`, in one run.

Goal: at most 2.5 times for one task and 3 times for six, with fresh fits; neither torch nor SciPy
is imported. Rounds are interleaved, so a machine that drifts drifts for all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GOALS = {"one task": 2.5, "six tasks": 3.0}
_SPY = """
import sys
from budgetsim_cli.main import main
try:
    main()
finally:
    print([name for name in ("torch", "scipy") if name in sys.modules] or "neither", file=sys.stderr)
"""


def cpu_seconds(command: list[str]) -> float:
    """User and system seconds of one process."""
    with tempfile.TemporaryFile() as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with status {status}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    optimize = [str(Path(sys.executable).with_name("budgetsim")), "optimize", "--budget", "2000"]
    commands = {
        "import numpy, duckdb": [sys.executable, "-c", "import numpy, duckdb"],
        "one task": [*optimize, "--task", "stance"],
        "six tasks": optimize,
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        cpu_seconds(command)  # a warm-up that is not counted
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(cpu_seconds(command))
    base = times["import numpy, duckdb"]
    print(f"{'command':22} {'CPU s, median':>14} {'min':>6} {'max':>6} {'ratio':>6} {'goal':>5}")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, base, strict=True))
        middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
        print(f"{name:22} {middle:14.3f} {low:6.3f} {high:6.3f} {ratio:6.2f} {GOALS.get(name, '')!s:>5}")
    spied = subprocess.run([sys.executable, "-c", _SPY, *optimize[1:]], capture_output=True, text=True, check=True)
    print(f"torch or SciPy imported: {spied.stderr.strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()

"""From files of one's own to an answer: every command a newcomer types, and how long it takes.

    python bench/newcomer.py [--rows 5000]

The files are made from the generated toy task (three topics of requests, a tenth of the labels wrong),
written as CSV and plain text into a temporary folder, where the commands run too.
"""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from budgetsim.data.toy import toy_rows
from budgetsim.store.location import package_data

CARD = """
cpu:
  model: one core, rented
  usd_per_hour: 0.05
  source: "example price, not a quotation"
  as_of: 2026-11-22
"""
LABELS = """labels:
  default:
    usd_per_label: 0.10
    source: "example price, not a quotation"
    as_of: 2026-11-22
"""
COMMANDS = (
    "budgetsim tasks add requests --train train.csv --test test.csv --unlabeled texts.txt",
    "budgetsim measure --task requests --dry-run",
    "budgetsim measure --task requests",
    "budgetsim measure --task requests --strategy llm_annotate --llm simulated:accuracy=0.8 --n-llm-labels 300 "
    "--n-llm-labels 1000 --unlabeled labelled",
    "budgetsim fit --task requests",
    "budgetsim optimize --budget 60 --task requests --rates rates.yaml",
)


def write_files(folder: Path, n_rows: int) -> None:
    """train.csv, test.csv, texts.txt and a rate card with a label price and a CPU."""
    rows = toy_rows(size=n_rows)
    n_test, n_train = n_rows // 5, n_rows * 2 // 5
    parts = {"test.csv": rows[:n_test], "train.csv": rows[n_test : n_test + n_train]}
    for name, part in parts.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["text", "label"])
            out.writerows([r.source, r.target] for r in part)
    texts = [r.source for r in rows[n_test + n_train :]]
    (folder / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    card = package_data("rates.yaml").read_text(encoding="utf-8")
    head, rest = card.split("labels:", 1)
    rest = rest[rest.index("\ngpu:") :]
    (folder / "rates.yaml").write_text(head + LABELS + rest + ("" if "\ncpu:" in rest else CARD), encoding="utf-8")


def main() -> None:
    """Run the commands one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="budgetsim-newcomer-") as home:
        folder = Path(home)
        write_files(folder, rows)
        environment = {
            **os.environ,
            "BUDGETSIM_STORE": str(folder / "store" / "budgetsim.duckdb"),
            "BUDGETSIM_CACHE_DIR": str(folder / "cache"),
        }
        times = []
        for command in COMMANDS:
            words = shlex.split(command)
            words[0] = str(Path(sys.executable).with_name(words[0]))
            start = time.perf_counter()
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
            took = time.perf_counter() - start
            said = (done.stdout or done.stderr).strip()
            print(f"$ {command}\n# {took:.1f} s, exit {done.returncode}\n{said}\n", flush=True)
            if done.returncode:
                sys.exit(done.returncode)
            times.append((command, took))
    print(table(times))


def table(times: Sequence[tuple[str, float]]) -> str:
    """Commands and seconds in Markdown, the sum below."""
    lines = [f"| `{command}` | {took:.1f} |" for command, took in times]
    return "\n".join(["| command | seconds |", "|---|---|", *lines, f"| in all | {sum(t for _, t in times):.1f} |"])


if __name__ == "__main__":
    main()

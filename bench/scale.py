"""Stores of 1,000 to a million runs: seconds, CPU seconds and peak memory of everything that reads or writes them.

    python bench/scale.py [--runs 1000 --runs 10000 ...] [--folder PATH] [--keep]

Runs are made up (50 tasks of one student, 40 sizes, the rest seeds; two stages each) and lie in packs of 4 MB as
`store compact` leaves them. Each line is a process of its own, so its memory is its own. `points` and `optimize` are
asked of one task; `optimize` fits it first, from all its runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Design, DesignPoint, Route
from budgetsim.store.records import RunRecord, Score, StageRecord, record_lines, write_shard

N_TASKS, N_SIZES, N_NEW = 50, 40, 200
PACK_BYTES: Final = 4_000_000
RECIPE: Final = {"preset": "modern", "steps": 200}
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
TASK: Final = "stance"  # the one that is asked about: one that ships, so that nothing need be registered
CARD: Final = """\
schema_version: 1
name: made-up
currency: USD
labels:
  default: {usd_per_label: 0.1, source: made up, as_of: 2026-01-01}
"""


def made(number: int) -> tuple[RunRecord, list[StageRecord]]:
    """Run `number` with its two stages: a curve with noise that a formula gives."""
    task, size, seed = number % N_TASKS, number // N_TASKS % N_SIZES, number // (N_TASKS * N_SIZES)
    n_labels = 30 * 2 ** (size % 8) + size
    noise = (number * 2654435761 % 1000) / 250.0 - 2.0
    score = round(85.0 - 300.0 / (n_labels**0.5 + 5.0) + noise, 3)
    moment = BEGAN + timedelta(seconds=number)
    route = Route(strategy="annotate", student="tfidf-lr")
    design = Design(task=f"mine{task}" if task else TASK, route=route, n_labels=n_labels)
    point = DesignPoint(design=design, split_id=f"{task:064x}", recipe_id=canonical_hash(RECIPE), seed=seed)
    train = StageRecord(
        stage_id=f"train{number}", kind="train_student", task=design.task, model="tfidf-lr", n_labels=n_labels,
        seed=seed, seconds=0.4, n_devices=1, device_class="cpu", device="made up", gpu_hours=0.0, examples=n_labels,
        finished_at=moment, provenance={"cpu_seconds": 0.4},
    )  # fmt: skip
    stages = [train, replace(train, stage_id=f"evaluate{number}", kind="evaluate", metric="accuracy", score=score)]
    run = RunRecord(
        point=point, scores=(Score(metric="f1", value=score, n_test=1000),),
        stages=tuple(stage.stage_id for stage in stages), model_family="modern", device_class="cpu", device="made up",
        recipe=RECIPE, finished_at=moment, git_commit="0" * 40, git_dirty=False, versions={"python": "3.11"},
        host="made up", data_hash="d" * 64,
    )  # fmt: skip
    return run, stages


def write_packs(folder: Path, n_runs: int) -> None:
    """Packs of so many runs."""
    folder.mkdir(parents=True)
    lines: list[str] = []
    size = number = 0
    for i in range(n_runs):
        run, stages = made(i)
        new = record_lines(run, stages)
        lines += new
        size += sum(map(len, new))
        if size > PACK_BYTES or i == n_runs - 1:
            (folder / f"pack-{number:05d}.jsonl").write_text("".join(lines), encoding="utf-8")
            lines, size, number = [], 0, number + 1


def measure(name: str, words: list[str], store: Path) -> dict[str, float | str]:
    """One command in a process of its own."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    code = (
        "import resource, sys\nfrom budgetsim_cli.main import main\ntry:\n    main()\nfinally:\n"
        "    print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--store", str(store)],
        capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")
    peak = int(done.stderr.rpartition("PEAK ")[2].split()[0]) / 1024
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"what": name, "seconds": time.perf_counter() - began, "cpu": cpu, "peak_mb": peak}


def lines_of(n_runs: int, home: Path) -> Iterator[dict[str, float | str]]:
    """Everything, in order."""
    store = home / f"s{n_runs}" / "budgetsim.duckdb"
    if not (store.parent / "runs").exists():
        write_packs(store.parent / "runs", n_runs)
    for i in range(n_runs, n_runs + N_NEW):  # of an earlier time
        (store.parent / "runs" / f"{made(i)[0].point.run_id[:20]}.jsonl").unlink(missing_ok=True)
    card = home / "card.yaml"
    card.write_text(CARD, encoding="utf-8")
    yield measure("rebuild", ["store", "rebuild"], store)
    for i in range(n_runs, n_runs + N_NEW):
        write_shard(store.parent / "runs", *made(i))
    yield measure(f"merge of {N_NEW} new files", ["store", "merge", str(store.parent / "runs")], store)
    query = f"select count(*), avg(score) from points where task = '{TASK}'"  # noqa: S608
    yield measure("points of one task", ["store", "query", query], store)
    yield measure("check", ["store", "check"], store)
    optimize = ["optimize", "--budget", "300", "--task", TASK, "--rates", str(card)]
    yield measure("optimize, fitting first", optimize, store)
    yield measure("optimize again", optimize, store)


def main() -> None:
    """Print a table a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the stores in --folder, and begin with those there")
    options = parser.parse_args()
    kept = options.folder if options.keep else None
    home = kept or Path(tempfile.mkdtemp(prefix="scale-", dir=options.folder))
    try:
        for n_runs in options.runs or [1000, 10_000, 100_000, 1_000_000]:
            for line in lines_of(n_runs, home):
                if options.json:
                    print(json.dumps({"runs": n_runs, **line}), flush=True)
                else:
                    print(
                        f"{n_runs:>9,} runs  {line['what']:26} {line['seconds']:8.2f} s  {line['cpu']:8.2f} CPU s"
                        f"  {line['peak_mb']:7.0f} MB", flush=True,
                    )  # fmt: skip
    finally:
        if not kept:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

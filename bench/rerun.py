"""Train stored runs again: here, and as another machine would; how far are the scores from the stored ones?

    BUDGETSIM_DATA_DIR=... python bench/rerun.py [--runs 6] [--grid cpu] [--task NAME]... [--setting NAME]

`here`: one thread, the same instructions: the same score to the bit is expected. `elsewhere`: two threads and
PyTorch's kernels without vector instructions, which rounds otherwise, as another processor does.
Every stage is made anew in a temporary cache, one process a setting.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import fmean

from budgetsim.data.custom import register_custom_tasks
from budgetsim.data.loading import Access, load_task
from budgetsim.data.splits import split_task
from budgetsim.data.unlabeled import load_pool
from budgetsim.design.points import Route
from budgetsim.measure.execute import execute
from budgetsim.measure.grid import load_grid
from budgetsim.measure.spec import RunSpec, from_json, to_json
from budgetsim.measure.worker import open_workspace
from budgetsim.store.location import StorePaths, locate
from budgetsim.store.records import read_shards

SETTINGS = {
    "here": {"OMP_NUM_THREADS": "1", "RERUN_THREADS": "1"},
    "here, again": {"OMP_NUM_THREADS": "1", "RERUN_THREADS": "1"},
    "elsewhere": {"OMP_NUM_THREADS": "2", "RERUN_THREADS": "2", "ATEN_CPU_CAPABILITY": "default"},
}


def stored(paths: StorePaths, wanted: int, grid: str, tasks: Sequence[str]) -> list[tuple[RunSpec, float]]:
    """Runs of a grid that the store holds, evenly spread over its routes, with their scores."""
    scores = {run.point.run_id: run.scores[0].value for run in read_shards(paths.runs)[0]}
    kinds: dict[Route, list[tuple[RunSpec, float]]] = {}
    for spec in load_grid(grid).specs(tasks):
        split = split_task(load_task(spec.task, Access(download=False)), spec.recipe.split)
        texts = load_pool(spec.unlabeled, split, Access(download=False)).source if spec.uses_pool else None
        run_id = spec.point(split.split_id, texts).run_id
        if run_id in scores:
            kinds.setdefault(spec.route, []).append((spec, scores[run_id]))
    by_turns = zip_longest(*kinds.values())
    return [run for turn in by_turns for run in turn if run is not None][:wanted]


def child() -> None:
    """Train the specs on standard input in a cache of its own; print their scores."""
    register_custom_tasks(Path(os.environ["RERUN_TASKS"]), lambda words: None)
    with tempfile.TemporaryDirectory() as home:
        paths = StorePaths(Path(home) / "store" / "budgetsim.duckdb")
        workspace = open_workspace(
            paths, Path(home) / "cache", Access(download=False), threads=int(os.environ["RERUN_THREADS"])
        )
        for line in sys.stdin:
            print(json.dumps(execute(from_json(line), workspace).scores[0].value), flush=True)


def again(specs: list[RunSpec], setting: dict[str, str]) -> Iterator[float]:
    """Scores of the same runs, trained anew under a setting, each as soon as it is there."""
    process = subprocess.Popen(
        [sys.executable, __file__, "child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **setting},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n".join(to_json(spec) for spec in specs))
    process.stdin.close()
    for line in process.stdout:
        yield json.loads(line)
    if process.wait() != 0:
        sys.exit(f"The training process ended with {process.returncode}.")


def compare(name: str, runs: list[tuple[RunSpec, float]]) -> None:
    """Train the runs under a setting; print each score with its seconds, and how far they are from the stored ones."""
    gaps, began = [], time.monotonic()
    for new, (spec, old) in zip(again([spec for spec, _ in runs], SETTINGS[name]), runs, strict=True):
        gaps.append(new - old)
        print(f"{name} {new:7.4f}  {spec.title}  ({time.monotonic() - began:.0f} s)", flush=True)
        began = time.monotonic()
    print(
        f"{name}: equal to the stored {sum(g == 0 for g in gaps)} of {len(gaps)}, mean difference {fmean(gaps):+.2f}, "
        f"mean |difference| {fmean(map(abs, gaps)):.2f}, largest {max(map(abs, gaps)):.2f} points",
        flush=True,
    )


def main() -> None:
    """Print stored and new scores."""
    if sys.argv[1:] == ["child"]:
        child()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--grid", default="cpu", help="a grid's name, or its file")
    parser.add_argument("--task", action="append", help="of the grid; fever and multipit_id of cpu, all of others")
    parser.add_argument("--store", type=Path, default=None)
    parser.add_argument("--setting", action="append", choices=list(SETTINGS), help="only these; all by default")
    chosen = parser.parse_args()
    paths = locate(chosen.store)
    os.environ["RERUN_TASKS"] = str(paths.folder / "tasks")
    register_custom_tasks(paths.folder / "tasks", print)
    usual = ("fever", "multipit_id") if chosen.grid == "cpu" else load_grid(chosen.grid).tasks
    runs = stored(paths, chosen.runs, chosen.grid, chosen.task or usual)
    for spec, score in runs:
        print(f"stored {score:7.4f}  {spec.title}", flush=True)
    for name in chosen.setting or SETTINGS:
        compare(name, runs)


if __name__ == "__main__":
    main()

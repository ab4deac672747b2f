"""Train stored runs again: here, and as another machine would; how far are the scores from the stored ones?

    BUDGETSIM_DATA_DIR=... python bench/rerun.py [--runs 6] [--store PATH]

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
from pathlib import Path
from statistics import fmean

from budgetsim.measure.execute import execute
from budgetsim.measure.grid import load_grid
from budgetsim.measure.spec import RunSpec, from_json, to_json
from budgetsim.measure.worker import open_bench
from budgetsim.store.location import StorePaths, locate
from budgetsim.store.records import read_shards
from budgetsim.train.data import Access, load_task
from budgetsim.train.splits import split_task

SETTINGS = {
    "here": {"OMP_NUM_THREADS": "1", "RERUN_THREADS": "1"},
    "here, again": {"OMP_NUM_THREADS": "1", "RERUN_THREADS": "1"},
    "elsewhere": {"OMP_NUM_THREADS": "2", "RERUN_THREADS": "2", "ATEN_CPU_CAPABILITY": "default"},
}


def stored(paths: StorePaths, wanted: int) -> list[tuple[RunSpec, float]]:
    """Runs of the cpu grid that the store holds, evenly spread over strategies, with their scores."""
    scores = {run.design.run_id: run.scores[0].value for run in read_shards(paths.runs)[0]}
    found = []
    for spec in load_grid("cpu").specs(("fever", "multipit_id")):
        split = split_task(load_task(spec.task, Access(download=False)), spec.recipe.split)
        run_id = spec.design(split.split_id, "pool" if spec.uses_pool else None).run_id
        if run_id in scores and spec.student == spec.recipe.student:
            found.append((spec, scores[run_id]))
    return found[:: max(1, len(found) // wanted)][:wanted]


def child() -> None:
    """Train the specs on standard input in a cache of its own; print their scores."""
    with tempfile.TemporaryDirectory() as home:
        paths = StorePaths(Path(home) / "store" / "budgetsim.duckdb")
        bench = open_bench(
            paths, Path(home) / "cache", Access(download=False), threads=int(os.environ["RERUN_THREADS"])
        )
        print(json.dumps([execute(from_json(line), bench).scores[0].value for line in sys.stdin]))


def again(specs: list[RunSpec], setting: dict[str, str]) -> list[float]:
    """Scores of the same runs, trained anew under a setting."""
    text = "\n".join(to_json(spec) for spec in specs)
    done = subprocess.run(
        [sys.executable, __file__, "child"], input=text, capture_output=True, text=True, check=True,
        env={**os.environ, **setting},
    )  # fmt: skip
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print stored and new scores."""
    if sys.argv[1:] == ["child"]:
        child()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--store", type=Path, default=None)
    chosen = parser.parse_args()
    runs = stored(locate(chosen.store), chosen.runs)
    specs = [spec for spec, _ in runs]
    for spec, score in runs:
        print(f"stored {score:7.4f}  {spec.title}", flush=True)
    for name, setting in SETTINGS.items():
        found = again(specs, setting)
        gaps = [new - old for new, (_, old) in zip(found, runs, strict=True)]
        print(
            f"{name}: {', '.join(f'{f:.4f}' for f in found)}; equal to the stored {sum(g == 0 for g in gaps)} of "
            f"{len(gaps)}, mean |difference| {fmean(map(abs, gaps)):.2f}, largest {max(map(abs, gaps)):.2f} points",
            flush=True,
        )


if __name__ == "__main__":
    main()

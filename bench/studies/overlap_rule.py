"""The word-overlap rule on the whole evaluation file of a sentence-pair task, ten times.

One threshold, fitted on 100 labels drawn from the file and scored on all the rest: what a budget
of 100 labels and no model reaches on the very file of the published scores. Writes one run file a
seed into results/runs. Needs BUDGETSIM_DATA_DIR.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from budgetsim.data.loading import TaskData, load_task
from budgetsim.data.metrics import score
from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Design, DesignPoint, Route
from budgetsim.learners.overlap import overlap_answers
from budgetsim.measure.record import git_state, versions
from budgetsim.store.records import RunRecord, Score, StageRecord, write_shard

TASK, N_LABELS, N_SEEDS = "multipit_id", 100, 10
RULE = "whole evaluation file; the labels drawn from it by seed, scored on the rest"
RECIPE = {"kind": "overlap", "version": 1, "threshold": "best on the labels", "overlap": "Jaccard of lower-case words"}


def measure(data: TaskData, seed: int) -> tuple[RunRecord, StageRecord]:
    """One drawing of the labels."""
    order = np.random.default_rng(seed).permutation(len(data.test))
    labelled = [data.test[i] for i in order[:N_LABELS]]
    rest = [data.test[i] for i in order[N_LABELS:]]
    sources = [row.source for row in rest]
    started = time.perf_counter()
    answers = overlap_answers(data.task, labelled, sources)
    seconds = time.perf_counter() - started
    metric, value = next(iter(score(data.task, sources, answers, [row.target for row in rest]).items()))
    commit, dirty = git_state()
    split_id = canonical_hash({"data": data.data_hash, "rule": RULE})
    finished = datetime.now(UTC).replace(microsecond=0)
    design = DesignPoint(
        design=Design(task=TASK, route=Route(strategy="annotate", student="overlap"), n_labels=N_LABELS),
        split_id=split_id,
        recipe_id=canonical_hash(RECIPE),
        seed=seed,
    )
    stage = StageRecord(
        stage_id=canonical_hash({"kind": "train_student", "run": design.run_id}),
        kind="train_student",
        task=TASK,
        model="overlap",
        n_labels=N_LABELS,
        seed=seed,
        seconds=round(seconds, 4),
        n_devices=1,
        device_class="cpu",
        device=platform.machine(),
        gpu_hours=0.0,
        examples=len(rest),
        finished_at=finished,
    )
    run = RunRecord(
        design=design,
        scores=(Score(metric=metric, value=round(value, 4), n_test=len(rest)),),
        stages=(stage.stage_id,),
        model_family="rule",
        device_class="cpu",
        device=platform.machine(),
        recipe=RECIPE,
        finished_at=finished,
        git_commit=commit,
        git_dirty=dirty,
        versions=versions(),
        host="cpu-2core",
        data_hash=data.data_hash,
    )
    return run, stage


def main() -> None:
    """Measure, write, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("results/runs"))
    folder = parser.parse_args().into
    if not os.environ.get("BUDGETSIM_DATA_DIR"):
        raise SystemExit("BUDGETSIM_DATA_DIR is not set; point it to the authors' data files.")
    data = load_task(TASK)
    values = []
    for seed in range(N_SEEDS):
        run, stage = measure(data, seed)
        write_shard(folder, run, [stage])
        values.append(run.scores[0].value)
    print(f"{TASK}: {np.mean(values):.2f} % on average, {min(values):.2f} to {max(values):.2f} over {N_SEEDS} drawings")


if __name__ == "__main__":
    main()

"""Choose learning rate and penalty of the CPU preset on the dev split; the test split is never read.

    python workspace/choose_recipe.py multipit_id fever wlp_typing

Seed 100, which no grid uses. Prints one row a setting: dev accuracy of annotate at two N and of distill.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from budgetsim.data.loading import Access
from budgetsim.measure.execute import execute
from budgetsim.measure.recipe import PRESETS, Recipe
from budgetsim.measure.spec import make_spec
from budgetsim.measure.stagestore import StageStore, default_cache
from budgetsim.measure.worker import open_workspace
from budgetsim.measure.workspace import Workspace
from budgetsim.store.location import StorePaths

SEED = 100
RATES = (1e-3, 3e-3, 6e-3)
PENALTIES = (1e-4, 1e-3, 1e-2)


def dev_score(workspace: Workspace, recipe: Recipe, task: str, **what: object) -> float:
    """Main metric of one run on dev."""
    spec = make_spec(task=task, recipe=recipe, seed=SEED, **what)  # type: ignore[arg-type]
    return execute(spec, workspace).scores[0].value


def main(tasks: list[str]) -> None:
    """Print the table."""
    base = open_workspace(StorePaths(Path("results/budgetsim.duckdb")), default_cache(), Access(download=False))
    workspace = Workspace(StageStore(base.stages.folder, base.stages.device), base.access, part="dev")
    for task in tasks:
        for l2 in PENALTIES:
            recipe = replace(PRESETS["cpu"], l2=l2)
            found = [
                dev_score(workspace, recipe, task, strategy="annotate", student=student, n_labels=n)
                for student in ("encoder-lr", "tfidf-lr")
                for n in (100, 1000)
            ]
            print(f"{task} l2 {l2:g}: encoder-lr N=100, 1000; tfidf-lr N=100, 1000: {found}", flush=True)
        for lr in RATES:
            recipe = replace(PRESETS["cpu"], lr=lr)
            start = time.perf_counter()
            found = [
                dev_score(workspace, recipe, task, strategy="annotate", student="pico", n_labels=n) for n in (300, 3000)
            ]
            found += [
                dev_score(
                    workspace, recipe, task, strategy="distill", student="pico", teacher="minilm-lr", n_labels=300,
                    n_unlabeled=u,
                )
                for u in (1500, 4500)
            ]  # fmt: skip
            seconds = time.perf_counter() - start
            what = f"{task} lr {lr:g}: annotate N=300, 3000; distill N=300 U=1500, 4500"
            print(f"{what}: {found} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["multipit_id", "fever", "wlp_typing"])

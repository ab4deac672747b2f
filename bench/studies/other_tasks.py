"""Fits of few runs, alone and beside other tasks: what is not seen yet, predicted.

    python bench/studies/other_tasks.py

The two cheapest runs of annotating and distilling, and the next cheapest ones, are known; all cells of
the task are predicted. Regret is that of the best plan within the dearest cell's cost, and within half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

import numpy as np
from next_worlds import Beliefs, World, task_worlds
from scoring import crps, interval_score, print_table

import budgetsim.fitting.task as fittask
from budgetsim.fitting.hierarchy import PopulationPrior, TaskSummary, pool_tasks

Figures = tuple[float, ...]
MORE = (0, 3, 8, 16)  # runs besides the pilot
SETS = (("published", "t5-v1_1-small"), ("measured", "pico"))


def order(world: World) -> list[int]:
    """Runs as they are learnt: the pilot, then the cheapest."""
    cheapest = [int(i) for i in np.argsort(world.usd[world.cell], kind="stable")]
    return [*world.pilot, *(i for i in cheapest if i not in world.pilot)]


def judge(world: World, beliefs: Beliefs) -> Figures:
    """Regret, RMSE, bias, CRPS, interval score and share held of the cells, points."""
    regret = [_regret(world, beliefs, budget) for budget in world.budgets]
    error = beliefs.draws.mean(axis=0) - world.truth
    runs = beliefs.draws + beliefs.noise * np.random.default_rng(0).standard_normal((len(beliefs.draws), 1))
    low, high = np.quantile(runs, [0.05, 0.95], axis=0)
    return (
        float(np.mean(regret)),
        float(np.sqrt((error**2).mean())),
        float(error.mean()),
        float(crps(runs, world.truth).mean()),
        float(interval_score(low, high, world.truth, 0.9).mean()),
        float(((low <= world.truth) & (world.truth <= high)).mean()),
    )


def _regret(world: World, beliefs: Beliefs, budget: float) -> float:
    plans = world.within(budget)
    chosen = plans[beliefs.draws[:, plans].mean(axis=0).argmax()]
    return float(world.truth[plans].max() - world.truth[chosen])


def _only(curves: bool, gains: bool) -> AbstractContextManager[object]:
    """Fits that take only a part of the prior from other tasks."""

    def part(tasks: Sequence[TaskSummary]) -> PopulationPrior:
        prior = pool_tasks(tasks)
        return PopulationPrior(prior.curves if curves else {}, prior.gains if gains else {})

    return patch.object(fittask, "pool_tasks", part)


VARIANTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "alone": nullcontext,
    "curves": lambda: _only(True, False),
    "gains": lambda: _only(False, True),
    "both": nullcontext,
}


def rows(variant: str, more: int) -> Iterator[list[object]]:
    """A line an evidence set."""
    for which, student in SETS:
        found = []
        for world in task_worlds(which, student):
            seen = sorted(order(world)[: len(world.pilot) + more])
            believe = world.believe_alone if variant == "alone" and world.believe_alone else world.believe
            with VARIANTS[variant]():
                found.append(judge(world, believe(seen)))
        mean = np.mean(found, axis=0)
        yield [which, len(found), 2 + more, variant, *(f"{v:.2f}" for v in mean)]


def main() -> None:
    body = []
    for more in MORE:
        for variant in VARIANTS:
            body += list(rows(variant, more))
    body.sort(key=lambda line: str(line[0]), reverse=True)
    headings = ["set", "tasks", "runs", "other tasks", "regret", "RMSE", "bias", "CRPS", "interval score", "90 % held"]
    print_table(headings, body)


if __name__ == "__main__":
    main()

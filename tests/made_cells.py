"""Made cells of a few tasks, and hyperparameters that are all unlike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from budgetsim.forecast.process import Cells, Hypers, start


def made(n: int, seed: int, n_tasks: int = 4) -> Cells:
    rng = np.random.default_rng(seed)
    task = rng.integers(0, n_tasks, n).astype(float)
    learner = rng.integers(0, 3, n).astype(float)
    texts = np.where(learner == 2, rng.uniform(4, 11, n), 0.0)
    traits = rng.normal(size=(n_tasks, 4))[task.astype(int)]
    x = np.column_stack([rng.uniform(3, 9, n), texts])
    floor, probed = np.full(n, 0.3), ((learner == 1) & (task < 2)).astype(float)
    return Cells(task, learner, (learner == 2).astype(float), x, traits, floor, learner % 2, probed)


def varied(seed: int = 0) -> Hypers:
    rng = np.random.default_rng(seed)
    h = start()
    return replace(
        h,
        variance=rng.uniform(0.01, 0.4, h.variance.shape),
        mean=0.3,
        noise=3e-4,
        misfit=0.02,
        scatter=np.array([0.5, 1.5, 1.0]),
    )

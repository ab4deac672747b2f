"""What labels of real LLMs teach: how far between errors that a student learns and errors that it sees through?

    python bench/studies/real_llm.py

Every run on labels of a real LLM whose accuracy is known, beside runs of the same student on labels of people. The
curve of people's labels gives what either rule of `economics.noisy_labels` predicts; the lean is how far between them
the runs lie (0 learnt, 1 at random), by least squares over a task's runs. Tasks are left out one by one: how far is a
run missed, and does the interval hold it?
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import t as student_t
from scoring import crps, print_table

from budgetsim.answers.evidence import load_evidence
from budgetsim.data.tasks import get_task
from budgetsim.design.arrays import Floats
from budgetsim.economics.noisy_labels import imitated, label_worth
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.measurements import load_measurements
from budgetsim.store.query import all_sets

STORE: Final = StorePaths(Path(__file__).parents[2] / "results" / "budgetsim.duckdb")
LEVELS: Final = (0.5, 0.8, 0.9)
NOISE: Final = 0.03  # of a mean of three runs on the same 200 test items: their binomial error is .035 at most


class Cell(NamedTuple):
    """Mean of the runs of a student on so many labels of one LLM, and what the rules say; fractions."""

    seen: float
    learnable: float
    random: float


def cells() -> dict[str, list[Cell]]:
    """Cells of real LLMs, by task."""
    load_evidence(STORE, None, tasks=[])  # knows the tasks of one's own
    with open_reader(STORE.database) as connection:
        rows = load_measurements(connection, all_sets(connection))
    people: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    llms: dict[tuple[str, str, str, float, float], list[float]] = defaultdict(list)
    for m in rows:
        key = (m.task, m.route.student)
        if m.route.strategy == "annotate" and m.source == "measured" and m.n_labels:
            people[key][m.n_labels].append(m.score)
        elif m.route.strategy == "llm_annotate" and m.labeler_accuracy and m.n_llm_labels:
            llms[*key, str(m.route.labeler), m.n_llm_labels, m.labeler_accuracy].append(m.score)
    found: dict[str, list[Cell]] = defaultdict(list)
    for (task, student, _, n, accuracy), scores in sorted(llms.items()):
        sizes = sorted(people[task, student])
        curve = np.maximum.accumulate([np.mean(people[task, student][size]) for size in sizes])
        low, classes = min(get_task(task).constant_score, float(curve[0])), len(get_task(task).labels)
        at = np.array([n, n * label_worth(accuracy, classes)])
        true, fewer = np.interp(np.log1p(at), np.log1p([0.0, *sizes]), [low, *curve])
        found[task].append(Cell(float(np.mean(scores)), float(imitated(true, accuracy, classes)), float(fewer)))
    return found


def lean_of(table: Floats) -> float:
    """Least squares of how far from learnable to random; table : (cells, 3)."""
    gap = table[:, 2] - table[:, 1]
    return float(gap @ (table[:, 0] - table[:, 1]) / (gap @ gap))


def lean_spread(leans: Floats) -> tuple[float, float]:
    """Mean, and the normal's deviation that has 90 % where Student's t has it for one more task."""
    n = len(leans)
    wide = student_t.ppf(0.95, n - 1) / 1.6449 * np.sqrt(1 + 1 / n)
    return float(leans.mean()), float(wide * leans.std(ddof=1))


def main() -> None:
    tables = {task: np.array(found) for task, found in cells().items()}
    leans = {task: lean_of(table) for task, table in tables.items()}
    mean, sd = lean_spread(np.array(list(leans.values())))
    print(f"lean over {len(leans)} tasks: mean {mean:.2f}, sd of a normal {sd:.2f}")
    rng, body = np.random.default_rng(0), []
    for task, table in tables.items():
        middle, wide = lean_spread(np.array([v for name, v in leans.items() if name != task]))
        lean = middle + wide * rng.standard_normal((4000, 1))
        seen, learnt, random = table.T
        runs = learnt + lean * (random - learnt) + NOISE * rng.standard_normal((4000, len(table)))
        held = [np.quantile(runs, [0.5 - level / 2, 0.5 + level / 2], axis=0) for level in LEVELS]
        body.append(
            [task, len(table), f"{leans[task]:.2f}"]
            + [f"{100 * np.sqrt(((told - seen) ** 2).mean()):.1f}" for told in (learnt, random, runs.mean(axis=0))]
            + [f"{100 * crps(runs, seen).mean():.1f}"]
            + [f"{((low <= seen) & (seen <= high)).mean():.2f}" for low, high in held]
        )
    heads = ["task", "cells", "lean", "RMSE learnt", "RMSE random", "RMSE lean", "CRPS lean", "50 %", "80 %", "90 %"]
    print_table(heads, body)


if __name__ == "__main__":
    main()

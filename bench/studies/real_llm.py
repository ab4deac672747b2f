"""What labels of real LLMs teach: how far between errors that a student learns and errors that it sees through?

    python bench/studies/real_llm.py

Every run on labels of a real LLM whose accuracy is known, alone or together with labels of people, beside runs of the
same student on labels of people. The curve of people's labels gives what either rule of `economics.noisy_labels`
predicts; the factor is how much the errors took beside what learnt ones would, by least squares over a task's runs.
LLMs that are right no more often than the best constant answer are left out: nobody would take their labels. Tasks are
left out one by one: how far is a run missed, and does the interval hold it? A mix is told by the factors of
LLMs alone on the other tasks, so nothing is fitted to mixes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
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
    """Mean of the runs of a student on so many labels of one LLM and of people, and what the rules say; fractions.

    people : on as many labels of people alone; without : on those that people gave, no LLM's
    """

    seen: float
    learnable: float
    random: float
    people: float
    without: float


def cells() -> tuple[dict[str, list[Cell]], dict[str, list[Cell]]]:
    """Cells of real LLMs alone, and beside people, by task."""
    load_evidence(STORE, None, tasks=[])  # knows the tasks of one's own
    with open_reader(STORE.database) as connection:
        rows = load_measurements(connection, all_sets(connection))
    people: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    llms: dict[tuple[str, str, str, float, float], list[tuple[float, float]]] = defaultdict(list)
    for m in rows:
        key = (m.task, m.route.student)
        if m.route.strategy == "annotate" and m.source == "measured" and m.n_labels:
            people[key][m.n_labels].append(m.score)
        elif m.route.kind.has_labeler and m.n_llm_labels and m.labeler_accuracy:
            llms[*key, str(m.route.labeler), m.n_labels or 0, m.n_llm_labels].append((m.score, m.labeler_accuracy))
    alone: dict[str, list[Cell]] = defaultdict(list)
    beside: dict[str, list[Cell]] = defaultdict(list)
    for (task, student, _, n, n_llm), runs in sorted(llms.items()):
        score, accuracy = np.mean(runs, axis=0)
        if accuracy <= get_task(task).constant_score:
            continue
        sizes = sorted(people[task, student])
        curve = np.maximum.accumulate([np.mean(people[task, student][size]) for size in sizes])
        low, classes = min(get_task(task).constant_score, float(curve[0])), len(get_task(task).labels)
        at = np.array([n + n_llm, n + n_llm * label_worth(accuracy, classes), n])
        all_true, fewer, without = np.interp(np.log1p(at), np.log1p([0.0, *sizes]), [low, *curve])
        learnt = imitated(all_true, (n + accuracy * n_llm) / (n + n_llm), classes)
        (beside if n else alone)[task].append(Cell(float(score), float(learnt), fewer, all_true, without))
    return alone, beside


def factor_of(table: Floats) -> float:
    """Least squares of what errors took, in what learnt ones would have taken; table : (cells, 5)."""
    would = table[:, 3] - table[:, 1]
    return float(would @ (table[:, 3] - table[:, 0]) / (would @ would))


def spread_of(factors: Iterable[float]) -> tuple[float, float]:
    """Mean of the logarithms, and the normal's deviation that has 90 % where Student's t has it for one more task."""
    logs = np.log(np.array(list(factors)))
    wide = student_t.ppf(0.95, len(logs) - 1) / 1.6449 * np.sqrt(1 + 1 / len(logs))
    return float(logs.mean()), float(wide * logs.std(ddof=1))


def told(table: Floats, others: Iterable[float], rng: np.random.Generator) -> list[str]:
    """How far the law misses a task whose factor is not among the others, beside either rule and no LLM at all."""
    middle, wide = spread_of(others)
    seen, learnt, random, people, without = table.T
    factor = np.exp(middle + wide * rng.standard_normal((4000, 1)))
    runs = np.maximum(people - factor * (people - learnt), 0.0) + NOISE * rng.standard_normal((4000, len(table)))
    held = [np.quantile(runs, [0.5 - level / 2, 0.5 + level / 2], axis=0) for level in LEVELS]
    return [
        *(f"{100 * np.sqrt(((v - seen) ** 2).mean()):.1f}" for v in (learnt, random, without, runs.mean(axis=0))),
        f"{100 * crps(runs, seen).mean():.1f}",
        *(f"{((low <= seen) & (seen <= high)).mean():.2f}" for low, high in held),
    ]


def main() -> None:
    """A table of LLMs alone, one of LLMs beside people."""
    alone, beside = ({task: np.array(found) for task, found in each.items()} for each in cells())
    factors = {task: factor_of(table) for task, table in alone.items()}
    middle, wide = spread_of(factors.values())
    print(f"factor of LLMs alone over {len(factors)} tasks: log mean {middle:.2f}, sd of a normal {wide:.2f}")
    heads = ["task", "cells", "factor", "RMSE learnt", "random", "no LLM", "law", "CRPS law", "50 %", "80 %", "90 %"]
    for name, tables in (("alone", alone), ("beside people", beside)):
        print(f"\n## LLMs {name}")
        body = []
        for task, table in tables.items():
            others = [factor for other, factor in factors.items() if other != task]
            body.append([task, len(table), f"{factor_of(table):.2f}", *told(table, others, np.random.default_rng(0))])
        print_table(heads, body)


if __name__ == "__main__":
    main()

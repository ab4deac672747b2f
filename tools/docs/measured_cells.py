"""What the page of findings is computed from: mean scores of designs, and means over tasks with their intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np

from budgetsim.store.database import Connection
from budgetsim.store.measurements import load_measurements
from budgetsim.store.query import all_sets

RESAMPLES: Final = 4000
LEARNERS: Final = ("tfidf-lr", "encoder-lr", "encoder-lr:mpnet", "ft:minilm:layers=2", "ft:minilm")
PRICES: Final = (0.02, 0.10, 0.50)  # dollars a label: three wages


@dataclass(frozen=True, slots=True)
class Cell:
    """The mean score of one design over its seeds, percent."""

    task: str
    strategy: str
    student: str
    taught_by: str  # teacher or labeler, empty where people alone are
    n_labels: int
    n_llm_labels: int
    n_unlabeled: int
    score: float
    n_runs: int


@dataclass(frozen=True, slots=True)
class Told:
    """A mean over tasks with the middle 95 % of its bootstrap, points; NaN ends where there are fewer than 3 tasks."""

    mean: float
    low: float
    high: float
    n_tasks: int
    n_won: int  # tasks on which it is above 0

    def __str__(self) -> str:
        band = f" ({self.low:+.1f} to {self.high:+.1f})" if self.n_tasks > 2 else ""
        return f"{self.mean:+.1f}{band}"

    @property
    def verdict(self) -> str:
        """Whether the data agree that it is above 0."""
        if self.n_tasks < 3 or self.low <= 0 <= self.high:
            return "cannot be told"
        return "agrees" if self.mean > 0 else "does not agree"


def over_tasks(values: Mapping[str, Sequence[float]], seed: int = 0) -> Told:
    """The mean over tasks of each task's mean, tasks drawn with replacement."""
    means = np.array([fmean(found) for found in values.values()])
    drawn = np.random.default_rng(seed).choice(means, size=(RESAMPLES, len(means))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Told(float(means.mean()), float(low), float(high), len(means), int((means > 0).sum()))


def differences(
    cells: Iterable[Cell], others: Iterable[Cell], key: Callable[[Cell], tuple[object, ...]]
) -> dict[str, list[float]]:
    """Score less that of the other cell with the same key, by task; cells without another are left out."""
    there = {(c.task, *key(c)): c.score for c in others}
    found: dict[str, list[float]] = defaultdict(list)
    for c in cells:
        if (other := there.get((c.task, *key(c)))) is not None:
            found[c.task].append(c.score - other)
    return dict(found)


def annotated(cells: Sequence[Cell], student: str) -> list[Cell]:
    return [c for c in cells if c.strategy == "annotate" and c.student == student]


def beside_learner(cells: Sequence[Cell], student: str, other: str) -> dict[int, Told]:
    """One learner less another on the same labels of people, by number of labels."""
    by_size: dict[int, list[Cell]] = defaultdict(list)
    for c in annotated(cells, student):
        by_size[c.n_labels].append(c)
    others = annotated(cells, other)
    found = {n: differences(at, others, lambda c: (c.n_labels,)) for n, at in sorted(by_size.items())}
    return {n: over_tasks(gain) for n, gain in found.items() if gain}


def distilled(cells: Sequence[Cell], teacher: str, student: str) -> list[Cell]:
    return [c for c in cells if c.strategy == "distill" and (c.taught_by, c.student) == (teacher, student)]


def pairs_of(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Teachers and students that were measured, those of most designs first."""
    designs = Counter((c.taught_by, c.student) for c in cells if c.strategy == "distill")
    return sorted(designs, key=lambda pair: (-designs[pair], pair))


def gains_at_labels(cells: Sequence[Cell], teacher: str, student: str) -> dict[int, dict[int, Told]]:
    """Distilled less annotated on the same labels: by number of labels, then of texts."""
    people = annotated(cells, student)
    found: dict[int, dict[int, Told]] = defaultdict(dict)
    rows = distilled(cells, teacher, student)
    for n, u in sorted({(c.n_labels, c.n_unlabeled) for c in rows}):
        at = [c for c in rows if (c.n_labels, c.n_unlabeled) == (n, u)]
        gain = differences(at, people, lambda c: (c.n_labels,))
        if gain:
            found[n][u] = over_tasks(gain)
    return dict(found)


def shares_of_people(cells: Sequence[Cell], student: str, labeler: str) -> dict[int, Told]:
    """Score on so many labels of a labeler less that on as many of people."""
    machine = [c for c in cells if c.strategy == "llm_annotate" and (c.taught_by, c.student) == (labeler, student)]
    people = {(c.task, c.n_labels): c.score for c in annotated(cells, student)}
    found: dict[int, Told] = {}
    for n in sorted({c.n_llm_labels for c in machine}):
        gain = {c.task: [c.score - people[c.task, n]] for c in machine if c.n_llm_labels == n and (c.task, n) in people}
        if gain:
            found[n] = over_tasks(gain)
    return found


def best_bought(cells: Sequence[Cell], task: str, usd: float, usd_per_label: float) -> Cell | None:
    """The best mean score among designs whose labels cost at most so much; compute is left out, being cents here."""
    paid = [c for c in cells if c.task == task and c.strategy != "llm_annotate" and c.n_labels * usd_per_label <= usd]
    return max(paid, key=lambda c: c.score, default=None)


# Words


def table(headings: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    head = "| " + " | ".join(headings) + " |\n|" + "---|" * len(headings)
    return "\n".join([head, *("| " + " | ".join(map(str, line)) + " |" for line in lines)])


def read_cells(connection: Connection, prefix: str) -> list[Cell]:
    """The designs of the sets whose names begin so, with their mean scores: of each route one recipe's, as fits read."""
    sets = [name for name in all_sets(connection) if name.startswith(prefix)]
    found: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for m in load_measurements(connection, sets):
        counts = (int(m.n_labels or 0), int(m.n_llm_labels or 0), int(m.n_unlabeled or 0))
        by = m.route.teacher or m.route.labeler or ""
        found[m.task, m.route.strategy, m.route.student, by, *counts].append(100 * m.score)
    return [Cell(*key, fmean(scores), len(scores)) for key, scores in sorted(found.items())]

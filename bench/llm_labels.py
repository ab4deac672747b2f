"""LLM and mixed labels: some sizes of the store's own evidence left out and predicted from the rest.

Measured rows: every run of one labeler at one size. Published rows: each row alone, the two largest
sizes of LLM labels, and all mixed rows but the first. One seed; errors in points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from budgetsim.design import STRATEGY_INPUTS, Measurement
from budgetsim.fittask import fit_task
from budgetsim.store.query import load_measurements
from scoring import crps, interval_score, print_table

Floats = NDArray[np.float64]
STORE = Path(__file__).parent.parent / "results" / "budgetsim.duckdb"
LABELS = ("annotate", "llm_annotate", "annotate_plus_llm")


@dataclass(frozen=True, slots=True)
class Left:
    """Rows left out together, and where they belong in the table."""

    part: str
    out: list[Measurement]
    kept: list[Measurement]


def evidence() -> dict[tuple[str, str], list[Measurement]]:
    """Label rows of every student that has LLM labels, by evidence set and task."""
    with duckdb.connect(str(STORE), read_only=True) as connection:
        rows = [m for m in load_measurements(connection) if m.strategy in LABELS]
    machine = {(m.evidence_set, m.task, m.student) for m in rows if m.strategy != "annotate"}
    return {
        key[:2]: [m for m in rows if (m.evidence_set, m.task, m.student) == key]
        for key in sorted(machine)
    }


def leave_out(rows: Sequence[Measurement]) -> Iterator[Left]:
    """Everything that is left out of one task, in turn."""
    machine = [m for m in rows if m.strategy != "annotate"]
    if rows[0].source == "measured":
        for labeler in sorted({str(m.labeler) for m in machine}):
            for size in sorted({m.n_llm_labels or 0 for m in machine}):
                yield _left("measured, a size", rows, [m for m in machine if (m.labeler, m.n_llm_labels) == (labeler, size)])
        return
    alone = [m for m in machine if m.strategy == "llm_annotate"]
    mixed = [m for m in machine if m.strategy != "llm_annotate"]
    for m in machine:
        yield _left(f"published, a row of {m.strategy}", rows, [m])
    yield _left("published, the two largest of llm_annotate", rows, sorted(alone, key=lambda m: m.n_llm_labels or 0)[-2:])
    yield _left("published, all mixed but the first", rows, sorted(mixed, key=lambda m: m.n_labels or 0)[1:])


def _left(part: str, rows: Sequence[Measurement], out: list[Measurement]) -> Left:
    gone = {m.key for m in out}
    return Left(part, out, [m for m in rows if m.key not in gone])


def predict(left: Left) -> tuple[Floats, Floats]:
    """Draws of the score of a run at each row left out, (draws, rows), and what came out."""
    fit = fit_task(left.kept)
    runs = []
    for m in left.out:
        (surface,) = (s for s in fit.surfaces if s.group == m.group)
        at = surface.at([[getattr(m, name) or 0.0 for name in STRATEGY_INPUTS[m.strategy]]])[:, 0]
        runs.append(at + surface.run_noise)
    return np.column_stack(runs), np.array([m.score for m in left.out])


def row(part: str, runs: Floats, seen: Floats) -> list[object]:
    """A line of the table: how far off, how sure."""
    low, high = np.quantile(runs, [0.05, 0.95], axis=0)
    error = runs.mean(axis=0) - seen
    return [
        part, len(seen), 100 * float(np.sqrt((error**2).mean())), 100 * float(error.mean()),
        100 * float(crps(runs, seen).mean()), 100 * float(interval_score(low, high, seen, 0.9).mean()),
        f"{((low <= seen) & (seen <= high)).mean():.2f}",
    ]  # fmt: skip


def main() -> None:
    found: dict[str, list[tuple[Floats, Floats]]] = {}
    for (_, task), rows in evidence().items():
        for left in leave_out(rows):
            found.setdefault(f"{left.part}: {task}", []).append(predict(left))
    body = [row(part, np.hstack([r for r, _ in each]), np.concatenate([s for _, s in each])) for part, each in found.items()]
    every = [pair for each in found.values() for pair in each]
    for name, wanted in (("measured", "measured"), ("published", "published")):
        mine = [p for part, each in found.items() if part.startswith(wanted) for p in each]
        body.append(row(f"all {name}", np.hstack([r for r, _ in mine]), np.concatenate([s for _, s in mine])))
    body.append(row("all", np.hstack([r for r, _ in every]), np.concatenate([s for _, s in every])))
    print_table(["left out", "n", "RMSE", "bias", "CRPS", "interval score", "90 % held"], body)


if __name__ == "__main__":
    main()

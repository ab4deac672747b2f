"""Rows of the store left out and predicted from the rest: what three benches of `fit_task` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
from scoring import crps, interval_score, print_table

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.fitting.task import fit_task
from budgetsim.store.measurements import load_measurements

Runs = tuple[Floats, Floats]  # draws of a run at each row left out, (draws, rows), and what came out
STORE = Path(__file__).parents[2] / "results" / "budgetsim.duckdb"


def stored(strategies: Sequence[str]) -> list[Measurement]:
    """Rows of the committed store."""
    with duckdb.connect(str(STORE), read_only=True) as connection:
        return [m for m in load_measurements(connection) if m.route.strategy in strategies]


def predict(
    kept: Sequence[Measurement], out: Sequence[Measurement], seed: int = 0, others: Sequence[Measurement] = ()
) -> Runs:
    """A run at each row of `out`, from a fit of the rows kept, beside those of other tasks."""
    fit = fit_task(kept, others=others, seed=seed)
    runs = []
    for m in out:
        (surface,) = (s for s in fit.surfaces if s.route == m.route)
        at = [[getattr(m, name) or 0.0 for name in m.route.kind.inputs]]
        runs.append((surface.at(at) + surface.deviations(at))[:, 0])
    return np.column_stack(runs), np.array([m.score for m in out])


def without(rows: Sequence[Measurement], out: Sequence[Measurement]) -> list[Measurement]:
    """The other rows."""
    gone = {m.key for m in out}
    return [m for m in rows if m.key not in gone]


def report(title: str, found: Mapping[str, Sequence[Runs]], pools: Sequence[str]) -> None:
    """A line a part, then a line for all parts whose name begins with each of `pools`; errors in points."""
    body = [_line(part, each) for part, each in found.items()]
    for start in pools:
        pooled = [p for part, each in found.items() if part.startswith(start) for p in each]
        body += [_line(f"all {start}".strip(), pooled)]
    print(f"\n## {title}")
    print_table(["left out", "n", "RMSE", "bias", "CRPS", "interval score", "90 % held"], body)


def _line(part: str, each: Sequence[Runs]) -> list[object]:
    runs, seen = np.hstack([r for r, _ in each]), np.concatenate([s for _, s in each])
    low, high = np.quantile(runs, [0.05, 0.95], axis=0)
    error = runs.mean(axis=0) - seen
    figures = [
        np.sqrt((error**2).mean()),
        error.mean(),
        crps(runs, seen).mean(),
        interval_score(low, high, seen, 0.9).mean(),
    ]
    return [
        part,
        len(seen),
        *(f"{100 * float(v):.2f}" for v in figures),
        f"{((low <= seen) & (seen <= high)).mean():.2f}",
    ]

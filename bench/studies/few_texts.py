"""Distilling on fewer texts than the evidence has: the cells of the fewest texts hidden, and predicted from the others.

Published tasks (10,000 texts and fewer hidden), the miniature (500) and cheap students (100 and fewer). Worlds go on
in two ways in turn (`fitting.few_texts`), so each can be told from its share of the draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scoring import crps, print_table

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement, Route
from budgetsim.fitting.few_texts import N_WAYS
from budgetsim.fitting.task import fit_task
from budgetsim.store.database import open_reader
from budgetsim.store.measurements import load_measurements

STORE = Path(__file__).parents[2] / "results" / "budgetsim.duckdb"
HIDDEN = {"published": 10_000, "measured-cpu-mini": 500, "measured-cpu-modern": 100}
LEAST_ROWS = 10
WAYS = {"difference": slice(0, None, N_WAYS), "share": slice(1, None, N_WAYS), "in turn": slice(None)}

Found = dict[str, list[tuple[Floats, Floats, Floats]]]  # way -> error, CRPS and whether held, a pair of models each


def distilled(rows: Sequence[Measurement]) -> Mapping[tuple[str, str, Route], list[Measurement]]:
    """Runs of each pair of models, by evidence set and task."""
    out: dict[tuple[str, str, Route], list[Measurement]] = defaultdict(list)
    for m in rows:
        if m.route.kind.has_teacher and m.n_unlabeled:
            out[m.evidence_set, m.task, m.route].append(m)
    return {key: found for key, found in out.items() if len(found) >= LEAST_ROWS}


def predict(labels: list[Measurement], left: list[Measurement], hidden: list[Measurement], found: Found) -> None:
    """Add what each way says of the hidden runs."""
    fit = fit_task([*labels, *left])
    (surface,) = (s for s in fit.surfaces if s.route == hidden[0].route)
    inputs = np.array([m.inputs for m in hidden], dtype=np.float64)
    draws, strays = surface.at(inputs), surface.deviations(inputs)
    truth = np.array([m.score for m in hidden])
    for way, part in WAYS.items():
        runs = draws[part] + strays[part]
        low, high = np.quantile(runs, [0.05, 0.95], axis=0)
        held = ((low <= truth) & (truth <= high)).astype(np.float64)
        found[way].append((draws[part].mean(axis=0) - truth, crps(runs, truth), held))


def main() -> None:
    with open_reader(STORE) as connection:
        rows = load_measurements(connection)
    body: list[list[object]] = []
    for kind, most in HIDDEN.items():
        found: Found = defaultdict(list)
        for (name, task, route), runs in distilled(rows).items():
            mine = [m for m in rows if m.evidence_set == name and m.task == task]
            labels = [m for m in mine if m.route.strategy == "annotate" and m.route.student == route.student]
            hidden = [m for m in runs if (m.n_unlabeled or 0) <= most]
            if name.startswith(kind) and labels and hidden:
                predict(labels, [m for m in runs if m not in hidden], hidden, found)
        for way, parts in found.items():
            error, value, held = (np.concatenate([part[i] for part in parts]) for i in range(3))
            rmse, bias = 100 * float(np.sqrt((error**2).mean())), 100 * float(error.mean())
            figures = [f"{v:.2f}" for v in (rmse, bias, 100 * float(value.mean()), float(held.mean()))]
            body.append([kind, len(parts), len(error), way, *figures])
    print_table(["set", "pairs", "rows hidden", "below the fewest texts", "RMSE", "bias", "CRPS", "90 % held"], body)


if __name__ == "__main__":
    main()

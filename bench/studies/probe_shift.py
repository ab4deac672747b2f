"""Is a probe's fold a run? Real probes of tasks that have runs, held against those runs.

    python bench/studies/probe_shift.py [--hypers FILE] [--rows 600] [--keep probes.csv]

tf-idf is probed on the training rows of every task of the store whose files are here (scores alone are kept). Known
of a task are the others, its probe and 0, 1 or 2 runs of tf-idf; asked are its other runs of tf-idf, and of a frozen
encoder. Folds count as five runs or as one, and a probe is off by a shift of its own at all sizes or by none.
Hyperparameters are those of the folds of `bench/new_task.py`. CRPS in points.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench" / "studies")]

from scoring import print_table  # noqa: E402

from budgetsim.answers.evidence import load_evidence  # noqa: E402
from budgetsim.answers.forecasting import Known, known  # noqa: E402
from budgetsim.design.points import Measurement, Route  # noqa: E402
from budgetsim.errors import BudgetsimError  # noqa: E402
from budgetsim.forecast import process  # noqa: E402
from budgetsim.forecast.calibrate import spread  # noqa: E402
from budgetsim.forecast.facts import PROBE_SET, learner_of  # noqa: E402
from budgetsim.forecast.scale import to_score  # noqa: E402
from budgetsim.measure.probe import probe_task  # noqa: E402
from budgetsim.store.database import open_reader  # noqa: E402
from budgetsim.store.measurements import load_measurements  # noqa: E402
from budgetsim.store.query import all_sets  # noqa: E402
from new_task import STORE, Left, figures, fold_hypers, forecast_runs  # noqa: E402

TFIDF, FROZEN = (Route(strategy="annotate", student=name) for name in ("tfidf-lr", "encoder-lr"))
WAYS = ((5, 0.0), (1, 0.0), (1, 0.02), (1, 0.04))  # runs that folds count as, shift


def probes(tasks: Sequence[str], most_rows: int, file: Path) -> list[Measurement]:
    """A fold a row, percent; read from a file where it has them."""
    found = list(csv.reader(file.read_text(encoding="utf-8").splitlines())) if file.exists() else []
    for task in sorted({*tasks} - {row[0] for row in found}):
        try:
            points = probe_task(task, learners=["tfidf-lr"], most_rows=most_rows).points
        except BudgetsimError as error:
            print(f"{task} left out: {error}", file=sys.stderr)
            continue
        new = [[task, str(p.n_labels), str(k), str(value)] for p in points for k, value in enumerate(p.scores)]
        with file.open("a", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(new)
        found += new
    return [_row(task, int(n), int(k), float(value) / 100) for task, n, k, value in found]


def _row(task: str, n: int, fold: int, score: float) -> Measurement:
    return Measurement(
        key=f"{task}{n}.{fold}", task=task, route=TFIDF, n_labels=n, n_llm_labels=None, n_unlabeled=None, score=score,
        source="published:probe", evidence_set=f"{PROBE_SET}{task}-accuracy",
    )  # fmt: skip


def main() -> None:
    """Print a line a way and a number of own runs: tf-idf, then the encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypers", type=Path, help="JSON file that keeps what was fitted for each fold")
    parser.add_argument("--rows", type=int, default=600, help="labelled rows of a probe, at most")
    parser.add_argument("--keep", type=Path, default=Path("probes.csv"), help="CSV of scores, read where it is there")
    options = parser.parse_args()
    load_evidence(STORE, None, tasks=[])
    with open_reader(STORE.database) as connection:
        rows = load_measurements(connection, all_sets(connection))
    hypers = fold_hypers(known(STORE, rows), 4, 60, options.hypers)
    ran = {m.task for m in rows if m.route == TFIDF and m.evidence_set.startswith("measured-cpu-modern")}
    both = known(STORE, [*rows, *probes(sorted(ran), options.rows, options.keep)])
    table = []
    for n_runs, shift in WAYS:
        process.PROBE_SHIFT = shift  # type: ignore[misc]
        for n_own in (0, 1, 2):
            table += [_line(both, hypers, n_runs, shift, n_own)]
    print_table(["folds count", "shift", "own runs", "tasks", "CRPS", "90 %", "encoder CRPS", "90 %"], table)


def _line(both: Known, hypers: dict[str, process.Hypers], n_runs: int, shift: float, n_own: int) -> list[str]:
    seen = replace(both.seen, n_runs=np.where(both.seen.cells.probed > 0, n_runs, both.seen.n_runs))
    facts, found = Known(seen, both.hypers, both.rows), []
    for task, h in hypers.items():
        mine = seen.cells.task == list(seen.names.tasks).index(task)
        probe = mine & (seen.cells.probed > 0)
        counts, frozen = (
            mine & ~probe & (seen.cells.learner == seen.names.learners[learner_of(route)]) for route in (TFIDF, FROZEN)
        )
        if not (probe.any() and counts.sum() > n_own and frozen.any()):
            continue
        own = spread(seen, counts, n_own)
        target = frozen | (counts & ~own)
        truth, is_frozen = to_score(seen.z[target], seen.cells.floor[target]), frozen[target]
        runs = forecast_runs(facts, h, Left(task, target, own | probe, probe & False), np.random.default_rng(0))
        found.append([v for part in (~is_frozen, is_frozen) for v in figures(runs[:, part], truth[part])[1::3]])
    return [str(n_runs), f"{shift:g}", str(n_own), str(len(found)), *(f"{v:.2f}" for v in np.mean(found, axis=0))]


if __name__ == "__main__":
    main()

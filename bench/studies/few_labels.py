"""How much further runs on few labels stray: `python bench/studies/few_labels.py [--store PATH] [--held]`.

Variances over seeds of every design of the modern sets with three runs or more, by labels of people and of machines;
s^2 (1 + few / n) by maximum likelihood (each variance is s^2 times a chi-squared), and what it brings over s^2 alone.

--held: every task fitted to its runs of two seeds, the third seed's runs predicted; how many the 90 % intervals hold
and how wide they are, by labels, with the scatter by `few` and with one that is the same everywhere. 5 CPU minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from leaving_out import predict
from scipy.optimize import minimize

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.fitting import few_labels
from budgetsim.store.database import open_reader
from budgetsim.store.location import locate
from budgetsim.store.measurements import load_measurements
from budgetsim.store.query import all_sets

SQL = """
SELECT r.strategy, r.student, coalesce(r.n_labels, 0) + coalesce(r.n_llm_labels, 0) AS n, var_samp(s.value), count(*)
FROM runs r JOIN scores s ON s.run_id = r.run_id AND s.is_main
WHERE r.evidence_set LIKE 'measured-cpu-modern-%'
GROUP BY r.task, r.strategy, r.student, r.teacher, r.labeler, r.n_labels, r.n_llm_labels, r.n_unlabeled,
         r.unlabeled_source, r.recipe_id
HAVING count(*) >= 3 ORDER BY ALL
"""
BINS = ((0, 40), (40, 130), (130, 400), (400, 900), (900, 4000))
PARTS: dict[str, Callable[[str, str], bool]] = {
    "annotate, learners of seconds": lambda s, student: s == "annotate" and not student.startswith("ft:"),
    "annotate, fine-tuned": lambda s, student: s == "annotate" and student.startswith("ft:"),
    "distill": lambda s, student: s == "distill",
    "labels of a machine": lambda s, student: s == "llm_annotate",
    "people's and a machine's": lambda s, student: s == "annotate_plus_llm",
    "all": lambda s, student: True,
}


def best(n: Floats, variance: Floats, freedom: Floats) -> tuple[float, float, float]:
    """s in points, `few`, and the gain of log likelihood over the same variance everywhere."""

    def loss(theta: Sequence[float]) -> float:
        expected = np.exp(theta[0]) * (1 + np.exp(theta[1]) / np.maximum(n, 1))
        return float((0.5 * freedom * (np.log(expected) + variance / expected)).sum())

    found = minimize(loss, [0.0, 6.0], method="Nelder-Mead")
    pooled = float(freedom @ variance / freedom.sum())
    return np.exp(found.x[0] / 2), np.exp(found.x[1]), loss([np.log(pooled), -40.0]) - found.fun


def held(rows: Sequence[Measurement], few: float) -> Floats:
    """Runs of seed 2, predicted by the others of their task: (runs, 3) of labels, whether it is held, and the width."""
    few_labels.FEW = few  # type: ignore[misc]
    out = []
    for task in sorted({m.task for m in rows}):
        kept, hidden = ([m for m in rows if m.task == task and (m.seed == 2) == last] for last in (False, True))
        hidden = [m for m in hidden if any(m.route == k.route and m.inputs == k.inputs for k in kept)]
        if not hidden:
            continue
        runs, truth = predict(kept, hidden)
        low, high = np.quantile(np.clip(runs, 0, 1), [0.05, 0.95], axis=0)
        labels = [(m.n_labels or 0) + (m.n_llm_labels or 0) for m in hidden]
        out.append(np.column_stack([labels, (low <= truth) & (truth <= high), 100 * (high - low)]))
    return np.concatenate(out)


def print_held(store: Path | None) -> None:
    """A line a bin of labels."""
    with open_reader(locate(store).database) as connection:
        sets = [s for s in all_sets(connection) if s.startswith("measured-cpu-modern-")]
        rows = load_measurements(connection, sets)
    told = {few: held(rows, few) for few in (0.0, 900.0)}
    print(f"{'labels':>12}{'runs':>6}" + "".join(f"{f'few {few:g}: held':>18}{'points':>8}" for few in told))
    for low, high in (*BINS, (0, 4000)):
        cells = [part[(part[:, 0] > low) & (part[:, 0] <= high)] for part in told.values()]
        print(
            f"{f'{low}-{high}':>12}{len(cells[0]):6}"
            + "".join(f"{c[:, 1].mean():18.2f}{c[:, 2].mean():8.1f}" for c in cells)
        )


def main() -> None:
    """Print a line a kind of run, and the deviations by labels beside what the law says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--held", action="store_true")
    args = parser.parse_args()
    if args.held:
        print_held(args.store)
        return
    with open_reader(locate(args.store).database) as connection:
        rows = connection.execute(SQL).fetchall()
    bins = "".join(f"{f'{low}-{high}':>14}" for low, high in BINS)
    print(f"{'':32}{'designs':>8}{'s':>6}{'few':>8}{'gain':>7}{bins}")
    for name, belongs in PARTS.items():
        part = np.array([row[2:] for row in rows if belongs(row[0], row[1])], dtype=np.float64)
        n, variance, freedom = part[:, 0], part[:, 1], part[:, 2] - 1
        s, few, gain = best(n, variance, freedom)
        law = s**2 * (1 + few / np.maximum(n, 1))
        told = ""
        for low, high in BINS:
            at = (n > low) & (n <= high)
            told += f"{np.sqrt(variance[at].mean()):6.1f} ({np.sqrt(law[at].mean()):4.1f}) " if at.any() else f"{'':14}"
        print(f"{name:32}{len(part):8}{s:6.2f}{min(few, 99_999):8.0f}{gain:7.1f}{told}")


if __name__ == "__main__":
    main()

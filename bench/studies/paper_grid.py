"""The paper's own cells: fit a task's pareto_fig rows, predict its distinct main_results rows.

Distil and annotate apart, against log-linear interpolation on the grid (U clipped to it) with the
constant width that, with hindsight, scores it best: one width for a task, and one for all tasks. Annotate rows by the
laws of `fit_curve` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scoring import best_width, crps, crps_normal, print_table

from budgetsim.data.tasks import get_task
from budgetsim.design.arrays import Floats
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Measurement, Route
from budgetsim.design.surface import interpolate
from budgetsim.fitting.task import fit_task
from budgetsim.laws.curve import fit_curve
from budgetsim.store.published import PublishedRow, imply_counts, parse_compute, parse_published

EVIDENCE = Path(__file__).parents[2] / "results" / "evidence"
TASKS = ("wlp", "stance", "multipit_id", "nq")
LEAST_U = 1000
SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Score:
    """Predictions of one task and strategy, in points."""

    task: str
    strategy: str
    seen: Floats
    mean: Floats
    table: Floats  # interpolation
    crps: Floats
    held: Floats


def measurements() -> list[tuple[str, Measurement]]:
    """Panel and measurement of every distinct feasible row of the paper's pair of models."""
    name = "kang2023.csv"
    rows = parse_published((EVIDENCE / name).read_text(encoding="utf-8"), name)
    other = "kang2023_compute_cost.csv"
    compute = parse_compute((EVIDENCE / other).read_text(encoding="utf-8"), other)
    return [(r.panel or "", _measurement(r)) for r in imply_counts(rows, compute) if _wanted(r)]


def _wanted(r: PublishedRow) -> bool:
    pair = r.student == PAPER_STUDENT and r.teacher in (None, PAPER_TEACHER)
    return pair and not r.same_as and r.feasible and r.strategy in ("annotate", "distill")


def _measurement(r: PublishedRow) -> Measurement:
    return Measurement(
        key=r.record_id,
        task=r.task,
        route=Route(strategy=r.strategy, student=r.student, teacher=r.teacher),
        n_labels=r.n_labels,
        n_llm_labels=None,
        n_unlabeled=r.n_unlabeled,
        score=r.score / 100,
        source="published:kang2023",
        evidence_set="kang2023",
        panel=r.panel,
    )


def inputs(rows: Sequence[Measurement]) -> Floats:
    """(rows, inputs)."""
    return np.array([[getattr(m, name) for name in m.route.kind.inputs] for m in rows], dtype=np.float64)


def log_linear(fitted: Sequence[Measurement], later: Sequence[Measurement]) -> Floats:
    """Interpolation on the grid of the fitted rows, flat beyond it."""
    x = inputs(fitted)
    knots = tuple(np.unique(column) for column in x.T)
    values = np.empty(tuple(len(k) for k in knots))
    for row, m in zip(x, fitted, strict=True):
        values[tuple(int(np.searchsorted(k, v)) for k, v in zip(knots, row, strict=True))] = m.score
    out: Floats = interpolate(knots, values[None], inputs(later))[0]
    return out


def score(task: str, seed: int, rows: Sequence[tuple[str, Measurement]], beside: bool = False) -> list[Score]:
    """Fit one task's grid and score both strategies. beside : with every row of the other tasks"""
    grid = [m for panel, m in rows if m.task == task and panel == "pareto_fig"]
    fit = fit_task(grid, others=[m for _, m in rows if m.task != task] if beside else (), seed=seed)
    out = []
    for surface in fit.surfaces:
        strategy = surface.route.strategy
        mine = [m for panel, m in rows if m.task == task and panel == "main_results" and m.route.strategy == strategy]
        later = [m for m in mine if strategy == "annotate" or (m.n_unlabeled or 0) >= LEAST_U]
        seen = np.array([m.score for m in later])
        draws = surface.at(inputs(later))
        runs = draws + surface.run_noise[:, None]
        low, high = np.quantile(runs, [0.05, 0.95], axis=0)
        table = log_linear([m for m in grid if m.route.strategy == strategy], later)
        held = ((low <= seen) & (seen <= high)).astype(np.float64)
        mean, value = 100 * draws.mean(axis=0), 100 * crps(runs, seen)
        out.append(Score(task, strategy, 100 * seen, mean, 100 * table, value, held))
    return out


def score_laws(task: str, seed: int, rows: Sequence[tuple[str, Measurement]], known_floor: bool) -> Score:
    """The annotate cells of a task by the laws' ensemble, on error = 1 - score, from its grid alone.

    known_floor : whether the laws are told the class share, as the highest error
    """
    grid, later = (
        [m for panel, m in rows if (m.task, panel, m.route.strategy) == (task, wanted, "annotate")]
        for wanted in ("pareto_fig", "main_results")
    )
    ceiling = 1.0 - min(get_task(task).floors) if known_floor else None
    fit = fit_curve(inputs(grid)[:, 0], [1.0 - m.score for m in grid], ceiling=ceiling, seed=seed)
    found = fit.predict(inputs(later)[:, 0])
    seen, runs = np.array([m.score for m in later]), 1.0 - found.draws
    held = ((1.0 - found.upper <= seen) & (seen <= 1.0 - found.lower)).astype(np.float64)
    table = log_linear(grid, later)
    return Score(task, "annotate", 100 * seen, 100 * (1.0 - found.mean), 100 * table, 100 * crps(runs, seen), held)


def rmse(predicted: Floats, seen: Floats) -> float:
    return float(np.sqrt(np.mean((predicted - seen) ** 2)))


def report(title: str, scores: Sequence[Score]) -> None:
    """A row a task and strategy, and the pool of each strategy."""
    body: list[list[object]] = []
    for strategy in dict.fromkeys(s.strategy for s in scores):
        mine = [s for s in scores if s.strategy == strategy]
        for s in mine:
            base = crps_normal(s.table, best_width(s.table, s.seen), s.seen).mean()
            ratio, ours = rmse(s.mean, s.seen) / rmse(s.table, s.seen), s.crps.mean()
            body.append(
                [s.task, strategy, len(s.seen), rmse(s.mean, s.seen), rmse(s.table, s.seen), ratio,
                 float(ours), float(base), float(ours / base), "", f"{s.held.mean():.2f}"]
            )  # fmt: skip
        seen, mean, table, ours_all, held = (
            np.concatenate([getattr(s, k) for s in mine]) for k in ("seen", "mean", "table", "crps", "held")
        )
        one = crps_normal(table, best_width(table, seen), seen).mean()
        each = np.concatenate([crps_normal(s.table, best_width(s.table, s.seen), s.seen) for s in mine]).mean()
        body.append(
            ["all", strategy, len(seen), rmse(mean, seen), rmse(table, seen), rmse(mean, seen) / rmse(table, seen),
             float(ours_all.mean()), float(one), float(ours_all.mean() / one), f"{ours_all.mean() / each:.4f}",
             f"{held.mean():.2f}"]
        )  # fmt: skip
    print(f"\n## {title}; errors in points")
    print_table(
        ["task", "strategy", "n", "RMSE", "interpolation", "ratio", "CRPS", "its CRPS, best width", "ratio",
         "ratio, a width a task", "90 % held"], body
    )  # fmt: skip


def main() -> None:
    rows = measurements()
    for seed in SEEDS:
        for known in (True, False):
            title = f"seed {seed}, laws on error, {'floor known' if known else 'no limit known'}"
            report(title, [score_laws(task, seed, rows, known) for task in TASKS])
        for beside in (False, True):
            title = f"seed {seed}, {'beside the other tasks' if beside else 'each task alone'}"
            report(title, [s for task in TASKS for s in score(task, seed, rows, beside)])


if __name__ == "__main__":
    main()

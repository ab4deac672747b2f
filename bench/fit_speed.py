"""Seconds of fitting: curves against scipy, and a task by how many runs its designs have.

    python bench/fit_speed.py curves    `fit_curve`, `predict`: alone, over 50, beside `curve_fit` with as many starts
    python bench/fit_speed.py tasks    `fit_task` on 3 to 25 seeds of the same 20 designs, and on sets of the store

Set OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit

from budgetsim.answers.evidence import load_evidence
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement, Route
from budgetsim.fitting.task import _fit_other, fit_task
from budgetsim.laws.curve import fit_curve
from budgetsim.laws.ensemble import DEFAULT
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.library import LAWS
from budgetsim.store.location import StorePaths

CURVE_GOALS = (0.05, 0.15)  # seconds: a mean, and the slowest alone
TASK_GOAL = 20.0  # CPU seconds of 500 runs of one task
N_CURVES, N_POINTS = 50, 12
SEEDS = (3, 6, 12, 25)  # of 20 designs
LABELS, TEXTS = (100.0, 300.0, 1000.0, 3000.0, 10_000.0), (1000.0, 10_000.0, 100_000.0)
MEASURED = (("measured-cpu-modern", "sst2"), ("measured-cpu-modern", "emotion"), ("published", "stance"))
STORE = Path(__file__).parents[1] / "results" / "budgetsim.duckdb"


def made_curve(seed: int) -> tuple[Floats, Floats]:
    """A rectified curve of 12 sizes with 1 % noise."""
    rng = np.random.default_rng(seed)
    x: Floats = np.geomspace(100.0, 100.0 * 2.0 ** (N_POINTS - 1), N_POINTS)
    e = 0.2 + 0.8 / (1 + (x / rng.uniform(1e3, 1e4)) ** rng.uniform(0.4, 1.2))
    noisy: Floats = e * np.exp(0.01 * rng.standard_normal(len(x)))
    return x, noisy


def by_scipy(x: Floats, e: Floats, seed: int = 0) -> int:
    """The same laws and number of starts, one at a time by finite differences; how many ended well."""
    lx, y = np.log(x) - np.log(x).mean(), np.log(e / e.min())
    frame = Frame(first=lx.min(), last=lx.max(), level=float(np.interp(0, lx, y)), highest=float(y.max()))
    rng, ended = np.random.default_rng(seed), 0
    for name in DEFAULT.laws:
        law = LAWS[name]
        mean, sd = law.prior(frame)
        for start in mean + 0.8 * sd * rng.standard_normal((DEFAULT.n_starts, len(mean))):

            def curve(at: Floats, *theta: float, law: Law = law) -> Floats:
                out: Floats = np.nan_to_num(law.log_error(np.array([theta]), at, frame)[0][0], nan=1e3)
                return out

            try:
                with np.errstate(all="ignore"):
                    curve_fit(curve, lx, y, p0=start, maxfev=400 * len(mean))
                ended += 1
            except RuntimeError:
                continue
    return ended


def time_curves() -> None:
    import warnings

    warnings.simplefilter("ignore")  # curve_fit's covariance at a bound
    data = [made_curve(seed) for seed in range(N_CURVES)]
    fit_curve(*data[0]).predict([1e6])
    ours, theirs = [], []
    for i, (x, e) in enumerate(data):
        start = time.perf_counter()
        fit_curve(x, e).predict(x[-1] * np.array([2.0, 8.0, 64.0]))
        ours.append(time.perf_counter() - start)
        if i % 5 == 0:
            start = time.perf_counter()
            by_scipy(x, e)
            theirs.append(time.perf_counter() - start)
    mean, worst = statistics.mean(ours), max(ours)
    goals = CURVE_GOALS
    print(f"mean over {N_CURVES} curves {mean:.4f} s (goal {goals[0]}), slowest alone {worst:.4f} s (goal {goals[1]})")
    theirs_mean = statistics.mean(theirs)
    print(f"scipy curve_fit on {len(theirs)} of them {theirs_mean:.4f} s: {theirs_mean / mean:.1f} times ours")


def made_runs(n_seeds: int) -> list[Measurement]:
    """Labels alone and distilled, 20 designs, that many seeds of each, 1 point of noise; teachers scored themselves."""
    rng = np.random.default_rng(0)
    designs = itertools.product(LABELS, (None, *TEXTS), range(n_seeds))
    return [_made_run(n, u, seed, *(0.01 * rng.standard_normal(2))) for n, u, seed in designs]


def _made_run(n: float, u: float | None, seed: int, noise: float, teacher_noise: float) -> Measurement:
    knows = 1 / (1 + 500 / n)
    rise = 1 / (1 + 2000 / n) if u is None else knows**0.5 / (1 + 3000 / u)
    kind = ("annotate", None) if u is None else ("distill", "large")
    return Measurement(
        key=f"{n}-{u}-{seed}",
        task="stance",
        route=Route(strategy=kind[0], teacher=kind[1], student="small"),
        n_labels=n,
        n_llm_labels=None,
        n_unlabeled=u,
        score=0.4 + 0.5 * rise + noise,
        source="measured",
        evidence_set="made",
        seed=seed,
        teacher_score=None if u is None else 0.4 + 0.5 * knows + teacher_noise,
    )


def time_tasks() -> None:
    fit_task(made_runs(1), n_draws=20)
    for n_seeds in SEEDS:
        rows = made_runs(n_seeds)
        print(f"{len(rows)} runs of 20 designs: {_cpu_seconds(rows, ()):.1f} CPU s (goal {TASK_GOAL:g} at 500)")
    for name, task in MEASURED:
        evidence = load_evidence(StorePaths(STORE), name)
        rows, others = evidence.rows(task), evidence.others(task)
        seconds = _cpu_seconds(rows, others)
        print(f"{name} {task}, {len(rows)} runs beside {len(others)} of other tasks: {seconds:.1f} CPU s")


def _cpu_seconds(rows: list[Measurement], others: list[Measurement] | tuple[()]) -> float:
    _fit_other.cache_clear()
    start = time.process_time()
    fit_task(rows, others=others)
    return time.process_time() - start


def main() -> None:
    wanted = sys.argv[1:] or ["curves", "tasks"]
    if "curves" in wanted:
        time_curves()
    if "tasks" in wanted:
        time_tasks()


if __name__ == "__main__":
    main()

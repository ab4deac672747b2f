"""Seconds of `fit_curve` plus `predict`, alone and over 50 curves, against scipy `curve_fit` with as many starts.

Set OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from scipy.optimize import curve_fit

from budgetsim.design.arrays import Floats
from budgetsim.laws.curve import fit_curve
from budgetsim.laws.ensemble import DEFAULT
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.library import LAWS

GOALS = (0.05, 0.15)
N_CURVES, N_POINTS = 50, 12


def made(seed: int) -> tuple[Floats, Floats]:
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


def main() -> None:
    import warnings

    warnings.simplefilter("ignore")  # curve_fit's covariance at a bound
    data = [made(seed) for seed in range(N_CURVES)]
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
    print(f"mean over {N_CURVES} curves {mean:.4f} s (goal {GOALS[0]}), slowest alone {worst:.4f} s (goal {GOALS[1]})")
    theirs_mean = statistics.mean(theirs)
    print(f"scipy curve_fit on {len(theirs)} of them {theirs_mean:.4f} s: {theirs_mean / mean:.1f} times ours")


if __name__ == "__main__":
    main()

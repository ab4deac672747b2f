"""Scores of predictions against what came out, and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from budgetsim.design.arrays import Floats


def rmsle(predicted: Floats, seen: Floats) -> float:
    """Root mean square of the log ratio."""
    return float(np.sqrt(np.mean(np.log(predicted / seen) ** 2)))


def crps(draws: Floats, seen: Floats) -> Floats:
    """Continuous ranked probability score of draws (draws, n) against n outcomes."""
    ordered = np.sort(draws, axis=0)
    n = len(ordered)
    rank = 2 * np.arange(1, n + 1)[:, None] - n - 1
    spread = (rank * ordered).sum(axis=0) / n**2
    out: Floats = np.abs(ordered - seen).mean(axis=0) - spread
    return out


def crps_normal(mean: Floats, sd: Floats | float, seen: Floats) -> Floats:
    """The same score of normal distributions."""
    z = (seen - mean) / sd
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    out: Floats = sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return out


def best_width(mean: Floats, seen: Floats) -> float:
    """The one standard deviation that, with hindsight, scores a point forecast best."""
    found = minimize_scalar(
        lambda log_sd: float(crps_normal(mean, float(np.exp(log_sd)), seen).mean()),
        bounds=(-8.0, 4.0),
        method="bounded",
    )
    return float(np.exp(found.x))


def interval_score(lower: Floats, upper: Floats, seen: Floats, level: float) -> Floats:
    """Width plus the penalty of missing; lower is better (Gneiting & Raftery 2007, equation 43)."""
    penalty = 2 / (1 - level)
    out: Floats = (upper - lower) + penalty * (np.maximum(lower - seen, 0) + np.maximum(seen - upper, 0))
    return out


def cluster_range(
    values: Floats, clusters: Sequence[str], statistic: Callable[[Floats], float], seed: int = 0, n: int = 400
) -> tuple[float, float]:
    """90 % range of a statistic when whole clusters are resampled."""
    rng = np.random.default_rng(seed)
    names = np.unique(np.asarray(clusters))
    members = [values[np.asarray(clusters) == name] for name in names]
    drawn = [
        statistic(np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))])) for _ in range(n)
    ]
    low, high = np.quantile(drawn, [0.05, 0.95])
    return float(low), float(high)


def print_table(head: Sequence[str], body: Sequence[Sequence[object]]) -> None:
    """A Markdown table, aligned."""
    cells = [[_text(c) for c in row] for row in (head, *body)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for i, row in enumerate(cells):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")


def _text(cell: object) -> str:
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)

"""Which designs to run first on a task that is forecast: those that would tell most of everything else on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Route
from budgetsim.forecast.gather import Seen, place
from budgetsim.forecast.process import SCATTERS, Hypers, condition, error_variance
from budgetsim.forecast.scale import stretch

ASKED: Final = (200.0, 1000.0, 5000.0)  # sizes whose scores are to be known
OFFERED: Final = (100.0, 200.0, 500.0)  # and those that may be run: few labels
EFFORT: Final = {"cheap": 1.0, "tuned": 2.0, "t5": 10.0}  # how much more a run must tell: seconds, minutes, GPU hours
ASKED_TEXTS: Final = (10_000.0, 100_000.0)
OFFERED_TEXTS: Final = (10_000.0,)

Sized = tuple[Route, float, float]


def first_runs(
    seen: Seen,
    h: Hypers,
    task: str,
    routes: Sequence[Route],
    n: int = 2,
    most: tuple[float, float] = (math.inf, math.inf),
) -> list[Sized]:
    r"""The n designs, one after the other, that take most variance out of the scores asked about for their effort.

    .. math:: \arg\max_j \frac{1}{e_j} \sum_i w_i^2 \frac{C_{ij}^2}{C_{jj} + \sigma_j^2}

    with w the score's move for a move of the scale, and e what a kind of learner takes (`EFFORT`, chosen by us).

    most : labels and unlabelled texts that the task has; no design takes more

    source : V-optimal design; Gramacy (2020), Surrogates, section 6.1 (integrated variance)
    """
    asked = _sized(routes, ASKED, ASKED_TEXTS)
    labels = [size for size in OFFERED if size <= most[0]]
    offered = _sized(routes, labels, [min(u, most[1]) for u in OFFERED_TEXTS if most[1] >= 1])
    cells = place([(task, *design) for design in (*asked, *offered)], seen.names)
    posterior = condition(seen.cells, seen.z, seen.n_runs, cells, h)
    weight = 1 / stretch(posterior.mean[: len(asked)], cells.floor[: len(asked)]) ** 2
    noise = error_variance(posterior.mean, cells, np.ones(len(cells)), h)
    effort = np.array([EFFORT[SCATTERS[int(kind)]] for kind in cells.scatter[len(asked) :]])
    covariance = posterior.covariance
    out: list[Sized] = []
    for _ in range(min(n, len(offered))):
        chosen = len(asked) + int((_gain(covariance, noise, weight, len(asked)) / effort).argmax())
        out.append(offered[chosen - len(asked)])
        column = covariance[:, chosen]
        covariance = covariance - np.outer(column, column) / (column[chosen] + noise[chosen])
    return out


def _gain(covariance: Floats, noise: Floats, weight: Floats, n_asked: int) -> Floats:
    """Variance of the asked scores that a run of each offered design takes away."""
    cross = covariance[:n_asked, n_asked:]
    gain: Floats = (weight[:, None] * cross**2).sum(axis=0) / (np.diag(covariance) + noise)[n_asked:]
    return gain


def _sized(routes: Sequence[Route], labels: Sequence[float], texts: Sequence[float]) -> list[Sized]:
    return [(r, n, u) for r in routes for n in labels for u in (texts if r.kind.has_teacher else (0.0,))]

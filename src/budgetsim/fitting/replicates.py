"""Runs of one design together: what a normal likelihood needs of them, however many seeds there are.

Runs y_ij of design i scatter about a common value with variance s^2. Their count r_i, mean and the sum of
squares S within all designs are sufficient:

.. math:: \\prod_{ij} N(y_{ij}; f_i, s^2) \\propto
    \\prod_i N(\\bar y_i; f_i, s^2 / r_i) \\cdot s^{-(n - m)} e^{-S / 2 s^2}

with n runs of m designs; so a Gaussian process over the designs, seen with noise s^2 / r_i, and one factor
more give the density of every run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats

_LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True)
class Replicates:
    """What was measured at each of several designs.

    at : (designs, axes); count, mean : (designs,), runs and mean of their scores
    weight : (designs,), how many runs at a place known for sure they are worth, on `PIVOT` labels
    spread : (designs,), how many times as far as there its runs stray
    squares : sum over all runs of the squared distance from the mean of their design, in units of its spread
    design : (runs,), of each run in its order; away : (runs,), distance from the mean of its design
    """

    at: Floats
    count: Floats
    weight: Floats
    mean: Floats
    spread: Floats
    squares: float
    design: NDArray[np.intp]
    away: Floats

    @classmethod
    def of(cls, at: Floats, score: Floats, certainty: Floats | None = None, spread: Floats | None = None) -> Replicates:
        """Those of runs at `at` (runs, axes) with scores (runs,); designs in the order of their axes.

        certainty : (runs,), 0 to 1: how much of a run each is worth, as its place is not known for sure; None for all
        spread : (runs,), how many times as far as on `PIVOT` labels each strays, alike in a design; None for once

        >>> seen = Replicates.of(np.array([[2.0], [1.0], [2.0]]), np.array([0.6, 0.5, 0.7]))
        >>> seen.count.tolist(), seen.mean.round(2).tolist(), round(seen.squares, 3)
        ([1.0, 2.0], [0.5, 0.65], 0.005)
        """
        distinct, design, count = np.unique(at, axis=0, return_inverse=True, return_counts=True)
        design = design.reshape(-1)
        mean = np.bincount(design, weights=score, minlength=len(distinct)) / np.maximum(count, 1)
        wide = np.ones(len(distinct))
        if spread is not None:
            wide[design] = spread
        weight = np.bincount(design, weights=certainty, minlength=len(distinct)) / wide**2
        away = score - mean[design]
        squares = float(((away / wide[design]) ** 2).sum())
        return cls(distinct, count.astype(np.float64), weight, mean, wide, squares, design, away)

    def scatter(self, noise: Floats) -> Floats:
        """Log density of the runs given the means of their designs, up to the product of sqrt(r_i) and spreads.

        noise : (particles,), standard deviation of a run. That product is what `Residual`, which sees each mean
        times sqrt(r_i), is short of: the two add up to the density of every run
        """
        spare = len(self.design) - len(self.count)
        out: Floats = -spare * (np.log(noise) + 0.5 * _LOG_2PI) - 0.5 * self.squares / noise**2
        return out

    def leave_one_out(self, runs: slice, gap: Floats, sd: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Each run less its mean given all others, those of its design too, and the deviation: (particles, runs) each.

        With P and a the precision and the solved gap of a design, those of a run of it are P / r^2 + (1 - 1/r) / s^2
        and a / r + (y - mean) / s^2.

        gap, sd : (particles, designs), of each design's mean given the other designs
        """
        design, many = self.design[runs], self.count[self.design[runs]]
        noise = noise[:, None] * self.spread[design]
        precision = 1 / sd[:, design] ** 2
        solved = gap[:, design] * precision / many + self.away[runs] / noise**2
        precision = precision / many**2 + (1 - 1 / many) / noise**2
        return solved / precision, 1 / np.sqrt(precision)

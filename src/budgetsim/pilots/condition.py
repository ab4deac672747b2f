r"""What one more run would show: joint draws conditioned on a result, real or imagined.

Draws are worlds: draw d of every surface belongs to one world. A run at a point with mean score m_d
in world d gives y = m_d + noise. Two ways to learn from y, which `bench/studies/next_conditioning.py`
compares with a fit made again with the run in it; they come equally close:

- linear, for a real result: every score moves along its regression on y (Gaussian conditioning, exact
  where scores and noise are jointly normal). It uses all draws and keeps them equally weighted.
- in slices, for an imagined one: worlds count by the chance with which they give a result in each
  slice of its range. Follows bends and bounds, and never promises more than perfect knowledge would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from budgetsim.design.arrays import Floats
from budgetsim.design.surface import Surface

# Where a result is cut, by the chance of less: narrow in the tails, since what changes a plan is rare
CUTS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
_NONE: Final = 1e-9  # of noise


@dataclass(frozen=True, slots=True)
class RunOutlook:
    """What a run at one point is expected to give, in each world.

    mean : (draws,), score at the point in each world
    noise : standard deviation of a run about it, same unit
    """

    mean: Floats
    noise: float

    @property
    def spread(self) -> float:
        """Standard deviation of the run's result, seen from before it."""
        return float(np.hypot(self.mean.std(), self.noise))

    def slopes(self, scores: ArrayLike) -> Floats:
        r"""How far the expectation of each score moves when the run ends one spread above its own.

        .. math:: b_k = cov(f_k, m) / \sqrt{var(m) + s^2}

        Unrelated scores correlate by accident, by about 1 / sqrt(n); each slope is shrunk by what
        that leaves of it, max(0, 1 - 1 / (n r^2)), so that they stay where they are.

        scores : (draws, ...)
        returns : (...)
        source : Frazier, Powell & Dayanik (2009), The knowledge-gradient policy for correlated
            normal beliefs, equation 11; shrinkage as of James & Stein (1961)
        """
        f = np.asarray(scores, dtype=np.float64)
        m, n = self.mean - self.mean.mean(), len(self.mean)
        cov = np.tensordot(m, f - f.mean(axis=0), axes=1) / n
        with np.errstate(divide="ignore", invalid="ignore"):
            doubt = np.where(cov != 0, f.var(axis=0) * m.var() / (n * cov**2), 1.0)
        shrunk: Floats = cov * np.clip(1.0 - doubt, 0.0, 1.0)
        return shrunk / self.spread if self.spread > 0 else shrunk


def run_outlook(surface: Surface, x: ArrayLike, n_runs: int = 1) -> RunOutlook:
    """What `n_runs` new runs at one point are expected to give in the mean.

    x : (n_inputs,), counts
    """
    at = np.asarray(x, dtype=np.float64)[None, :]
    noise = float(np.sqrt((surface.deviations(at) ** 2).mean() / n_runs))
    return RunOutlook(surface.at(at)[:, 0], noise)


@dataclass(frozen=True, slots=True)
class Slices:
    """A run's result cut into slices, and the worlds behind each.

    chance : (slices,), adds up to 1
    worlds : (slices, draws), how much each world counts after a result in the slice; rows add up to 1
    """

    chance: Floats
    worlds: Floats

    def expected(self, scores: ArrayLike) -> Floats:
        """Expected scores after a result in each slice: (slices, ...).

        Their mean, weighted by chance, is the expectation before the run. What unrelated scores
        show by accident is taken off: each score's swings are shrunk by the share of their variance
        that so few worlds explain.

        scores : (draws, ...)
        """
        f = np.asarray(scores, dtype=np.float64)
        mean = f.mean(axis=0)
        swing = np.tensordot(self.worlds, f - mean, axes=1)
        variance = np.tensordot(self.chance, swing**2, axes=1)
        by_accident = f.var(axis=0) * float(self.chance @ (self.worlds**2).sum(axis=1) - 1 / len(f))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(variance > 0, 1 - by_accident / variance, 0.0)
        out: Floats = mean + swing * np.clip(share, 0.0, 1.0)
        return out


def slices(outlook: RunOutlook, cuts: Sequence[float] = CUTS) -> Slices:
    """Cut the result of a run at its own quantiles.

    To know the slice is to know less than the result, so its worth is not overstated by the cut;
    with more slices fewer worlds stand behind each.
    """
    edges = _edges(outlook, cuts)[:, None]
    sure = (outlook.mean <= edges).astype(np.float64)  # (edges, draws)
    below = _normal((edges - outlook.mean) / outlook.noise) if outlook.noise > _NONE else sure
    inside = np.diff(below, axis=0, prepend=0.0, append=1.0)
    chance = inside.mean(axis=1)
    possible = chance > 0  # without noise and with ties a slice may be empty
    return Slices(chance[possible], inside[possible] / inside[possible].sum(axis=1, keepdims=True))


def observe(surfaces: Sequence[Surface], measured: Surface, x: ArrayLike, score: float) -> tuple[Surface, ...]:
    """The same worlds after a real run: each moves along its regression on its own prediction.

    measured : the surface among `surfaces` that was run; x : (n_inputs,), counts; score : a fraction
    returns : surfaces with moved draws; their support and count of rows stay those of the fit
    source : Evensen (1994), ensemble Kalman filter with perturbed observations; the perturbation is
        each world's own deviation of a run
    """
    outlook = run_outlook(measured, x)
    if outlook.spread == 0:
        return tuple(surfaces)
    own = measured.deviations(np.asarray(x, dtype=np.float64)[None, :])[:, 0]
    residual = (score - outlook.mean - own + own.mean()) / outlook.spread
    return tuple(_moved(surface, outlook, residual) for surface in surfaces)


def _moved(surface: Surface, outlook: RunOutlook, residual: Floats) -> Surface:
    slopes = outlook.slopes(surface.draws)
    moved = surface.draws + np.multiply.outer(residual, slopes)
    return replace(surface, draws=np.clip(moved, 0.0, 1.0))


def _edges(outlook: RunOutlook, cuts: Sequence[float]) -> Floats:
    """Quantiles of the result's own distribution: (cuts,)."""
    steps = np.array([-1.6, -0.84, -0.25, 0.25, 0.84, 1.6])  # a normal in six, good enough for edges
    results = np.sort((outlook.mean[:, None] + outlook.noise * steps).ravel())
    at = (np.array(cuts) * len(results)).astype(np.intp)
    out: Floats = results[at]
    return out


def _normal(z: Floats) -> Floats:
    """Distribution function of the standard normal."""
    out: Floats = 0.5 * (1 + np.vectorize(math.erf, otypes=[np.float64])(z / math.sqrt(2)))
    return out

"""Draws from a posterior by tempered sequential Monte Carlo, all particles at once.

The prior is a standard normal in every coordinate; families map it to their parameters. Unlike a
Gaussian about the best fit, the particles keep several explanations apart where the data allow
several, such as an onset anywhere between two sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats

Ints = NDArray[np.intp]
LogLikelihood = Callable[[Floats], Floats]

_KEEP = 0.6  # share of effective particles that a step in temperature keeps
_MAX_STEPS = 60
_MOVES = 6  # between two looks at how much is forgotten
_MOST_MOVES = 180  # at one power
_MEMORY, _LAST_MEMORY = 0.5, 0.3  # correlation with the start that is left, at any power and at the last
_SUBSET = 0.5  # chance of a coordinate to be moved,
_ALL = 0.2  # and of a particle to move in all of them


@dataclass(frozen=True, slots=True)
class Sample:
    """Equally weighted draws; `log_evidence` is the log of the likelihood averaged over the prior."""

    z: Floats  # (particles, dimensions)
    log_evidence: float


def temper(
    log_likelihood: LogLikelihood,
    n_dimensions: int,
    rng: np.random.Generator,
    *,
    n_particles: int = 1000,
) -> Sample:
    """Move draws of the prior to the posterior by raising the likelihood's power from 0 to 1.

    At every power particles move until they have forgotten where they stood before.

    log_likelihood : (particles, dimensions) -> (particles,)
    source : Del Moral, Doucet & Jasra (2006), Sequential Monte Carlo samplers; how many moves: Kantas, Beskos &
        Jasra (2014); moves: ter Braak (2006), differential evolution Markov chain

    >>> ask = lambda z: -0.5 * ((z[:, 0] - 1.0) / 0.5) ** 2
    >>> sample = temper(ask, 1, np.random.default_rng(0))
    >>> bool(abs(sample.z.mean() - 0.8) < 0.1)
    True
    """
    z = rng.standard_normal((n_particles, n_dimensions))
    fit = log_likelihood(z)
    power, evidence = 0.0, 0.0
    for _ in range(_MAX_STEPS):
        step = _next_step(fit, 1.0 - power)
        weight = np.exp(step * (fit - fit.max()))
        evidence += float(np.log(weight.mean()) + step * fit.max())
        power += step
        pick = systematic(weight, n_particles, rng)
        z, fit = z[pick], fit[pick]
        last = power >= 1.0 - 1e-12
        z, fit = _settle(log_likelihood, z, fit, power, rng, _LAST_MEMORY if last else _MEMORY)
        if last:
            break
    return Sample(z, evidence)


def _settle(
    log_likelihood: LogLikelihood, z: Floats, fit: Floats, power: float, rng: np.random.Generator, memory: float
) -> tuple[Floats, Floats]:
    """Move until coordinates correlate with those at the start by less than `memory` in the mean, or _MOST_MOVES."""
    start = z
    for _ in range(_MOST_MOVES // _MOVES):
        for _ in range(_MOVES):
            z, fit = _move(log_likelihood, z, fit, power, rng)
        if np.abs(_correlation(z, start)).mean() < memory:
            break
    return z, fit


def _correlation(left: Floats, right: Floats) -> Floats:
    """Of each column with its like, (dimensions,)."""
    left, right = left - left.mean(axis=0), right - right.mean(axis=0)
    out: Floats = (left * right).sum(axis=0) / np.sqrt((left**2).sum(axis=0) * (right**2).sum(axis=0) + 1e-300)
    return out


def _next_step(fit: Floats, room: float) -> float:
    """The largest rise in power that keeps enough effective particles."""
    if _effective(fit, room) >= _KEEP:
        return room
    low, high = 0.0, room
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _effective(fit, middle) >= _KEEP else (low, middle)
    return max(low, 1e-9)


def _effective(fit: Floats, step: float) -> float:
    w = np.exp(step * (fit - fit.max()))
    return float(w.sum() ** 2 / (len(w) * (w**2).sum()))


def systematic(weight: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Resample with one random number: rows of n draws, rising, each as often as its weight says, give or take one.

    weight : (rows,), zero or more, not all zero; returns : (n,)

    >>> systematic(np.array([1.0, 0.0, 3.0]), 8, np.random.default_rng(0)).tolist()
    [0, 0, 2, 2, 2, 2, 2, 2]
    """
    comb = (np.arange(n) + rng.random()) / n
    pick: Ints = np.searchsorted(np.cumsum(weight) / weight.sum(), comb).clip(0, len(weight) - 1)
    return pick


def _move(
    log_likelihood: LogLikelihood, z: Floats, fit: Floats, power: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """One Metropolis step for every particle along the difference of two others, in some of its coordinates.

    source : ter Braak (2006); subsets of the coordinates: Vrugt et al. (2009), DREAM. Which move, and how far,
        depends on no coordinate of the particle, so steps there and back are as likely
    """
    n, d = z.shape
    one, two = rng.integers(n, size=n), rng.integers(n, size=n)
    turned = rng.random((n, d)) < _SUBSET
    turned[rng.random(n) < _ALL] = True
    size = 2.38 / np.sqrt(2 * np.maximum(turned.sum(axis=1), 1)) * np.exp(0.7 * rng.standard_normal(n))
    size[rng.random(n) < 0.1] = 1.0  # jumps from one explanation to another
    new = z + turned * (size[:, None] * (z[one] - z[two]) + 0.02 * rng.standard_normal((n, d)))
    new_fit = log_likelihood(new)
    gain = power * (new_fit - fit) - 0.5 * ((new**2).sum(axis=1) - (z**2).sum(axis=1))
    take = np.log(rng.random(n)) < gain
    return np.where(take[:, None], new, z), np.where(take, new_fit, fit)

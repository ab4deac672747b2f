"""What a parametric curve leaves over: a Gaussian process in log sizes, plus the noise of a run.

The correlation of the process is fixed, so one eigenbasis serves every amplitude and noise level
and thousands of candidates are scored at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budgetsim.design.arrays import Floats

_JITTER = 1e-8


def correlation(left: Floats, right: Floats, lengths: tuple[float, ...]) -> Floats:
    """Matern 3/2 correlation, a product over axes.

    left, right : (n, axes) and (m, axes), log sizes; lengths : one an axis, in e-folds
    returns : (n, m)

    >>> correlation(np.zeros((1, 1)), np.array([[0.0], [1.0]]), (1.0,)).round(3)
    array([[1.   , 0.483]])
    """
    out = np.ones((len(left), len(right)))
    for axis, length in enumerate(lengths):
        r = np.sqrt(3.0) * np.abs(left[:, None, axis] - right[None, :, axis]) / length
        out *= (1 + r) * np.exp(-r)
    return out


@dataclass(frozen=True, slots=True)
class Residual:
    """The process seen at the observed sizes `at` (n, axes); row i has noise of variance s^2 / root_i^2."""

    at: Floats
    lengths: tuple[float, ...]
    values: Floats  # eigenvalues of the correlation, (n,)
    vectors: Floats  # eigenvectors, one a column
    root: Floats  # square root of each row's weight

    @classmethod
    def over(cls, at: Floats, lengths: tuple[float, ...], weight: Floats | None = None) -> Residual:
        root = np.ones(len(at)) if weight is None else np.sqrt(weight)
        values, vectors = np.linalg.eigh(root[:, None] * correlation(at, at, lengths) * root)
        return cls(at, lengths, np.maximum(values, 0.0), vectors, root)

    def _turn(self, left_over: Floats) -> Floats:
        """Rows of equal noise, in the eigenbasis."""
        out: Floats = (left_over * self.root) @ self.vectors
        return out

    def log_likelihood(self, left_over: Floats, amplitude: Floats, noise: Floats) -> Floats:
        """Log density of what curves leave over.

        left_over : (particles, n); amplitude, noise : (particles,), standard deviations
        """
        variance = amplitude[:, None] ** 2 * self.values + noise[:, None] ** 2
        turned = self._turn(left_over)
        out: Floats = -0.5 * (turned**2 / variance + np.log(2 * np.pi * variance)).sum(axis=1)
        return out

    def leave_one_out(self, left_over: Floats, amplitude: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each observation given the others, (particles, n) each.

        source : Rasmussen & Williams (2006), equations 5.10 to 5.12
        """
        variance = amplitude[:, None] ** 2 * self.values + noise[:, None] ** 2
        solved = (self._turn(left_over) / variance) @ self.vectors.T
        precision = (1 / variance) @ (self.vectors**2).T
        return solved / precision / self.root, 1 / np.sqrt(precision) / self.root

    def mean(self, at: Floats, left_over: Floats, amplitude: Floats, noise: Floats) -> Floats:
        """Expected process at new sizes at (m, axes), given what was left over: (particles, m)."""
        variance = amplitude[:, None] ** 2 * self.values + noise[:, None] ** 2
        solved = (self._turn(left_over) / variance) @ self.vectors.T
        out: Floats = amplitude[:, None] ** 2 * ((solved * self.root) @ correlation(self.at, at, self.lengths))
        return out

    def conditional(self, at: Floats, left_over: Floats, amplitude: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the process at each new size, (particles, m) both."""
        variance = amplitude[:, None] ** 2 * self.values + noise[:, None] ** 2
        cross = (self.vectors.T * self.root) @ correlation(self.at, at, self.lengths)
        scale = amplitude[:, None] ** 2
        mean: Floats = scale * ((self._turn(left_over) / variance) @ cross)
        gone = scale**2 * ((1 / variance) @ cross**2)
        return mean, np.sqrt(np.maximum(scale - gone, 0.0))

    def draw(self, at: Floats, left_over: Floats, amplitude: Floats, noise: Floats, rng: np.random.Generator) -> Floats:
        """One draw a particle of the process at new sizes, given what was left over at the old.

        at : (m, axes); returns : (particles, m)
        source : Wilson et al. (2020), pathwise conditioning (Matheron's rule)
        """
        both = np.concatenate([self.at, at])
        joint = correlation(both, both, self.lengths)
        root = np.linalg.cholesky(joint + _JITTER * np.eye(len(both)))
        n, particles = len(self.at), len(left_over)
        path = amplitude[:, None] * (rng.standard_normal((particles, len(both))) @ root.T)
        seen = path[:, :n] + noise[:, None] / self.root * rng.standard_normal((particles, n))
        variance = amplitude[:, None] ** 2 * self.values + noise[:, None] ** 2
        solved = (self._turn(left_over - seen) / variance) @ self.vectors.T * self.root
        out: Floats = path[:, n:] + amplitude[:, None] ** 2 * (solved @ joint[:n, n:])
        return out

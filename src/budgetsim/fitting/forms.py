"""Forms of the score of a student, each from coordinates that are standard normal a priori.

Labels:    s = f + (t - f) G(n) H(n),             n = N + Q(M), M labels of an LLM (labelers.py)
Transfer:  s = f + (t - f) G(N) H(N) H(U; N)      product: each input alone can hold the score back
           s = f + (t - f) G(N) / (1 + (D/N)^c + (V/U)^v)    series: their shortfalls add up

H is the Hill curve (the rectified law with error = 1 - score), G an onset that may be absent; V may
drift with N, which is the cross term. Sizes enter as log(1 + n). Prior medians and spreads are on
the lines where the coordinates are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.labelers import N_LABELER, Labeler
from budgetsim.fitting.onset import N_FLOOR, Floors, rise

Score = Callable[[Floats, Floats], Floats]

_FIRST = N_FLOOR + 2  # coordinates before the curve's own: floor, amplitude, noise
_TAUGHT = _FIRST + 8  # and before those of a scored teacher: curve, onset, texts
_LABELER = _FIRST + 5  # and before those of the labelers: ceiling, Hill curve, onset


@dataclass(frozen=True, slots=True)
class Form:
    """(coordinates (particles, d), log sizes (n, 2)) -> scores (particles, n), under a name."""

    name: str
    score: Score


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one family; the first coordinates mean the same in all of them."""

    forms: tuple[Form, ...]
    n_dimensions: int
    n_shared: int  # the first of them, which mean the same for every student of a task
    n_usual: int  # the first of them, which mean the same for the same models on every task
    left_over: float  # median standard deviation of the residual process, a fraction of the metric
    teacher: Score | None = None  # the teacher's own score, from coordinates and log labels (1, n)

    def amplitude(self, z: Floats) -> Floats:
        """Standard deviation of the residual process, a fraction of the metric."""
        out: Floats = self.left_over * np.exp(0.7 * z[:, N_FLOOR])
        return out

    def noise(self, z: Floats) -> Floats:
        """Standard deviation of one run: median .7 points, never below .5 (published replicates)."""
        out: Floats = 0.005 * np.hypot(1.0, np.exp(0.8 * z[:, N_FLOOR + 1]))
        return out

    def teacher_fit(self, z: Floats, seen: Floats) -> Floats:
        """Log density of teachers' own scores, about 1 point of noise. seen : (k, 2), log labels and score."""
        if self.teacher is None:
            return np.zeros(len(z))
        noise = 0.01 * np.exp(0.6 * z[:, [_TAUGHT + 2]])
        gap = (seen[None, :, 1] - self.teacher(z, seen[None, :, 0])) / noise
        out: Floats = -(0.5 * gap**2 + np.log(noise)).sum(axis=1)
        return out


def label_forms(floors: Floors, labelers: Sequence[Labeler] = ()) -> Forms:
    """Score against human labels N and LLM labels M, one column of log sizes a labeler."""

    def size(z: Floats, at: Floats, middle: float, slope: float) -> Floats:
        """Log of one plus the effective number of labels."""
        n = np.expm1(at[None, :, 0])
        for i, labeler in enumerate(labelers):
            own = z[:, _LABELER + N_LABELER * i : _LABELER + N_LABELER * (i + 1)]
            curve = _middle(z, _FIRST + 1, middle), _slope(z, _FIRST + 2, slope)
            n = n + labeler.effective(own, np.expm1(at[:, 1 + i]), *curve)
        out: Floats = np.log1p(np.broadcast_to(n, (len(z), len(at))))
        return out

    def smooth(z: Floats, at: Floats) -> Floats:
        log_n = size(z, at, np.log(2000.0), 1.0)
        floor, top = floors.at(z, log_n), floors.ceiling(z[:, [_FIRST]])
        return floor + (top - floor) * _hill(z, log_n, _FIRST + 1, np.log(2000.0), 1.0)

    def onset(z: Floats, at: Floats) -> Floats:
        log_n = size(z, at, np.log(1000.0), 0.5)
        floor, top = floors.at(z, log_n), floors.ceiling(z[:, [_FIRST]])
        return floor + (top - floor) * _gate(z, log_n, _FIRST + 3) * _hill(z, log_n, _FIRST + 1, np.log(1000.0), 0.5)

    n = _LABELER + N_LABELER * len(labelers)
    return Forms((Form("smooth", smooth), Form("onset", onset)), n, _LABELER, _LABELER, 0.03)


def transfer_forms(floors: Floors, taught: bool = False) -> Forms:
    """Score against the teacher's labels N and the texts U it labels.

    taught : the teacher's own scores T(N) = f + (1 - f) K(N) are known; then what its labels bring
        the student is K^k, instead of a curve of its own
    """

    def brings(z: Floats, log_n: Floats) -> Floats:
        """Share of the student's rise that the teacher's labels allow."""
        if not taught:
            return _hill(z, log_n, _FIRST + 1, np.log(300.0), 0.7) * _gate(z, log_n, _FIRST + 3)
        out: Floats = np.maximum(_knows(floors, z, log_n), 1e-9) ** np.exp(np.log(0.5) + 0.7 * z[:, [_TAUGHT + 1]])
        return out

    def product(z: Floats, at: Floats) -> Floats:
        log_n, log_u = at[None, :, 0], at[None, :, 1]
        floor, top = floors.at(z, np.broadcast_to(log_n, (len(z), len(at)))), floors.ceiling(z[:, [_FIRST]])
        return floor + (top - floor) * brings(z, log_n) * rise(log_u, _needed(z, log_n), _slope(z, _FIRST + 7, 0.7))

    def series(z: Floats, at: Floats) -> Floats:
        log_n, log_u = at[None, :, 0], at[None, :, 1]
        floor, top = floors.at(z, np.broadcast_to(log_n, (len(z), len(at)))), floors.ceiling(z[:, [_FIRST]])
        lack_u = _odds(-_slope(z, _FIRST + 7, 0.7) * (log_u - _needed(z, log_n)))
        if taught:
            share = brings(z, log_n)
            return floor + (top - floor) * share / (1.0 + share * lack_u)
        lack_n = _odds(-_slope(z, _FIRST + 2, 0.7) * (log_n - _middle(z, _FIRST + 1, np.log(300.0))))
        return floor + (top - floor) * _gate(z, log_n, _FIRST + 3) / (1.0 + lack_n + lack_u)

    def teacher(z: Floats, log_n: Floats) -> Floats:
        floor = floors.at(z, np.broadcast_to(log_n, (len(z), log_n.shape[-1])))
        return floor + (1.0 - floor) * _knows(floors, z, log_n)

    name = "taught " if taught else ""
    forms = (Form(f"{name}product", product), Form(f"{name}series", series))
    n = _TAUGHT + 3 * taught
    return Forms(forms, n, _TAUGHT, n, 0.05, teacher if taught else None)


def _knows(floors: Floors, z: Floats, log_n: Floats) -> Floats:
    """What a teacher of N labels knows beyond a guess, 0 to 1."""
    most = (floors.ceiling(z[:, [_TAUGHT]]) - floors.high) / (1.0 - floors.high)
    return most * _hill(z, log_n, _FIRST + 1, np.log(300.0), 0.7) * _gate(z, log_n, _FIRST + 3)


def _middle(z: Floats, i: int, median: float) -> Floats:
    return median + 2.0 * z[:, [i]]


def _slope(z: Floats, i: int, median: float) -> Floats:
    out: Floats = median * np.exp(0.6 * z[:, [i]])
    return out


def _hill(z: Floats, log_n: Floats, i: int, middle: float, slope: float) -> Floats:
    return rise(log_n, _middle(z, i, middle), _slope(z, i + 1, slope))


def _odds(t: Floats) -> Floats:
    """exp(t), short of overflow."""
    out: Floats = np.exp(np.minimum(t, 50.0))
    return out


def _gate(z: Floats, log_n: Floats, i: int) -> Floats:
    """An onset near 1000 labels (a factor 4.5 either way), over about a third of an e-fold."""
    return rise(log_n, np.log(1000.0) + 1.5 * z[:, [i]], 12.0 * np.exp(0.5 * z[:, [i + 1]]))


def _needed(z: Floats, log_n: Floats) -> Floats:
    """Log of the texts at which half the rise is reached; it drifts with the labels."""
    drift = 0.3 * z[:, [_FIRST + 6]] * (log_n - np.log(1000.0))
    out: Floats = np.log(200_000.0) + 2.0 * z[:, [_FIRST + 5]] + drift
    return out

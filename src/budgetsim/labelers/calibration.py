"""A labeler's probabilities made true on labels of people: one temperature and an offset a class, cross-fitted.

.. math:: p_c \\propto \\exp(s_c / T + b_c)

A language model's scores lean to some words whatever the text: its order of the texts is far better than its choice.
Offsets take the leaning away, the temperature takes back what it is too sure of. The offsets' priors are normal with
deviation 2, log T's with deviation 1: a class without labels keeps the model's word.

source : Platt (1999); Guo et al. (2017), arXiv 1706.04599; Zhao et al. (2021), arXiv 2102.09690
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats

OFFSET_STD: Final = 2.0
LOG_TEMPERATURE_STD: Final = 1.0
FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """`temperature` divides log-probabilities, `offsets` (classes,) are added."""

    temperature: float
    offsets: Floats

    def __call__(self, scores: Floats) -> Floats:
        """Probabilities, (rows, classes), of log-probabilities (rows, classes); rows of NaN stay."""
        return softmax(scores / self.temperature + self.offsets)


def no_calibration(n_classes: int) -> Calibration:
    """What leaves probabilities as they are."""
    return Calibration(1.0, np.zeros(n_classes))


def fit_calibration(scores: Floats, classes: NDArray[np.int64]) -> Calibration:
    """The most probable temperature and offsets, given labels of people.

    scores : (rows, classes), log-probabilities; classes : (rows,), the people's labels
    raises : ValueError where shapes differ or scores are not finite
    """
    if scores.ndim != 2 or scores.shape[0] != classes.shape[0] or not np.isfinite(scores).all():
        raise ValueError(f"scores {scores.shape} and classes {classes.shape}: give finite (rows, classes) and (rows,).")
    n_rows, n_classes = scores.shape
    if n_rows == 0:
        return no_calibration(n_classes)
    from scipy.optimize import minimize

    hit = np.zeros_like(scores)
    hit[np.arange(n_rows), classes] = 1.0

    def loss(x: Floats) -> tuple[float, Floats]:
        slope = np.exp(x[0])
        p = softmax(slope * scores + x[1:])
        miss = p - hit
        value = -np.log(np.maximum(p[np.arange(n_rows), classes], 1e-300)).sum()
        value += x[0] ** 2 / (2 * LOG_TEMPERATURE_STD**2) + (x[1:] ** 2).sum() / (2 * OFFSET_STD**2)
        by_slope = (miss * scores).sum() * slope + x[0] / LOG_TEMPERATURE_STD**2
        return float(value), np.concatenate([[by_slope], miss.sum(axis=0) + x[1:] / OFFSET_STD**2])

    found = minimize(loss, np.zeros(n_classes + 1), jac=True, method="L-BFGS-B").x
    return Calibration(float(np.exp(-found[0])), np.asarray(found[1:] - found[1:].mean(), dtype=np.float64))


def cross_fitted(scores: Floats, classes: NDArray[np.int64]) -> Floats:
    """Calibrated probabilities, (rows, classes), of each row by a calibration that has not seen it."""
    out = np.empty_like(scores)
    fold = _folds(classes)
    for k in range(FOLDS):
        held = fold == k
        if held.any():
            out[held] = fit_calibration(scores[~held], classes[~held])(scores[held])
    return out


def _folds(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers 0 to 4 of the rows, each class spread over all of them."""
    fold = np.empty(len(classes), dtype=np.int64)
    fold[np.argsort(classes, kind="stable")] = np.arange(len(classes)) % FOLDS
    return fold


def log_loss(probabilities: Floats, classes: NDArray[np.int64]) -> float:
    """Mean of -log p of the true class, nats; NaN without rows."""
    if not len(classes):
        return float("nan")
    return float(-np.log(np.maximum(probabilities[np.arange(len(classes)), classes], 1e-12)).mean())


def softmax(logits: Floats) -> Floats:
    """Probabilities of logits along the last axis."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    out: Floats = e / e.sum(axis=-1, keepdims=True)
    return out

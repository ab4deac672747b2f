"""Logistic regression on features that are given: the head that all cheap learners share.

Hard labels go to scikit-learn. Soft ones need a loss on probabilities, which it has not: here they are fitted by
L-BFGS on the same objective (one row a text). Weighted copies of a row, one a class, would fit the same weights at
temperature 1, but take `classes` times the rows, and know no other temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budgetsim.errors import InputError
from budgetsim.learners.encoder import LogisticHead, fit_logistic
from budgetsim.learners.protocol import Examples, Training


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """What a linear head is fitted to.

    probabilities : (rows, classes), at the row's temperature; temperatures : (rows,), 1 for a hard answer
    """

    probabilities: NDArray[np.float64]
    temperatures: NDArray[np.float64]


def fit_head(features: Any, examples: Examples, labels: Sequence[str], how: Training) -> LogisticHead:
    """The head of the examples' hard or soft answers; features : (n, features), dense or sparse."""
    if not examples.is_soft:
        return fit_logistic(features, examples.classes(labels), len(labels), how.l2)
    gold = np.zeros(len(examples), dtype=bool) if examples.is_gold is None else examples.is_gold
    targets = SoftTargets(
        np.asarray(examples.targets(labels, how.temperature), dtype=np.float64),
        np.where(gold, 1.0, how.temperature),
    )
    return fit_probabilities(features, targets, how.l2)


def fit_probabilities(features: Any, targets: SoftTargets, l2: float) -> LogisticHead:
    r"""Multinomial logistic regression on probabilities, by L-BFGS.

    .. math:: \frac1n \sum_i t_i^2 \, \mathrm{KL}(p_i \,\|\, \mathrm{softmax}(z_i / t_i)) + \frac{l_2}{2} |W|^2

    With two classes one vector of weights is fitted, as for hard labels, so that the penalty means the same.
    features : (rows, features), dense or sparse
    source : Hinton, Vinyals and Dean (2015), arXiv 1503.02531, for the temperature and its square
    """
    from scipy.optimize import minimize

    n, width = features.shape
    classes = targets.probabilities.shape[1]
    free = [1] if classes == 2 else list(range(classes))
    t = targets.temperatures[:, None]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, intercepts = flat[: width * len(free)].reshape(width, len(free)), flat[width * len(free) :]
        z = np.zeros((n, classes))
        z[:, free] = np.asarray(features @ weights) + intercepts
        log_q = _log_softmax(z / t)
        value = -(t**2 * targets.probabilities * log_q).sum() / n + l2 / 2 * (weights**2).sum()
        slope = (t * (np.exp(log_q) - targets.probabilities))[:, free] / n
        gradient = np.asarray(features.T @ slope) + l2 * weights
        return float(value), np.concatenate([gradient.ravel(), slope.sum(0)])

    solve: Any = minimize
    found = solve(loss, np.zeros((width + 1) * len(free)), jac=True, method="L-BFGS-B", options=_OPTIONS).x
    made, intercepts = np.zeros((width, classes)), np.zeros(classes)
    made[:, free], intercepts[free] = found[: width * len(free)].reshape(width, len(free)), found[width * len(free) :]
    return LogisticHead(made, intercepts)


_OPTIONS: dict[str, Any] = {"maxiter": 500, "maxcor": 10, "gtol": 1e-6, "ftol": 1e-12}


def save_head(head: LogisticHead, place: Path, extra: dict[str, NDArray[Any]] | None = None) -> None:
    """Write a head, and arrays beside it, as safetensors."""
    from safetensors.numpy import save_file

    arrays = {"weights": head.weights, "intercepts": head.intercepts, **(extra or {})}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, place)


def load_head(place: Path) -> tuple[LogisticHead, dict[str, NDArray[Any]]]:
    """A head and what was saved beside it.

    raises : InputError where the file is missing or torn
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(place)
        return LogisticHead(arrays.pop("weights"), arrays.pop("intercepts")), arrays
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"{place} holds no head of a learner ({type(error).__name__}); train it again.") from None


def _log_softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = z - z.max(axis=1, keepdims=True)
    made: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return made

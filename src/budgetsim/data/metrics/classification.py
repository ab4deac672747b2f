"""Metrics of one label an item, from the counts of (answer, truth); percent, 0 to 100."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

Confusion = Counter[tuple[str, str]]  # (answer, truth) -> items


def confusion(predictions: Sequence[str], references: Sequence[str]) -> Confusion:
    """How often each answer met each truth; all that these metrics look at.

    raises : ValueError where the two are not of one length
    """
    return Counter(zip(predictions, references, strict=True))


def micro_f1(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Micro F1 of one label an item, which equals accuracy.

    >>> micro_f1(["a", "b"], ["a", "a"])
    50.0
    """
    return accuracy(confusion(predictions, references))


def macro_f1(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Mean over the labels of the references of each label's F1.

    >>> round(macro_f1(["a", "a"], ["a", "b"]), 1)
    33.3
    """
    return mean_f1(confusion(predictions, references))


def accuracy(counts: Confusion) -> float:
    """Share of the items that are right."""
    n = counts.total()
    return 100.0 * sum(k for (said, true), k in counts.items() if said == true) / n if n else 0.0


def mean_f1(counts: Confusion) -> float:
    """Mean of the F1 of each label that is true of some item (a label nobody should have said is no class)."""
    said, true = _margins(counts)
    labels = sorted(true)
    return math.fsum(_f1(counts[label, label], said[label], true[label]) for label in labels) / max(1, len(labels))


def label_f1(counts: Confusion, label: str) -> float:
    """Binary F1 of one label: the harmonic mean of its precision and recall.

    >>> label_f1(confusion(["a", "a", "b"], ["a", "b", "b"]), "a")  # precision 1/2, recall 1
    66.66666666666667
    """
    said, true = _margins(counts)
    return _f1(counts[label, label], said[label], true[label])


def matthews(counts: Confusion) -> float:
    r"""Matthews correlation of any number of classes, times 100; 0 of a constant answer, below 0 counts as 0.

    .. math:: (c s - \sum_k p_k t_k) / \sqrt{(s^2 - \sum_k p_k^2)(s^2 - \sum_k t_k^2)}

    s items, c of them right; class k was said p_k and is true t_k times. Scores of the store end at 0, where an
    answer knows nothing.
    source : Gorodkin (2004), Computational Biology and Chemistry 28, 367
    """
    said, true = _margins(counts)
    n, right = counts.total(), sum(k for (p, t), k in counts.items() if p == t)
    spread = (n * n - sum(k * k for k in said.values())) * (n * n - sum(k * k for k in true.values()))
    shared = right * n - sum(said[label] * true[label] for label in said)
    return max(0.0, 100.0 * shared / math.sqrt(spread)) if spread else 0.0


def _margins(counts: Confusion) -> tuple[Counter[str], Counter[str]]:
    """How often each label was said, and was true."""
    said: Counter[str] = Counter()
    true: Counter[str] = Counter()
    for (p, t), k in counts.items():
        said[p] += k
        true[t] += k
    return said, true


def _f1(both: int, predicted: int, true: int) -> float:
    return 200.0 * both / (predicted + true) if predicted + true else 0.0

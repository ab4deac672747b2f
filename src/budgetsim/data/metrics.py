"""Metrics as the authors' script computes them, without a network; percent, 0 to 100.

Source: run_t5.py of github jm-kang/Distill-or-Annotate @ d2c1263, described in the evidence README.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Final

from budgetsim.data.formats import parse_entities
from budgetsim.data.tasks import Task

WLP_DEFAULT: Final = "Amount"
BLEU_BETA: Final = 4.0


def score(
    task: Task, sources: Sequence[str], predictions: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
    """Every metric of the task in percent; the first is the main one.

    A classification counts an answer that is no label as `task.labels[0]`.
    """
    if task.kind == "classification":
        answers = [p if p in task.labels else task.labels[0] for p in predictions]
        accuracy, macro = micro_f1(answers, references), macro_f1(answers, references)
        if task.metric == "macro_f1":
            return {"macro_f1": macro, "accuracy": accuracy}
        return {task.metric: accuracy, "macro_f1": macro}
    if task.kind == "tagging":
        return entity_f1(predictions, references)
    if task.kind == "qa":
        pairs = list(zip(predictions, references, strict=True))
        name = "squad_f1" if task.metric == "squad_f1" else "f1"
        f1, exact = [squad_f1(p, r) for p, r in pairs], [exact_match(p, r) for p, r in pairs]
        return {name: _mean(f1), "exact_match": _mean(exact)}
    return paraphrase_scores(sources, predictions)


def micro_f1(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Micro F1 of one label an item, which equals accuracy.

    >>> micro_f1(["a", "b"], ["a", "a"])
    50.0
    """
    return _mean([100.0 * (p == r) for p, r in zip(predictions, references, strict=True)])


def macro_f1(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Mean over the labels of the references of each label's F1.

    >>> round(macro_f1(["a", "a"], ["a", "b"]), 1)
    33.3
    """
    labels = sorted(set(references))
    return _mean([_label_f1(label, predictions, references) for label in labels])


def _label_f1(label: str, predictions: Sequence[str], references: Sequence[str]) -> float:
    both = sum(p == r == label for p, r in zip(predictions, references, strict=True))
    predicted, true = sum(p == label for p in predictions), sum(r == label for r in references)
    return 200.0 * both / (predicted + true) if predicted + true else 0.0


def entity_f1(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """F1 over the entities of the references: the label predicted for the same string, Amount if missing.

    >>> entity_f1(["Mix [Action]"], ["Mix [Action] 5 mL [Amount]"])["f1"]
    100.0
    """
    predicted: list[str] = []
    true: list[str] = []
    for prediction, reference in zip(predictions, references, strict=True):
        labels = dict(parse_entities(prediction))
        for entity, label in parse_entities(reference):
            predicted.append(labels.get(entity, WLP_DEFAULT))
            true.append(label)
    return {"f1": micro_f1(predicted, true), "macro_f1": macro_f1(predicted, true)}


def squad_f1(prediction: str, reference: str) -> float:
    """Token F1 after lower-casing and dropping punctuation and articles (SQuAD 1.1)."""
    predicted, true = _answer_tokens(prediction), _answer_tokens(reference)
    common = sum((Counter(predicted) & Counter(true)).values())
    return 200.0 * common / (len(predicted) + len(true)) if common else 100.0 * (predicted == true)


def exact_match(prediction: str, reference: str) -> float:
    """100 where the normalised answers are the same, else 0.

    >>> exact_match("The Nile.", "nile")
    100.0
    """
    return 100.0 * (_answer_tokens(prediction) == _answer_tokens(reference))


def _answer_tokens(text: str) -> list[str]:
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def paraphrase_scores(sources: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Offline stand-ins for BERT-iBLEU, never under its name.

    `self_ibleu`: harmonic mean (beta 4) of word-overlap F1 with the source and 1 - self-BLEU, where
    BERT-iBLEU has BERTScore; a copy scores 0 in both.
    """
    pairs = list(zip(sources, predictions, strict=True))
    bleu = [self_bleu(s, p) for s, p in pairs]
    kept = [squad_f1(p, s) / 100 for s, p in pairs]
    mixed = [100.0 * _harmonic(k, 1 - b / 100) for k, b in zip(kept, bleu, strict=True)]
    return {"self_ibleu": _mean(mixed), "self_bleu": _mean(bleu)}


def self_bleu(source: str, prediction: str) -> float:
    """Sentence BLEU (sacrebleu, smoothed) of the paraphrase against its source, percent."""
    from sacrebleu.metrics.bleu import BLEU

    return float(BLEU(effective_order=True).sentence_score(prediction, [source]).score)


def _harmonic(meaning: float, novelty: float) -> float:
    if meaning <= 0 or novelty <= 0:
        return 0.0
    return (BLEU_BETA + 1) / (BLEU_BETA / meaning + 1 / novelty)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0

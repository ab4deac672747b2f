"""Metrics of free text, an answer or a paraphrase, without a network; percent, 0 to 100.

Source of all but ROUGE-L: run_t5.py of github jm-kang/Distill-or-Annotate @ d2c1263, described in the evidence README.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Final

from budgetsim.errors import MissingExtraError

BLEU_BETA: Final = 4.0


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return math.fsum(values) / len(values) if values else 0.0


def rouge_l(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Mean over items of ROUGE-L: F1 of the longest common subsequence of words, as `rouge-score` counts it.

    Its words are runs of a-z and 0-9 in lower case, unstemmed: it sees nothing of other scripts.
    raises : MissingExtraError
    source : Lin (2004), ROUGE: a package for automatic evaluation of summaries
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MissingExtraError("rouge_l needs rouge-score: pip install 'budgetsim[measure]'.") from None
    scorer = RougeScorer(["rougeL"])
    pairs = zip(predictions, references, strict=True)
    return mean([100.0 * float(scorer.score(true, said)["rougeL"].fmeasure) for said, true in pairs])


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
    return {"self_ibleu": mean(mixed), "self_bleu": mean(bleu)}


def self_bleu(source: str, prediction: str) -> float:
    """Sentence BLEU (sacrebleu, smoothed) of the paraphrase against its source, percent."""
    from sacrebleu.metrics.bleu import BLEU

    return float(BLEU(effective_order=True).sentence_score(prediction, [source]).score)


def _harmonic(meaning: float, novelty: float) -> float:
    if meaning <= 0 or novelty <= 0:
        return 0.0
    return (BLEU_BETA + 1) / (BLEU_BETA / meaning + 1 / novelty)

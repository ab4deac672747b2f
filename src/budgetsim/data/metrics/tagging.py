"""Metrics of entities: BIO tags of words, and entities written as text; percent, 0 to 100."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from budgetsim.data.formats import parse_entities
from budgetsim.data.metrics.classification import macro_f1, micro_f1

OUTSIDE: Final = "O"
WLP_DEFAULT: Final = "Amount"
Span = tuple[str, int, int]  # type, first word, word after the last


def entity_f1(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Micro F1 of entities: one counts where its type, first and last word are all right.

    That of the conlleval script and of seqeval by default, and nervaluate's `strict`: an I- that continues nothing
    begins an entity. 100 where neither side has any entity.
    predictions, references : tags with blanks between, a sentence each; missing tags count as O, more are cut
    source : Tjong Kim Sang and De Meulder (2003), CoNLL shared task

    >>> entity_f1(["B-loc I-loc O O"], ["B-loc I-loc O B-per"])  # precision 1, recall 1/2
    66.66666666666667
    """
    said = true = both = 0
    for prediction, reference in zip(predictions, references, strict=True):
        tags = reference.split()
        found, wanted = set(spans(aligned(prediction, len(tags)))), set(spans(tags))
        said, true, both = said + len(found), true + len(wanted), both + len(found & wanted)
    return 200.0 * both / (said + true) if said + true else 100.0


def tag_accuracy(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Share of the words whose tag is right."""
    right = n = 0
    for prediction, reference in zip(predictions, references, strict=True):
        tags = reference.split()
        right += sum(p == t for p, t in zip(aligned(prediction, len(tags)), tags, strict=True))
        n += len(tags)
    return 100.0 * right / n if n else 0.0


def aligned(prediction: str, n: int) -> list[str]:
    """As many tags as there are words: a model that writes tags as text may write more or fewer.

    >>> aligned("B-loc nonsense", 3)
    ['B-loc', 'O', 'O']
    """
    tags = [tag if tag.startswith(("B-", "I-")) else OUTSIDE for tag in islice(prediction.split(), n)]
    return tags + [OUTSIDE] * (n - len(tags))


def spans(tags: Sequence[str]) -> list[Span]:
    """Entities of the tags of a sentence.

    >>> spans(["I-per", "B-per", "I-loc", "O"])
    [('per', 0, 1), ('per', 1, 2), ('loc', 2, 3)]
    """
    found: list[Span] = []
    kind, start = "", 0
    for i, tag in enumerate((*tags, OUTSIDE)):
        prefix, _, named = tag.partition("-")
        if kind and (prefix != "I" or named != kind):
            found.append((kind, start, i))
            kind = ""
        if named and not kind:
            kind, start = named, i
    return found


def listed_entities(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """F1 over the entities that the references list: the label predicted for the same string, Amount if missing.

    The paper's metric of wlp, whose answers list `entity [Label]`.

    >>> listed_entities(["Mix [Action]"], ["Mix [Action] 5 mL [Amount]"])["f1"]
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

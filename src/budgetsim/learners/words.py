"""Sentences as words with a tag each, as all taggers have them: sources and tags with blanks between. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from budgetsim.data.tasks import Task
from budgetsim.errors import InputError
from budgetsim.learners.protocol import Examples, Probabilities, class_numbers


def split_words(logits: Probabilities, sources: Sequence[str]) -> list[Probabilities]:
    """Logits of the words of each source, of those of all, (words of all sources, tags).

    raises : InputError where there are more or fewer than words
    """
    sizes = [len(source.split()) for source in sources]
    if len(logits) != sum(sizes):
        raise InputError(f"A teacher gave logits of {len(logits)} words; the sources have {sum(sizes)}.")
    return np.split(logits, np.cumsum(sizes)[:-1])


def tags_of(task: Task, examples: Examples, i: int) -> NDArray[np.int64]:
    """Numbers of the tags of the words of an example, (words,).

    raises : InputError where it has more or fewer tags than words, or one that the task does not know
    """
    classes = class_numbers(examples.answers[i].split(), task.labels)
    n_words = len(examples.sources[i].split())
    if len(classes) != n_words:
        raise InputError(
            f"Example {i + 1} has {n_words} words and {len(classes)} tags; give one tag a word, with blanks between."
        )
    return classes


def read_tags(task: Task, sources: Sequence[str], logits: Probabilities) -> list[str]:
    """The likeliest tag of each word, with blanks between."""
    return [" ".join(task.labels[k] for k in words.argmax(1)) for words in split_words(logits, sources)]


def check_tags(name: str, task: Task) -> None:
    """Refuse a tagging whose labels are no BIO tags of words.

    raises : InputError saying what was found
    """
    strange = [label for label in task.labels if label != "O" and not label.startswith(("B-", "I-"))]
    if "O" not in task.labels or strange or len(task.labels) < 2:
        found = f"it has {strange[0]!r}" if strange else f"it has {', '.join(task.labels) or 'none'}"
        raise InputError(
            f"{name} tags words with O, B-... and I-...; {task.name} is written otherwise ({found}). Add it from CoNLL "
            f"files, or use a T5, which writes tags as text."
        )

"""One class a word: sources are words with blanks between, answers their BIO tags likewise.

A word is asked at its first piece, and trained there alone (Devlin et al. 2019, arXiv 1810.04805, section 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from budgetsim.data.tasks import Task
from budgetsim.learners.heads import Encoded, Head, Row, soft_rows, split_rows
from budgetsim.learners.protocol import Examples, Probabilities
from budgetsim.learners.words import read_tags, split_words, tags_of

CERTAIN: Final = 30.0  # logit of O for words beyond the model's reach


def encode_words(
    tokenizer: Any, task: Task, sources: Sequence[str], max_tokens: int
) -> tuple[list[Encoded], list[list[int]]]:
    """Inputs of sentences, and the first token of each word that is not cut off."""
    made = tokenizer(
        [source.split() for source in sources], is_split_into_words=True, truncation=True, max_length=max_tokens
    )
    return split_rows(made, len(sources)), [_first_pieces(made.word_ids(i)) for i in range(len(sources))]


def word_rows(task: Task, examples: Examples, inputs: list[Encoded], places: list[list[int]] | None) -> list[Row]:
    """Tags and the teacher's logits of the words that the model sees."""
    assert places is not None
    taught = [None] * len(examples) if examples.logits is None else split_words(examples.logits, examples.sources)
    rows = []
    for i, soft in enumerate(soft_rows(examples)):
        classes = tags_of(task, examples, i)
        seen, teacher = len(places[i]), taught[i]
        rows.append(Row(inputs[i], classes[:seen], teacher[:seen] if soft and teacher is not None else None, places[i]))
    return rows


def _pick(logits: torch.Tensor, places: list[list[int]] | None) -> torch.Tensor:
    assert places is not None
    rows = [i for i, asked in enumerate(places) for _ in asked]
    columns = [place for asked in places for place in asked]
    return logits[rows, columns]


def _spread(task: Task, sources: Sequence[str], logits: Probabilities, places: list[list[int]] | None) -> Probabilities:
    assert places is not None
    sizes = [len(source.split()) for source in sources]
    made = np.zeros((sum(sizes), len(task.labels)), dtype=np.float32)
    made[:, task.labels.index("O")] = CERTAIN
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    seen = [start + k for start, asked in zip(starts.tolist(), places, strict=True) for k in range(len(asked))]
    made[seen] = logits
    return made


def _first_pieces(words: Sequence[int | None]) -> list[int]:
    """Token of the first piece of each word, in order.

    >>> _first_pieces([None, 0, 0, 1, None])
    [1, 3]
    """
    return [i for i, word in enumerate(words) if word is not None and (i == 0 or words[i - 1] != word)]


WORDS: Final = Head(
    task_type="TOKEN_CLS", encode=encode_words, rows=word_rows, pick=_pick, spread=_spread, read=read_tags
)  # fmt: skip

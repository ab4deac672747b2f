"""A small generated classification task, written by this project for its demo and tests.

It is a toy: sentences are drawn from templates, a tenth of the labels is wrong. Its rows never go
into `results/`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from budgetsim.data.rows import Row

TOY_TASK: Final = "toy_requests"
TOY_SIZE: Final = 4000
LABEL_NOISE: Final = 0.1
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "delivery": ("parcel", "courier", "shipment", "tracking number", "delivery date", "package"),
    "refund": ("refund", "money back", "overcharge", "double payment", "return", "credit note"),
    "account": ("password", "login", "profile", "e-mail address", "two-factor code", "user name"),
}
_OPENINGS: Final = ("Hello,", "Good morning,", "Hi,", "Dear team,", "Please help:", "Again:", "Quick question:")
_MIDDLES: Final = (
    "I have a problem with the", "what happened to my", "nobody answers about the", "there is no news of the",
    "I would like to ask about the", "something is wrong with my", "can you look at the",
)  # fmt: skip
_TAILS: Final = ("since Monday", "for two weeks", "after the update", "as you promised", "on my phone", "in the shop")


def toy_rows(seed: int = 0, size: int = TOY_SIZE) -> list[Row]:
    """The rows of the toy task, always the same for a seed.

    >>> [row.target for row in toy_rows(size=3)] == [row.target for row in toy_rows(size=3)]
    True
    """
    rng = np.random.default_rng(seed)
    labels = tuple(_WORDS)
    rows = []
    for number in range(size):
        true = labels[int(rng.integers(len(labels)))]
        shown = labels[int(rng.integers(len(labels)))] if rng.random() < LABEL_NOISE else true
        text = " ".join((_pick(rng, _OPENINGS), _pick(rng, _MIDDLES), _pick(rng, _WORDS[true]), _pick(rng, _TAILS)))
        rows.append(Row(f"{text} (request {number})", shown, str(number)))
    return rows


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]

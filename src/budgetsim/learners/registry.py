"""The kinds of learner by name: one line a kind, and its file is loaded when it is asked for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from budgetsim.data.tasks import TaskKind
from budgetsim.design.models import T5_SHAPES
from budgetsim.errors import InputError
from budgetsim.learners.names import CPU_FAMILY, folder_of
from budgetsim.learners.protocol import Learner


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of learner.

    word : the name up to its first colon
    grammar : how a name of the kind is written
    does : kinds of task
    module : file of this room whose `parse(name, rest)` makes a learner of what follows the colon, "" where nothing
        does
    about : what it is, in a few words; example : a name of the kind, where the word alone is none
    """

    word: str
    grammar: str
    does: tuple[TaskKind, ...]
    module: str
    about: str = ""
    example: str = ""

    @property
    def takes_model(self) -> bool:
        """Whether a name of the kind is `WORD:MODEL`, of any model that fits."""
        return self.grammar.startswith((f"{self.word}:MODEL", f"{self.word}[:MODEL]"))

    def parse(self, name: str) -> Learner:
        """The learner of a name of this kind."""
        file: Any = import_module(f"budgetsim.learners.{self.module}")
        learner: Learner = file.parse(name, name[len(self.word) :].removeprefix(":"))
        return learner


KINDS: Final = (
    Kind("tfidf-lr", "tfidf-lr", ("classification",), "tfidf", "words and word pairs, logistic regression"),
    Kind("window-lr", "window-lr", ("tagging",), "window", "a word, its shape and neighbours, logistic regression"),
    Kind("overlap", "overlap", ("classification",), "overlap", "pairs by the words that they share"),
    Kind("encoder-lr", "encoder-lr[:MODEL]", ("classification",), "frozen", "frozen encoder, logistic regression"),
    Kind("minilm-lr", "minilm-lr", ("classification",), "frozen", "encoder-lr:minilm by its older name"),
    Kind(
        "ft", "ft:MODEL[:layers=K][:lora[=RANK]]", ("classification", "tagging"), "finetuned",
        "encoder or decoder, fine-tuned", "ft:minilm",
    ),
    Kind(
        "lm", "lm:MODEL[:shots=K][:lora[=RANK]]", ("classification", "generation", "qa"), "causal",
        "language model asked for the label, or for its answer", "lm:smollm2",
    ),
    Kind(
        "ensemble", "ensemble:NAME+NAME", ("classification",), "ensemble", "mean of the probabilities of learners",
        "ensemble:tfidf-lr+encoder-lr",
    ),
)  # fmt: skip
SEQ2SEQ: Final = Kind(
    "", "T5", ("classification", "tagging", "generation", "qa"), "seq2seq", "encoder-decoder that writes its answer",
    CPU_FAMILY[0],
)  # fmt: skip


def parse_learner(name: str) -> Learner:
    """The learner of a name; neither weights nor a network are looked at (`Learner.check` does that).

    raises : InputError with the grammar and the nearest name

    >>> parse_learner("tfidf-lr").is_cheap
    True
    """
    return _parsed(name.strip())


def is_seq2seq(name: str) -> bool:
    """Whether a name is a T5's: no word of another kind stands before it.

    >>> is_seq2seq("pico"), is_seq2seq("ft:minilm")
    (True, False)
    """
    return name.split(":", 1)[0] not in {kind.word for kind in KINDS}


def takes_model(word: str) -> bool:
    """Whether names of a kind hold a model: `WORD:MODEL`.

    >>> takes_model("ft"), takes_model("tfidf-lr")
    (True, False)
    """
    return any(kind.word == word and kind.takes_model for kind in KINDS)


def grammar() -> str:
    """How learners are named, in one line."""
    return f"{', '.join(kind.grammar for kind in KINDS)}, {', '.join(CPU_FAMILY)}, t5-v1_1-SIZE, or a T5's folder"


def able(kind: TaskKind) -> str:
    """Names of the learners that do a kind of task, for a message."""
    names = [k.grammar for k in KINDS if kind in k.does]
    return ", ".join([*names, CPU_FAMILY[0], next(iter(T5_SHAPES))])


@cache
def _parsed(name: str) -> Learner:
    word = name.split(":", 1)[0]
    kind = next((kind for kind in KINDS if kind.word == word), None)
    if kind is not None:
        return kind.parse(name)
    if name in CPU_FAMILY or name in T5_SHAPES or folder_of(name) is not None or _is_hub_name(name):
        return SEQ2SEQ.parse(name)
    raise InputError(
        f"There is no learner {name!r}{_nearest(name)}. Names are: {grammar()} (or OWNER/NAME of the hub)."
    )


def _is_hub_name(name: str) -> bool:
    owner, slash, rest = name.partition("/")
    return bool(slash) and all(
        part.replace("-", "").replace(".", "").replace("_", "").isalnum() for part in (owner, rest)
    )


def _nearest(name: str) -> str:
    word, colon, rest = name.partition(":")
    words = [kind.word for kind in KINDS] if colon else [*(kind.word for kind in KINDS), *CPU_FAMILY, *T5_SHAPES]
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; the nearest is {close[0]}{colon}{rest}" if close else ""

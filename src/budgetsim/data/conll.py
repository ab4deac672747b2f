"""CoNLL files: a word and its tag a line, a blank line between sentences; tags of any usual scheme become BIO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from budgetsim.data.rows import TextFile
from budgetsim.errors import InputError

OUTSIDE: Final = "O"
IN_BIO: Final = {"B": "B", "I": "I", "S": "B", "U": "B", "E": "I", "L": "I"}  # IOBES and BILOU besides
DOCUMENT: Final = "-DOCSTART-"
_TAG: Final = re.compile(r"[BIESUL]-\S+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words and their BIO tags, with blanks between, and the line of the first word."""

    words: str
    tags: str
    line: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """Sentences of a file; `n_converted` tags were written otherwise there."""

    sentences: tuple[Sentence, ...]
    n_converted: int


def looks_tagged(text: str) -> bool:
    """Whether a text reads as CoNLL: sentences apart, and a tag at the end of each line."""
    lines = text.split("\n")[:2000]
    said = [line.split() for line in lines if line.strip() and not line.startswith(DOCUMENT)]
    blank = any(not line.strip() for line in lines[:-1])
    return blank and len(said) > 1 and all(len(cells) > 1 and is_tag(cells[-1]) for cells in said)


def is_tag(text: str) -> bool:
    """Whether a text is O, or one of B, I, E, S, L or U with a type.

    >>> is_tag("B-loc"), is_tag("O"), is_tag("loc"), is_tag("B-")
    (True, True, False, False)
    """
    return text == OUTSIDE or _TAG.fullmatch(text) is not None


def read_sentences(file: TextFile) -> Tagged:
    """Sentences of a file whose first column is the word and whose last one is the tag.

    raises : InputError naming the line that has no tag, or one that cannot be understood
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    start = converted = 0
    for number, line in enumerate((*file.text.split("\n"), ""), start=1):
        cells = _cells(line)
        if cells and cells[0] == DOCUMENT:
            cells = []
        if cells:
            start = start if words else number
            words.append(_one_word(cells[0]))
            tags.append(_checked(cells, number, file.name))
        elif words:
            bio = to_bio(tags)
            converted += sum(a != b for a, b in zip(tags, bio, strict=True))
            sentences.append(Sentence(" ".join(words), " ".join(bio), start))
            words, tags = [], []
    return Tagged(tuple(sentences), converted)


def to_bio(tags: Sequence[str]) -> list[str]:
    """BIO tags of a sentence: IOBES and BILOU by their letters, IOB1 by a B- where an entity begins.

    >>> to_bio(["I-loc", "I-loc", "B-loc", "O", "S-per", "B-per", "E-per"])
    ['B-loc', 'I-loc', 'B-loc', 'O', 'B-per', 'B-per', 'I-per']
    """
    made: list[str] = []
    before = ""
    for tag in tags:
        prefix, _, kind = tag.partition("-")
        letter = IN_BIO.get(prefix, OUTSIDE)
        made.append(OUTSIDE if not kind else f"{'I' if letter == 'I' and kind == before else 'B'}-{kind}")
        before = "" if prefix in ("S", "U", "E", "L") else kind  # an entity that has ended goes on no more
    return made


def check_words(file: str, number: int, words: str, tags: str) -> tuple[str, str, int]:
    """Words and BIO tags of a row of a table, and how many tags were converted.

    raises : InputError where there are more or fewer tags than words, or one cannot be understood
    """
    said, bare = words.split(), tags.split()
    if len(said) != len(bare):
        raise InputError(
            f"{file}, line {number}: found {len(said)} words and {len(bare)} tags; write a tag a word, with blanks "
            f"between."
        )
    for tag in bare:
        _refuse_strange(tag, number, file)
    bio = to_bio(bare)
    return " ".join(said), " ".join(bio), sum(a != b for a, b in zip(bare, bio, strict=True))


def _cells(line: str) -> list[str]:
    bare = line.rstrip("\r")
    if "\t" in bare:
        cells = [c.strip() for c in bare.split("\t")]
        return cells if any(cells) else []
    return bare.split()


def _checked(cells: Sequence[str], number: int, file: str) -> str:
    if len(cells) < 2:
        raise InputError(f"{file}, line {number}: found {cells[0]!r} alone, wanted a word and its tag.")
    _refuse_strange(cells[-1], number, file)
    return cells[-1]


def _refuse_strange(tag: str, number: int, file: str) -> None:
    if not is_tag(tag):
        raise InputError(
            f"{file}, line {number}: found the tag {tag[:60]!r}, wanted O, or B-TYPE, I-TYPE (IOBES and BILOU "
            f"are read too)."
        )


def _one_word(text: str) -> str:
    """A word as one piece: whatever blanks it holds become _."""
    return "_".join(text.split()) or "_"

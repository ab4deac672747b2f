"""What follows the colon of a learner's name: a model and its options, `MODEL:layers=2:lora=8`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from budgetsim.errors import InputError

LARGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Option:
    """A whole number that may follow a model.

    bare : its value where it is written without one; None where it must have one
    """

    bare: int | None = None
    least: int = 1


def split_options(name: str, rest: str, known: Mapping[str, Option], grammar: str) -> tuple[str, dict[str, int]]:
    """The model of a name, and its options that are set.

    raises : InputError with the grammar, for an option that is unknown, doubled or no whole number

    >>> split_options("ft:m:layers=2:lora", "m:layers=2:lora", {"layers": Option(), "lora": Option(8)}, "")
    ('m', {'layers': 2, 'lora': 8})
    """
    model, *written = _pieces(rest)
    options: dict[str, int] = {}
    for piece in written:
        key, equals, _ = piece.partition("=")
        if key not in known:
            close = difflib.get_close_matches(key, list(known), n=1)
            advice = f"; the nearest is {close[0]}" if close else ""
            raise InputError(f"{name!r} has the option {piece!r}, which is unknown{advice}. Write {grammar}.")
        if key in options:
            raise InputError(f"{name!r} sets {key} twice. Write {grammar}.")
        options[key] = (
            _number(name, piece, known[key].least, grammar) if equals else _bare(name, key, known[key], grammar)
        )
    if not model:
        raise InputError(f"{name!r} names no model. Write {grammar}; MODEL is an alias, a folder or a hub name.")
    return model, options


def _pieces(rest: str) -> list[str]:
    """Split at colons, but for the one of a drive letter."""
    return re.split(r"(?<!^[A-Za-z]):|(?<=^[A-Za-z]):(?![\\/])", rest)


def _bare(name: str, key: str, option: Option, grammar: str) -> int:
    if option.bare is None:
        raise InputError(f"{name!r} gives {key} no number. Write {grammar}.")
    return option.bare


def _number(name: str, piece: str, least: int, grammar: str) -> int:
    value = piece.partition("=")[2]
    if not value.isascii() or not value.isdecimal() or not least <= int(value) <= LARGEST:
        raise InputError(f"{name!r} sets {piece!r}; wanted a whole number from {least} to {LARGEST}. Write {grammar}.")
    return int(value)

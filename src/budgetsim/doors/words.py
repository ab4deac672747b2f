"""Words of others: what can be read, and what a terminal would obey instead of show."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# C0 but for tab and newline, DEL, C1; marks that turn the direction of writing; separators of lines; lone surrogates
_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_JOINERS: Final = "\u200c\u200d"
_LINE: Final = re.compile(f"{_OBEYED.pattern[:-1]}\t\n]")


def show(text: str, *, one_line: bool = False) -> str:
    r"""Text as a terminal may have it: what it would obey is written out.

    one_line : whether tabs and newlines are written out as well, for a cell of a table

    >>> show("\x1b]0;mine\x07 ok")
    '\\x1b]0;mine\\x07 ok'
    """
    return (_LINE if one_line else _OBEYED).sub(_written, text)


def show_json(text: str) -> str:
    r"""JSON text with the same value and no character that a terminal obeys.

    >>> show_json('"\x9b"')
    '"\\u009b"'
    """
    return _OBEYED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _written(match: re.Match[str]) -> str:
    code = ord(match.group())
    return {9: "\\t", 10: "\\n"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


@lru_cache(maxsize=10_000)  # a campaign has few names, each in thousands of records
def is_name(text: str) -> bool:
    r"""Whether a text is readable on one line, with nothing invisible in it but joiners of letters.

    >>> is_name("caf\xe9 2"), is_name("a\nb"), is_name("a\u200bb")
    (True, False, False)
    """
    return is_readable(text) and all(c in _JOINERS or unicodedata.category(c)[0] != "C" for c in text)


def is_readable(text: str) -> bool:
    r"""Whether a person sees something, and a terminal obeys nothing.

    >>> is_readable("caf\xe9"), is_readable("\u200b"), is_readable("a\x1b[2J")
    (True, False, False)
    """
    return _OBEYED.search(text) is None and any(unicodedata.category(c)[0] not in "CZ" for c in text)

"""Amounts as people type them, and names they nearly typed right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_AMOUNT: Final = re.compile(
    r"\$?\s*(?P<number>[+-]?(?:\d{1,3}(?:[,_' ]\d{3})+|\d+)?(?:\.\d+)?(?:e[+-]?\d{1,4})?)\s*(?P<unit>k|m|bn)?\s*\$?",
    re.ASCII | re.IGNORECASE,
)
_UNITS: Final = {"k": 1e3, "m": 1e6, "bn": 1e9}
_NO_NUMBER: Final = ("nan", "inf", "-inf", "infinity")  # left to whoever checks the range


def parse_amount(text: str) -> float | None:
    """A number as people write amounts; None where it is none.

    >>> [parse_amount(t) for t in ("2000", "2,000", "$2000", "2k", "$1.5M", "2 000", "1e3", "1,00", "two")]
    [2000.0, 2000.0, 2000.0, 2000.0, 1500000.0, 2000.0, 1000.0, None, None]
    """
    stripped = text.strip()
    if stripped.lower() in _NO_NUMBER:
        return float(stripped)
    found = _AMOUNT.fullmatch(stripped)
    if found is None or not any(c.isdigit() for c in found["number"]):
        return None
    number = float(re.sub("[,_' ]", "", found["number"]))
    unit = found["unit"]
    return number * _UNITS[unit.lower()] if unit else number


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to put behind an error about a name, with the blank before it; nothing where no name is near.

    >>> did_you_mean("stanse", ["stance", "fever"]), did_you_mean("x", ["stance"])
    (' Did you mean stance?', '')
    """
    names = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f" Did you mean {names[near[0]]}?" if near else ""

"""How long to wait before a request is tried again, and how fast requests may begin."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from typing import Final

FIRST: Final = 0.5  # seconds
LONGEST: Final = 60.0
LONGEST_TOLD: Final = 600.0  # that a server may ask for


def wait_before(attempt: int, told: float | None, rng: random.Random) -> float:
    """Seconds before the next try: what the server asks for, at least; else twice the last, up to a quarter more.

    attempt : tries that failed so far, 1 or more

    >>> wait_before(1, None, random.Random(0)) <= 0.625, wait_before(3, 7.0, random.Random(0)) >= 7.0
    (True, True)
    """
    own = min(LONGEST, FIRST * 2.0 ** (attempt - 1))
    return max(own, min(told or 0.0, LONGEST_TOLD)) * (1 + rng.random() / 4)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait: a number, milliseconds, or a date.

    >>> retry_after({"retry-after": "3"}), retry_after({"retry-after-ms": "1500"}), retry_after({})
    (3.0, 1.5, None)
    """
    if "retry-after-ms" in headers:
        return _number(headers["retry-after-ms"], 1000.0)
    said = headers.get("retry-after")
    if said is None:
        return None
    seconds = _number(said, 1.0)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _number(said: str, unit: float) -> float | None:
    try:
        return max(0.0, float(said) / unit)
    except ValueError:
        return None

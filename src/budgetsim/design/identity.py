"""What names a thing for good: the hash of its canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def canonical_hash(value: Mapping[str, object]) -> str:
    """SHA-256 of the canonical JSON of a mapping: sorted keys, no blanks, ASCII, no NaN.

    >>> canonical_hash({"b": 1, "a": "x"}) == canonical_hash({"a": "x", "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()

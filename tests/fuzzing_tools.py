"""Ways to hurt a text or a value: what `fuzzing.py` and its doors share."""

from __future__ import annotations

import math
import random
from typing import Any

NASTY = [
    "9" * 30, "9" * 5000, "-" + "9" * 30, "1e400", "-1e400", "1e308", "1e-320", "0x10", "0xfffffffffffffffffffff", "0o17", "1_000",
    "nan", ".nan", "NaN", "inf", ".inf", "-inf", "Infinity", "-1", "-0", "0", "1.5", "0.91", "250", "101", "true", "yes", "null", "~", "",
    " ", "½", "²", "１２", "50%", "$5", "1,5", "5 000", "'", '"', "[", "]", "{", "}", "[" * 3000, "{a: " * 300, "&a [*a]", "*a", "<<: *a",
    "!!python/object/apply:os.system ['id']", "!!int ''", "!!timestamp x", "|", ">", "- ", "? ", ": ", "#", "%YAML 1.1", "---", "...",
    "\x1b]0;x\x07", "\x1b[2J", "\x9b2J", "\u200b", "\u202e", "\ufeff", "\ud800", "\x00", "a\nb", "\r", "\u2028", "é" * 50, "x" * 100_000,
    "2999-01-01", "2023-02-31", "0000-00-00", "12:30:45", "[/x]", "[red]", "=cmd|' /C calc'!A0", "distill", "constant", "nope", "../../etc", "/dev/zero",
]  # fmt: skip
VALUES: list[Any] = [
    True, False, None, -1, 0, 1, 1.5, -0.5, 2**31, 2**63, 10**30, 10**400, 1e308, 1e-320, math.nan, math.inf, -math.inf, "", " ", "x", "\x1b[2J",
    "\u200b", "x" * 100_000, "50%", [], [1], {}, {"a": 1}, [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]], "annotate", "constant", "nope", "2999-01-01T00:00:00+00:00",
]  # fmt: skip


def hurt_text(text: str, rng: random.Random) -> str:
    """A text file with one to three things wrong."""
    for _ in range(rng.randint(1, 3)):
        lines = text.split("\n")
        k = rng.randrange(len(lines))
        bad = rng.choice(NASTY)
        match rng.randrange(9):
            case 0 | 1 | 2 if ":" in lines[k]:
                lines[k] = f"{lines[k].split(':')[0]}: {bad}"
            case 3 | 4 if "," in lines[k]:
                cells = lines[k].split(",")
                cells[rng.randrange(len(cells))] = bad
                lines[k] = ",".join(cells)
            case 5:
                del lines[k]
            case 6:
                lines.insert(k, lines[rng.randrange(len(lines))])
            case 7:
                lines[k] = rng.choice([bad + lines[k], lines[k] + bad, " " * rng.randint(1, 9) + lines[k]])
            case _:
                at = rng.randrange(len(text) + 1)
                text = text[:at] + bad + text[at + rng.randint(0, 5) :]
                continue
        text = "\n".join(lines)
    return text


def hurt_value(value: Any, rng: random.Random) -> Any:
    """A JSON value with one thing wrong, anywhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        choice = rng.randrange(12)
        if choice == 0:
            return {k: v for k, v in value.items() if k != key}
        if choice == 1:
            return {**value, rng.choice(["extra", "\x1b", "", key.upper()]): rng.choice(VALUES)}
        return {**value, key: hurt_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        k = rng.randrange(len(value))
        more = [value[k]] if rng.random() < 0.3 else []
        return [*value[:k], hurt_value(value[k], rng), *value[k + 1 :], *more]
    return rng.choice(VALUES)


def hurt_bytes(data: bytes, rng: random.Random) -> bytes:
    """A binary file with one to five bytes changed, a piece overwritten, or cut."""
    hurt = bytearray(data)
    match rng.randrange(4):
        case 0:
            return bytes(hurt[: rng.randrange(len(hurt))])
        case 1:
            at, n = rng.randrange(len(hurt)), rng.randint(1, 4096)
            hurt[at : at + n] = rng.randbytes(min(n, len(hurt) - at))
        case _:
            for _ in range(rng.randint(1, 5)):
                hurt[rng.randrange(len(hurt))] = rng.randrange(256)
    return bytes(hurt)

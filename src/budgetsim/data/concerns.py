"""What may be a slip in the files of a task, with counts and lines: `tasks add` goes on only where it is accepted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from budgetsim.data.formats import split_fields
from budgetsim.data.rows import nfc
from budgetsim.data.tables import Example, Layout

CONTAINED: Final = 0.1  # share of the test texts that stand in train too, from which it is asked about
FREE_TEXT: Final = 0.5  # labels a train row, from which they read as free text
FEW: Final = 5  # lines or labels that are named
_VISIBLE: Final = re.compile(r"[!-~]|[^\W_]")


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: blanks, control and zero-width characters alone.

    >>> is_blank(" \\u200b\\t"), is_blank("no")
    (True, False)
    """
    if _VISIBLE.search(text):
        return False
    return all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf", "Cn") for c in text)


def blank_rows(rows: Sequence[Example], layout: Layout) -> list[Example]:
    """Rows without a label, or without one of their texts."""
    fields = layout.text_columns if len(layout.text_columns) > 1 else ()
    return [r for r in rows if is_blank(r.target) or any(is_blank(part) for part in split_fields(r.source, fields))]


def find_concerns(
    names: Mapping[str, str],
    rows: Mapping[str, Sequence[Example]],
    blank: Mapping[str, Sequence[Example]],
    layout: Layout,
) -> list[str]:
    """All that should be looked at before the rows are used, a sentence each.

    names : of the files by part; rows : of the parts train and test, without the blank ones
    """
    found = [
        f"{len(left)} row{_s(left)} of {names[part]} without a text or a label (line{_s(left)} {_lines(left)}); with "
        f"--yes they are left out"
        for part, left in blank.items()
        if left
    ]
    if layout.kind in ("classification", "tagging"):
        first = {part: _first_rows(rows[part], layout) for part in ("train", "test")}
        found += _alike(first, names) if layout.kind == "classification" else []
        found += _test_alone(first, names)
    if layout.kind == "classification":
        found += _free_text(rows["train"], names["train"])
    return found + _contained(rows, names)


Firsts = Mapping[str, Mapping[str, tuple[int, int]]]  # part -> label -> (rows, first line)


def _first_rows(rows: Sequence[Example], layout: Layout) -> dict[str, tuple[int, int]]:
    seen: dict[str, tuple[int, int]] = {}
    for row in rows:
        for label in {tag[2:] for tag in row.target.split()} - {""} if layout.kind == "tagging" else (row.target,):
            n, line = seen.get(label, (0, row.line))
            seen[label] = (n + 1, line)
    return seen


def _alike(first: Firsts, names: Mapping[str, str]) -> list[str]:
    """Labels that only case or blanks tell apart."""
    places: dict[str, dict[str, str]] = {}
    for part, labels in first.items():
        for label, (n, line) in labels.items():
            words = f"{label!r} ({n} row{'s' * (n != 1)} of {names[part]}, first in line {line})"
            places.setdefault(_plain(label), {}).setdefault(label, words)
    groups = [list(spellings.values()) for spellings in places.values() if len(spellings) > 1]
    return [f"labels that differ by case or blanks alone: {' and '.join(group)}" for group in groups[:FEW]]


def _plain(label: str) -> str:
    shown = "".join(c for c in unicodedata.normalize("NFKC", label) if unicodedata.category(c) != "Cf")
    return " ".join(shown.split()).casefold()


def _test_alone(first: Firsts, names: Mapping[str, str]) -> list[str]:
    alone = {label: found for label, found in first["test"].items() if label not in first["train"]}
    if not alone:
        return []
    said = [f"{label!r} ({n} row{'s' * (n != 1)}, first in line {line})" for label, (n, line) in alone.items()]
    more = f" and {len(said) - FEW} more" if len(said) > FEW else ""
    return [f"label{_s(said)} of {names['test']} that no row of train has: {', '.join(said[:FEW])}{more}"]


def _free_text(rows: Sequence[Example], name: str) -> list[str]:
    n = len({row.target for row in rows})
    if n <= 20 or n < FREE_TEXT * len(rows):
        return []
    return [f"{n:,} labels in {len(rows):,} rows of {name} read as free text: is it --kind generation?"]


def _contained(rows: Mapping[str, Sequence[Example]], names: Mapping[str, str]) -> list[str]:
    train = {nfc(row.source): row.line for row in reversed(rows["train"])}
    shared = [row for row in rows["test"] if nfc(row.source) in train]
    if len(shared) < CONTAINED * len(rows["test"]) or not shared:
        return []
    one = shared[0]
    share = 100 * len(shared) / len(rows["test"])
    return [
        f"{len(shared):,} of {len(rows['test']):,} texts of {names['test']} stand in {names['train']} too ({share:.0f} "
        f"%; line {one.line} is its line {train[nfc(one.source)]}), and are not trained on"
    ]


def _s(items: Sequence[object]) -> str:
    return "s" * (len(items) != 1)


def _lines(rows: Iterable[Example]) -> str:
    lines = [str(row.line) for row in rows]
    return ", ".join(lines[:FEW]) + (", ..." if len(lines) > FEW else "")

"""Which recipe of a route a fit reads: runs that were trained differently, or on foreign texts, are never one curve."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")
Way = tuple[str, str]  # where texts came from that are not the task's own, and the recipe


@dataclass(frozen=True, slots=True)
class Made:
    """How a result came to be.

    group : task, evidence set and route; recipe : hash of the hyper-parameters; design : the counts asked about
    finished : None of published rows; texts : where texts came from that are not the task's own, empty for its own
    """

    group: Hashable
    recipe: str
    design: Hashable
    finished: datetime | None
    texts: str = ""

    @property
    def way(self) -> Way:
        """How it was made: runs of two ways are two curves."""
        return self.texts, self.recipe


def of_one_recipe(rows: Sequence[T], made: Callable[[T], Made]) -> list[T]:
    """The rows of the recipe that each group has most different designs of; of two with as many, the newer one.

    Runs on texts of another task or file are read where the route has no others.
    So a changed recipe takes over once it knows as much as the former one, and the two never mix.

    >>> rows = [("old", 100), ("old", 200), ("new", 100), ("old", 100)]
    >>> of_one_recipe(rows, lambda row: Made("route", row[0], row[1], None))
    [('old', 100), ('old', 200), ('old', 100)]
    """
    found = [made(row) for row in rows]
    kept = ways_read(found)
    return [row for row, one in zip(rows, found, strict=True) if kept[one.group] == one.way]


def ways_read(found: Iterable[Made]) -> dict[Hashable, Way]:
    """The way of each group that is read; of several runs of one design and way, the one that finished last will do."""
    ways: dict[Hashable, dict[Way, list[Made]]] = {}
    for one in found:
        ways.setdefault(one.group, {}).setdefault(one.way, []).append(one)
    return {group: max(by_way, key=lambda way: _rank(by_way[way])) for group, by_way in ways.items()}


def _rank(runs: Sequence[Made]) -> tuple[bool, int, datetime, Way]:
    last = max((run.finished for run in runs if run.finished is not None), default=datetime.min)
    return not runs[0].texts, len({run.design for run in runs}), last, runs[0].way

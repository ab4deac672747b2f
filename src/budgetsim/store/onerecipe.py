"""Which recipe of a route a fit reads: runs that were trained differently are never one curve."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Made:
    """How a result came to be.

    group : task, evidence set and route; recipe : hash of the hyper-parameters; design : the counts asked about;
    finished : None of published rows
    """

    group: Hashable
    recipe: str
    design: Hashable
    finished: datetime | None


def of_one_recipe(rows: Sequence[T], made: Callable[[T], Made]) -> list[T]:
    """The rows of the recipe that each group has most different designs of; of two with as many, the newer one.

    So a changed recipe takes over once it knows as much as the former one, and the two never mix.

    >>> rows = [("old", 100), ("old", 200), ("new", 100), ("old", 100)]
    >>> of_one_recipe(rows, lambda row: Made("route", row[0], row[1], None))
    [('old', 100), ('old', 200), ('old', 100)]
    """
    found = [made(row) for row in rows]
    recipes: dict[Hashable, dict[str, list[Made]]] = {}
    for one in found:
        recipes.setdefault(one.group, {}).setdefault(one.recipe, []).append(one)
    kept = {group: max(by_recipe, key=lambda recipe: _rank(by_recipe[recipe])) for group, by_recipe in recipes.items()}
    return [row for row, one in zip(rows, found, strict=True) if kept[one.group] == one.recipe]


def _rank(runs: Iterable[Made]) -> tuple[int, datetime, str]:
    runs = list(runs)
    last = max((run.finished for run in runs if run.finished is not None), default=datetime.min)
    return len({run.design for run in runs}), last, runs[0].recipe

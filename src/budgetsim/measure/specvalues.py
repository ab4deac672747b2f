"""Ranges of what a spec file holds: a design's flat fields, its seed, and the numbers of its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from budgetsim.design.points import DESIGN_FIELDS
from budgetsim.doors.values import MOST_SEED, found
from budgetsim.doors.words import is_name
from budgetsim.measure.recipe import PRESETS, Recipe
from budgetsim.store.schema import check_design

MOST: Final = 1_000_000_000  # of any number of a recipe
_POSITIVE: Final = ("source_tokens", "target_tokens", "vocabulary", "batch", "devices")


def check_spec_values(values: Mapping[str, Any]) -> None:
    """Check the values of a spec file, its version aside.

    raises : ValueError in a few words
    """
    check_design({name: values[name] for name in DESIGN_FIELDS if name in values})
    seed = values.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed: found {found(seed)}, wanted a whole number from 0 to {MOST_SEED}")
    unlabeled = values.get("unlabeled", "pool")
    if not isinstance(unlabeled, str) or not is_name(unlabeled):
        raise ValueError(f"unlabeled: found {found(unlabeled)}, wanted pool, labelled, a file or task:NAME")


def check_recipe(recipe: Recipe) -> None:
    """Check types and ranges of a recipe that a file gave.

    raises : ValueError in a few words
    """
    _check_like(asdict(recipe), asdict(PRESETS["cpu"]), "recipe")


def _check_like(values: Mapping[str, Any], like: Mapping[str, Any], place: str) -> None:
    """Check values against those of a recipe that is right: the same types, and numbers in range."""
    for name, right in like.items():
        value, key = values[name], f"{place}.{name}"
        if isinstance(right, dict):
            _check_like(value, right, key)
        elif isinstance(right, bool | str):
            if type(value) is not type(right) or (isinstance(value, str) and not is_name(value)):
                kind = "text" if isinstance(right, str) else "true or false"
                raise ValueError(f"{key}: found {found(value)}, wanted {kind}")
        elif isinstance(right, int | float):
            _check_number(key, value, whole=isinstance(right, int))


def _check_number(key: str, value: object, *, whole: bool) -> None:
    kinds = (int,) if whole else (int, float)
    low = 1e-9 if key.rpartition(".")[2] in _POSITIVE else 0
    if type(value) not in kinds or not low <= value <= MOST:  # type: ignore[operator]
        what = "a whole number" if whole else "a number"
        raise ValueError(f"{key}: found {found(value)}, wanted {what} {'above' if low else 'from'} 0 to {MOST:,}")

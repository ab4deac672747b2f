"""The strategies, one file each; a new one is a file here, its line below, and the training it needs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from budgetsim.design.strategies.annotate import ANNOTATE
from budgetsim.design.strategies.annotate_plus_llm import ANNOTATE_PLUS_LLM
from budgetsim.design.strategies.constant import CONSTANT
from budgetsim.design.strategies.distill import DISTILL
from budgetsim.design.strategies.llm_annotate import LLM_ANNOTATE
from budgetsim.design.strategies.strategy import COUNTS, Axis, Strategy
from budgetsim.errors import InputError

STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {s.name: s for s in (ANNOTATE, DISTILL, LLM_ANNOTATE, ANNOTATE_PLUS_LLM, CONSTANT)}
)
TRAINED: Final = tuple(s for s in STRATEGIES.values() if s.is_trained)


def get_strategy(name: str, place: str = "") -> Strategy:
    """The strategy of that name.

    place : where the name stood, for the message
    raises : InputError naming the known ones

    >>> get_strategy("distill").inputs
    ('n_labels', 'n_unlabeled')
    """
    if name not in STRATEGIES:
        head = f"{place}: found" if place else "There is no strategy"
        raise InputError(f"{head} {name!r}, wanted one of {', '.join(STRATEGIES)}.")
    return STRATEGIES[name]


__all__ = [
    "ANNOTATE",
    "ANNOTATE_PLUS_LLM",
    "CONSTANT",
    "COUNTS",
    "DISTILL",
    "LLM_ANNOTATE",
    "STRATEGIES",
    "TRAINED",
    "Axis",
    "Strategy",
    "get_strategy",
]

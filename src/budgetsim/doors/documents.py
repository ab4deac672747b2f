"""YAML and JSON of others, bounded before anything is built of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent

from budgetsim.errors import InputError

MOST_DEPTH: Final = 20
MOST_NODES: Final = 20_000  # keys, values and entries of a document
MOST_CHARACTERS: Final = 256_000


class _Bounded(Composer):
    """Composes nodes and stops at the first that is too many, too deep, or stands for another."""

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent) or event.anchor is not None:
            _refuse(event, "an anchor or alias (& or *); write the value out")
        if getattr(event, "value", None) == "<<" and getattr(event, "style", None) is None:
            _refuse(event, "a merge (<<); write the keys out")
        if getattr(event, "tag", None) is not None:
            _refuse(event, "a tag (!); leave it out")
        if self._depth >= MOST_DEPTH:
            _refuse(event, f"nested deeper than {MOST_DEPTH} levels")
        self._nodes += 1
        if self._nodes > MOST_NODES:
            _refuse(event, f"more than {MOST_NODES:,} keys and values")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refuse(event: Any, problem: str) -> NoReturn:
    raise MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def load_yaml(text: str, name: str, *, with_lines: bool = False) -> Any:
    """The document a YAML text holds: at most `MOST_CHARACTERS`, `MOST_DEPTH` levels, no anchors, merges or tags.

    name : of the file, for messages
    with_lines : whether mappings know their lines (`.lc`, ruamel's round trip)
    raises : InputError where it is too large, ruamel's YAMLError or ValueError where it is no such YAML

    >>> load_yaml("a: [1, 2]", "x")
    {'a': [1, 2]}
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"{name} has {len(text):,} characters, wanted at most {MOST_CHARACTERS:,}; leave out the rest."
        )
    yaml = YAML(typ="rt") if with_lines else YAML(typ="safe", pure=True)
    yaml.Composer = _Bounded
    try:
        return yaml.load(text)
    except (AttributeError, LookupError, TypeError, RecursionError) as error:  # ruamel's own slips on malformed text
        raise ValueError(f"malformed, {type(error).__name__}") from None


def load_json(text: str) -> Any:
    """The value a JSON text holds: no key twice, no NaN, no number beyond floats, at most `MOST_DEPTH` levels.

    raises : ValueError in a few words

    >>> load_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: key 'a' stands twice
    """
    try:
        value = _JSON.decode(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {MOST_DEPTH} levels") from None
    if text.count("{") + text.count("[") > MOST_DEPTH:  # else it cannot be that deep
        _check_depth(value, MOST_DEPTH)
    return value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is beyond any number")
    return number


_JSON: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, Mapping | list):
        return
    if not left:
        raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
    for each in value.values() if isinstance(value, Mapping) else value:
        _check_depth(each, left - 1)

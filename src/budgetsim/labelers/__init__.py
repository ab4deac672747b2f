"""Who gives labels besides people: a file a kind, each a `Labeler`; a new one is a file here and its line below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from budgetsim.errors import InputError
from budgetsim.labelers.chat import parse_chat
from budgetsim.labelers.decide import parse_decide
from budgetsim.labelers.labeler import Brief, Desk, Labeler, Labels
from budgetsim.labelers.recorded import Recorded
from budgetsim.labelers.simulated import SimulatedLabeler

# What a labeler's name begins with -> how the whole name is read.
LABELERS: Final[Mapping[str, Callable[[str], Labeler]]] = MappingProxyType(
    {"simulated": SimulatedLabeler.parse, "recorded": Recorded.parse, "chat": parse_chat, "decide": parse_decide}
)


def get_labeler(name: str) -> Labeler:
    """The labeler of that name, `KIND:option=value`.

    raises : InputError where there is none, or its options are malformed

    >>> get_labeler("simulated:accuracy=0.8")
    SimulatedLabeler(accuracy=0.8)
    """
    kind = name.partition(":")[0]
    if kind not in LABELERS:
        raise InputError(
            f"There is no labeler {name!r}; write simulated:accuracy=0.8 (0 to 1), recorded:FILE (labels that "
            f"were given already), or an LLM behind a server: chat:MODEL or decide:MODEL with --llm-url."
        )
    return LABELERS[kind](name)


def is_labeler(name: str) -> bool:
    """Whether a name begins as a labeler's does.

    >>> is_labeler("chat:some-model"), is_labeler("ft:minilm")
    (True, False)
    """
    return name.partition(":")[0] in LABELERS


__all__ = ["LABELERS", "Brief", "Desk", "Labeler", "Labels", "SimulatedLabeler", "get_labeler", "is_labeler"]

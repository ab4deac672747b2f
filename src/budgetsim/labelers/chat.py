"""`chat:MODEL`: a chat model of any OpenAI-compatible server writes the label."""

from __future__ import annotations

from budgetsim.labelers.language import LanguageLabeler
from budgetsim.labelers.options import parse_options
from budgetsim.labelers.prompt import chat_question


def parse_chat(name: str) -> LanguageLabeler:
    """Read `chat:MODEL:option=value`.

    raises : InputError where it is malformed

    >>> parse_chat("chat:gpt-5-mini:shots=8").options.shots
    8
    """
    return LanguageLabeler(name, "chat", parse_options(name, "chat"), chat_question)

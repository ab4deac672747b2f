"""`decide:MODEL`: a decision endpoint gives a probability for each label, and writes nothing."""

from __future__ import annotations

from budgetsim.labelers.language import LanguageLabeler
from budgetsim.labelers.options import parse_options
from budgetsim.labelers.prompt import decide_question


def parse_decide(name: str) -> LanguageLabeler:
    """Read `decide:MODEL:option=value`.

    raises : InputError where it is malformed

    >>> parse_decide("decide:smollm2:shots=2").kind
    'decide'
    """
    return LanguageLabeler(name, "decide", parse_options(name, "decide"), decide_question)

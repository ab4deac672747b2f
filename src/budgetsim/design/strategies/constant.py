"""Constant: the most frequent answer, whatever the text says; it costs nothing, and is always a candidate."""

from budgetsim.design.strategies.strategy import Strategy

CONSTANT = Strategy(
    name="constant",
    summary="the most frequent answer, for nothing",
    doing="answering alike",
    inputs=(),
)

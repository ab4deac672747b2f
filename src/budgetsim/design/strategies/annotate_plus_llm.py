"""Annotate plus LLM: labels of people and of an LLM together."""

from budgetsim.design.stages import STUDENT
from budgetsim.design.strategies.strategy import Axis, Strategy

ANNOTATE_PLUS_LLM = Strategy(
    name="annotate_plus_llm",
    summary="train the student on labels of people and of an LLM",
    doing="labels for {student}",
    inputs=("n_labels", "n_llm_labels"),
    models=frozenset({"labeler"}),
    trains_on=("n_labels", "n_llm_labels"),
    curve="labels",
    axes=(Axis(low=10, high=1e6, count=40), Axis(low=100, high=1e6, count=7)),  # at 0 as fine as annotate
    paces={"n_labels": {STUDENT: "train_label"}, "n_llm_labels": {STUDENT: "train_label"}},
)

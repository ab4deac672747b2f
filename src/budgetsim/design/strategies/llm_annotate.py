"""LLM annotate: an LLM labels texts from a few-shot prompt, and the student is trained on its answers."""

from budgetsim.design.stages import STUDENT
from budgetsim.design.strategies.strategy import Axis, Strategy

LLM_ANNOTATE = Strategy(
    name="llm_annotate",
    summary="train the student on labels of an LLM",
    doing="labels for {student}",
    inputs=("n_llm_labels",),
    models=frozenset({"labeler"}),
    trains_on=("n_llm_labels",),
    curve="labels",
    axes=(Axis(low=10, high=1e6, count=40),),
    paces={"n_llm_labels": {STUDENT: "train_label"}},
)

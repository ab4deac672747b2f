"""Annotate: people label examples, and the student is trained on them."""

from budgetsim.design.stages import STUDENT
from budgetsim.design.strategies.strategy import Axis, Strategy

ANNOTATE = Strategy(
    name="annotate",
    summary="train the student on labels of people",
    doing="labels for {student}",
    inputs=("n_labels",),
    trains_on=("n_labels",),
    curve="labels",
    axes=(Axis(low=10, high=1e6, count=40),),
    paces={"n_labels": {STUDENT: "train_label"}},
)

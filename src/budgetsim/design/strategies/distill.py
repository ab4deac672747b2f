"""Distill: a teacher is tuned on labels of people and labels texts softly; the student learns from those."""

from budgetsim.design.stages import DISTILLATION, LABELLING
from budgetsim.design.strategies.strategy import Axis, Strategy

DISTILL = Strategy(
    name="distill",
    summary="tune a teacher on labels of people, and train the student on its soft labels of texts",
    doing="distilling {teacher} into {student}",
    inputs=("n_labels", "n_unlabeled"),
    models=frozenset({"teacher"}),
    trains_on=("n_unlabeled",),
    targets="soft",
    curve="transfer",
    axes=(Axis(low=30, high=1e6, count=20), Axis(low=300, high=1e6, count=10)),
    paces={"n_unlabeled": {LABELLING: "label_text", DISTILLATION: "train_text"}},
    teacher_stage=True,
    always_charged=True,
)

"""What a strategy is: one value that answers everything the other rooms ask of a way to turn money into a student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

COUNTS: Final = ("n_labels", "n_llm_labels", "n_unlabeled")  # everything a student can be made from

Targets = Literal["hard", "soft"]  # labels of people or an LLM; probabilities of a teacher
Curve = Literal["labels", "transfer"]  # a student's own learning curve; what a teacher passes on
Pace = Literal["train_label", "label_text", "train_text"]  # fields of `costs.hours.Hours`


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Knots of a fitted surface along one input: zero, and sizes evenly spaced in log."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How money becomes a student.

    doing : what is done, with places for teacher and student, e.g. `distilling {teacher} into {student}`
    inputs : what it uses, names of counts; its fitted surface has these axes, in this order
    models : what it needs besides a student: teacher, labeler
    trains_on : the inputs whose examples the student sees; the last decides how long training takes
    targets : what those examples carry; people's and an LLM's are always hard
    curve : which posterior describes its scores; strategies of one student and curve share it
    axes : knots, one for each input
    paces : input -> stage of cost (`design.stages`) -> the field of `Hours` that one unit takes
    teacher_stage : whether a teacher is tuned on the labels, a stepped cost in n_labels
    always_charged : whether training the student is paid for even where the card says that it is not
    """

    name: str
    summary: str  # one line for help texts
    doing: str
    inputs: tuple[str, ...]
    models: frozenset[str] = frozenset()
    trains_on: tuple[str, ...] = ()
    targets: Targets = "hard"
    curve: Curve | None = None
    axes: tuple[Axis, ...] = ()
    paces: Mapping[str, Mapping[str, Pace]] = field(default_factory=dict)
    teacher_stage: bool = False
    always_charged: bool = False

    def __post_init__(self) -> None:
        assert len(self.axes) == len(self.inputs), self.name
        assert set(self.trains_on) | set(self.paces) <= set(self.inputs) <= set(COUNTS), self.name

    @property
    def is_trained(self) -> bool:
        """Whether a student is trained at all; the constant answer has none."""
        return self.curve is not None

    @property
    def has_teacher(self) -> bool:
        return "teacher" in self.models

    @property
    def has_labeler(self) -> bool:
        return "labeler" in self.models

    @property
    def needs(self) -> frozenset[str]:
        """Every field of a design that must be given; the others must not be."""
        return self.models | frozenset(self.inputs)

"""`lm:MODEL`: a language model that is asked for the label, or writes its answer, after a prompt; adapters train it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.finetuned import TRAINS, USUAL_RANK
from budgetsim.learners.options import Option, split_options
from budgetsim.learners.protocol import SOFT, Desk, Examples, Facts, Fitted, Signal, Training
from budgetsim.learners.weights import check_model_name, check_weights, model_name, resolve, weigh

GRAMMAR: Final = "lm:MODEL[:shots=K][:lora[=RANK]]"
USUAL_SHOTS: Final = 4


def parse(name: str, rest: str) -> Causal:
    """The learner of a name.

    raises : InputError for options and models that cannot be
    """
    model, options = split_options(name, rest, {"shots": Option(least=0), "lora": Option(USUAL_RANK)}, GRAMMAR)
    check_model_name(model)
    rank = options.get("lora", 0)
    return Causal(model, options.get("shots", 0 if rank else USUAL_SHOTS), rank)


@dataclass(frozen=True, slots=True)
class Causal:
    """A language model: its scores of the label words after a prompt are its probabilities; without labels it writes.

    Without adapters nothing of it is trained: examples give the prompt its shots, and the scores one slope and an
    offset a class. With them it is trained on the label words, or on the answers.
    """

    model: str
    shots: int = USUAL_SHOTS
    rank: int = 0
    learns: frozenset[Signal] = SOFT | {"texts"}
    gives: frozenset[Signal] = SOFT | {"texts"}
    kinds: frozenset[TaskKind] = frozenset({"classification", "generation", "qa"})
    soft_kinds: frozenset[TaskKind] = frozenset({"classification"})
    is_cheap: bool = False
    usual_l2: float = 0.0
    encoders: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"lm:{model_name(self.model)}:shots={self.shots}{f':lora={self.rank}' if self.rank else ''}"

    @property
    def usual_lr(self) -> float:
        return 2e-4 if self.rank else 0.0

    def identity(self, how: Training) -> dict[str, object]:
        if self.rank:
            return {key: getattr(how, key) for key in (*TRAINS, "target_tokens")}
        return {key: getattr(how, key) for key in ("temperature", "max_tokens", "target_tokens")}

    def check(self, task: Task) -> None:
        check_kind(self, task)
        weights = resolve(self.model)
        check_weights(weights)
        from budgetsim.learners.pretrained import check_checkpoint, is_none

        check_checkpoint(weights, "AutoModelForCausalLM", is_none)

    def facts(self) -> Facts:
        weights = resolve(self.model)
        held = weigh(weights)
        notes = ["its probabilities are of the label words after a prompt; without labels it writes its answer"]
        if not self.rank:
            notes.append(f"not trained: {self.shots} shots; of a classification one slope and an offset a class")
        return Facts(
            kind=GRAMMAR,
            parameters=held.numbers if held else None,
            trainable=None,
            megabytes=round(held.megabytes, 1) if held else None,
            licence=weights.licence,
            place=weights.target if weights.folder else "the hub",
            notes=tuple(notes),
        )

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> Fitted:
        self.check(task)
        check_examples(self, task, examples)
        if task.kind != "classification":
            from budgetsim.learners.writing import fit_writer

            return fit_writer(self, task, examples, how, desk)
        examples.classes(task.labels)
        from budgetsim.learners.prompting import calibrate, tune

        return tune(self, task, examples, how, desk) if self.rank else calibrate(self, task, examples, how)

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> Fitted:
        if task.kind != "classification":
            from budgetsim.learners.writing import load_writer

            return load_writer(self, task, folder)
        from budgetsim.learners.prompting import load_prompted

        return load_prompted(self, task, folder)

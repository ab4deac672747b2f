"""The sizes of a learner's models, from their configs alone: what memory and operations are counted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from budgetsim.design.architectures import PUBLISHED, Architecture, architecture, from_config, t5
from budgetsim.design.models import CPU_SHAPES, T5_SHAPES
from budgetsim.errors import InputError
from budgetsim.learners.catalogue import ALIASES
from budgetsim.learners.causal import Causal
from budgetsim.learners.configs import read_config
from budgetsim.learners.ensemble import Ensemble
from budgetsim.learners.finetuned import Finetuned
from budgetsim.learners.frozen import Frozen
from budgetsim.learners.protocol import Learner
from budgetsim.learners.registry import parse_learner
from budgetsim.learners.seq2seq import VOCABULARY, Seq2Seq

PROMPT: Final = 24  # tokens of a prompt beside its text and labels: an estimate
SHOT: Final = 8  # tokens of a shot beside its text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A model of a learner as devices see it.

    trains : whether its weights change; rank : of its adapters, 0 without
    writes_text : whether it reads a source and writes an answer, as T5s do
    shots : examples that stand in its prompt, -1 where it has no prompt
    """

    model: str
    sizes: Architecture
    trains: bool = True
    rank: int = 0
    writes_text: bool = False
    shots: int = -1

    def source_tokens(self, text: float) -> int:
        """Tokens that it reads of a text of so many."""
        prompt = 0 if self.shots < 0 else PROMPT + self.shots * (SHOT + text)
        return round(text + prompt)


def sizes_of(name: str) -> tuple[Sized, ...]:
    """The models of a learner; none where it has no layers (tf-idf, overlap).

    raises : InputError where a model's sizes are neither known nor on this machine
    """
    return _of(parse_learner(name))


def _of(learner: Learner) -> tuple[Sized, ...]:
    if isinstance(learner, Ensemble):
        return tuple(sized for member in learner.members for sized in _of(member))
    if isinstance(learner, Finetuned):
        sizes = model_sizes(learner.model)
        kept = sizes.with_layers(learner.layers) if learner.layers else sizes
        return (Sized(model=learner.model, sizes=kept, rank=learner.rank),)
    if isinstance(learner, Causal):
        sizes = model_sizes(learner.model)
        trains = bool(learner.rank)
        return (Sized(model=learner.model, sizes=sizes, trains=trains, rank=learner.rank, shots=learner.shots),)
    if isinstance(learner, Frozen):
        return (Sized(model=learner.model, sizes=model_sizes(learner.model), trains=False),)
    if isinstance(learner, Seq2Seq):
        return (Sized(model=learner.model, sizes=model_sizes(learner.model), writes_text=True),)
    return ()


def model_sizes(model: str) -> Architecture:
    """The sizes of a model by its name, alias, hub name or folder; nothing is fetched.

    raises : InputError where they are neither known nor here, or its kind is not counted
    """
    if model in CPU_SHAPES:
        return t5(CPU_SHAPES[model], VOCABULARY, 1)
    hub = ALIASES[model].hub if model in ALIASES else model
    if hub in PUBLISHED or model in T5_SHAPES:
        return architecture(hub)
    from budgetsim.learners.weights import resolve

    folder = resolve(model).folder
    if folder is None or not (folder / "config.json").is_file():
        raise InputError(
            f"The sizes of {model} are not known here: name a folder with its config.json, or one of "
            f"{', '.join(PUBLISHED)}."
        )
    return from_config(read_config(folder))

"""`ft:MODEL`: a pretrained encoder or decoder with a head for classes, of texts and pairs or of words, all trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError
from budgetsim.learners.catalogue import ALIASES
from budgetsim.learners.checks import check_examples, check_kind
from budgetsim.learners.options import Option, split_options
from budgetsim.learners.protocol import SOFT, Desk, Examples, Facts, Fitted, Signal, Training
from budgetsim.learners.weights import (
    check_model_name,
    check_weights,
    model_name,
    resolve,
)  # fmt: skip
from budgetsim.learners.words import check_tags

GRAMMAR: Final = "ft:MODEL[:layers=K][:lora[=RANK]]"
USUAL_RANK: Final = 8
USUAL_LR: Final = 5e-5
FEW_LAYERS_LR: Final = 5e-4  # of what is left of a checkpoint, tried on dev with two layers of MiniLM
HEADS: Final[dict[TaskKind, str]] = {
    "classification": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification",
}
HEAD_VERSION: Final = (
    2  # raised by hand where what a head reads, or how it learns, changes; 2: means, ten times the rate
)
TRAINS: Final = (
    "steps", "batch", "lr", "warmup_share", "weight_decay", "clip", "optimizer", "scheduler", "precision",
    "temperature", "max_tokens",
)  # fmt: skip


def parse(name: str, rest: str) -> Finetuned:
    """The learner of a name.

    raises : InputError for options and models that cannot be
    """
    model, options = split_options(name, rest, {"layers": Option(), "lora": Option(USUAL_RANK)}, GRAMMAR)
    check_model_name(model)
    return Finetuned(model, options.get("layers", 0), options.get("lora", 0))


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A checkpoint that is trained on: whole or by adapters, with all of its layers or its first ones."""

    model: str
    layers: int = 0  # 0 keeps them all
    rank: int = 0  # of the adapters; 0 trains every weight
    learns: frozenset[Signal] = SOFT
    gives: frozenset[Signal] = SOFT
    kinds: frozenset[TaskKind] = frozenset(HEADS)
    is_cheap: bool = False
    usual_l2: float = 0.0
    usual_temperature: float = 1.0  # better than 2 for two layers on 150 classes, the same on 2 (docs/measuring.md)
    encoders: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        layers = f":layers={self.layers}" if self.layers else ""
        return f"ft:{model_name(self.model)}{layers}{f':lora={self.rank}' if self.rank else ''}"

    @property
    def usual_lr(self) -> float:
        if self.rank:
            return 5e-4
        if self.layers:
            return FEW_LAYERS_LR
        alias = ALIASES.get(self.model)
        return (alias.lr if alias is not None else 0.0) or USUAL_LR

    def identity(self, how: Training) -> dict[str, object]:
        return {key: getattr(how, key) for key in TRAINS} | {"lora_rank": self.adapter_rank(how), "head": HEAD_VERSION}

    def adapter_rank(self, how: Training) -> int:
        """Rank of the adapters: the name's, else that of the options."""
        return self.rank or how.lora_rank

    def check(self, task: Task) -> None:
        check_kind(self, task)
        if task.kind == "tagging":
            check_tags(self.name, task)
        weights = resolve(self.model)
        if weights.gguf is not None:
            raise InputError(f"{self.model} is a gguf, which {GRAMMAR} does not train; use lm:{self.model}.")
        check_weights(weights)
        from budgetsim.learners.pretrained import check_checkpoint, is_head

        check_checkpoint(weights, HEADS[task.kind], is_head, self.layers, len(task.labels))

    def facts(self) -> Facts:
        weights = resolve(self.model)
        model = self._blank("classification", 2)
        from budgetsim.learners.flops import forward_per_token

        n, flops = sum(p.numel() for p in model.parameters()), forward_per_token(model)
        trainable = n if not self.rank else self._adapted(model)
        return Facts(
            kind=GRAMMAR,
            parameters=n,
            trainable=trainable,
            megabytes=round(4e-6 * trainable, 1),
            licence=weights.licence,
            place=weights.target if weights.folder else "the hub",
            notes=tuple(self._notes()),
            flops_per_token=flops,
        )

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> Fitted:
        self.check(task)
        check_examples(self, task, examples)
        from budgetsim.learners.tuning import tune

        return tune(self, task, examples, how, desk)

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> Fitted:
        from budgetsim.learners.tuning import load_tuned

        return load_tuned(self, task, folder)

    def _blank(self, kind: TaskKind, classes: int) -> Any:
        from budgetsim.learners.pretrained import blank_model, load_config

        weights = resolve(self.model)
        return blank_model(weights, HEADS[kind], load_config(weights, self.layers, num_labels=classes))

    def _adapted(self, model: Any) -> int:
        from budgetsim.learners.lora import adapt

        adapted = adapt(model, self.rank, "SEQ_CLS", ())
        return sum(p.numel() for p in adapted.parameters() if p.requires_grad)

    def _notes(self) -> list[str]:
        notes = ["learning rate to begin with: 2e-5 to 1e-4, with LoRA ten times that"]
        if self.layers:
            notes.append(f"the first {self.layers} layers are kept, the ones above dropped (Sajjad et al. 2020)")
        if self.rank:
            notes.append(f"LoRA of rank {self.rank} on every linear layer; the head is trained whole")
        return notes

"""Recipes: hyper-parameters, hashed into the identity of a run; a preset is a recipe with a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from budgetsim.data.splits import SplitRule
from budgetsim.design.models import T5_VOCABULARY
from budgetsim.design.paper import ANNOTATE_EPOCHS, BATCH, DISTILL_EPOCHS, TEACHER_EPOCHS
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Route
from budgetsim.design.strategies import Strategy
from budgetsim.errors import InputError
from budgetsim.labelers import get_labeler, is_labeler
from budgetsim.learners.protocol import (
    USUAL_TEMPERATURE,
    Learner,
    Training,
    settled,
    shares_pieces,
)  # fmt: skip
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.former import former_identity, objective_of_version_1, without_former_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How models are trained; `steps` > 0 gives every strategy as many optimiser steps, else epochs count."""

    preset: str
    version: int = 1  # raised by hand where the code changes what a run computes
    family: str  # name of the model family in the evidence set
    student: str
    teacher: str
    source_tokens: int
    target_tokens: int  # unless the task needs more
    prefix: bool  # whether a source begins with `<task>: `
    vocabulary: int  # of the CPU family; checkpoints bring their own
    batch: int
    steps: int
    epochs_annotate: int = 0
    epochs_distill: int = 0
    epochs_teacher: int = 0
    lr: float
    teacher_lr: float
    warmup_share: float = 0.06
    scheduler: str = "linear"
    optimizer: str = "adamw_torch_fused"
    precision: str = "fp32"
    temperature: float = USUAL_TEMPERATURE  # 0: each learner's usual one
    gold: bool = False  # distil on the human labels too
    l2: float = 0.0  # of linear learners; 0: each one's usual one
    encoder_tokens: int = 128  # of a text that a frozen encoder reads
    lora_rank: int = 0
    teacher_steps: int = 0  # 0: as many as the student's
    checkpointing: bool = False  # this and the next two say how it is done, not what is computed: in no identity
    micro_batch: int = 0  # rows that a device takes at a time; 0: all of its rows
    devices: int = 1  # GPUs that share a model
    split: SplitRule

    def identity(self, route: Route) -> dict[str, Any]:
        """The hyper-parameters that a run of this route depends on: what recipe_id hashes."""
        common = {"preset": self.preset, "version": self.version}
        return {**common, **(former_identity(self, route) or self._identity(route))}

    def teacher_identity(self, name: str, steps: int) -> dict[str, Any]:
        """The hyper-parameters that a teacher depends on, whoever is taught: its labels are hard.

        steps : as of `learner_identity`
        """
        own = self.learner_identity(name, steps, self.epochs_teacher, teaches=True)
        own.pop("temperature", None)
        return own

    def learner_identity(self, name: str, steps: int, epochs: int, *, teaches: bool) -> dict[str, Any]:
        """The hyper-parameters that a learner of any kind depends on.

        steps : optimiser steps where they are fixed, 0 where epochs count
        """
        learner = parse_learner(name)
        own = learner.identity(
            self.training(learner, steps=steps, target_tokens=self.target_tokens, teaches=teaches)
        )  # fmt: skip
        if not steps and own.pop("steps", None) is not None:
            own["epochs"] = epochs
        pieces = {"vocabulary": self.vocabulary} if shares_pieces(learner) else {}
        return {**own, **pieces, "prefix": self.prefixes(learner)}

    def prefixes(self, learner: Learner) -> bool:
        """Whether a learner reads the task's name before a text: T5s do, which are told by it what to write."""
        return self.prefix and "states" in learner.gives

    def training(
        self, learner: Learner, *, steps: int, target_tokens: int, teaches: bool, seed: int = 0,
        precision: str | None = None,
    ) -> Training:  # fmt: skip
        """The recipe as options of a learner, its usual learning rate and penalty where the recipe has none."""
        how = Training(
            steps=steps,
            batch=self.batch,
            lr=self.teacher_lr if teaches else self.lr,
            warmup_share=self.warmup_share,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            precision=precision or self.precision,
            temperature=self.temperature,
            max_tokens=self.encoder_tokens if learner.encoders else self.source_tokens,
            target_tokens=target_tokens,
            l2=self.l2,
            lora_rank=self.lora_rank,
            seed=seed,
            checkpointing=self.checkpointing,
            micro_batch=self.micro_batch,
            devices=self.devices,
        )
        return settled(learner, how)

    def steps_of_teacher(self, n_labels: int) -> int:
        """Optimiser steps of a teacher of any kind."""
        return self.teacher_steps or self.steps_for(n_labels, self.epochs_teacher)

    def steps_of_student(self, n_examples: int, strategy: Strategy) -> int:
        """Optimiser steps of a student."""
        return self.steps_for(n_examples, self.epochs(strategy))

    def _identity(self, route: Route) -> dict[str, Any]:
        epochs = self.epochs(route.kind)
        own = {"student": self.learner_identity(route.student, self.steps, epochs, teaches=False)}
        if not route.kind.teacher_stage:
            return own
        return {**own, "gold": self.gold, "teacher": self._taught_by(route.teacher or route.student)}

    def _taught_by(self, teacher: str) -> dict[str, Any]:
        """An LLM is not trained: what it is asked is in the keys of its stages."""
        if is_labeler(teacher):
            return {"labeler": get_labeler(teacher).name}
        steps = self.teacher_steps or self.steps
        return self.learner_identity(teacher, steps, self.epochs_teacher, teaches=True)

    def steps_for(self, n_examples: int, epochs: int) -> int:
        """Optimiser steps over a training set: fixed, or whole epochs."""
        return self.steps or max(1, epochs * -(-n_examples // self.batch))

    def epochs(self, strategy: Strategy) -> int:
        """Epochs of the student in a strategy, where steps are not fixed."""
        return self.epochs_distill if strategy.teacher_stage else self.epochs_annotate


PRESETS: Final[dict[str, Recipe]] = {
    # Miniature, and called so: what works on a CPU (see docs/measured/miniature.md for how lr and steps were chosen).
    "cpu": Recipe(
        preset="cpu",
        family="mini",
        student="pico",
        teacher="minilm-lr",
        source_tokens=64,
        target_tokens=8,
        prefix=False,
        vocabulary=4000,
        batch=32,
        steps=400,
        lr=1e-3,
        teacher_lr=1e-3,
        split=SplitRule(kind="pooled"),
    ),
    # Learners of today on a CPU: pretrained encoders, each with its usual learning rate (see docs/measuring.md).
    "modern": Recipe(
        preset="modern",
        version=2,
        family="modern",
        student="ft:minilm:layers=2",
        teacher="encoder-lr:minilm",
        source_tokens=128,
        target_tokens=16,
        prefix=False,
        vocabulary=4000,
        batch=32,
        steps=200,
        lr=0.0,
        teacher_lr=0.0,
        precision="bf16",
        temperature=0.0,
        split=SplitRule(kind="pooled"),
    ),
    # The paper's recipe (evidence README), in bf16 where a GPU is there.
    "paper": Recipe(
        preset="paper",
        family="t5v11",
        student=PAPER_STUDENT,
        teacher=PAPER_TEACHER,
        source_tokens=128,
        target_tokens=8,
        prefix=True,
        vocabulary=T5_VOCABULARY,
        batch=BATCH,
        steps=0,
        epochs_annotate=ANNOTATE_EPOCHS,
        epochs_distill=DISTILL_EPOCHS,
        epochs_teacher=TEACHER_EPOCHS,
        lr=3e-5,
        teacher_lr=3e-5,
        warmup_share=0.0,
        precision="bf16",
        split=SplitRule(kind="files"),
    ),
}

# The answer of these tasks is longer than the presets' target.
TARGET_TOKENS: Final = {"wlp": 128, "multipit_gen": 64, "nq": 32}


def get_preset(name: str, **changes: Any) -> Recipe:
    """A preset, with changes.

    raises : InputError naming the presets

    >>> get_preset("cpu").student
    'pico'
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset {name!r}; known are {', '.join(PRESETS)}.")
    return replace(PRESETS[name], **changes)


def recipe_dict(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values, for a spec file."""
    return asdict(recipe)


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """A recipe from the values of a spec file.

    raises : InputError where keys are unknown or missing, or an old spec names an objective that was never followed
    """
    own = dict(values)
    try:
        old = own.pop("objective", None) if own.get("version") == 1 else None
        own = without_former_fields(own)
        recipe = Recipe(**{**own, "split": SplitRule(**own["split"])})
    except (TypeError, KeyError) as error:
        raise InputError(f"The spec's recipe is not one of this budgetsim ({error}); make it with --dry-run.") from None
    if old not in (None, objective_of_version_1(recipe.preset)):
        raise InputError(f"The spec's recipe has the objective {old!r}: the teacher decides it; leave it out.")
    return recipe

"""What was hashed before all learners took one road: runs that are stored keep their ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from budgetsim.design.points import Route
from budgetsim.labelers import is_labeler
from budgetsim.learners.protocol import USUAL_TEMPERATURE, identity_alone
from budgetsim.learners.registry import parse_learner

if TYPE_CHECKING:
    from budgetsim.measure.recipe import Recipe

FORMER_FIELDS: Final = {"encoder_l2": 1e-3, "cheap_l2": 1e-4}  # of recipes, with what each was


def former_identity(recipe: Recipe, route: Route) -> dict[str, Any] | None:
    """What a recipe id hashes for routes whose runs were stored before all learners took one road; None for others.

    They are told by what their learners are: those that say `identity_alone`, and those that give states (T5s), taught
    by people, by their like, or by one of the first kind.
    """
    student = parse_learner(route.student)
    is_distilled, writes = route.kind.teacher_stage, "states" in student.gives
    if not (is_distilled or writes):
        return identity_alone(student, recipe.training(student, steps=0, target_tokens=0, teaches=False))
    if not writes:
        return None
    own = {**_former_training(recipe, recipe.epochs(route.kind)), "lr": recipe.lr}
    own |= {"lora_rank": recipe.lora_rank} if recipe.lora_rank else {}
    if not is_distilled:
        return own
    taught_by = _former_teacher(recipe, route.teacher or route.student)
    if taught_by is None:
        return None
    own |= {"temperature": recipe.temperature or USUAL_TEMPERATURE, "gold": recipe.gold, "teacher": taught_by}
    return {**own, **({"objective": objective_of_version_1(recipe.preset)} if recipe.version == 1 else {})}


def _former_teacher(recipe: Recipe, name: str) -> dict[str, Any] | None:
    if is_labeler(name):
        return None
    teacher = parse_learner(name)
    if "states" in teacher.gives:
        training = _former_training(recipe, recipe.epochs_teacher)
        return {**training, "lr": recipe.teacher_lr, "lora_rank": recipe.lora_rank}
    alone = identity_alone(teacher, recipe.training(teacher, steps=0, target_tokens=0, teaches=True))
    return None if alone is None else {name: value for name, value in alone.items() if name != "kind"}


def _former_training(recipe: Recipe, epochs: int) -> dict[str, Any]:
    names = (
        "source_tokens", "target_tokens", "prefix", "vocabulary", "batch", "warmup_share", "scheduler", "optimizer",
        "precision",
    )  # fmt: skip
    length = {"steps": recipe.steps} if recipe.steps else {"epochs": epochs}
    return {name: getattr(recipe, name) for name in names} | length


def objective_of_version_1(preset: str) -> str:
    """What recipes of version 1 hashed as `objective`: a word of the preset that decided nothing.

    What a teacher's cache holds follows from the teacher, and stands in the record of the stage that made it. The word
    stays in identities of version 1, so that runs that are stored keep their ids; from version 2 on it is gone.
    """
    return "full" if preset == "paper" else "label"


def without_former_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a spec's recipe without fields of before that say what is usual still; others stay, and are
    refused.

    >>> without_former_fields({"cheap_l2": 1e-4, "encoder_l2": 5.0, "batch": 32})
    {'encoder_l2': 5.0, 'batch': 32}
    """
    return {name: value for name, value in values.items() if name not in FORMER_FIELDS or value != FORMER_FIELDS[name]}

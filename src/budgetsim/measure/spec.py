"""RunSpec: one run as a value, in a file or on a pipe: the unit of work of every executor."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import DESIGN_FIELDS, Design, DesignPoint, Route, design_of
from budgetsim.design.strategies import TRAINED, Strategy
from budgetsim.doors.documents import load_json
from budgetsim.doors.files import MOST_DOCUMENT_BYTES, read_file
from budgetsim.errors import InputError
from budgetsim.labelers import get_labeler, is_labeler
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.recipe import Recipe, recipe_dict, recipe_from
from budgetsim.measure.specvalues import check_recipe, check_spec_values

SPEC_SCHEMA_VERSION: Final = 1  # of spec files


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What to run; with the split id of the data at hand it becomes a design point."""

    design: Design  # models by the names they are loaded by
    unlabeled: str = "pool"  # pool, labelled, task:NAME or a file; the last two with a share, e.g. task:fever:share=0.5
    seed: int = 0
    recipe: Recipe

    def __post_init__(self) -> None:
        if self.route.strategy not in {s.name for s in TRAINED}:
            names = ", ".join(s.name for s in TRAINED)
            raise InputError(f"There is no strategy {self.route.strategy!r}; known are {names}.")
        values = self.design.flat()
        needs = self.strategy.needs | {"student"}
        for name in ("student", "n_labels", "n_llm_labels", "n_unlabeled", "teacher", "labeler"):
            if bool(values[name]) != (name in needs):
                verb = "needs" if name in needs else "has no use for"
                raise InputError(f"{self.route.strategy} {verb} {name}; found {values[name]!r}.")

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.design.task

    @property
    def route(self) -> Route:
        """Strategy and models."""
        return self.design.route

    @property
    def strategy(self) -> Strategy:
        """The strategy as a value: what the run needs is read off it."""
        return self.design.route.kind

    @property
    def teacher(self) -> str:
        """The model that is tuned on the labels and labels the texts: the student itself where none is named."""
        return self.route.teacher or self.route.student

    def point(self, split_id: str, unlabeled_source: str | None) -> DesignPoint:
        """The design point of this run on that split; models that are folders go by their content."""
        teacher = self.route.teacher
        if teacher is not None:
            teacher = get_labeler(teacher).name if is_labeler(teacher) else parse_learner(teacher).name
        labeler = self.route.labeler and get_labeler(self.route.labeler).name
        student = parse_learner(self.route.student).name
        route = replace(self.route, teacher=teacher, labeler=labeler, student=student)
        return DesignPoint(
            design=replace(self.design, route=route),
            split_id=split_id,
            unlabeled_source=unlabeled_source if self.uses_pool else None,
            recipe_id=canonical_hash(self.recipe.identity(self.route)),
            seed=self.seed,
        )

    @property
    def uses_pool(self) -> bool:
        """Whether the run reads unlabelled texts."""
        return bool(self.design.n_unlabeled or self.design.n_llm_labels)

    @property
    def title(self) -> str:
        """One line for people."""
        d = self.design
        counts = [f"{mark}={n}" for mark, n in (("N", d.n_labels), ("L", d.n_llm_labels), ("U", d.n_unlabeled)) if n]
        by = d.route.teacher or d.route.labeler
        models = f"{by} -> {d.route.student}" if by else d.route.student
        texts = f" of {self.unlabeled}" if self.uses_pool and self.unlabeled != "pool" else ""
        return f"{d.task} {d.route.strategy} {models} {' '.join(counts)}{texts} seed {self.seed}"


def make_spec(*, recipe: Recipe, **values: Any) -> RunSpec:
    """A spec from flat values: the fields of a design, `unlabeled` and `seed`.

    raises : InputError where the strategy lacks something, KeyError and TypeError where names are wrong
    """
    own = {name: value for name, value in values.items() if name not in DESIGN_FIELDS}
    return RunSpec(design=design_of(values), recipe=recipe, **own)


def to_json(spec: RunSpec) -> str:
    """One line of JSON that `run-one` reads: the design's fields, flat, beside the recipe."""
    own = {"unlabeled": spec.unlabeled, "seed": spec.seed, "recipe": recipe_dict(spec.recipe)}
    return json.dumps({**spec.design.flat(), **own, "schema_version": SPEC_SCHEMA_VERSION}, sort_keys=True)


def from_json(text: str, source: str = "spec") -> RunSpec:
    """Read a spec.

    raises : InputError where it is not one of this schema
    """
    try:
        values: dict[str, Any] = load_json(text)
        version = values.pop("schema_version")
        if version != SPEC_SCHEMA_VERSION or version is True:
            raise InputError(f"{source} has schema {version}, this budgetsim reads {SPEC_SCHEMA_VERSION}.")
        recipe = recipe_from(values.pop("recipe"))
        check_recipe(recipe)
        check_spec_values(values)
        return make_spec(recipe=recipe, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{source} is not a run spec ({error}); `budgetsim measure --dry-run --json` writes some."
        ) from None


def read_spec(path: Path) -> RunSpec:
    """Read a spec file.

    raises : InputError where it is missing or not a spec
    """
    return from_json(read_file(path, "run spec", MOST_DOCUMENT_BYTES), path.name)

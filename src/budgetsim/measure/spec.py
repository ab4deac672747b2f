"""RunSpec: one run as a value, in a file or on a pipe: the unit of work of every executor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import Design, DesignPoint, Route
from budgetsim.design.strategies import STRATEGIES, TRAINED
from budgetsim.errors import InputError
from budgetsim.learners.names import model_id
from budgetsim.measure.recipe import Recipe, recipe_dict, recipe_from

SPEC_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What to run; with the split id of the data at hand it becomes a design point."""

    task: str
    strategy: str
    student: str
    teacher: str | None = None
    labeler: str | None = None
    n_labels: int = 0
    n_llm_labels: int = 0
    n_unlabeled: int = 0
    unlabeled: str = "pool"  # pool, labelled, task:NAME or a file; the last two with a share, e.g. task:fever:share=0.5
    seed: int = 0
    recipe: Recipe

    def __post_init__(self) -> None:
        if self.strategy not in {s.name for s in TRAINED}:
            known = ", ".join(s.name for s in TRAINED)
            raise InputError(f"There is no strategy {self.strategy!r}; known are {known}.")
        needs = STRATEGIES[self.strategy].needs
        for name in ("n_labels", "n_llm_labels", "n_unlabeled", "teacher", "labeler"):
            given = bool(getattr(self, name))
            if given != (name in needs):
                want = "needs" if name in needs else "has no use for"
                raise InputError(f"{self.strategy} {want} {name}; found {getattr(self, name)!r}.")

    def design(self, split_id: str, unlabeled_source: str | None) -> DesignPoint:
        """The design point of this run on that split."""
        identity = self.recipe.identity(self.strategy, self.student, self.teacher)
        route = Route(
            strategy=self.strategy,
            teacher=None if self.teacher is None else model_id(self.teacher),
            labeler=self.labeler,
            student=model_id(self.student),
        )
        return DesignPoint(
            design=Design(
                task=self.task,
                route=route,
                n_labels=self.n_labels,
                n_llm_labels=self.n_llm_labels,
                n_unlabeled=self.n_unlabeled,
            ),
            split_id=split_id,
            unlabeled_source=unlabeled_source if self.uses_pool else None,
            recipe_id=canonical_hash(identity),
            seed=self.seed,
        )

    @property
    def uses_pool(self) -> bool:
        """Whether the run reads unlabelled texts."""
        return bool(self.n_unlabeled or self.n_llm_labels)

    @property
    def title(self) -> str:
        """One line for people."""
        counts = [f"N={self.n_labels}"] if self.n_labels else []
        counts += [f"L={self.n_llm_labels}"] if self.n_llm_labels else []
        counts += [f"U={self.n_unlabeled}"] if self.n_unlabeled else []
        who = f"{self.teacher} -> {self.student}" if self.teacher else self.student
        return f"{self.task} {self.strategy} {who} {' '.join(counts)} seed {self.seed}"


def to_json(spec: RunSpec) -> str:
    """One line of JSON that `run-one` reads."""
    values = {**asdict(spec), "recipe": recipe_dict(spec.recipe), "schema_version": SPEC_SCHEMA_VERSION}
    return json.dumps(values, sort_keys=True)


def from_json(text: str, source: str = "spec") -> RunSpec:
    """Read a spec.

    raises : InputError where it is not one of this schema
    """
    try:
        values: dict[str, Any] = json.loads(text)
        version = values.pop("schema_version")
        if version != SPEC_SCHEMA_VERSION:
            raise InputError(f"{source} has schema {version}, this budgetsim reads {SPEC_SCHEMA_VERSION}.")
        return RunSpec(**{**values, "recipe": recipe_from(values["recipe"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{source} is not a run spec ({error}); `budgetsim measure --dry-run --json` writes some."
        ) from None


def read_spec(path: Path) -> RunSpec:
    """Read a spec file.

    raises : InputError where it is missing or not a spec
    """
    try:
        return from_json(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); name a run spec in JSON.") from None

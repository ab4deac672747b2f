"""What can be trained here: kinds of learners, models with a short name, and what each is able to do."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.design.models import T5_SHAPES
from budgetsim.errors import BudgetsimError, InputError
from budgetsim.learners.catalogue import ALIASES, Alias, models_dir
from budgetsim.learners.names import CPU_FAMILY
from budgetsim.learners.protocol import Facts, Learner
from budgetsim.learners.registry import KINDS, SEQ2SEQ, Kind, parse_learner

State = Literal["cached", "installed", "needs extra", "not fetched"]

_SINGLE: Final = Task(
    name="any", kind="classification", metric="accuracy", constant_score=0.5, constant_answer="no", floors=(0.5,),
    n_test=1, source_tokens=1.0, target_tokens=1.0, description="any", labels=("no", "yes"), origin="custom",
)  # fmt: skip
_ASKED: Final[tuple[tuple[str, Task], ...]] = (
    ("texts", _SINGLE),
    ("pairs of texts", replace(_SINGLE, fields=("a", "b"))),
    ("words (tagging)", replace(_SINGLE, kind="tagging", labels=("O", "B-x", "I-x"))),
    ("generation", replace(_SINGLE, kind="generation", labels=())),
    ("questions (qa)", replace(_SINGLE, kind="qa", labels=())),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """A kind of learner; learns, gives : what it is taught by and teaches by."""

    grammar: str
    about: str
    does: tuple[TaskKind, ...]
    learns: tuple[str, ...]
    gives: tuple[str, ...]
    models: tuple[str, ...]  # short names that it takes


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model with a short name; place : where it lies, None where it does not."""

    name: str
    about: str
    hub: str
    licence: str
    megabytes: float
    state: State
    place: str | None
    extra: str | None
    learners: tuple[str, ...]
    n_downloads: int  # packages that `fetch` gets


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether a learner does what is asked, or why not."""

    learner: str
    asked: str
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A model or learner that was opened."""

    name: str
    place: str
    parameters: int | None
    megabytes: float | None
    licence: str | None
    abilities: tuple[Ability, ...]


def kinds() -> list[KindRow]:
    """Every kind of learner."""
    return [_kind_row(kind) for kind in (*KINDS, SEQ2SEQ)]


def models() -> list[ModelRow]:
    """Every model with a short name, and where it lies."""
    return [_model_row(name, alias) for name, alias in ALIASES.items()]


def find_model(name: str) -> ModelRow | None:
    """The model of a short name."""
    return next((row for row in models() if row.name == name), None)


def show(name: str) -> Facts:
    """Facts of a learner, or of a model by its first learner's way of holding it.

    raises : InputError where there is no such name, or its weights are not here
    """
    if is_learner(name):
        with _quiet():
            return parse_learner(name).facts()
    from budgetsim.learners.weights import check_model_name, check_weights, resolve, weigh

    check_model_name(name)
    weights = resolve(name)
    config, held, row = check_weights(weights), weigh(weights), find_model(name)
    architecture = config.get("model_type") or weights.gguf
    return Facts(
        kind="MODEL",
        parameters=held.numbers if held else None,
        trainable=None,
        megabytes=round(held.megabytes, 1) if held else row.megabytes if row else None,
        licence=weights.licence,
        place=weights.target if weights.folder else "the hub",
        notes=(*((row.about,) if row else ()), f"architecture: {architecture}"),
    )


def check(name: str) -> Checked:
    """Open a model or a learner as training would: config, weights, tokenizer, and what it is able to do.

    name : a learner's name, an alias, a folder or a hub name
    raises : InputError or MissingExtraError where it can do nothing, with the reason
    """
    with _quiet():
        learners = [parse_learner(name)] if is_learner(name) else _learners_of(name)
        abilities = [
            Ability(_written(learner, name), asked, _refusal(learner, task))
            for learner in learners
            for asked, task in _ASKED
            if task.kind in learner.kinds
        ]
    if all(ability.refusal is not None for ability in abilities):
        only = abilities[0].refusal
        raise InputError(only if len(learners) == 1 and only else f"{name} can be trained for nothing: {only}")
    able = next(a.learner for a in abilities if a.refusal is None)
    facts = show(able)
    return Checked(
        name=name, place=facts.place, parameters=facts.parameters, megabytes=facts.megabytes, licence=facts.licence,
        abilities=tuple(abilities),
    )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """The libraries say what they deprecate and draw bars; neither is an answer."""
    from budgetsim.learners.device import prepare

    if importlib.util.find_spec("torch") is not None:
        prepare(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def is_learner(name: str) -> bool:
    """Whether a name is a learner's; else it is a model's, or nothing's."""
    return any(name.split(":", 1)[0] == kind.word for kind in KINDS) or name in (*CPU_FAMILY, *T5_SHAPES)


def _learners_of(model: str) -> list[Learner]:
    """All learners that might take a model, whose weights are in order."""
    from budgetsim.learners.weights import check_model_name, check_weights, resolve

    check_model_name(model)
    check_weights(resolve(model))
    return [*(kind.parse(f"{kind.word}:{model}") for kind in KINDS if kind.takes_model), SEQ2SEQ.parse(model)]


def _written(learner: Learner, name: str) -> str:
    """A learner as it is typed; its own name would have a folder's hash."""
    if is_learner(name):
        return name
    word = learner.name.split(":", 1)[0]
    return f"{word}:{name}" if any(kind.word == word for kind in KINDS) else name


def _refusal(learner: Learner, task: Task) -> str | None:
    try:
        learner.check(task)
    except BudgetsimError as error:
        return str(error)
    return None


def _kind_row(kind: Kind) -> KindRow:
    learner = kind.parse(kind.example or kind.word)
    return KindRow(
        grammar=kind.grammar,
        about=kind.about,
        does=kind.does,
        learns=tuple(sorted(learner.learns)),
        gives=tuple(sorted(learner.gives)),
        models=tuple(name for name, alias in ALIASES.items() if kind.word in alias.learners),
    )


def _model_row(name: str, alias: Alias) -> ModelRow:
    state, place = _state(name, alias)
    return ModelRow(
        name=name, about=alias.about, hub=alias.hub, licence=alias.licence, megabytes=alias.megabytes, state=state,
        place=None if place is None else str(place), extra=alias.extra, learners=alias.learners,
        n_downloads=len(alias.download.parts) if alias.download else 0,
    )  # fmt: skip


def _state(name: str, alias: Alias) -> tuple[State, Path | None]:
    folder = models_dir() / name
    if folder.is_dir():
        return "cached", folder
    if alias.package is None:
        return "not fetched", None
    spec = importlib.util.find_spec(alias.package.replace("-", "_"))
    return ("needs extra", None) if spec is None or spec.origin is None else ("installed", Path(spec.origin).parent)

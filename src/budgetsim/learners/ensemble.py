"""`ensemble:NAME+NAME`: several learners taught alike, whose probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Final

import numpy as np

from budgetsim.data.tasks import Task, TaskKind
from budgetsim.errors import InputError
from budgetsim.learners.checks import check_kind
from budgetsim.learners.notebook import effort_of, read_notes, write_notes
from budgetsim.learners.protocol import (
    SOFT,
    Desk,
    Effort,
    Examples,
    Facts,
    Fitted,
    Learner,
    Probabilities,
    Signal,
    Stateless,
    Training,
    settled,
    softmax,
)  # fmt: skip
from budgetsim.learners.registry import parse_learner

GRAMMAR: Final = "ensemble:NAME+NAME"
_LEAST: Final = 1e-12  # probability, before its logarithm


def parse(name: str, rest: str) -> Ensemble:
    """The learner of a name.

    raises : InputError where it has fewer than two members, or one that gives no probabilities
    """
    names = [part.strip() for part in rest.split("+")]
    if len(names) < 2 or not all(names):
        raise InputError(f"{name!r} names fewer than two learners. Write {GRAMMAR}, e.g. ensemble:encoder-lr+tfidf-lr.")
    members = tuple(parse_learner(part) for part in names)
    silent = next((member for member in members if "probabilities" not in member.gives), None)
    if silent is not None:
        raise InputError(f"{silent.name} gives no probabilities to be averaged; leave it out of {name!r}.")
    return Ensemble(members)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The mean of its members' probabilities; each is trained with a seed of its own, so alike ones differ.

    source : Hinton, Vinyals and Dean (2015), arXiv 1503.02531; Lakshminarayanan et al. (2017), arXiv 1612.01474
    """

    members: tuple[Learner, ...]
    gives: frozenset[Signal] = SOFT
    usual_lr: float = 0.0  # of each member its own
    usual_l2: float = 0.0
    usual_temperature: float = 0.0

    @property
    def name(self) -> str:
        return f"ensemble:{'+'.join(member.name for member in self.members)}"

    @property
    def learns(self) -> frozenset[Signal]:
        return reduce(frozenset.intersection, (member.learns for member in self.members)) & SOFT

    @property
    def kinds(self) -> frozenset[TaskKind]:
        return reduce(frozenset.intersection, (member.kinds for member in self.members)) & {"classification"}

    @property
    def is_cheap(self) -> bool:
        return all(member.is_cheap for member in self.members)

    @property
    def encoders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for member in self.members for model in member.encoders))

    def identity(self, how: Training) -> dict[str, object]:
        return {f"{i}:{m.name}": m.identity(settled(m, how)) for i, m in enumerate(self.members)}

    def check(self, task: Task) -> None:
        check_kind(self, task)
        for member in self.members:
            member.check(task)

    def facts(self) -> Facts:
        parts = [member.facts() for member in self.members]
        counted = [part.parameters for part in parts if part.parameters is not None]
        sizes = [part.megabytes for part in parts if part.megabytes is not None]
        return Facts(
            kind=GRAMMAR,
            parameters=sum(counted) if len(counted) == len(parts) else None,
            trainable=None,
            megabytes=round(sum(sizes), 1) if len(sizes) == len(parts) else None,
            licence=", ".join(sorted({part.licence for part in parts if part.licence})) or None,
            place="; ".join(part.place for part in parts),
            notes=("mean of its members' probabilities",),
        )

    def fit(self, task: Task, examples: Examples, how: Training, desk: Desk) -> EnsembleFitted:
        self.check(task)
        fitted = []
        for i, member in enumerate(self.members):
            own = replace(desk, folder=desk.folder / f"member-{i}")
            fitted.append(member.fit(task, examples, settled(member, replace(how, seed=how.seed + i)), own))
        return EnsembleFitted(self.name, task, tuple(fitted), _total([f.effort for f in fitted]))

    def load(self, task: Task, folder: Path, cache: Path | None = None) -> EnsembleFitted:
        notes = read_notes(folder, self.name, task)
        fitted = tuple(member.load(task, folder / f"member-{i}", cache) for i, member in enumerate(self.members))
        return EnsembleFitted(self.name, task, fitted, effort_of(notes))


@dataclass(frozen=True, slots=True)
class EnsembleFitted(Stateless):
    """Members that were taught."""

    name: str
    task: Task
    members: tuple[Fitted, ...]
    effort: Effort

    def answer(self, sources: Sequence[str]) -> list[str]:
        return [self.task.labels[i] for i in self.logits(sources).argmax(1)]

    def logits(self, sources: Sequence[str]) -> Probabilities:
        return average([member.logits(sources) for member in self.members])

    def save(self, folder: Path) -> None:
        write_notes(folder, self.name, self.task, self.effort)
        for i, member in enumerate(self.members):
            member.save(folder / f"member-{i}")


def average(logits: Sequence[Probabilities]) -> Probabilities:
    """Logits whose probabilities are the mean of those of others, (n, classes) each.

    >>> softmax(average([np.log([[0.2, 0.8]]), np.log([[0.6, 0.4]])])).astype(float).round(3).tolist()
    [[0.4, 0.6]]
    """
    mean = np.mean([softmax(part).astype(np.float64) for part in logits], axis=0)
    return np.log(np.maximum(mean, _LEAST)).astype(np.float32)


def _total(efforts: Sequence[Effort]) -> Effort:
    counted = [effort.flops for effort in efforts if effort.flops is not None]
    return Effort(
        examples=sum(effort.examples for effort in efforts),
        tokens=sum(effort.tokens for effort in efforts),
        flops=sum(counted) if len(counted) == len(efforts) else None,
        resumed_at=max(effort.resumed_at for effort in efforts),
    )

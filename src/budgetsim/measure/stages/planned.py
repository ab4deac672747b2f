"""A stage before it is built: what its key hashes, what it rests on, how much work it holds, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from budgetsim.measure.stagestore import Stage, Work, stage_key

RunT = TypeVar("RunT")

Done = Mapping[str, Stage]  # key -> a stage that is finished
Build = Callable[[Path, Done], Work]


class Shelved(NamedTuple):
    """Texts that a stage puts on a shelf, unless another one did: which shelf and part of the data, places therein."""

    shelf: tuple[str, ...]
    places: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """A stage of a run: the one description that building, predicting and dry runs read.

    depends_on : what its key hashes
    about : fields of its record that are set beforehand
    examples : how many it will process, epochs included; as its record will say
    needs : stages that are built before it; `build` finds them among the finished ones by their keys
    build : does the work in an empty folder
    score_of : the stage whose record repeats this one's score: a teacher's, so that it stands in one place for teachers
        of every kind
    transient : whether its files are deleted at the end of the run: nothing else reads them
    shelved : the texts that it processes, where what comes of them is kept text by text; None where it is not
    """

    kind: str
    depends_on: Mapping[str, Any]
    about: Mapping[str, Any]
    examples: int
    needs: tuple[PlannedStage, ...] = ()
    build: Build = field(repr=False, compare=False)
    score_of: PlannedStage | None = None
    transient: bool = False
    shelved: Shelved | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """The stage's id."""
        return stage_key(self.kind, self.depends_on)

    @property
    def model(self) -> str | None:
        """The model that will work."""
        return self.about.get("model")


def in_building_order(last: PlannedStage) -> tuple[PlannedStage, ...]:
    """A stage after all it rests on, each once."""
    ordered: dict[str, PlannedStage] = {}

    def visit(stage: PlannedStage) -> None:
        if stage.key not in ordered:
            for need in stage.needs:
                visit(need)
            ordered[stage.key] = stage

    visit(last)
    return tuple(ordered.values())


def count_texts_once(
    runs: Iterable[tuple[RunT, Sequence[PlannedStage]]], is_there: Callable[[PlannedStage], bool]
) -> list[tuple[RunT, tuple[PlannedStage, ...]]]:
    """The same runs, each text of a shelf counted with the first stage that puts it there: others find it.

    is_there : whether a stage is built; its texts lie on their shelf already
    """
    planned = [(run, tuple(stages)) for run, stages in runs]
    shelves = list({s.key: s for _, stages in planned for s in stages if s.shelved is not None}.values())
    laid: dict[tuple[str, ...], set[int]] = {}
    counted: dict[str, PlannedStage] = {}
    for stage in sorted(shelves, key=lambda s: not is_there(s)):
        assert stage.shelved is not None
        there = laid.setdefault(stage.shelved.shelf, set())
        before = len(there)
        there.update(stage.shelved.places)
        counted[stage.key] = replace(stage, examples=len(there) - before)
    return [(run, tuple(counted.get(s.key, s) if s.shelved else s for s in stages)) for run, stages in planned]

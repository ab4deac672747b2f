"""A stage before it is built: what its key hashes, what it rests on, how much work it holds, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from budgetsim.measure.stagestore import Stage, Work, stage_key

Done = Mapping[str, Stage]  # key -> a stage that is finished
Build = Callable[[Path, Done], Work]


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
    """

    kind: str
    depends_on: Mapping[str, Any]
    about: Mapping[str, Any]
    examples: int
    needs: tuple[PlannedStage, ...] = ()
    build: Build = field(repr=False, compare=False)
    score_of: PlannedStage | None = None
    transient: bool = False

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

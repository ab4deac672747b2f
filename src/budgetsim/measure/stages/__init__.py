"""The stages of a run, a file a kind: each says what its key hashes, what it rests on, and how it is built.

A run is a graph of planned stages that ends in the one that holds its scores. `execute` builds what is missing of it,
`estimate` says how long that takes, dry runs count it. What a strategy needs is read off its `Strategy` value, what a
model can do off its learner: none is known by name here. torch is imported where a stage is built, never where it is
planned.
"""

from __future__ import annotations

from budgetsim.measure.resolve import Run
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages.planned import PlannedStage, count_texts_once, in_building_order
from budgetsim.measure.stages.student import plan_student_score
from budgetsim.measure.workspace import Workspace


def plan_stages(spec: RunSpec, workspace: Workspace) -> tuple[PlannedStage, ...]:
    """Every stage of a run in building order, whether there already or not; the last holds the scores."""
    return in_building_order(plan_student_score(Run(spec, workspace)))


__all__ = ["PlannedStage", "count_texts_once", "plan_stages"]

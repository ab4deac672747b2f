"""The stages of a run, a file a kind: each says what its key hashes, what it rests on, and how it is built.

A run is a graph of planned stages that ends in the one that holds its scores. `execute` builds what is missing of it,
`estimate` says how long that takes, dry runs count it. What a strategy needs is read off its `Strategy` value. torch is
imported where a stage is built, never where it is planned.
"""

from __future__ import annotations

from budgetsim.learners.names import is_cheap
from budgetsim.measure.lineage import is_taught
from budgetsim.measure.resolve import Run
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages.cheap_student import plan_cheap_student
from budgetsim.measure.stages.evaluate import plan_evaluation
from budgetsim.measure.stages.planned import PlannedStage, in_building_order
from budgetsim.measure.stages.student import plan_student
from budgetsim.measure.stages.taught_student import plan_taught_run
from budgetsim.measure.workspace import Workspace


def plan_stages(spec: RunSpec, workspace: Workspace) -> tuple[PlannedStage, ...]:
    """Every stage of a run in building order, whether there already or not; the last holds the scores."""
    run = Run(spec, workspace)
    if is_taught(spec.route):
        return in_building_order(plan_taught_run(run))
    if is_cheap(spec.route.student):
        return in_building_order(plan_cheap_student(run))
    student = plan_student(run)
    return in_building_order(plan_evaluation(run, spec.route.student, student, {"run": run.run_id}))


__all__ = ["PlannedStage", "plan_stages"]

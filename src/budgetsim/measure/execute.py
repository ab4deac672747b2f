"""One run, stage by stage, in the order of its plan; stages that are there already are not built again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from budgetsim.measure.resolve import Run, check_spec
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import PlannedStage, plan_stages
from budgetsim.measure.stages.evaluate import read_scores
from budgetsim.measure.stagestore import Stage, Work
from budgetsim.measure.workspace import Workspace
from budgetsim.store.records import Score


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave: its scores in percent, the main one first, and the stages it rests on."""

    scores: tuple[Score, ...]
    stages: tuple[Stage, ...]


def execute(spec: RunSpec, workspace: Workspace) -> Result:
    """Do a run.

    raises : InputError where the task has too few rows, or student and teacher do not fit together
    """
    check_spec(spec, workspace)
    run = Run(spec, workspace)
    plan = plan_stages(spec, workspace)
    done: dict[str, Stage] = {}
    for planned in plan:
        done[planned.key] = _get(planned, done, workspace)
    values = read_scores(done[plan[-1].key])
    scores = tuple(
        Score(metric=name, value=round(value, 4), n_test=len(run.evaluated), is_main=i == 0)
        for i, (name, value) in enumerate(values.items())
    )
    for planned in plan:
        if planned.transient:
            workspace.stages.drop(done[planned.key])
    return Result(scores, tuple(_with_scores(plan, done).values()))


def _get(planned: PlannedStage, done: dict[str, Stage], workspace: Workspace) -> Stage:
    def build(folder: Path) -> Work:
        return planned.build(folder, done)

    return workspace.stages.get(planned.kind, planned.depends_on, build, **planned.about)


def _with_scores(plan: tuple[PlannedStage, ...], done: dict[str, Stage]) -> dict[str, Stage]:
    """The stages, those that another one scored with that score in their records."""
    scored = dict(done)
    for planned in plan:
        if planned.score_of is not None:
            stage, by = done[planned.score_of.key], done[planned.key].record
            record = replace(stage.record, metric=by.metric, score=by.score)
            scored[planned.score_of.key] = Stage(stage.folder, record)
    return scored

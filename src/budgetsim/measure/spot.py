"""What a campaign is expected to take on machines that are taken away, with restarts from checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence

from budgetsim.costs.spot import paid_seconds
from budgetsim.measure.estimate import Estimator, is_short
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages import PlannedStage

TRAINED = ("finetune_teacher", "train_student")  # kinds of stages that save checkpoints on the way


def expected_seconds(
    plan: Sequence[tuple[RunSpec, Sequence[PlannedStage]]],
    estimator: Estimator,
    *,
    checkpoint_every: int,
    mean_life: float,
) -> float:
    """Seconds of devices of the runs of a plan, starting after losses included, the first start of workers not.

    checkpoint_every : steps
    mean_life : seconds
    """
    seconds = 0.0
    for spec, stages in plan:
        for stage in stages:
            work = estimator.stage(stage)
            step = _checkpoint_seconds(spec, stage, work, checkpoint_every)
            seconds += paid_seconds(work, checkpoint=step, restart=estimator.startup, mean_life=mean_life)
        seconds += estimator.overhead
    return seconds


def _checkpoint_seconds(spec: RunSpec, stage: PlannedStage, seconds: float, every: int) -> float:
    """Seconds of a stage between two checkpoints; infinite where it saves none."""
    steps = stage.examples / spec.recipe.batch
    if stage.kind not in TRAINED or is_short(stage.model or "") or not steps or not seconds:
        return math.inf
    return seconds * min(1.0, every / steps)

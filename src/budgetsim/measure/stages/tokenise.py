"""The word pieces of learners that bring none: learnt once, on the split's own train and pool texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from budgetsim.learners.protocol import Learner, shares_pieces
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stagestore import Work

PIECES = "pieces.model"


def plan_pieces(run: Run, learner: Learner) -> tuple[PlannedStage, ...]:
    """The stage that learns a learner's word pieces; none where it brings its own, or reads none."""
    if not shares_pieces(learner):
        return ()
    task = run.task
    stage = PlannedStage(
        kind="tokenise",
        depends_on={
            "split": run.split.split_id,
            "task": task.name,
            "labels": list(task.labels),
            "vocabulary": run.recipe.vocabulary,
        },
        about=run.about("sentencepiece"),
        examples=len(_texts(run)),
        build=partial(_build, run),
    )
    return (stage,)


def pieces_of(run: Run, learner: Learner, done: Done) -> Path | None:
    """The file of a learner's word pieces."""
    return next((done[stage.key].folder / PIECES for stage in plan_pieces(run, learner)), None)


def _texts(run: Run) -> Sequence[str]:
    texts = [row.source for row in (*run.split.train, *run.split.unlabeled)]
    return texts if run.task.labels else texts + [row.target for row in run.split.train]


def _build(run: Run, folder: Path, done: Done) -> Work:
    from budgetsim.learners.codec import train_pieces

    texts = _texts(run)
    model = train_pieces(texts, run.task.labels, run.recipe.vocabulary)
    (folder / PIECES).write_bytes(model)
    return Work(examples=len(texts))

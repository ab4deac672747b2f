"""The word pieces of the CPU family, learned on the split's own train and pool texts; checkpoints bring their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from budgetsim.learners.names import CPU_FAMILY, is_encoder
from budgetsim.measure.lineage import is_taught
from budgetsim.measure.resolve import Run, vocabulary_mismatch
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stagestore import Work

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec

PIECES = "pieces.model"


def plan_tokeniser(run: Run) -> tuple[PlannedStage, ...]:
    """The stage that learns the student's word pieces; none where a checkpoint brings its tokenizer."""
    task = run.task
    if run.route.student not in CPU_FAMILY:
        return ()
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


def load_codec(run: Run, done: Done) -> Codec:
    """The tokenizer of the student.

    raises : InputError where a checkpoint's cannot be loaded
    """
    from budgetsim.learners.codec import PieceCodec, checkpoint_codec
    from budgetsim.learners.models import hub_name

    for stage in plan_tokeniser(run):
        return PieceCodec((done[stage.key].folder / PIECES).read_bytes(), run.task.labels)
    return checkpoint_codec(hub_name(run.route.student))


def check_vocabulary(run: Run) -> None:
    """Refuse a teacher whose tokens are not the student's, before anything is trained.

    raises : InputError with the ways out
    """
    teacher, student = run.spec.teacher, run.route.student
    of_one_kind = teacher == student or is_encoder(teacher) or {teacher, student} <= set(CPU_FAMILY)
    if not run.strategy.teacher_stage or of_one_kind or is_taught(run.route):
        return
    from budgetsim.learners.codec import checkpoint_codec
    from budgetsim.learners.models import hub_name

    if not checkpoint_codec(hub_name(student)).same_as(checkpoint_codec(hub_name(teacher))):
        raise vocabulary_mismatch(run.spec)


def _texts(run: Run) -> Sequence[str]:
    texts = [row.source for row in (*run.split.train, *run.split.unlabeled)]
    return texts if run.task.labels else texts + [row.target for row in run.split.train]


def _build(run: Run, folder: Path, done: Done) -> Work:
    from budgetsim.learners.codec import train_pieces

    texts = _texts(run)
    model = train_pieces(texts, run.task.labels, run.recipe.vocabulary)
    (folder / PIECES).write_bytes(model)
    return Work(examples=len(texts))

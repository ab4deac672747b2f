"""A student of any kind: a learner taught by hard labels, or by what a teacher of any kind says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from budgetsim.data.rows import Row
from budgetsim.labelers import is_labeler
from budgetsim.learners.protocol import Examples, Learner
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.asked_teacher import plan_asked_answers, plan_asked_score
from budgetsim.measure.stages.learning import plan_features
from budgetsim.measure.stages.llm_labels import hard_labels, plan_llm_labels
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.student import about_student
from budgetsim.measure.stages.taught_teacher import (
    plan_answers,
    plan_learner_score,
    plan_taught_score,
    save_taught,
    taught_answers,
)  # fmt: skip
from budgetsim.measure.stagestore import Work


def plan_taught_run(run: Run) -> PlannedStage:
    """The score of the student, and all it rests on."""
    learner = parse_learner(run.route.student)
    return plan_learner_score(run, learner, _plan_student(run, learner), {"run": run.run_id})


def _plan_student(run: Run, learner: Learner) -> PlannedStage:
    steps = run.recipe.steps_of_student(run.n_examples, run.strategy)
    score, said = _teaching(run)
    seed, unlabeled = str(run.spec.seed), str(len(run.text_order))
    features = [
        *plan_features(run, learner, run.labelled, ("labels", str(run.design.n_labels), seed)),
        *plan_features(run, learner, _texts(run), ("texts", seed, "0", unlabeled)),
    ]
    return PlannedStage(
        kind="train_student",
        depends_on={"run": run.run_id},
        about=about_student(run) | {"model": learner.name},
        examples=run.n_examples if learner.is_cheap else steps * run.recipe.batch,
        needs=(*score, *said, *plan_llm_labels(run), *features),
        build=partial(_build, run, learner, steps, said),
        transient=True,
    )


def _texts(run: Run) -> Sequence[Row]:
    return [run.texts.rows[i] for i in run.text_order] if run.pool is not None else []


def _teaching(run: Run) -> tuple[tuple[PlannedStage, ...], tuple[PlannedStage, ...]]:
    """The teacher's own score, and what it says of the texts; nothing where there is no teacher."""
    if not run.strategy.teacher_stage:
        return (), ()
    if is_labeler(run.spec.teacher):
        return (plan_asked_score(run),), plan_asked_answers(run)
    return (plan_taught_score(run),), plan_answers(run)


def _build(run: Run, learner: Learner, steps: int, said: Sequence[PlannedStage], folder: Path, done: Done) -> Work:
    return save_taught(run, learner, _examples(run, said, done), steps, folder, "student")


def _examples(run: Run, said: Sequence[PlannedStage], done: Done) -> Examples:
    if said:
        return taught_answers(run, said, done)
    rows, answers = hard_labels(run, done)
    return Examples(sources=run.prefixed(rows), answers=answers)

"""A student of any kind: a learner taught by hard labels, or by what a teacher of any kind says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from budgetsim.labelers import is_labeler
from budgetsim.learners.protocol import Examples, Learner
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.asked_teacher import plan_asked_answers, plan_asked_score
from budgetsim.measure.stages.learning import plan_features
from budgetsim.measure.stages.llm_labels import hard_labels, plan_llm_labels
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.soft_labels import plan_soft_labels, taught_examples
from budgetsim.measure.stages.teacher import plan_score, plan_teacher_score, save_taught
from budgetsim.measure.stages.tokenise import plan_pieces
from budgetsim.measure.stagestore import Work


def plan_student_score(run: Run) -> PlannedStage:
    """The score of the student, and all it rests on."""
    learner = parse_learner(run.route.student)
    return plan_score(run, learner, _plan_student(run, learner), {"run": run.run_id})


def _plan_student(run: Run, learner: Learner) -> PlannedStage:
    """The taught student; its weights go once the run is scored."""
    steps = run.recipe.steps_of_student(run.n_examples, run.strategy)
    score, said = _teaching(run)
    seed, texts = str(run.spec.seed), (str(run.n_taken), str(len(run.text_order)))
    features = [
        *plan_features(run, learner, "train", run.label_order, ("labels", str(run.design.n_labels), seed)),
        *plan_features(run, learner, "pool", run.text_order if run.pool else [], ("texts", seed, *texts)),
    ]
    d = run.design
    return PlannedStage(
        kind="train_student",
        depends_on={"run": run.run_id},
        about=run.about(
            learner.name, n_labels=d.n_labels, n_llm_labels=d.n_llm_labels, n_unlabeled=d.n_unlabeled,
            seed=run.spec.seed,
        ),
        examples=run.n_examples if learner.is_cheap else steps * run.recipe.batch,
        needs=(*plan_pieces(run, learner), *score, *said, *plan_llm_labels(run), *features),
        build=partial(_build, run, learner, said),
        transient=True,
    )  # fmt: skip


def _teaching(run: Run) -> tuple[tuple[PlannedStage, ...], tuple[PlannedStage, ...]]:
    """The teacher's own score, and what it says of the texts; nothing where there is no teacher."""
    if not run.strategy.teacher_stage:
        return (), ()
    if is_labeler(run.spec.teacher):
        return (plan_asked_score(run),), plan_asked_answers(run)
    return (plan_teacher_score(run),), plan_soft_labels(run)


def _build(run: Run, learner: Learner, said: Sequence[PlannedStage], folder: Path, done: Done) -> Work:
    examples = _examples(run, learner, said, done)
    steps = run.recipe.steps_of_student(len(examples), run.strategy)
    return save_taught(run, learner, examples, steps, folder, done, teaches=False)


def _examples(run: Run, learner: Learner, said: Sequence[PlannedStage], done: Done) -> Examples:
    if said:
        return taught_examples(run, learner, said, done)
    rows, answers = hard_labels(run, done)
    return Examples(sources=run.read_by(learner, rows), answers=answers)

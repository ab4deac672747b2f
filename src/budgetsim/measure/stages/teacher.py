"""A teacher of any kind: a learner taught by people's labels, and its own score."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from budgetsim.learners.protocol import Examples, Learner
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.evaluate import score_answers
from budgetsim.measure.stages.learning import LEARNER, desk, plan_features, shelves, training, work_of
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.tokenise import plan_pieces
from budgetsim.measure.stagestore import Work


def plan_teacher(run: Run) -> PlannedStage:
    """The tuned teacher; the student itself where the strategy names none. One serves every number of texts."""
    name, n = run.spec.teacher, run.design.n_labels
    learner, steps = parse_learner(name), run.recipe.steps_of_teacher(n)
    pieces = plan_pieces(run, learner)
    return PlannedStage(
        kind="finetune_teacher",
        depends_on={
            "split": run.split.split_id, "task": run.task.name, "teacher": learner.name, "n_labels": n,
            "seed": run.spec.seed, "recipe": run.recipe.teacher_identity(name, steps),
            "pieces": [stage.key for stage in pieces],
        },
        about=run.about(learner.name, n_labels=n, seed=run.spec.seed),
        examples=n if learner.is_cheap else steps * run.recipe.batch,
        needs=(*pieces, *plan_features(run, learner, "train", run.label_order, ("labels", str(n), str(run.spec.seed)))),
        build=partial(_build, run, learner, steps),
    )  # fmt: skip


def plan_teacher_score(run: Run) -> PlannedStage:
    """The teacher's own score on the test items."""
    teacher, learner = plan_teacher(run), parse_learner(run.spec.teacher)
    return plan_score(run, learner, teacher, {"teacher": teacher.key}, scores_stage=True)


def plan_score(
    run: Run, learner: Learner, taught: PlannedStage, of: dict[str, str], *, scores_stage: bool = False
) -> PlannedStage:
    """The score of a taught learner.

    of : what its key hashes of the learner: {"run": run_id} for the student, {"teacher": key} for the teacher
    scores_stage : whether the record of the taught stage repeats the score
    """
    part = run.workspace.part
    return PlannedStage(
        kind="evaluate",
        depends_on={**of, "part": part},
        about=run.about(learner.name, n_labels=run.design.n_labels, seed=run.spec.seed),
        examples=len(run.evaluated),
        needs=(taught, *plan_features(run, learner, part, range(len(run.evaluated)), (part,))),
        build=partial(_evaluate, run, learner, taught),
        score_of=taught if scores_stage else None,
    )


def save_taught(
    run: Run, learner: Learner, examples: Examples, steps: int, folder: Path, done: Done, *, teaches: bool
) -> Work:
    """Teach a learner and keep it in the folder of its stage."""
    how = training(run, learner, steps, teaches=teaches)
    fitted = learner.fit(run.task, examples, how, desk(run, learner, folder, done, "teacher" if teaches else "student"))
    fitted.save(folder / LEARNER)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return work_of(fitted.effort, how)


def _build(run: Run, learner: Learner, steps: int, folder: Path, done: Done) -> Work:
    rows = run.labelled
    examples = Examples(sources=run.read_by(learner, rows), answers=[row.target for row in rows])
    return save_taught(run, learner, examples, steps, folder, done, teaches=True)


def _evaluate(run: Run, learner: Learner, taught: PlannedStage, folder: Path, done: Done) -> Work:
    fitted = learner.load(run.task, done[taught.key].folder / LEARNER, shelves(run))
    metric, value = score_answers(run, fitted.answer(run.read_by(learner, run.evaluated)), folder)
    return Work(examples=len(run.evaluated), metric=metric, score=value)

"""The seq2seq student of a run, trained on what its strategy trains on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgetsim.learners.names import model_id
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.llm_labels import hard_labels, plan_llm_labels
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.soft_labels import plan_soft_labels, taught_examples
from budgetsim.measure.stages.teacher import plan_teacher_score
from budgetsim.measure.stages.tokenise import load_codec, plan_tokeniser
from budgetsim.measure.stages.training import encode_examples, fresh_model, optimisation, save_trained
from budgetsim.measure.stagestore import Work

if TYPE_CHECKING:
    from budgetsim.learners.codec import Codec
    from budgetsim.learners.finetune import TrainExample


def plan_student(run: Run) -> PlannedStage:
    """The trained student; its weights go once the run is scored."""
    recipe = run.recipe
    steps = recipe.steps_for(run.n_examples, recipe.epochs(run.strategy))
    taught = (plan_teacher_score(run), plan_soft_labels(run)) if run.strategy.teacher_stage else ()
    return PlannedStage(
        kind="train_student",
        depends_on={"run": run.run_id},
        about=about_student(run),
        examples=steps * recipe.batch,
        needs=(*plan_tokeniser(run), *taught, *plan_llm_labels(run)),
        build=partial(_build, run),
        transient=True,
    )


def about_student(run: Run) -> dict[str, Any]:
    """Fields of a student's record that are set beforehand."""
    d = run.design
    return run.about(
        model_id(d.route.student), n_labels=d.n_labels, n_llm_labels=d.n_llm_labels, n_unlabeled=d.n_unlabeled,
        seed=run.spec.seed,
    )  # fmt: skip


def _build(run: Run, folder: Path, done: Done) -> Work:
    from budgetsim.learners import finetune

    recipe, codec = run.recipe, load_codec(run, done)
    examples, soft = _training_set(run, codec, done)
    model = fresh_model(run, run.route.student, codec)
    trained = finetune.train(
        model, examples, optimisation(run, recipe.lr, recipe.steps_for(len(examples), recipe.epochs(run.strategy))),
        soft=soft, checkpoints=folder / "checkpoints", checkpoint_every=run.workspace.checkpoint_every,
        progress=run.report("student"),
    )  # fmt: skip
    return save_trained(folder, model, trained, examples)


def _training_set(run: Run, codec: Codec, done: Done) -> tuple[list[TrainExample], Any]:
    """The examples, and the head that reads soft targets (None for hard ones)."""
    if run.strategy.teacher_stage:
        return taught_examples(run, codec, done)
    return encode_examples(run, codec, *hard_labels(run, done)), None

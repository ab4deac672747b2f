"""The teacher tuned on people's labels: a seq2seq model, or a classifier on the frozen encoder's features.

One teacher serves every number of texts.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from budgetsim.learners.names import is_encoder, model_id
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.encode import load_features, plan_encoding
from budgetsim.measure.stages.evaluate import plan_evaluation, score_answers
from budgetsim.measure.stages.planned import Build, Done, PlannedStage
from budgetsim.measure.stages.tokenise import load_codec, plan_tokeniser
from budgetsim.measure.stages.training import encode_examples, fresh_model, optimisation, save_trained
from budgetsim.measure.stagestore import Work

if TYPE_CHECKING:
    from budgetsim.learners.encoder import LogisticHead

_HEAD = "head.safetensors"


def plan_teacher(run: Run) -> PlannedStage:
    """The tuned teacher; the student itself where the strategy names no teacher."""
    name, recipe, n_labels = run.spec.teacher, run.recipe, run.design.n_labels
    needs: tuple[PlannedStage, ...]
    build: Build
    if is_encoder(name):
        encoded = (plan_encoding(run, "train"), plan_encoding(run, run.workspace.part))
        needs, build, examples = encoded, partial(_build_encoder, run, *encoded), n_labels
    else:
        examples = recipe.batch * recipe.steps_for(n_labels, recipe.epochs_teacher)
        needs, build = plan_tokeniser(run), partial(_build_seq2seq, run)
    return PlannedStage(
        kind="finetune_teacher",
        depends_on={
            "split": run.split.split_id, "task": run.task.name, "teacher": model_id(name), "n_labels": n_labels,
            "seed": run.spec.seed, "recipe": recipe.teacher_identity(name), "part": run.workspace.part,
        },
        about=run.about(model_id(name), n_labels=n_labels, seed=run.spec.seed),
        examples=examples,
        needs=needs,
        build=build,
    )  # fmt: skip


def plan_teacher_score(run: Run) -> PlannedStage:
    """The stage that gives the teacher's own score: an encoder teacher is scored where it is tuned."""
    teacher = plan_teacher(run)
    if is_encoder(run.spec.teacher):
        return teacher
    return plan_evaluation(run, run.spec.teacher, teacher, {"teacher": teacher.key}, scores_stage=True)


def load_head(teacher: PlannedStage, done: Done) -> LogisticHead:
    """The classifier of an encoder teacher."""
    from safetensors.numpy import load_file

    from budgetsim.learners.encoder import LogisticHead

    saved = load_file(done[teacher.key].folder / _HEAD)
    return LogisticHead(saved["weights"], saved["intercepts"])


def _build_seq2seq(run: Run, folder: Path, done: Done) -> Work:
    from budgetsim.learners import finetune, lora

    recipe, rows = run.recipe, run.labelled
    codec = load_codec(run, done)
    examples = encode_examples(run, codec, rows, [row.target for row in rows])
    how = optimisation(run, recipe.teacher_lr, recipe.steps_for(len(rows), recipe.epochs_teacher))
    trainable = lora.wrap(fresh_model(run, run.spec.teacher, codec), recipe.lora_rank, how.precision)
    trained = finetune.train(
        trainable, examples, how,
        checkpoints=folder / "checkpoints", checkpoint_every=run.workspace.checkpoint_every,
        progress=run.report("teacher"),
    )  # fmt: skip
    return save_trained(folder, lora.merge(trainable), trained, examples)


def _build_encoder(run: Run, train: PlannedStage, evaluated: PlannedStage, folder: Path, done: Done) -> Work:
    from safetensors.numpy import save_file

    from budgetsim.learners.encoder import fit_logistic

    labels, rows = run.task.labels, run.labelled
    features = load_features(train, done)[run.label_order]
    classes = np.array([labels.index(row.target) for row in rows])
    head = fit_logistic(features, classes, len(labels), run.recipe.encoder_l2)
    save_file({"weights": head.weights, "intercepts": head.intercepts}, folder / _HEAD)
    answers = [labels[i] for i in head.logits(load_features(evaluated, done)).argmax(1)]
    metric, value = score_answers(run, answers, folder)
    return Work(examples=len(rows), metric=metric, score=value)

"""A cheap student, trained and scored in one stage: it learns hard labels of a classification in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.encode import load_features, plan_encoding
from budgetsim.measure.stages.evaluate import score_answers
from budgetsim.measure.stages.llm_labels import hard_labels, labelled_texts, plan_llm_labels
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.student import about_student
from budgetsim.measure.stagestore import Work


def plan_cheap_student(run: Run) -> PlannedStage:
    """The student with its scores."""
    encoded = tuple(plan_encoding(run, part) for part in _encoded_parts(run))
    return PlannedStage(
        kind="train_student",
        depends_on={"run": run.run_id, "part": run.workspace.part},
        about=about_student(run),
        examples=run.n_examples,
        needs=(*plan_llm_labels(run), *encoded),
        build=partial(_build, run, encoded),
    )


def _encoded_parts(run: Run) -> list[str]:
    if run.route.student != "encoder-lr":
        return []
    return ["train", run.workspace.part, *(["pool"] if run.pool is not None else [])]


def _build(run: Run, encoded: Sequence[PlannedStage], folder: Path, done: Done) -> Work:
    rows, labels = hard_labels(run, done)
    if run.route.student == "overlap":
        answers = _overlap_answers(run, rows, labels)
    elif run.route.student == "tfidf-lr":
        answers = _tfidf_answers(run, rows, labels)
    else:
        order = labelled_texts(run, done)
        answers = _encoder_answers(run, labels, order, [load_features(stage, done) for stage in encoded])
    metric, value = score_answers(run, answers, folder)
    return Work(examples=len(rows), metric=metric, score=value)


def _overlap_answers(run: Run, rows: Sequence[Row], labels: Sequence[str]) -> list[str]:
    from budgetsim.learners.overlap import overlap_answers

    labelled = [Row(row.source, label, "") for row, label in zip(rows, labels, strict=True)]
    return overlap_answers(run.task, labelled, [row.source for row in run.evaluated])


def _tfidf_answers(run: Run, rows: Sequence[Row], labels: Sequence[str]) -> list[str]:
    from budgetsim.learners.encoder import fit_logistic, tfidf

    train, (test,) = tfidf([row.source for row in rows], [[row.source for row in run.evaluated]])
    head = fit_logistic(train, _classes(run, labels), len(run.task.labels), run.recipe.cheap_l2)
    return [run.task.labels[i] for i in head.logits(test).argmax(1)]


def _encoder_answers(
    run: Run, labels: Sequence[str], order: Sequence[int], features: Sequence[np.ndarray]
) -> list[str]:
    from budgetsim.learners.encoder import fit_logistic

    train, test, *pool = features
    people = [train[run.label_order]] if "n_labels" in run.strategy.trains_on else []
    rows = np.concatenate([*people, *(part[order] for part in pool)])
    head = fit_logistic(rows, _classes(run, labels), len(run.task.labels), run.recipe.encoder_l2)
    return [run.task.labels[i] for i in head.logits(test).argmax(1)]


def _classes(run: Run, labels: Sequence[str]) -> np.ndarray:
    return np.array([run.task.labels.index(label) for label in labels])

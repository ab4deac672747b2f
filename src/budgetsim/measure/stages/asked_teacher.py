"""An LLM as the teacher: it is shown owned labels, and its calibrated probabilities are a student's soft labels.

It is asked about no more texts than a run trains on; answers of a smaller run are on disk, so no text is asked twice.
Its own score on the test items is what "just call the LLM" gives, with its price a million texts in the provenance.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.labelers import Brief, Labeler, get_labeler
from budgetsim.labelers.own_score import own_score
from budgetsim.measure.resolve import Run, asked_brief
from budgetsim.measure.stages.evaluate import write_scores
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.soft_labels import ANSWERS, LOGITS
from budgetsim.measure.stagestore import Work

LEAST = 1e-6  # probability, before its logarithm


def plan_asked_score(run: Run) -> PlannedStage:
    """The LLM's own score on the test items."""
    labeler, brief = get_labeler(run.spec.teacher), asked_brief(run)
    part = run.workspace.part
    return PlannedStage(
        kind="evaluate",
        depends_on={**_identity(run, labeler, brief), "part": part},
        about=run.about(labeler.name, n_labels=run.design.n_labels, seed=run.spec.seed),
        examples=len(run.evaluated),
        build=partial(_score, run, labeler, brief),
    )


def plan_asked_answers(run: Run) -> tuple[PlannedStage, ...]:
    """What the LLM says of the texts that the run trains on."""
    labeler, brief = get_labeler(run.spec.teacher), asked_brief(run)
    rows = [run.texts.rows[i] for i in run.text_order]
    stage = PlannedStage(
        kind="soft_label",
        depends_on={**_identity(run, labeler, brief), "pool": run.texts.pool_id, "texts": len(rows)},
        about=run.about(
            labeler.name, n_labels=run.design.n_labels, n_unlabeled=len(rows), seed=run.spec.seed
        ),
        examples=len(rows),
        build=partial(_answer, run, labeler, brief, rows),
    )  # fmt: skip
    return (stage,)


def _identity(run: Run, labeler: Labeler, brief: Brief) -> dict[str, object]:
    own = {"split": run.split.split_id, "task": run.task.name, "labeler": labeler.name, "seed": run.spec.seed}
    return {**own, "n_labels": run.design.n_labels, **labeler.identity(brief)}


def _score(run: Run, labeler: Labeler, brief: Brief, folder: Path, done: Done) -> Work:
    own = own_score(labeler, run.evaluated, brief)
    write_scores(own.scores, folder)
    metric, value = next(iter(own.scores.items()))
    usd = own.usd_per_million_texts
    told = {"unanswered": own.n_unanswered, "usd_per_million_texts": None if usd is None else float(usd)}
    return Work(examples=own.n_texts, metric=metric, score=value, provenance={"llm": told})


def _answer(run: Run, labeler: Labeler, brief: Brief, rows: Sequence[Row], folder: Path, done: Done) -> Work:
    from safetensors.numpy import save_file

    probabilities = np.asarray(labeler.probabilities(rows, brief))
    answers = [run.task.labels[i] for i in probabilities.argmax(1)]
    (folder / ANSWERS).write_text(json.dumps(answers), encoding="utf-8")
    save_file({"logits": np.log(np.maximum(probabilities, LEAST)).astype(np.float32)}, folder / LOGITS)
    return Work(examples=len(rows), provenance={"cache": "label"})

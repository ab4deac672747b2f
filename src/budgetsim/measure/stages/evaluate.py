"""The score of a seq2seq model on the test items, and the file that scores are kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from budgetsim.data import metrics
from budgetsim.learners.names import model_id
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.tokenise import load_codec
from budgetsim.measure.stages.training import load_trained
from budgetsim.measure.stagestore import Stage, Work

_FILE = "scores.json"


def plan_evaluation(
    run: Run, name: str, trained: PlannedStage, of: Mapping[str, str], *, scores_stage: bool = False
) -> PlannedStage:
    """The score of a trained model.

    of : what its key hashes of the model: {"run": run_id} for the student, {"teacher": key} for the teacher
    scores_stage : whether the record of the trained stage repeats the score
    """
    return PlannedStage(
        kind="evaluate",
        depends_on={**of, "part": run.workspace.part},
        about=run.about(model_id(name), n_labels=run.design.n_labels, seed=run.spec.seed),
        examples=len(run.evaluated),
        needs=(trained,),
        build=partial(_build, run, name, trained),
        score_of=trained if scores_stage else None,
    )


def score_answers(run: Run, answers: Sequence[str], folder: Path) -> tuple[str, float]:
    """Score answers to the evaluated rows and keep the scores; the main metric and its value come back."""
    rows = run.evaluated
    scores = metrics.score(run.task, [r.source for r in rows], answers, [r.target for r in rows])
    write_scores(scores, folder)
    return next(iter(scores.items()))


def write_scores(scores: Mapping[str, float], folder: Path) -> None:
    """Keep scores in percent, the main one first."""
    (folder / _FILE).write_text(json.dumps(dict(scores)), encoding="utf-8")


def read_scores(stage: Stage) -> dict[str, float]:
    """Scores of a stage in percent, the main one first."""
    scores: dict[str, float] = json.loads((stage.folder / _FILE).read_text(encoding="utf-8"))
    return scores


def _build(run: Run, name: str, trained: PlannedStage, folder: Path, done: Done) -> Work:
    from budgetsim.learners import evaluate

    codec = load_codec(run, done)
    model = load_trained(run, name, done[trained.key].folder, codec)
    answers = evaluate.answer(
        model, codec, run.prefixed(run.evaluated), source_tokens=run.recipe.source_tokens,
        target_tokens=run.target_tokens, batch=128, labels=run.task.labels,
    )  # fmt: skip
    metric, value = score_answers(run, answers, folder)
    return Work(examples=len(run.evaluated), metric=metric, score=value)

"""A teacher of any kind: a learner taught by people's labels, its score, and what it says of texts, block by block."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.learners.protocol import Examples, Fitted, Learner, Probabilities
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.evaluate import score_answers
from budgetsim.measure.stages.learning import LEARNER, desk, plan_features, shelves, training, work_of
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stagestore import Work

ANSWERS, LOGITS = "answers.json", "logits.safetensors"
FIRST_BLOCK: Final = 300  # texts; a few texts do not cost a whole block
BLOCK: Final = 1000


def plan_taught_teacher(run: Run) -> PlannedStage:
    """The tuned teacher; one serves every number of texts."""
    name, n = run.spec.teacher, run.design.n_labels
    learner, steps = parse_learner(name), run.recipe.steps_of_teacher(n)
    return PlannedStage(
        kind="finetune_teacher",
        depends_on={
            "split": run.split.split_id, "task": run.task.name, "teacher": learner.name, "n_labels": n,
            "seed": run.spec.seed, "recipe": run.recipe.learner_identity(name, steps, 0),
        },
        about=run.about(learner.name, n_labels=n, seed=run.spec.seed),
        examples=n if learner.is_cheap else steps * run.recipe.batch,
        needs=plan_features(run, learner, run.labelled, ("labels", str(n), str(run.spec.seed))),
        build=partial(_fit, run, learner, steps),
    )  # fmt: skip


def plan_taught_score(run: Run) -> PlannedStage:
    """The teacher's own score on the test items."""
    teacher, learner = plan_taught_teacher(run), parse_learner(run.spec.teacher)
    return plan_learner_score(run, learner, teacher, {"teacher": teacher.key}, scores_stage=True)


def plan_learner_score(
    run: Run, learner: Learner, taught: PlannedStage, of: dict[str, str], *, scores_stage: bool = False
) -> PlannedStage:
    """The score of a taught learner; as `evaluate.plan_evaluation`."""
    part = run.workspace.part
    return PlannedStage(
        kind="evaluate",
        depends_on={**of, "part": part},
        about=run.about(learner.name, n_labels=run.design.n_labels, seed=run.spec.seed),
        examples=len(run.evaluated),
        needs=(taught, *plan_features(run, learner, run.evaluated, (part,))),
        build=partial(_evaluate, run, learner, taught),
        score_of=taught if scores_stage else None,
    )


def plan_answers(run: Run) -> tuple[PlannedStage, ...]:
    """What the teacher says of the texts that a run uses: in blocks of the seed's order, each made once."""
    teacher, learner, order = plan_taught_teacher(run), parse_learner(run.spec.teacher), run.pool_order
    seed = run.spec.seed
    stages = []
    for start, stop in blocks(len(run.text_order), len(order)):
        rows = [run.texts.rows[i] for i in order[start:stop]]
        stages.append(
            PlannedStage(
                kind="soft_label",
                depends_on={"teacher": teacher.key, "pool": run.texts.pool_id, "block": [start, stop]},
                about=run.about(learner.name, n_labels=run.design.n_labels, n_unlabeled=stop - start, seed=seed),
                examples=len(rows),
                needs=(teacher, *plan_features(run, learner, rows, ("texts", str(seed), str(start), str(stop)))),
                build=partial(_answer, run, learner, teacher, rows),
            )
        )
    return tuple(stages)


def blocks(n_used: int, n_texts: int) -> list[tuple[int, int]]:
    """Bounds of the blocks that hold the first texts of a pool.

    >>> blocks(30, 5000), blocks(1001, 1500)
    ([(0, 300)], [(0, 300), (300, 1000), (1000, 1500)])
    """
    ends = [FIRST_BLOCK, *range(BLOCK, n_texts + BLOCK, BLOCK)]
    starts = [0, *ends[:-1]]
    return [(a, min(b, n_texts)) for a, b in zip(starts, ends, strict=True) if a < n_used]


def taught_answers(run: Run, said: Sequence[PlannedStage], done: Done) -> Examples:
    """The texts of a run with what its teacher said of them, and people's labels behind them where the recipe says
    gold.

    said : the stages that hold what it said
    """
    rows = [run.texts.rows[i] for i in run.text_order]
    stages = [done[stage.key].folder for stage in said]
    answers = [a for folder in stages for a in json.loads((folder / ANSWERS).read_text(encoding="utf-8"))][: len(rows)]
    logits = _logits(stages, sum(_places(run, row) for row in rows))
    examples = Examples(sources=run.prefixed(rows), answers=answers, logits=logits)
    return _with_gold(run, examples) if run.recipe.gold else examples


def _with_gold(run: Run, taught: Examples) -> Examples:
    rows = run.labelled
    logits = taught.logits
    if logits is not None:
        blank = np.zeros((sum(_places(run, row) for row in rows), logits.shape[1]), dtype=np.float32)
        logits = np.concatenate([logits, blank])
    return replace(
        taught,
        sources=[*taught.sources, *run.prefixed(rows)],
        answers=[*taught.answers, *(row.target for row in rows)],
        logits=logits,
        is_gold=np.arange(len(taught) + len(rows)) >= len(taught),
    )


def _places(run: Run, row: Row) -> int:
    """Rows of logits that a text has: one, or one a word."""
    return len(row.source.split()) if run.task.kind == "tagging" else 1


def _logits(folders: Sequence[Path], n: int) -> Probabilities | None:
    from safetensors.numpy import load_file

    files = [folder / LOGITS for folder in folders]
    if not all(file.exists() for file in files):
        return None
    logits: Probabilities = np.concatenate([load_file(file)["logits"] for file in files])[:n]
    return logits


def _fit(run: Run, learner: Learner, steps: int, folder: Path, done: Done) -> Work:
    rows = run.labelled
    examples = Examples(sources=run.prefixed(rows), answers=[row.target for row in rows])
    return save_taught(run, learner, examples, steps, folder, "teacher")


def save_taught(run: Run, learner: Learner, examples: Examples, steps: int, folder: Path, role: str) -> Work:
    """Teach a learner and keep it in the folder of its stage."""
    how = training(run, learner, steps)
    fitted = learner.fit(run.task, examples, how, desk(run, folder, role))
    fitted.save(folder / LEARNER)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return work_of(fitted.effort, how)


def _evaluate(run: Run, learner: Learner, taught: PlannedStage, folder: Path, done: Done) -> Work:
    fitted = learner.load(run.task, done[taught.key].folder / LEARNER, shelves(run))
    metric, value = score_answers(run, fitted.answer(run.prefixed(run.evaluated)), folder)
    return Work(examples=len(run.evaluated), metric=metric, score=value)


def _answer(run: Run, learner: Learner, teacher: PlannedStage, rows: Sequence[Row], folder: Path, done: Done) -> Work:
    from safetensors.numpy import save_file

    fitted = learner.load(run.task, done[teacher.key].folder / LEARNER, shelves(run))
    sources = run.prefixed(rows)
    answers, logits = _said(fitted, run.task, sources, "probabilities" in learner.gives)
    if logits is not None:
        save_file({"logits": logits}, folder / LOGITS)
    (folder / ANSWERS).write_text(json.dumps(answers), encoding="utf-8")
    return Work(examples=len(rows), provenance={"cache": "label" if run.task.labels else "texts"})


def _said(fitted: Fitted, task: Task, sources: Sequence[str], is_soft: bool) -> tuple[list[str], Probabilities | None]:
    """Answers, and logits where there are any; a class that is most likely is the answer, so texts are read once."""
    logits = fitted.logits(sources) if task.labels and is_soft else None
    if logits is None or task.kind != "classification":
        return fitted.answer(sources), logits
    return [task.labels[i] for i in logits.argmax(axis=1)], logits

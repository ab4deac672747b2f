"""What a teacher says of the texts of a run: in blocks of the seed's order, each made once, and the examples of them.

What a block holds follows from the two learners (`signal_between`): states where a student reads its teacher's
vocabulary, logits over the classes where there are classes, else texts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.learners.protocol import Examples, Fitted, Learner, Probabilities, Signal, signal_between
from budgetsim.learners.registry import parse_learner
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.learning import LEARNER, plan_features, shelves
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stages.teacher import plan_teacher
from budgetsim.measure.stagestore import Work

ANSWERS, LOGITS, STATES = "answers.json", "logits.safetensors", "states.safetensors"
FIRST_BLOCK: Final = 300  # texts; a few texts do not cost a whole block
BLOCK: Final = 1000


def plan_soft_labels(run: Run) -> tuple[PlannedStage, ...]:
    """The blocks that hold the texts that a run uses."""
    teacher, learner, order = plan_teacher(run), parse_learner(run.spec.teacher), run.pool_order
    signal = signal_between(learner, parse_learner(run.route.student), run.task) or "texts"
    seed = run.spec.seed
    stages = []
    for start, stop in blocks(len(run.text_order), len(order)):
        places = order[start:stop]
        rows = [run.texts.rows[i] for i in places]
        features = plan_features(run, learner, "pool", places, ("texts", str(seed), str(start), str(stop)))
        stages.append(
            PlannedStage(
                kind="soft_label",
                depends_on={
                    "teacher": teacher.key, "pool": run.texts.pool_id, "block": [start, stop], "signal": signal
                },
                about=run.about(learner.name, n_labels=run.design.n_labels, n_unlabeled=stop - start, seed=seed),
                examples=len(rows),
                needs=(teacher, *features),
                build=partial(_build, run, learner, teacher, rows, signal, start == 0),
            )
        )  # fmt: skip
    return tuple(stages)


def blocks(n_used: int, n_texts: int) -> list[tuple[int, int]]:
    """Bounds of the blocks that hold the first texts of a pool.

    >>> blocks(30, 5000), blocks(1001, 1500)
    ([(0, 300)], [(0, 300), (300, 1000), (1000, 1500)])
    """
    ends = [FIRST_BLOCK, *range(BLOCK, n_texts + BLOCK, BLOCK)]
    starts = [0, *ends[:-1]]
    return [(a, min(b, n_texts)) for a, b in zip(starts, ends, strict=True) if a < n_used]


def taught_examples(run: Run, student: Learner, said: Sequence[PlannedStage], done: Done) -> Examples:
    """The texts of a run with what its teacher said of them, and people's labels behind them where the recipe says
    gold.

    said : the stages that hold what it said
    """
    rows = [run.texts.rows[i] for i in run.text_order]
    folders = [done[stage.key].folder for stage in said]
    answers = [a for folder in folders for a in json.loads((folder / ANSWERS).read_text(encoding="utf-8"))]
    examples = Examples(
        sources=run.read_by(student, rows),
        answers=answers[: len(rows)],
        logits=_logits(folders, sum(_places(run, row) for row in rows)),
        states=_states(folders, len(rows)),
    )
    return _with_gold(run, student, examples) if run.recipe.gold else examples


def _with_gold(run: Run, student: Learner, taught: Examples) -> Examples:
    rows = run.labelled
    logits = taught.logits
    if logits is not None:
        blank = np.zeros((sum(_places(run, row) for row in rows), logits.shape[1]), dtype=np.float32)
        logits = np.concatenate([logits, blank])
    return replace(
        taught,
        sources=[*taught.sources, *run.read_by(student, rows)],
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


def _states(folders: Sequence[Path], n: int) -> Any:
    files = [folder / STATES for folder in folders]
    if not all(file.exists() for file in files):
        return None
    from budgetsim.learners.distill import StateCache

    return StateCache.load(files, n)


def _build(
    run: Run, learner: Learner, teacher: PlannedStage, rows: Sequence[Row], signal: Signal, is_first: bool,
    folder: Path, done: Done,
) -> Work:  # fmt: skip
    fitted = learner.load(run.task, done[teacher.key].folder / LEARNER, shelves(run))
    sources = run.read_by(learner, rows)
    if signal == "states":
        answers = _write_states(fitted, sources, folder, is_first)
    else:
        answers = _write_logits(fitted, run.task, sources, signal, folder)
    (folder / ANSWERS).write_text(json.dumps(answers), encoding="utf-8")
    return Work(examples=len(rows), provenance={"cache": _CACHES[signal]})


_CACHES: Final = {"states": "full", "probabilities": "label", "texts": "texts", "labels": "texts"}


def _write_states(fitted: Any, sources: Sequence[str], folder: Path, is_first: bool) -> list[str]:
    states = fitted.states(sources)
    states.save(folder / STATES, with_matrix=is_first)
    said: list[str] = fitted.written(states)
    return said


def _write_logits(fitted: Fitted, task: Task, sources: Sequence[str], signal: Signal, folder: Path) -> list[str]:
    """Answers, beside logits where there are any; a class that is most likely is the answer, so texts are read once."""
    if signal != "probabilities":
        return fitted.answer(sources)
    from safetensors.numpy import save_file

    logits = fitted.logits(sources)
    save_file({"logits": logits}, folder / LOGITS)
    if task.kind != "classification":
        return fitted.answer(sources)
    return [task.labels[i] for i in logits.argmax(axis=1)]

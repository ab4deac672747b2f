"""One labelling pass of the pool by an LLM, or a simulated one; labels are kept as numbers of the label list."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from budgetsim.data.metrics.classification import micro_f1
from budgetsim.data.rows import Row
from budgetsim.labelers import get_labeler
from budgetsim.measure.resolve import Run
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stagestore import Work

_FILE = "labels.json"


def plan_llm_labels(run: Run) -> tuple[PlannedStage, ...]:
    """The labelling pass; none where the strategy has no labeler."""
    labeler, seed = run.route.labeler, run.spec.seed
    if not run.strategy.has_labeler:
        return ()
    n = len(run.part("pool"))
    stage = PlannedStage(
        kind="llm_label",
        depends_on={"pool": run.texts.pool_id, "labeler": labeler, "seed": seed, "task": run.task.name},
        about=run.about(labeler, n_llm_labels=n, seed=seed),
        examples=n,
        build=partial(_build, run),
    )
    return (stage,)


def hard_labels(run: Run, done: Done) -> tuple[list[Row], list[str]]:
    """Rows with the labels that people and an LLM gave them, as far as the strategy trains on them."""
    rows = run.labelled if "n_labels" in run.strategy.trains_on else []
    labels = [row.target for row in rows]
    for stage in plan_llm_labels(run):
        numbers = json.loads((done[stage.key].folder / _FILE).read_text(encoding="utf-8"))
        rows = rows + [run.texts.rows[i] for i in run.text_order]
        labels = labels + [run.task.labels[numbers[i]] for i in run.text_order]
    return rows, labels


def _build(run: Run, folder: Path, done: Done) -> Work:
    rows, names = run.texts.rows, run.task.labels
    assert run.route.labeler is not None
    labels = get_labeler(run.route.labeler).label(rows, names, run.spec.seed)
    (folder / _FILE).write_text(json.dumps([names.index(label) for label in labels]), encoding="utf-8")
    right = micro_f1(labels, [row.target for row in rows])
    return Work(examples=len(labels), metric="accuracy", score=right)

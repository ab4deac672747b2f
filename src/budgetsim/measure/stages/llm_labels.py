"""One labelling pass of the pool by an LLM, or a simulated one; labels are kept as numbers of the label list.

A simulated labeler labels the whole pool, one that is paid for the texts that the run trains on: a larger run finds
the answers of a smaller one on disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from budgetsim.data.metrics.classification import micro_f1
from budgetsim.data.rows import Row
from budgetsim.labelers import Labels, get_labeler, is_labeler
from budgetsim.measure.resolve import Run, asked_brief
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stages.planned import Done, PlannedStage
from budgetsim.measure.stagestore import Work
from budgetsim.measure.workspace import Workspace

_FILE = "labels.json"


def plan_llm_labels(run: Run) -> tuple[PlannedStage, ...]:
    """The labelling pass; none where the strategy has no labeler."""
    if not run.strategy.has_labeler:
        return ()
    labeler, seed, places = run.route.labeler, run.spec.seed, _places(run)
    own = {"texts": len(places), **run.labeler.identity(run.brief)} if run.labeler.asks else {}
    stage = PlannedStage(
        kind="llm_label",
        depends_on={"pool": run.texts.pool_id, "labeler": labeler, "seed": seed, "task": run.task.name, **own},
        about=run.about(labeler, n_llm_labels=len(places), seed=seed),
        examples=len(places),
        build=partial(_build, run),
    )
    return (stage,)


def hard_labels(run: Run, done: Done) -> tuple[list[Row], list[str]]:
    """Rows with the labels that people and an LLM gave them, as far as the strategy trains on them.

    A text that the LLM gave no label is no example.
    """
    rows = run.labelled if "n_labels" in run.strategy.trains_on else []
    labels = [row.target for row in rows]
    for numbers in _numbers(run, done):
        order = labelled_texts(run, done)
        rows = rows + [run.texts.rows[i] for i in order]
        labels = labels + [run.task.labels[numbers[i]] for i in order]
    return rows, labels


def labelled_texts(run: Run, done: Done) -> list[int]:
    """Places in the pool of the run's texts that the labeler gave a label, in order; none where there is no labeler."""
    return [i for numbers in _numbers(run, done) for i in run.text_order if numbers[i] is not None]


def knock_at_servers(specs: Iterable[RunSpec], workspace: Workspace) -> None:
    """See that the servers of labelers that have something to ask are there; what is answered needs none.

    raises : as `Labeler.knock`
    """
    asking = [spec for spec in specs if spec.strategy.has_labeler or is_labeler(spec.teacher)]
    runs = sorted((Run(spec, workspace) for spec in asking), key=lambda run: len(run.text_order))
    largest = {(run.route.labeler or run.spec.teacher, run.task.name): run for run in runs}
    for run in largest.values():
        if run.strategy.has_labeler:
            run.labeler.knock(_rows(run), run.brief)
        else:
            get_labeler(run.spec.teacher).knock([run.texts.rows[i] for i in run.text_order], asked_brief(run))


def _numbers(run: Run, done: Done) -> list[Any]:
    """Numbers of the labels of the pool's texts, None where a text has none."""
    return [
        json.loads((done[stage.key].folder / _FILE).read_text(encoding="utf-8")) for stage in plan_llm_labels(run)
    ]  # fmt: skip


def _places(run: Run) -> list[int]:
    return run.text_order if run.labeler.asks else list(range(len(run.texts.rows)))


def _rows(run: Run) -> list[Row]:
    return [run.texts.rows[i] for i in _places(run)]


def _build(run: Run, folder: Path, done: Done) -> Work:
    names, places, rows = run.task.labels, _places(run), _rows(run)
    said = run.labeler.label(rows, run.brief)
    numbers: list[int | None] = [None] * len(run.texts.rows)
    for place, answer in zip(places, said.answers, strict=True):
        numbers[place] = None if answer is None else names.index(answer)
    (folder / _FILE).write_text(json.dumps(numbers), encoding="utf-8")
    return Work(examples=len(rows), metric="accuracy", score=_accuracy(said, rows), **_provenance(said, rows, run))


def _accuracy(said: Labels, rows: Sequence[Row]) -> float | None:
    """In percent: on owned labels held out from the prompt; of a simulated labeler, of the labels it gave."""
    if said.trial is not None:
        return 100.0 * said.trial.accuracy
    known = [(a, row.target) for a, row in zip(said.answers, rows, strict=True) if a is not None and row.target]
    return micro_f1([a for a, _ in known], [t for _, t in known]) if len(known) == len(rows) else None


def _provenance(said: Labels, rows: Sequence[Row], run: Run) -> dict[str, Any]:
    if not run.labeler.asks:
        return {}
    bill = said.bill
    known = [a == row.target for a, row in zip(said.answers, rows, strict=True) if a is not None and row.target]
    told = {
        "trial": None if said.trial is None else said.trial.as_dict(),
        "n_refused": said.n_refused,
        "n_unreadable": said.n_unreadable,
        "accuracy_on_texts": round(100.0 * sum(known) / len(known), 4) if known else None,
        "tokens": {"input": bill.usage.n_input, "cached": bill.usage.n_cached, "output": bill.usage.n_output},
        "usd": None if bill.n_unpriced else float(bill.usd),
    }
    return {"tokens": bill.usage.n_input + bill.usage.n_output, "provenance": {"llm": told}}

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
from budgetsim.labelers import Brief, Labeler, Labels, get_labeler, is_labeler
from budgetsim.labelers.purse import Quote
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
    labeler, seed, places = run.labeler.name, run.spec.seed, _places(run)
    beside = {"beside": run.n_taken} if run.n_taken else {}
    own = {"texts": len(places), **beside, **run.labeler.identity(run.brief)} if run.labeler.asks else {}
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
    largest = {
        (labeler.name, brief.task.name): (labeler, rows, brief) for labeler, rows, brief in _asked(specs, workspace)
    }
    for labeler, rows, brief in largest.values():
        labeler.knock(rows, brief)


def quote_requests(specs: Iterable[RunSpec], workspace: Workspace) -> dict[tuple[str, str], Quote]:
    """What the runs will ask that nobody answered yet, by labeler and task: at most, as a server counts tokens.

    Runs of one labeler on one task and seed, shown the same rows, ask about nested texts: the largest counts.
    """
    largest = {
        (labeler.name, brief.task.name, brief.seed, len(brief.owned)): (labeler, rows, brief)
        for labeler, rows, brief in _asked(specs, workspace)
    }
    quotes: dict[tuple[str, str], Quote] = {}
    for (name, task, *_), (labeler, rows, brief) in largest.items():
        quotes[name, task] = quotes.get((name, task), Quote()) + labeler.quote(rows, brief)
    return quotes


def _asked(specs: Iterable[RunSpec], workspace: Workspace) -> list[tuple[Labeler, list[Row], Brief]]:
    """Who is asked about which texts, the run of fewest first; an LLM that teaches also of the test items."""
    runs = [Run(spec, workspace) for spec in specs if spec.strategy.has_labeler or is_labeler(spec.teacher)]
    asked: list[tuple[Labeler, list[Row], Brief]] = []
    for run in sorted(runs, key=lambda run: len(run.text_order)):
        if run.strategy.has_labeler:
            asked.append((run.labeler, _rows(run), run.brief))
        else:
            rows = [*run.evaluated, *(run.texts.rows[i] for i in run.text_order)]
            asked.append((get_labeler(run.spec.teacher), rows, asked_brief(run)))
    return asked


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
    """In percent: on owned labels that it was not shown; of a simulated labeler, of the labels it gave."""
    if said.trial is not None:
        return 100.0 * said.trial.accuracy
    known = [(a, row.target) for a, row in zip(said.answers, rows, strict=True) if a is not None and row.target]
    return micro_f1([a for a, _ in known], [t for _, t in known]) if len(known) == len(rows) else None


def _provenance(said: Labels, rows: Sequence[Row], run: Run) -> dict[str, Any]:
    if not run.labeler.asks and said.trial is None:
        return {}
    bill = said.bill
    known = [a == row.target for a, row in zip(said.answers, rows, strict=True) if a is not None and row.target]
    told = {
        "trial": None if said.trial is None else said.trial.as_dict(),
        "n_refused": said.n_refused,
        "n_unreadable": said.n_unreadable,
        "accuracy_on_texts": round(100.0 * sum(known) / len(known), 4) if known else None,
    }
    if not run.labeler.asks:
        return {"provenance": {"llm": told}}
    paid = {
        "tokens": {"input": bill.usage.n_input, "cached": bill.usage.n_cached, "output": bill.usage.n_output},
        "usd": None if bill.n_unpriced else float(bill.usd),
    }
    return {"tokens": bill.usage.n_input + bill.usage.n_output, "provenance": {"llm": {**told, **paid}}}

"""What to do, on the page of findings: ten lines at most, each with its evidence; a line without evidence is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from measured_cells import (
    Cell,
    Told,
    annotated,
    beside_learner,
    differences,
    gains_at_labels,
    over_tasks,
    pairs_of,
    shares_of_people,
)
from measured_foreign import kind_of


def advice(cells: Sequence[Cell], foreign: Sequence[Sequence[Any]]) -> list[str]:
    """The section, its lines numbered."""
    lines = chain(_learner(cells), _distilling(cells), _labels(cells), _machine(cells), _texts(foreign))
    return ["## What to do", "", *(f"{i}. {line}" for i, line in enumerate(lines, 1))]


def _learner(cells: Sequence[Cell]) -> Iterator[str]:
    told = _every_size(cells, "encoder-lr", "tfidf-lr")
    yield (
        f"Begin with a frozen encoder and logistic regression: seconds of CPU, {told} points over bags of words at the same "
        f"labels, ahead on {told.n_won} of {told.n_tasks} tasks."
    )
    told = _every_size(cells, "encoder-lr:mpnet", "encoder-lr")
    if told.n_tasks > 2:
        yield (
            f"Take the larger frozen encoder where you can serve it: mpnet (438 MB) is {told} points over MiniLM (91 MB) at the same "
            f"labels, ahead on {told.n_won} of {told.n_tasks} tasks, for ten times the seconds."
        )
    tuned = beside_learner(cells, "ft:minilm", "encoder-lr")
    if tuned:
        few, many = min(tuned), 500
        yield (
            f"Fine-tune MiniLM, for minutes of CPU, on some hundred labels and keep what your test set says: beside the frozen one it "
            f"moves by {_on(tuned[few])} with {few} labels, by {_on(tuned[many])} with {many}."
        )


def _distilling(cells: Sequence[Cell]) -> Iterator[str]:
    layers = _on_several_tasks(gains_at_labels(cells, "encoder-lr:mpnet", "ft:minilm:layers=2"))
    if layers:
        few, many = min(layers), max(layers)
        texts, told = layers[few]
        yield (
            f"Where two layers must do, let a frozen mpnet teach them: {told} points over people's {few} labels alone, with "
            f"{texts:,} texts, on {told.n_tasks} tasks; with {many} labels {layers[many][1]}."
        )
    gains = gains_at_labels(cells, *pairs_of(cells)[0])
    few, many = min(gains), max(gains)
    most, least = max(gains[few]), min(gains[few])
    yield (
        f"Where only a bag of words may be served, distil the encoder into it while labels are few: {gains[few][most]} points with {few} "
        f"labels and {most:,} texts, {gains[many][most]} with {many:,} labels."
    )
    yield f"Do not distil on a handful of texts: with {few} labels and {least} texts it is {gains[few][least]} points."


def _on_several_tasks(gains: Mapping[int, Mapping[int, Told]]) -> dict[int, tuple[int, Told]]:
    """By labels the most texts at which a gain is known on three tasks or more, and the gain."""
    known = {n: [(u, told) for u, told in by_texts.items() if told.n_tasks > 2] for n, by_texts in gains.items()}
    return {n: max(each, key=lambda pair: pair[0]) for n, each in known.items() if each}


def _labels(cells: Sequence[Cell]) -> Iterator[str]:
    frozen = annotated(cells, "encoder-lr")
    by_task = {(c.task, c.n_labels): c.score for c in frozen}
    doubled = {
        task: [score - by_task[task, 500]]
        for (task, n), score in by_task.items()
        if n == 1000 and (task, 500) in by_task
    }
    yield (
        f"Doubling labels from 500 to 1,000 brings the frozen encoder {over_tasks(doubled)} points: compare that with its price."
    )


def _machine(cells: Sequence[Cell]) -> Iterator[str]:
    """Labels of a machine in place of people's and beside them: of one that is mostly right, and of real LLMs."""
    right = "simulated:accuracy=0.9"
    alone = shares_of_people(cells, "encoder-lr", right)
    people = annotated(cells, "encoder-lr")
    mixed = [c for c in cells if c.strategy == "annotate_plus_llm" and c.student == "encoder-lr"]
    beside = [c for c in mixed if (c.taught_by, c.n_labels, c.n_llm_labels) == (right, 120, 1000)]
    if alone and beside:
        n, told = max(alone), over_tasks(differences(beside, people, lambda c: (c.n_labels,)))
        yield (
            f"Buy labels that are 90 % right where they are a tenth of the price: {n:,} of them cost the frozen encoder {alone[n]} points "
            f"beside as many of people; 1,000 of them beside 120 of people bring {told}."
        )
    real = [c for c in mixed if c.taught_by.startswith("recorded:") and c.n_labels == 100]
    if real:
        told = over_tasks(differences(real, people, lambda c: (c.n_labels,)))
        yield (
            f"Try an LLM on your own labels first (`budgetsim probe --llm`): 100 labels of one that is right half the time, beside 100 of "
            f"people, move the frozen encoder by {told} points."
        )


def _texts(foreign: Sequence[Sequence[Any]]) -> Iterator[str]:
    half: dict[str, list[float]] = defaultdict(list)
    for task, source, share, *_, score, own in foreign:
        if share == 0.5 and kind_of(task, source) == "near":
            half[task].append(score - own)
    if half:
        yield (
            f"Do not fill a pool up with texts from elsewhere: with half of them from a like domain distilling moves by {over_tasks(half)} "
            f"points, on {len(half)} tasks."
        )


def _every_size(cells: Sequence[Cell], student: str, other: str) -> Told:
    """One learner less another on the same labels, all sizes together, over tasks."""
    return over_tasks(differences(annotated(cells, student), annotated(cells, other), lambda c: (c.n_labels,)))


def _on(told: Told) -> str:
    return f"{told} points (ahead on {told.n_won} of {told.n_tasks} tasks)"

"""A probe: seconds of cheap learners on the labels that somebody owns, cross-validated, for a forecast of dear ones."""

from __future__ import annotations

import csv
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.data.loading import load_task
from budgetsim.data.metrics import score
from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.errors import BudgetsimError, InputError
from budgetsim.labelers import Brief, get_labeler
from budgetsim.labelers import Desk as LabelerDesk
from budgetsim.learners.protocol import Desk, Examples, Learner, Training, settled
from budgetsim.learners.registry import parse_learner
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import put_published

LEARNERS: Final = ("tfidf-lr", "encoder-lr", "window-lr")  # of which each task has those that can do it
SIZES: Final = (10, 30, 100, 300, 1000, 3000)
FOLDS: Final = 5
LEAST_ROWS: Final = 20  # labels, and two classes among them
USUAL_ROWS: Final = 1500  # more tell little and take longer
MAX_TOKENS: Final = 128
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePoint:
    """Scores of one learner taught by n labels, percent, one a fold."""

    learner: str
    n_labels: int
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a probe found, and how long it took."""

    task: Task
    n_rows: int
    points: tuple[ProbePoint, ...]
    seconds: float


def probe_task(
    name: str,
    *,
    learners: Sequence[str] = LEARNERS,
    most_rows: int = USUAL_ROWS,
    cache: Path | None = None,
    llm: str | None = None,
    desk: LabelerDesk | None = None,
    say: Say = lambda _: None,
) -> Probe:
    """Teach cheap learners on parts of a task's training rows, and score each on the fold that it has not seen.

    most_rows : rows that are used, drawn with seed 0
    cache : folder of frozen features, which are made once for a text
    llm : a labeler tried on the same rows without a student; desk : where it asks
    raises : InputError where no cheap learner does such a task, or it has too few labels; EndpointError
    """
    began = time.monotonic()
    data = load_task(name)
    rows = owned_rows(data.task, data.train or data.test, most_rows)  # of some tasks one file is split
    able = [
        learner for learner in map(parse_learner, fitting(learners, data.task)) if _is_able(learner, data.task, say)
    ]
    points = [p for learner in able for p in _curve(data.task, learner, rows, cache)]
    if llm is not None:
        points += _llm(data.task, llm, rows, desk or LabelerDesk())
    if not points:
        raise InputError(f"No learner of a probe can be taught on {name}; what each lacks is told above.")
    return Probe(task=data.task, n_rows=len(rows), points=tuple(points), seconds=time.monotonic() - began)


def save_probe(paths: StorePaths, probe: Probe) -> None:
    """Write a probe as a table of reported results, in place of an earlier one: forecasts condition on it.

    raises : StoreError, StoreLockedError
    """
    name = f"probe-{probe.task.name}"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["record_id", "set", "task", "strategy", "student", "n_labels", "seed", "metric", "score",
                     "scale", "provenance"])  # fmt: skip
    n_learners = len({point.learner for point in probe.points})
    metric, place = probe.task.metric, f"{n_learners} cheap learners on {probe.n_rows} labels"
    points = [(point, k, value) for point in probe.points for k, value in enumerate(point.scores)]
    for number, (p, k, value) in enumerate(points, 1):
        writer.writerow([f"{name}-{number:04}", metric.replace("_", "-"), probe.task.name, "annotate", p.learner,
                         p.n_labels, k, metric, f"{value:.6g}", "percent", place])  # fmt: skip
    put_published(paths, name, out.getvalue())


def owned_rows(task: Task, train: Sequence[Row], most: int) -> list[Row]:
    """The labelled rows that a probe uses.

    raises : InputError where answers are texts, or there are too few rows
    """
    if task.kind not in ("classification", "tagging"):
        raise InputError(
            f"A probe teaches learners of classes and of tags; {task.name} is a {task.kind} task. Ask without one."
        )
    order = np.random.default_rng(0).permutation(len(train))[:most]
    rows = [train[i] for i in sorted(order)]
    if len(rows) < LEAST_ROWS or len({row.target for row in rows}) < 2:
        raise InputError(
            f"{task.name} has {len(rows)} labelled rows of {len({row.target for row in rows})} answers; a probe takes "
            f"{LEAST_ROWS} or more, of two or more answers."
        )
    return rows


def fitting(learners: Sequence[str], task: Task) -> list[str]:
    """Those that do a kind of task, of the usual ones; those that somebody named are all told of."""
    return [name for name in learners if learners != LEARNERS or task.kind in parse_learner(name).kinds]


def _is_able(learner: Learner, task: Task, say: Say) -> bool:
    try:
        if learner.encoders:
            from budgetsim.learners.device import prepare

            prepare(threads=1)
        learner.check(task)
    except BudgetsimError as error:  # weights that are not there: the others still tell something
        say(f"{learner.name} left out: {error}")
        return False
    return True


def _curve(task: Task, learner: Learner, rows: Sequence[Row], cache: Path | None) -> Iterator[ProbePoint]:
    """One learner at every size that four fifths of the rows allow, the largest of them all of it."""
    how = settled(learner, Training(steps=0, batch=0, lr=0.0, l2=0.0, max_tokens=MAX_TOKENS))
    _encode_once(learner, task, rows, cache)
    folds = list(folds_of(rows))
    largest = min(len(taught) for taught, _ in folds)
    sizes = [n for n in SIZES if n < 0.8 * largest] + [largest]
    with tempfile.TemporaryDirectory(prefix="budgetsim-probe-") as folder:
        desk = Desk(Path(folder), cache=cache)
        for n in sizes:
            scores = [_score(task, learner, rows, taught[:n], held, how, desk) for taught, held in folds]
            yield ProbePoint(learner=learner.name, n_labels=n, scores=tuple(scores))


def _encode_once(learner: Learner, task: Task, rows: Sequence[Row], cache: Path | None) -> None:
    """Put the frozen features of all rows on the shelf: the encoder is loaded once."""
    if not learner.encoders or cache is None:
        return
    from budgetsim.learners.features import shelve
    from budgetsim.learners.weights import open_weights

    for model in learner.encoders:
        shelve(open_weights(model), [row.source for row in rows], task.fields, MAX_TOKENS, cache)


def folds_of(rows: Sequence[Row]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to teach, in a random order, and rows held back, five times; rows of one group stay on one side."""
    rng = np.random.default_rng(0)
    groups = sorted({row.group for row in rows})
    fold_of = dict(zip(groups, rng.permutation(len(groups)) % FOLDS, strict=True))
    number = np.array([fold_of[row.group] for row in rows])
    for fold in range(FOLDS):
        taught = np.flatnonzero(number != fold)
        yield rng.permutation(taught), np.flatnonzero(number == fold)


def _score(
    task: Task, learner: Learner, rows: Sequence[Row], taught: NDArray[np.int64], held: NDArray[np.int64],
    how: Training, desk: Desk,
) -> float:  # fmt: skip
    examples = Examples(sources=[rows[i].source for i in taught], answers=[rows[i].target for i in taught])
    sources, truth = [rows[i].source for i in held], [rows[i].target for i in held]
    answers = [examples.answers[0]] * len(held)
    if len(set(examples.answers)) > 1:  # one class alone teaches nothing else
        answers = learner.fit(task, examples, how, desk).answer(sources)
    return score(task, sources, answers, truth)[task.metric]


def _llm(task: Task, name: str, rows: Sequence[Row], desk: LabelerDesk) -> list[ProbePoint]:
    """An LLM's accuracy on the owned labels that it is not shown, as a learner that has seen none."""
    labeler = get_labeler(name)
    owned = list(rows)[: labeler.n_owned]
    brief = Brief(task=task, owned=owned, desk=desk)
    labeler.check(task, owned, owned)
    trial = labeler.examine(brief)
    return [] if trial is None else [ProbePoint(learner=f"llm:{name}", n_labels=0, scores=(100 * trial.accuracy,))]

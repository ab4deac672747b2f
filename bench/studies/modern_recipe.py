"""Choose learning rate, steps and temperature of fine-tuned encoders, on dev; test files are never read.

    python bench/studies/modern_recipe.py TASKS RESULTS annotate|distill

TASKS holds the registered tasks' descriptions (`results/tasks`), RESULTS is a JSONL file that is added to: what stands
in it is not run again. Seed 100, which no grid uses; dev is cut from the train file. mr and irony are in no grid, and
no student that the store holds was fine-tuned on clinc150.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import transformers

from budgetsim.data.custom import load_custom, register_custom_tasks
from budgetsim.data.tasks import Task, get_task
from budgetsim.learners.protocol import Desk, Examples, Fitted, Probabilities, Training, settled
from budgetsim.learners.registry import parse_learner

SEED = 100
DEV = 1000
TWO, SIX = "ft:minilm:layers=2", "ft:minilm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One student with its hyper-parameters; a teacher where it is distilled."""

    task: str
    student: str
    n_labels: int
    lr: float
    steps: int = 200
    batch: int = 32
    precision: str = "bf16"
    teacher: str = ""
    n_unlabeled: int = 0
    temperature: float = 1.0
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A task's texts with answers for training and choosing, and those without."""

    task: Task
    train: list[tuple[str, str]]
    dev: list[tuple[str, str]]
    pool: list[str]


def annotating() -> Iterator[Trial]:
    """Learning rates of both students where people label, and more steps of the smaller one."""
    cells = (("mr", 120), ("mr", 500), ("irony", 500), ("clinc150", 1000))
    yield Trial(task="mr", student=TWO, n_labels=120, lr=5e-5)
    for lr in (2e-4, 3e-4, 5e-4):
        for task, n in cells:
            yield Trial(task=task, student=TWO, n_labels=n, lr=lr)
    for task, n in (cells[1], cells[3]):
        yield Trial(task=task, student=TWO, n_labels=n, lr=2e-4, steps=400)
    for lr in (5e-5, 2e-4):
        for task, n in (cells[0], cells[3]):
            yield Trial(task=task, student=SIX, n_labels=n, lr=lr)


def distilling() -> Iterator[Trial]:
    """Temperatures and steps of the smaller student where MiniLM teaches."""
    for temperature, hard in ((1.0, False), (2.0, False), (1.0, True)):
        for task, n, u in (("clinc150", 1000, 3000), ("mr", 500, 1000)):
            yield Trial(
                task=task, student=TWO, n_labels=n, lr=2e-4, teacher=SIX, n_unlabeled=u, temperature=temperature,
                hard=hard,
            )  # fmt: skip


def rows_of(name: str) -> Rows:
    """The rows of a task, dev cut from train."""
    data, task = load_custom(name), get_task(name)
    order = np.random.default_rng(SEED).permutation(len(data.train))
    train = [data.train[i] for i in order]
    n_dev = min(DEV, len(train) // 3)
    return Rows(task, train[n_dev:], train[:n_dev], list(data.unlabeled))


def fit(name: str, rows: Rows, examples: Examples, how: Training, cache: Path) -> Fitted:
    """A learner taught with its usual penalty."""
    learner = parse_learner(name)
    with tempfile.TemporaryDirectory() as folder:
        return learner.fit(rows.task, examples, settled(learner, how), Desk(Path(folder), cache=cache))


def labelled(rows: Rows, n: int) -> Examples:
    """The first labels that people gave."""
    return Examples(sources=[s for s, _ in rows.train[:n]], answers=[a for _, a in rows.train[:n]])


def taught(trial: Trial, rows: Rows, cache: Path) -> Examples:
    """What the teacher says of the pool; its answers are kept beside the results."""
    name = f"{trial.task}-{trial.teacher}-{trial.n_labels}".replace(":", "_").replace("=", "_")
    place = cache / f"{name}.npy"
    if not place.exists():
        how = Training(steps=200, batch=32, lr=2e-4, precision="bf16", seed=SEED)
        teacher = fit(trial.teacher, rows, labelled(rows, trial.n_labels), how, cache)
        print(f"{name}: dev {accuracy(teacher, rows):.1f}", flush=True)
        np.save(place, teacher.logits(rows.pool))
    logits: Probabilities = np.load(place)[: trial.n_unlabeled]
    sources = rows.pool[: trial.n_unlabeled]
    answers = [rows.task.labels[i] for i in logits.argmax(axis=1)]
    return Examples(sources=sources, answers=answers, logits=None if trial.hard else logits)


def accuracy(fitted: Fitted, rows: Rows) -> float:
    """Percent of dev that is right."""
    answers = fitted.answer([source for source, _ in rows.dev])
    return 100.0 * float(np.mean([a == b for a, (_, b) in zip(answers, rows.dev, strict=True)]))


def main(tasks: Path, results: Path, part: str) -> None:
    """Run what is missing; print one line a trial."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    register_custom_tasks(tasks)
    cache = results.with_suffix(".cache")
    cache.mkdir(parents=True, exist_ok=True)
    there = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    for trial in annotating() if part == "annotate" else distilling():
        if any(row["trial"] == asdict(trial) for row in there):
            continue
        rows = rows_of(trial.task)
        examples = taught(trial, rows, cache) if trial.teacher else labelled(rows, trial.n_labels)
        how = Training(
            steps=trial.steps, batch=trial.batch, lr=trial.lr, precision=trial.precision, temperature=trial.temperature,
            seed=SEED,
        )  # fmt: skip
        begun = time.process_time()
        fitted = fit(trial.student, rows, examples, how, cache)
        seconds = time.process_time() - begun
        row = {"trial": asdict(trial), "dev": accuracy(fitted, rows), "cpu_seconds": round(seconds, 1)}
        with results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

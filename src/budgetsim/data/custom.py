"""A user's own task: files checked once, remembered beside the store, read again by hash."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from budgetsim.data.rows import TextFile, data_hash, nfc, parse_pairs, parse_texts, read_text
from budgetsim.data.tasks import Task, TaskKind, register_task
from budgetsim.errors import InputError

METRICS: Final = ("accuracy", "f1", "macro_f1", "squad_f1", "self_ibleu")
TASK_SCHEMA_VERSION: Final = 1
PRESET_TOKENS: Final = {"cpu": 64, "paper": 128}  # where each preset cuts a source
CHARACTERS: Final = 4  # a token, about
RARE: Final = 10  # rows; a label with fewer in train is hardly learned
_folders: dict[str, Path] = {}  # where each registered task's description lies


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomData:
    """Rows of a user's task, as they stand in its files."""

    train: list[tuple[str, str]]
    test: list[tuple[str, str]]
    unlabeled: list[str]
    data_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFiles:
    """Where the rows of a user's task lie, and the columns that hold text and label."""

    train: Path
    test: Path
    unlabeled: Path | None = None
    text_column: str = "text"
    label_column: str = "label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the check of a user's files found; shares are fractions."""

    n_train: int
    n_test: int
    n_unlabeled: int
    labels: dict[str, int]
    unknown_test_labels: tuple[str, ...]
    shared_texts: int  # texts of test that also stand in train; such train rows are not trained on
    duplicate_train_texts: int
    contradicting_texts: int  # texts of train with two labels
    unlabeled_in_test: int
    long_shares: dict[str, float]  # by preset: sources that it would cut
    rare_labels: tuple[str, ...]  # labels of fewer than 10 train rows
    majority_share: float  # of the test labels: what a constant answer scores
    majority_label: str


def add_task(folder: Path, name: str, files: TaskFiles, metric: str) -> tuple[Task, Findings]:
    """Check a user's files, remember them as `folder/NAME.json`, and register the task.

    raises : InputError where a file, column, metric or name cannot be used
    """
    if not name.replace("_", "").isalnum() or not name.isascii() or not name[:1].isalpha():
        raise InputError(f"A task is named with letters, digits and _, beginning with a letter; found {name!r}.")
    if metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}; known are {', '.join(METRICS)}.")
    texts, data = _read(files)
    findings = inspect_rows(data)
    kind = _kind(metric)
    if kind == "classification" and len(findings.labels) < 2:
        raise InputError(f"{files.train.name} has {len(findings.labels)} label; a classification needs two or more.")
    task = _task(name, kind, metric, data, findings)
    register_task(task)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}.json"
    description = _description(task, files, texts, findings, place.parent)
    temporary = place.with_suffix(".tmp")
    temporary.write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(place)
    _folders[name] = place
    return task, findings


def register_custom_tasks(folder: Path) -> list[Task]:
    """Register every task described in a folder; files are read only when a task is used."""
    tasks = []
    for place in sorted(folder.glob("*.json")):
        description = _load(place)
        task = Task(**{**description["task"], **_tuples(description["task"])})
        register_task(task)
        _folders[task.name] = place
        tasks.append(task)
    return tasks


def load_custom(name: str) -> CustomData:
    """Rows of a registered task, whose files must be as they were when it was added.

    raises : InputError naming the file that changed or is missing
    """
    place = _folders[name]
    files = _load(place)["files"]
    found = {part: read_text(_resolve(place, spec["path"])) for part, spec in files["parts"].items()}
    for part, file in found.items():
        if file.sha256 != files["parts"][part]["sha256"]:
            raise InputError(
                f"{files['parts'][part]['path']} ({part}) has changed since `budgetsim tasks add {name}`. Runs on the "
                f"old rows stay in the store; run `budgetsim tasks add` again to measure on the new ones, which get "
                f"a split id of their own."
            )
    columns = (files["text_column"], files["label_column"])
    return _data(found, columns)


def inspect_rows(data: CustomData) -> Findings:
    """What a careful reader would want to know of the rows before paying for anything."""
    test_texts = {nfc(text) for text, _ in data.test}
    train_texts = Counter(nfc(text) for text, _ in data.train)
    labels = Counter(label for _, label in data.train)
    answers = Counter(label for _, label in data.test)
    by_text: dict[str, set[str]] = {}
    for text, label in data.train:
        by_text.setdefault(nfc(text), set()).add(label)
    majority, n_majority = answers.most_common(1)[0] if answers else ("", 0)
    sources = [text for text, _ in (*data.train, *data.test)]
    return Findings(
        n_train=len(data.train),
        n_test=len(data.test),
        n_unlabeled=len(data.unlabeled),
        labels=dict(labels.most_common()),
        unknown_test_labels=tuple(sorted(set(answers) - set(labels))),
        shared_texts=sum(text in test_texts for text in train_texts),
        duplicate_train_texts=sum(n - 1 for n in train_texts.values()),
        contradicting_texts=sum(len(found) > 1 for found in by_text.values()),
        unlabeled_in_test=sum(nfc(text) in test_texts for text in data.unlabeled),
        long_shares={
            preset: sum(len(s) > CHARACTERS * tokens for s in sources) / max(1, len(sources))
            for preset, tokens in PRESET_TOKENS.items()
        },
        rare_labels=tuple(label for label, n in labels.most_common() if n < RARE),
        majority_share=n_majority / max(1, len(data.test)),
        majority_label=majority,
    )


def _kind(metric: str) -> TaskKind:
    return {"squad_f1": "qa", "self_ibleu": "generation"}.get(metric, "classification")  # type: ignore[return-value]


def _task(name: str, kind: TaskKind, metric: str, data: CustomData, findings: Findings) -> Task:
    classes = tuple(sorted(findings.labels, key=lambda label: (-findings.labels[label], label)))
    sources = [text for text, _ in data.train]
    targets = [label for _, label in data.train]
    constant = findings.majority_share if kind == "classification" and metric != "macro_f1" else 0.0
    return Task(
        name=name,
        kind=kind,
        metric=metric,
        constant_score=round(constant, 4),
        constant_answer=findings.majority_label if kind == "classification" else "no answer",
        floors=(round(constant, 4),),
        n_test=findings.n_test,
        source_tokens=round(_tokens(sources), 1),
        target_tokens=round(max(2.0, _tokens(targets)), 1),
        description=f"{name}: a task of your own, {len(classes)} labels" if kind == "classification" else name,
        labels=classes if kind == "classification" else (),
        origin="custom",
    )


def _tokens(texts: Sequence[str]) -> float:
    return sum(min(128.0, len(t) / 4) for t in texts) / max(1, len(texts))


def _read(files: TaskFiles) -> tuple[dict[str, TextFile], CustomData]:
    places = {"train": files.train, "test": files.test, "unlabeled": files.unlabeled}
    texts = {part: read_text(place) for part, place in places.items() if place is not None}
    data = _data(texts, (files.text_column, files.label_column))
    if not data.train or not data.test:
        counts = f"{files.train.name} has {len(data.train)} rows, {files.test.name} {len(data.test)}"
        raise InputError(f"{counts}: both need some.")
    return texts, data


def _data(texts: dict[str, TextFile], columns: tuple[str, str]) -> CustomData:
    unlabeled = texts.get("unlabeled")
    return CustomData(
        train=parse_pairs(texts["train"], columns),
        test=parse_pairs(texts["test"], columns),
        unlabeled=parse_texts(unlabeled, columns[0]) if unlabeled else [],
        data_hash=data_hash(list(texts.values())),
    )


def _description(
    task: Task, files: TaskFiles, texts: dict[str, TextFile], findings: Findings, home: Path
) -> dict[str, Any]:
    places = {"train": files.train, "test": files.test, "unlabeled": files.unlabeled}
    parts = {
        part: {"path": os.path.relpath(place.resolve(), home.resolve()), "sha256": texts[part].sha256}
        for part, place in places.items()
        if place is not None
    }
    return {
        "schema_version": TASK_SCHEMA_VERSION,
        "task": asdict(task),
        "files": {"parts": parts, "text_column": files.text_column, "label_column": files.label_column},
        "findings": asdict(findings),
    }


def _tuples(task: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(task[name]) for name in ("floors", "labels", "fields")}


def _resolve(place: Path, path: str) -> Path:
    return (place.parent / path).resolve()


def _load(place: Path) -> dict[str, Any]:
    try:
        description: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if description["schema_version"] != TASK_SCHEMA_VERSION:
            raise ValueError(f"schema {description['schema_version']}")
        return description
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{place} is no task description of schema {TASK_SCHEMA_VERSION} ({error}); add the task again."
        ) from None

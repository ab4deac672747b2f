"""A user's own task: files checked once, remembered beside the store, read again by hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from budgetsim.data.concerns import blank_rows, find_concerns
from budgetsim.data.conll import OUTSIDE
from budgetsim.data.description import (
    Definition,
    Description,
    describe_parts,
    read_description,
    unwritable,
    write_description,
)
from budgetsim.data.inspection import LABELLED_KINDS, CustomData, Findings, inspect_rows
from budgetsim.data.metrics import METRICS, USUAL, constant_score
from budgetsim.data.rows import ENCODINGS, TextFile, read_bytes, read_text
from budgetsim.data.tables import (
    Example,
    Format,
    Layout,
    as_format,
    columns_of,
    guess_format,
    read_examples,
    read_unlabeled,
)
from budgetsim.data.tasks import Task, TaskKind, forget_task, get_task, known_tasks, register_damaged, register_task
from budgetsim.errors import BudgetsimError, InputError

KINDS: Final[dict[str, TaskKind]] = {
    "single": "classification", "pair": "classification", "tagging": "tagging", "generation": "generation", "qa": "qa",
}  # fmt: skip
SUGGESTS: Final[dict[str, TaskKind]] = {
    "entity_f1": "tagging", "rouge_l": "generation", "self_ibleu": "generation", "squad_f1": "qa", "exact_match": "qa",
}  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_COLUMN: Final = re.compile(r"\w(?:[\w .-]*\w)?")  # of a pair; its name is written before its text
_folders: dict[str, Path] = {}  # where each registered task's description lies
_loaded: dict[tuple[str, str, Layout], CustomData] = {}  # rows that were read; used again while files are the same
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFiles:
    """Where the rows of a user's task lie, and what holds text and label; None for what can be told by looking."""

    train: Path
    test: Path
    unlabeled: Path | None = None
    text_column: str | None = None
    pair_columns: tuple[str, ...] | None = None
    label_column: str | None = None
    form: str | None = None
    encoding: str = "utf-8"

    @property
    def places(self) -> dict[str, Path]:
        """Files by part."""
        named = {"train": self.train, "test": self.test, "unlabeled": self.unlabeled}
        return {part: place for part, place in named.items() if place is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """Files as they were read and understood."""

    texts: dict[str, TextFile]
    forms: dict[str, Format | None]
    layout: Layout
    understood: tuple[str, ...]


def add_task(
    folder: Path,
    name: str,
    files: TaskFiles,
    metric: str | None = None,
    *,
    kind: str | None = None,
    positive: str | None = None,
    about: str | None = None,
    accept: bool = False,
) -> tuple[Task, Findings]:
    """Check a user's files, remember them as `folder/NAME.json`, and register the task.

    metric, kind : None for what the other and the files suggest; kind is one of `KINDS`
    positive : label that the metric f1 is of
    about : what is asked of a text, in words; LLMs that label are told so
    accept : go on in spite of what may be a slip
    raises : InputError where a file, column, metric or name cannot be used, or with all that may be a slip;
        StoreError where the folder cannot be written
    """
    _check_names(name, metric, kind)
    looked = _look(files, metric, kind)
    chosen = _metric(looked.layout.kind, metric, positive)
    definition = Definition(
        kind=looked.layout.kind, n_texts=len(looked.layout.text_columns), metric=chosen, positive=positive or "",
        formats=tuple(form for form in looked.forms.values() if form), encoding=files.encoding,
    )  # fmt: skip
    data, findings, concerns = _inspect(looked, definition)
    task = _task(name, looked.layout, chosen, positive, data, findings)
    task = replace(task, description=" ".join(about.split())) if about and about.strip() else task
    place = folder / f"{name}.json"
    concerns += _overwrites(place, task, data.data_hash)
    if concerns and not accept:
        raise InputError(f"{name} was not added: {'; '.join(concerns)}. Mend the files, or add --yes to go on.")
    register_task(task)
    parts = {part: (files.places[part], text.sha256, looked.forms[part]) for part, text in looked.texts.items()}
    write_description(place, task, looked.layout, files.encoding, describe_parts(parts, folder), findings)
    _folders[name] = place
    return task, findings


def remove_task(folder: Path, name: str) -> Path:
    """Forget a task of a user; its files and the runs on it stay.

    returns : where its description was
    raises : InputError where there is none; StoreError where it cannot be taken away
    """
    place = folder / f"{name}.json"
    if not _NAME.fullmatch(name) or not place.is_file():
        own = sorted(found.stem for found in folder.glob("*.json")) if folder.is_dir() else []
        raise InputError(f"There is no task {name!r} of your own; there is {', '.join(own) or 'none'}.")
    try:
        place.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None
    forget_task(name)
    _folders.pop(name, None)
    return place


def register_custom_tasks(folder: Path, say: Say = lambda _: None) -> list[Task]:
    """Register every task described in a folder; a damaged description is named and passed over.

    Files of rows are read only when a task is used.
    """
    tasks = []
    for place in sorted(folder.glob("*.json")):
        try:
            task = read_description(place).facts
            register_task(task)
        except BudgetsimError as error:
            register_damaged(place.stem, str(error))
            say(f"{place.stem} passed over: {error}")
            continue
        _folders[task.name] = place
        tasks.append(task)
    return tasks


def describe_custom(name: str) -> tuple[Description, list[str]]:
    """The description of a registered task, and which of its files have changed or gone since.

    raises : InputError where it is damaged, or none of the user's
    """
    place = _place(name)
    described = read_description(place)
    changed = []
    for part, spec in described.files.parts.items():
        try:
            sha256 = hashlib.sha256(read_bytes(_resolve(place, spec.path))).hexdigest()
        except InputError as error:
            changed.append(f"{part}: {error}")
        else:
            changed += [] if sha256 == spec.sha256 else [f"{part}: {spec.path} has changed since it was added."]
    return described, changed


def load_custom(name: str) -> CustomData:
    """Rows of a registered task, whose files must be as they were when it was added.

    raises : InputError naming the file that changed or is missing
    """
    place = _place(name)
    described = read_description(place)
    parts = described.files.parts
    texts = {part: read_text(_resolve(place, spec.path), described.files.encoding) for part, spec in parts.items()}
    for part, file in texts.items():
        if file.sha256 != parts[part].sha256:
            raise InputError(
                f"{parts[part].path} ({part}) has changed since `budgetsim tasks add {name}`. Runs on the "
                f"old rows stay in the store; run `budgetsim tasks add ... --yes` again to measure on the new ones, "
                f"which get a split id of their own."
            )
    layout = described.layout
    key = (name, described.data_hash, layout)
    if key in _loaded:
        return _loaded[key]
    read = {
        part: read_examples(texts[part], parts[part].format or guess_format(texts[part]), layout).examples
        for part in ("train", "test")
    }
    rows = {
        part: _without(found, blank_rows(found, layout)) if described.skips_blank else found
        for part, found in read.items()
    }
    unlabeled = texts.get("unlabeled")
    _loaded[key] = CustomData(
        train=_pairs(rows["train"]),
        test=_pairs(rows["test"]),
        unlabeled=described.read_texts(unlabeled) if unlabeled else [],
        data_hash=described.data_hash,
    )
    return _loaded[key]


def _place(name: str) -> Path:
    get_task(name)
    if name not in _folders:
        raise InputError(f"{name} is no task of your own.")
    return _folders[name]


def _check_names(name: str, metric: str | None, kind: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"A task is named with letters, digits and _, beginning with a letter, up to 100; found {name[:120]!r}."
        )
    if any(task.name == name and task.origin != "custom" for task in known_tasks()):
        raise InputError(f"{name!r} is a task that ships with budgetsim; choose another name.")
    if metric is not None and metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}; known are {', '.join(METRICS)}.")
    if kind is not None and kind not in KINDS:
        raise InputError(f"--kind: found {kind!r}, wanted {', '.join(KINDS)}.")


def _look(files: TaskFiles, metric: str | None, kind: str | None) -> _Looked:
    """Read the files and find out what they are."""
    if files.encoding not in ENCODINGS:
        raise InputError(f"--encoding: found {files.encoding!r}, wanted {', '.join(ENCODINGS)}.")
    texts = {part: read_text(place, files.encoding) for part, place in files.places.items()}
    forms: dict[str, Format | None] = {
        part: None if part == "unlabeled" else as_format(files.form) if files.form else guess_format(text)
        for part, text in texts.items()
    }
    form = forms["train"] or "csv"
    suggested = None if metric is None else SUGGESTS.get(metric)
    found: TaskKind = KINDS[kind] if kind else "tagging" if form == "conll" else suggested or "classification"
    if form == "conll" and found != "tagging":
        raise InputError(f"{texts['train'].name} holds a tag a word, which is --kind tagging; found --kind {kind}.")
    columns, said = _columns(files, columns_of(texts["train"], form), kind)
    layout = Layout(kind=found, text_columns=columns[:-1], label_column=columns[-1])
    guessed = (
        [] if kind else [f"Kind {_kind_words(layout)}, as the files{' and the metric' * bool(suggested)} suggest."]
    )
    return _Looked(texts=texts, forms=forms, layout=layout, understood=(*guessed, *said))


def _kind_words(layout: Layout) -> str:
    if layout.kind != "classification":
        return layout.kind
    return "pair" if len(layout.text_columns) > 1 else "single"


def _columns(files: TaskFiles, there: Sequence[str], kind: str | None) -> tuple[tuple[str, ...], list[str]]:
    """Text columns and last the label's, where they are not named what is left of those there are; what is said."""
    texts, label = _named(files), files.label_column
    if not there:
        return (*(texts or ("text",)), label or "label"), []
    said = []
    if not texts and "text" in there and kind != "pair":
        texts = ("text",)
    if not label:
        rest = [name for name in there if name not in texts]
        label = "label" if "label" in there or not texts or len(rest) != 1 else rest[0]
        said += [f"Labels are read from the column {label!r}."] if label != "label" else []
    if not texts:
        rest = [name for name in there if name != label]
        pairs = (2,) if kind == "pair" else (1,) if kind == "single" else (1, 2)
        if len(rest) not in pairs:
            raise InputError(
                f"{files.train.name} has no column 'text'; it has {', '.join(map(repr, there))}. Name the columns with "
                f"--text-column or --pair-columns, and --label-column."
            )
        texts = tuple(rest)
        said.append(f"Texts are read from the column{'s' * (len(rest) > 1)} {' and '.join(map(repr, rest))}.")
    if kind == "pair" and len(texts) != 2:
        raise InputError("--kind pair needs the two columns: add --pair-columns a,b.")
    if len(texts) == 2:
        _check_pair(texts)
    return (*texts, label), said


def _named(files: TaskFiles) -> tuple[str, ...]:
    if files.pair_columns is None:
        return (files.text_column,) if files.text_column else ()
    if files.text_column:
        raise InputError("--text-column and --pair-columns were both given; choose one of them.")
    _check_pair(files.pair_columns)
    return files.pair_columns


def _check_pair(columns: Sequence[str]) -> None:
    """Two names that can stand before their texts."""
    if len({*columns}) != 2 or len(columns) != 2 or not all(_COLUMN.fullmatch(name) for name in columns):
        found = ",".join(columns)
        raise InputError(
            f"--pair-columns: found {found!r}, wanted two names of letters, digits, blanks, _, - and ., as a,b."
        )


def _metric(kind: TaskKind, metric: str | None, positive: str | None) -> str:
    chosen = metric or USUAL[kind]
    if kind not in METRICS[chosen].kinds:
        able = ", ".join(m.name for m in METRICS.values() if kind in m.kinds)
        raise InputError(f"--metric: {chosen} is none of a {kind}; wanted {able}.")
    if chosen == "f1" and not positive:
        raise InputError(
            "--metric f1 is the F1 of one label: add --positive LABEL, or take macro_f1 or micro_f1 (accuracy)."
        )
    if positive and chosen != "f1":
        raise InputError(f"--positive belongs to --metric f1, not to {chosen}; leave it out.")
    return chosen


def _inspect(looked: _Looked, definition: Definition) -> tuple[CustomData, Findings, list[str]]:
    layout = looked.layout
    read = {part: read_examples(looked.texts[part], looked.forms[part] or "csv", layout) for part in ("train", "test")}
    blank = {part: blank_rows(found.examples, layout) for part, found in read.items()}
    rows = {part: _without(found.examples, blank[part]) for part, found in read.items()}
    names = {part: f"{part} ({looked.texts[part].name})" for part in rows}
    if not rows["train"] or not rows["test"]:
        counts = " and ".join(f"{names[part]} has {len(found)} rows" for part, found in rows.items())
        raise InputError(f"{counts} with a text and a label: both need some.")
    said = [
        f"{found.n_converted:,} tags of {names[part]} were written as BIO."
        for part, found in read.items()
        if found.n_converted
    ]
    n_blank = sum(map(len, blank.values()))
    texts = looked.texts.get("unlabeled")
    data = CustomData(
        train=_pairs(rows["train"]),
        test=_pairs(rows["test"]),
        unlabeled=read_unlabeled(texts, layout) if texts else [],
        data_hash=definition.hash_with([text.sha256 for text in looked.texts.values()], n_blank),
    )
    findings = inspect_rows(data, layout.kind, n_blank=n_blank, understood=(*looked.understood, *said))
    return data, findings, find_concerns(names, rows, blank, layout)


def _without(rows: list[Example], blank: Sequence[Example]) -> list[Example]:
    gone = {row.line for row in blank}
    return [row for row in rows if row.line not in gone] if gone else rows


def _pairs(rows: Sequence[Example]) -> list[tuple[str, str]]:
    return [(row.source, row.target) for row in rows]


def _overwrites(place: Path, task: Task, digest: str) -> list[str]:
    """That another task of this name would go; nothing where it is the same one."""
    if not place.exists():
        return []
    try:
        there = read_description(place)
    except InputError:
        return [f"a damaged description of {task.name} lies there and would be overwritten"]
    same_rows = there.data_hash == digest
    if same_rows and replace(there.facts, n_unlabeled=task.n_unlabeled) == task:
        return []
    what = "another definition on the same files" if same_rows else "other files"
    return [
        f"there is a task {task.name} ({what}, metric {there.task.metric}, {there.findings.n_train:,} train rows), "
        f"which would be overwritten; runs on it stay, scored as they were"
    ]


def _task(name: str, layout: Layout, metric: str, positive: str | None, data: CustomData, findings: Findings) -> Task:
    labels = _label_names(layout.kind, findings)
    if layout.kind == "classification" and len(labels) < 2:
        raise InputError(f"{name} has {len(labels)} label in train; a classification needs two or more.")
    if layout.kind == "tagging" and len(labels) < 2:
        raise InputError(f"{name} has no entity in train; a tagging needs tags besides O.")
    if positive and positive not in labels:
        raise InputError(
            f"--positive: found {positive!r}, wanted a label of train: {', '.join(map(repr, labels[:20]))}."
        )
    what = f"{name}: a task of your own, {len(labels)} labels" if labels else name
    bare = Task(
        name=name,
        kind=layout.kind,
        metric=metric,
        constant_score=0.0,
        constant_answer="no answer",
        floors=(0.0,),
        n_test=findings.n_test,
        source_tokens=round(_tokens([text for text, _ in data.train]), 1),
        target_tokens=round(max(2.0, _tokens([label for _, label in data.train])), 1),
        description=f"{what}, F1 of {positive}" if positive else what,
        labels=labels,
        fields=layout.text_columns if len(layout.text_columns) > 1 else (),
        origin="custom",
        positive=positive or "",
        n_unlabeled=findings.n_usable_texts,
        n_train=findings.n_distinct_train,
    )
    return _with_floors(bare, data, findings)


def _label_names(kind: TaskKind, findings: Findings) -> tuple[str, ...]:
    """Commonest first; a tagging has O and both tags of every type, whichever of them stand in train."""
    counts = dict(findings.labels)
    if kind == "tagging":
        types = {tag[2:] for tag in counts} - {""}
        counts = {OUTSIDE: 0} | {f"{at}-{kind}": 0 for kind in types for at in "BI"} | counts
    if kind not in LABELLED_KINDS:
        return ()
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))


def _with_floors(task: Task, data: CustomData, findings: Findings) -> Task:
    """The task with the scores of answers that never look at the text, under its own metric, the best of them last."""
    truth = [target for _, target in data.test]
    majority = findings.majority_label
    if task.kind == "tagging":
        answers = {"": f"{OUTSIDE} for every word"}
    elif task.kind == "classification":
        answers = {answer: answer for answer in dict.fromkeys((majority, task.positive)) if answer}
    else:
        answers = {majority: majority[:100]} if task.metric in ("exact_match", "squad_f1") else {}
    scores = {said: round(constant_score(task, answer, truth) / 100, 4) for answer, said in answers.items()}
    if not scores:
        return task
    best = max(scores, key=lambda said: scores[said])
    return replace(task, constant_score=scores[best], constant_answer=best, floors=tuple(sorted({*scores.values()})))


def _tokens(texts: Sequence[str]) -> float:
    return sum(min(128.0, len(t) / 4) for t in texts) / max(1, len(texts))


def _resolve(place: Path, path: str) -> Path:
    return (place.parent / path).resolve()

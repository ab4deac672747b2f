"""The description of a user's task as it lies beside the store: one strict schema, and a reader of the old one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from budgetsim.data.inspection import Findings
from budgetsim.data.metrics import METRICS
from budgetsim.data.rows import TextFile, data_hash, parse_texts, read_bytes
from budgetsim.data.tables import Format, Layout, read_unlabeled
from budgetsim.data.tasks import Task, TaskKind
from budgetsim.design.identity import canonical_hash
from budgetsim.doors.unfinished import sweep, unfinished
from budgetsim.errors import InputError, StoreError

SCHEMA_VERSION: Final = 2
MOST_BYTES: Final = 16 * 2**20
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
Count = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]
Tokens = Annotated[float, Field(ge=0, le=1e6)]
Column = Annotated[str, Field(max_length=1000)]
PARTS: Final = ("train", "test", "unlabeled")
_OLD_KINDS: Final = (
    ("classification", "accuracy"), ("classification", "macro_f1"), ("qa", "squad_f1"), ("generation", "self_ibleu"),
)  # fmt: skip
Part = Literal["train", "test", "unlabeled"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _Task(_Strict):
    """A task, with the range of each of its facts."""

    name: Name
    kind: TaskKind
    metric: str
    constant_score: Share
    constant_answer: str
    floors: Annotated[tuple[Share, ...], Field(min_length=1, max_length=10)]
    n_test: Annotated[int, Field(ge=1, le=10**9)]
    source_tokens: Tokens
    target_tokens: Tokens
    description: str
    labels: tuple[str, ...] = ()
    fields: Annotated[tuple[Column, ...], Field(max_length=2)] = ()
    origin: Literal["custom"]
    positive: str = ""
    n_unlabeled: Count | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.metric not in METRICS or self.kind not in METRICS[self.metric].kinds:
            raise ValueError(f"{self.metric!r} is no metric of a {self.kind}")
        if self.constant_score != self.floors[-1] or [*self.floors] != sorted(self.floors):
            raise ValueError("floors ascend to the constant score")
        if len({*self.labels}) < len(self.labels):
            raise ValueError("a label stands twice")
        if self.kind in ("classification", "tagging") and len(self.labels) < 2:
            raise ValueError(f"a {self.kind} has two labels or more")
        if self.positive and self.positive not in self.labels:
            raise ValueError("the positive label is none of the labels")
        return self


class _File(_Strict):
    path: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    format: Format | None = None  # None: told by its name, as before


class _Files(_Strict):
    parts: dict[Part, _File]
    text_column: Column | None = None  # of schema 1
    text_columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=2)] = ("text",)
    label_column: Column
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = "utf-8"

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if not {"train", "test"} <= {*self.parts}:
            raise ValueError("train and test files are both needed")
        return self


class _Findings(_Strict):
    """`Findings`, with the range of each count."""

    n_train: Count
    n_test: Count
    n_unlabeled: Count
    labels: dict[str, Count]
    unknown_test_labels: tuple[str, ...]
    shared_texts: Count
    duplicate_train_texts: Count
    contradicting_texts: Count
    unlabeled_in_test: Count
    long_shares: dict[str, Share]
    rare_labels: tuple[str, ...]
    majority_share: Share
    majority_label: str
    test_labels: dict[str, Count] = {}
    n_usable_texts: Count = 0
    unlabeled_in_train: Count = 0
    duplicate_unlabeled: Count = 0
    n_blank: Count = 0
    understood: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What makes other rows or scores of the same files; the identity of a task holds what schema 1 had no word for."""

    kind: TaskKind
    n_texts: int
    metric: str
    positive: str
    formats: tuple[Format, ...]
    encoding: str

    def hash_with(self, hashes: Sequence[str], n_blank: int) -> str:
        """Hash of the data: of the files alone for what schema 1 could say, so that its runs stay those of the task.

        hashes : SHA-256 of the files, train and test first
        """
        files = [TextFile("", "", sha256) for sha256 in hashes]
        own: dict[str, object] = {
            "kind": self.kind if (self.kind, self.metric) not in _OLD_KINDS else "",
            "pair": self.n_texts > 1,
            "positive": self.positive,
            "formats": [form for form in self.formats if form not in ("csv", "jsonl")],
            "encoding": "" if self.encoding == "utf-8" else self.encoding,
            "n_blank": n_blank,
        }
        if not any(own.values()):
            return data_hash(files)
        return data_hash([*files, TextFile("", "", canonical_hash({**own, "metric": self.metric}))])


class Description(_Strict):
    """A task of a user: its facts, where its rows lie, and what was found in them.

    Of schema 1, which knew neither metrics of their true meaning nor blank rows, `f1` stays what it was then.
    """

    schema_version: Literal[1, 2]
    task: _Task
    files: _Files
    findings: _Findings

    @model_validator(mode="after")
    def _says_of_what(self) -> Self:
        if self.schema_version > 1 and self.task.metric == "f1" and not self.task.positive:
            raise ValueError("an f1 names its positive label")
        return self

    @property
    def facts(self) -> Task:
        """The task of the registry; what it has to learn from is told by the findings, also of an old description."""
        made = _values(self.task) | {"n_train": self.found.n_distinct_train}
        if self.schema_version == 1:
            made["n_unlabeled"] = max(0, self.findings.n_unlabeled - self.findings.unlabeled_in_test)
        return Task(**made)

    @property
    def found(self) -> Findings:
        """What was found in the files."""
        return Findings(**_values(self.findings))

    @property
    def layout(self) -> Layout:
        """Columns of the files."""
        files = self.files
        columns = files.text_columns if files.text_column is None else (files.text_column,)
        return Layout(kind=self.task.kind, text_columns=columns, label_column=files.label_column)

    @property
    def data_hash(self) -> str:
        """Hash of the files and of what the task makes of them."""
        parts = [self.files.parts[part] for part in PARTS if part in self.files.parts]
        hashes = [part.sha256 for part in parts]
        if self.schema_version == 1:
            return data_hash([TextFile("", "", sha256) for sha256 in hashes])
        definition = Definition(
            kind=self.task.kind,
            n_texts=len(self.files.text_columns),
            metric=self.task.metric,
            positive=self.task.positive,
            formats=tuple(part.format for part in parts if part.format),
            encoding=self.files.encoding,
        )
        return definition.hash_with(hashes, self.findings.n_blank)

    def read_texts(self, file: TextFile) -> list[str]:
        """Unlabelled texts of the task."""
        return (
            read_unlabeled(file, self.layout)
            if self.schema_version > 1
            else parse_texts(file, *self.layout.text_columns)
        )

    @property
    def skips_blank(self) -> bool:
        """Whether rows without a text or a label are left out; they were rows once."""
        return self.schema_version > 1


def read_description(place: Path) -> Description:
    """The description in a file.

    raises : InputError that says what is damaged and what to do
    """
    try:
        described = Description.model_validate_json(read_bytes(place, MOST_BYTES))
        if described.task.name != place.stem:
            raise InputError(f"it describes {described.task.name!r}, wanted {place.stem!r}")
        return described
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else first["msg"]
    except InputError as error:
        reason = str(error).rstrip(".")
    raise InputError(
        f"The description of task {place.stem!r} is damaged ({place}: {reason}). Add the task again with `budgetsim "
        f"tasks add {place.stem} ... --yes`, or take it away with `budgetsim tasks remove {place.stem}`."
    )


def write_description(
    place: Path, task: Task, layout: Layout, encoding: str, parts: dict[str, dict[str, Any]], findings: Findings
) -> None:
    """Remember a task; the file is whole or not there.

    raises : StoreError where it cannot be written
    """
    facts = {name: value for name, value in asdict(task).items() if name in _Task.model_fields}
    described = {
        "schema_version": SCHEMA_VERSION,
        "task": facts,
        "files": {
            "parts": parts,
            "text_columns": layout.text_columns,
            "label_column": layout.label_column,
            "encoding": encoding,
        },
        "findings": asdict(findings),
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        sweep(place.parent)
        with unfinished(place) as temporary:
            temporary.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(place.parent, error) from None


def unwritable(folder: Path, error: OSError) -> StoreError:
    """The error of a folder that cannot be written."""
    return StoreError(
        f"{folder} cannot be written ({error.strerror}); name a store in a folder of your own with --store."
    )


def describe_parts(places: dict[str, tuple[Path, str, Format | None]], home: Path) -> dict[str, dict[str, Any]]:
    """Paths (relative to the description), hashes and formats of files, as they are written.

    places : part -> (file, SHA-256, format)
    """
    return {
        part: {"path": os.path.relpath(file.resolve(), home.resolve()), "sha256": sha256, "format": form}
        for part, (file, sha256, form) in places.items()
    }


def _values(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}

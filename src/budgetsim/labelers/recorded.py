"""Labels that an LLM gave already, read from a file: `recorded:FILE`; nobody is asked, and nothing is paid again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from budgetsim.data.rows import Row, TextFile, read_text
from budgetsim.data.tables import Layout, columns_of, guess_format, read_examples
from budgetsim.data.tasks import Task
from budgetsim.errors import InputError
from budgetsim.labelers.labeler import Brief, Labels, Unasked
from budgetsim.labelers.trial import Trial

KIND: Final = "recorded"
LABEL: Final = "label"  # column of a table
MOST_OWNED: Final = 100_000  # labels of people that it is tried on: all that there are
DIGITS: Final = 12  # of the file's hash, in the name


@dataclass(frozen=True, slots=True)
class Recorded(Unasked):
    """What a file says of each text; a text whose label is empty, or none of the task's, has none.

    name : as it is written in a run, `recorded:STEM@HASH`: a file counts by its last name and what is in it
    file : None where a name comes from a store: such a labeler can be named, and labels nothing
    """

    name: str
    file: Path | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, name: str) -> Recorded:
        """Read `recorded:FILE`, or the name that it has in a store.

        raises : InputError where there is no such file
        """
        rest = name.removeprefix(f"{KIND}:") if name.startswith(f"{KIND}:") else ""
        if not rest:
            raise InputError(f"There is no labeler {name!r}; write recorded:FILE, a table of texts and labels.")
        stem, at, digits = rest.rpartition("@")
        if at and stem and len(digits) == DIGITS and set(digits) <= set("0123456789abcdef"):
            return cls(name)
        file = Path(rest).expanduser()
        read = _read(file)
        return cls(f"{KIND}:{Path(read.name).stem}@{read.sha256[:DIGITS]}", file)

    @property
    def n_owned(self) -> int:
        """All labels of people: those whose texts the file labels too say how often it is right."""
        return MOST_OWNED

    def check(self, task: Task, rows: Sequence[Row], owned: Sequence[Row] = ()) -> None:
        """Refuse a task without classes, texts that the file does not hold, and labels that are all strange.

        raises : InputError with the way out
        """
        if not task.labels:
            raise InputError(f"{self.name} labels classifications, and {task.name} is none.")
        said = self._said(task)
        absent = sum(row.source not in said for row in rows)
        if absent:
            raise InputError(
                f"{self.name}: {absent:,} of the {len(rows):,} texts to be labelled are not in the file. Name the file "
                f"of the texts that it labels: --unlabeled FILE, or --unlabeled labelled where it labels the training "
                f"rows."
            )
        if rows and not any(said[row.source] in task.labels for row in rows):
            strange = next((label for label in said.values() if label), "")
            raise InputError(
                f"{self.name}: found no label of {task.name} for these texts (the first is {strange[:60]!r}), wanted "
                f"{', '.join(task.labels)}."
            )

    def examine(self, brief: Brief) -> Trial | None:
        """How often it agrees with people on the owned texts that the file labels too."""
        said, labels = self._said(brief.task), brief.task.labels
        both = [(said[row.source], row.target) for row in brief.owned if row.source in said]
        answered = [(answer, target) for answer, target in both if answer in labels]
        right = sum(answer == target for answer, target in answered)
        return Trial(n_asked=len(both), n_answered=len(answered), n_right=right) if both else None

    def label(self, rows: Sequence[Row], brief: Brief) -> Labels:
        """The recorded label of each row.

        raises : InputError as `check`
        """
        self.check(brief.task, rows)
        said, labels = self._said(brief.task), brief.task.labels
        answers = tuple(answer if (answer := said[row.source]) in labels else None for row in rows)
        silent = sum(not said[row.source] for row in rows)
        return Labels(
            answers=answers,
            trial=self.examine(brief),
            n_refused=silent,
            n_unreadable=answers.count(None) - silent,
        )

    def _said(self, task: Task) -> Mapping[str, str]:
        if self.file is None:
            raise InputError(f"{self.name} is the name of a file in a store; write recorded:FILE to label by it.")
        return _labels(self.file, task.fields)


@cache
def _read(file: Path) -> TextFile:
    return read_text(file)


@cache
def _labels(file: Path, fields: tuple[str, ...]) -> Mapping[str, str]:
    """The label of each text of a file.

    raises : InputError where it is no table of texts and labels, or says two things of one text
    """
    read = _read(file)
    form = guess_format(read)
    layout = Layout(text_columns=fields or (_text_column(columns_of(read, form), read.name),), label_column=LABEL)
    said: dict[str, tuple[str, int]] = {}
    for row in read_examples(read, form, layout).examples:
        label, line = said.setdefault(row.source, (row.target, row.line))
        if label != row.target:
            raise InputError(
                f"{read.name}, line {row.line}: the text is labelled {row.target!r} here and {label!r} in line {line}; "
                f"keep one of them."
            )
    return {text: label for text, (label, _) in said.items()}


def _text_column(columns: Sequence[str], name: str) -> str:
    """The column of the texts: the only one beside the labels, or `text`."""
    others = [column for column in columns if column != LABEL]
    if len(others) == 1 or not columns:
        return others[0] if others else "text"
    if "text" not in others:
        raise InputError(f"{name}: found the columns {', '.join(columns)}, wanted text and {LABEL}.")
    return "text"

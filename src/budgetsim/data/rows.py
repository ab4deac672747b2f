"""Rows of a task: read from JSONL or CSV, whatever wrote the file, and hashed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from budgetsim.errors import InputError


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what the model reads, what it should write, and the text that would leak."""

    source: str
    target: str
    group: str


@dataclass(frozen=True, slots=True)
class TextFile:
    """Text of a data file with the SHA-256 of its bytes."""

    name: str
    text: str
    sha256: str


def nfc(text: str) -> str:
    """Composed form and single blanks: two spellings of one text are one group.

    >>> nfc("cafe\\u0301  au lait") == "caf\\u00e9 au lait"
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_text(path: Path) -> TextFile:
    """Read a UTF-8 file (a byte order mark is accepted).

    raises : InputError where it is missing, unreadable or not UTF-8
    """
    try:
        data = path.read_bytes()
        return TextFile(path.name, data.decode("utf-8-sig"), hashlib.sha256(data).hexdigest())
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; name an existing CSV, JSONL or text file.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start} is wrong); save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None


def parse_pairs(file: TextFile, columns: tuple[str, str]) -> list[tuple[str, str]]:
    """The (text, label) pairs of a JSONL file (`.json`, `.jsonl`) or a CSV file with a header.

    raises : InputError naming the line that is malformed, or the columns there are
    """
    lines = _csv_rows(file) if file.name.lower().endswith(".csv") else _json_rows(file)
    return [_pair(file, number, row, columns) for number, row in lines]


def parse_texts(file: TextFile, column: str) -> list[str]:
    """Unlabelled texts: one a line of a `.txt` file, or a column of JSONL or CSV."""
    if file.name.lower().endswith((".csv", ".json", ".jsonl")):
        lines = _csv_rows(file) if file.name.lower().endswith(".csv") else _json_rows(file)
        return [_cell(file, number, row, column) for number, row in lines]
    return [line.strip() for line in file.text.splitlines() if line.strip()]


def data_hash(files: Sequence[TextFile]) -> str:
    """SHA-256 over the hashes of the files, in order."""
    return hashlib.sha256("\n".join(f.sha256 for f in files).encode("ascii")).hexdigest()


def _json_rows(file: TextFile) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(file.text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file.name}, line {number}: not JSON ({error}); write one object a line.") from None
        if not isinstance(row, dict):
            raise InputError(f"{file.name}, line {number}: found {type(row).__name__}, wanted a JSON object.")
        yield number, row


def _csv_rows(file: TextFile) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.DictReader(io.StringIO(file.text), strict=True)
    try:
        for row in reader:
            yield reader.line_num, dict(row)
    except csv.Error as error:
        raise InputError(f"{file.name}, line {reader.line_num}: not CSV ({error}).") from None


def _pair(file: TextFile, number: int, row: dict[str, object], columns: tuple[str, str]) -> tuple[str, str]:
    text, label = (_cell(file, number, row, column) for column in columns)
    return text, label


def _cell(file: TextFile, number: int, row: dict[str, object], column: str) -> str:
    value = row.get(column)
    if column not in row:
        raise InputError(
            f"{file.name}, line {number}: no column {column!r}; it has {', '.join(map(str, row))}. "
            f"Name the columns with --text-column and --label-column."
        )
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise InputError(f"{file.name}, line {number}: {column} is {value!r}, wanted a text.")
    return str(value)

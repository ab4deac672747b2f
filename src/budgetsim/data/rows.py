"""Rows of a task: read from JSONL or CSV, whatever wrote the file, and hashed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from budgetsim.errors import InputError

MOST_BYTES: Final = 256 * 2**20  # of a file of rows
_HALF: Final = re.compile("[\ud800-\udfff]")
ENCODINGS: Final = ("utf-8", "latin-1", "cp1252", "utf-16")


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
    return " ".join(text.split() if text.isascii() else unicodedata.normalize("NFC", text).split())


def read_text(path: Path, encoding: str = "utf-8") -> TextFile:
    """Read a file of text (a byte order mark is accepted).

    raises : InputError where it is missing, no file, unreadable, too large or not of the encoding
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not {encoding.upper()} (byte {error.start} is wrong); save it as UTF-8, or name its --encoding."
        ) from None
    return TextFile(path.name, text, hashlib.sha256(data).hexdigest())


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Bytes of a plain file of at most so many.

    raises : InputError
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InputError(f"{path} is a folder; name the file in it.")
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} is no plain file; name a CSV, JSONL or text file.")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; name an existing CSV, JSONL or text file.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from None
    if len(data) > most:
        raise InputError(
            f"{path} has {found.st_size / 2**20:,.0f} MiB, wanted {most / 2**20:,.0f} or fewer; take a sample of its "
            f"rows."
        )
    return data


def parse_pairs(file: TextFile, columns: tuple[str, str]) -> list[tuple[str, str]]:
    """The (text, label) pairs of a JSONL file (`.json`, `.jsonl`) or a CSV file with a header.

    raises : InputError naming the line that is malformed, or the columns there are
    """
    lines = csv_rows(file) if file.name.lower().endswith(".csv") else json_rows(file)
    return [(cell(file, number, row, columns[0]), cell(file, number, row, columns[1])) for number, row in lines]


def parse_texts(file: TextFile, column: str) -> list[str]:
    """Unlabelled texts: one a line of a `.txt` file, or a column of JSONL or CSV."""
    if file.name.lower().endswith((".csv", ".json", ".jsonl")):
        lines = csv_rows(file) if file.name.lower().endswith(".csv") else json_rows(file)
        return [cell(file, number, row, column) for number, row in lines]
    return [line.strip() for line in file.text.splitlines() if line.strip()]


def data_hash(files: Sequence[TextFile]) -> str:
    """SHA-256 over the hashes of the files, in order."""
    return hashlib.sha256("\n".join(f.sha256 for f in files).encode("ascii")).hexdigest()


def json_rows(file: TextFile) -> Iterator[tuple[int, dict[str, object]]]:
    """Objects of a file that has one a line, with their lines.

    raises : InputError
    """
    for number, line in enumerate(file.text.split("\n"), start=1):  # a text may hold other ends of lines
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file.name}, line {number}: not JSON ({error}); write one object a line.") from None
        if not isinstance(row, dict):
            raise InputError(f"{file.name}, line {number}: found {type(row).__name__}, wanted a JSON object.")
        yield number, row


def csv_rows(file: TextFile) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows of a CSV file with a header, with the lines they end in.

    raises : InputError
    """
    reader = csv.reader(io.StringIO(file.text, newline=""), strict=True)
    try:
        header = next((cells for cells in reader if cells), [])
        if len({*header}) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise InputError(f"{file.name}, line 1: column {twice!r} stands twice; keep one of them.")
        for cells in reader:
            if cells:  # what a row lacks of the header is nothing, which `cell` refuses
                yield reader.line_num, dict(zip_longest(header, cells[: len(header)]))
    except csv.Error as error:
        raise InputError(f"{file.name}, line {reader.line_num}: not CSV ({error}).") from None


def cell(file: TextFile, number: int, row: dict[str, object], column: str) -> str:
    """Text of a column; whole and decimal numbers become text.

    raises : InputError where the column is missing, or holds something else
    """
    value = row.get(column)
    if isinstance(value, str):
        text = value
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        text = str(value)
    elif column in row:
        raise InputError(f"{file.name}, line {number}: {column} is {value!r}, wanted a text.")
    else:
        raise InputError(
            f"{file.name}, line {number}: no column {column!r}; it has {', '.join(map(str, row))}. "
            f"Name the columns with --text-column and --label-column."
        )
    if _HALF.search(text):
        raise InputError(f"{file.name}, line {number}: {column} holds half a character (a surrogate); write it whole.")
    return text

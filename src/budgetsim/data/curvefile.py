"""A learning curve in a CSV file: sizes and scores, or errors, of any learner."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from budgetsim.errors import InputError

MetricKind = Literal["score", "error"]
Unit = Literal["fraction", "percent", "own"]  # own: of a loss, which has no upper limit

SIZE_COLUMNS: Final = (
    "n_labels", "n_train", "n", "size", "train_size", "training_size", "labels", "n_examples", "examples",
    "n_samples", "samples", "n_rows", "rows",
)  # fmt: skip
SCORE_COLUMNS: Final = (
    "score", "accuracy", "acc", "f1", "macro_f1", "micro_f1", "f1_macro", "f1_micro", "precision", "recall", "auc",
    "exact_match", "em", "bleu", "rouge", "metric",
)  # fmt: skip
ERROR_COLUMNS: Final = ("error", "error_rate", "err", "wer", "cer")
LOSS_COLUMNS: Final = (
    "loss", "test_loss", "eval_loss", "val_loss", "nll", "cross_entropy", "perplexity", "mse", "mae", "rmse",
)  # fmt: skip
MOST_ROWS: Final = 2000
MOST: Final = 1e15  # of any number in the file
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
_PERCENT_NAME = re.compile(r"_?(percent|percentage|pct|%)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFile:
    """A curve as it was understood; values are fractions, but for a loss, which stays in its own unit."""

    sizes: tuple[float, ...]
    values: tuple[float, ...]
    size_column: str  # as the file writes it
    value_column: str
    kind: MetricKind
    unit: Unit  # in which the file gives them

    @property
    def n_sizes(self) -> int:
        return len(set(self.sizes))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the numbers stand."""

    file: str
    header: Sequence[str]
    size_at: int
    value_at: int
    separator: str

    @property
    def size(self) -> str:
        return self.header[self.size_at]

    @property
    def value(self) -> str:
        return self.header[self.value_at]


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    size: float
    value: float
    has_sign: bool  # of percent


def parse_curve(text: str, name: str, kind: MetricKind | None = None) -> CurveFile:
    """Read sizes and values; columns are found by their names, replicates of a size stay rows.

    text : of a CSV file; commas, semicolons or tabs between the columns
    name : of the file, for messages
    kind : whether higher is better (score) or lower (error); None to tell it by the column's name
    raises : InputError that says what was found, wanted, and what to do
    """
    text = text.lstrip("\ufeff")
    if not text.strip():
        raise InputError(f"{name} is empty; wanted a header and a row a run: n_labels,accuracy.")
    separator = _separator(text)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{name} is no CSV file ({error}); save the table as CSV.") from None
    header = [cell.strip() for cell in lines[0]]
    size_at = _column(header, SIZE_COLUMNS, name, "sizes")
    errors = (*ERROR_COLUMNS, *LOSS_COLUMNS)
    names = (*errors, *SCORE_COLUMNS) if kind == "error" else (*SCORE_COLUMNS, *errors)
    value_at = _column(header, names, name, "scores")
    columns = _Columns(name, header, size_at, value_at, separator)
    rows = [_row(cells, line, columns) for line, cells in enumerate(lines[1:], 2) if any(c.strip() for c in cells)]
    _check_number_of_sizes(rows, columns)
    column = _plain(header[value_at])
    kind_read: MetricKind = kind or ("score" if column in SCORE_COLUMNS else "error")
    unit: Unit = "own" if kind_read == "error" and column in LOSS_COLUMNS else _unit(rows, columns)
    scale = 100.0 if unit == "percent" else 1.0
    return CurveFile(
        sizes=tuple(r.size for r in rows),
        values=tuple(r.value / scale for r in rows),
        size_column=header[size_at],
        value_column=header[value_at],
        kind=kind_read,
        unit=unit,
    )


def _separator(text: str) -> str:
    """That of the columns: whichever the header has most of."""
    header = text.lstrip().splitlines()[0]
    return max(",;\t", key=header.count)


def _plain(heading: str) -> str:
    """A heading without case, blanks and its unit."""
    plain = re.sub(r"[\s\-()\[\]]+", "_", heading.strip().lower()).strip("_")
    return _PERCENT_NAME.sub("", plain)


def _column(header: Sequence[str], names: Sequence[str], file: str, what: str) -> int:
    """Where the first of the names stands that the header has."""
    plain = [_plain(cell) for cell in header]
    for name in names:
        if name in plain:
            if plain.count(name) > 1:
                raise InputError(f"{file} has several columns {name}; keep one of them.")
            return plain.index(name)
    known = ", ".join(dict.fromkeys(names))
    raise InputError(
        f"{file} has no column of {what}: found {', '.join(repr(c) for c in header)}, wanted one of {known}. "
        "Name the column so in the first line."
    )


def _row(cells: Sequence[str], line: int, columns: _Columns) -> _Row:
    if len(cells) != len(columns.header):
        raise InputError(
            f"{columns.file}, line {line}: found {len(cells)} cells, wanted {len(columns.header)} as in line 1; "
            "put cells that hold a separator in quotes."
        )
    size_text, value_text = cells[columns.size_at].strip(), cells[columns.value_at].strip()
    size = _number(size_text, line, columns.size, columns)
    sign = value_text.endswith("%")
    value = _number(value_text.removesuffix("%").strip(), line, columns.value, columns)
    return _Row(line, size, value, sign)


def _number(text: str, line: int, column: str, columns: _Columns) -> float:
    """A finite number of zero or more; a decimal comma is read where commas do not part the columns."""
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) and columns.separator == "," else text
    plain = plain.replace(",", ".") if columns.separator != "," and plain.count(",") == 1 else plain
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    if not 0 <= number <= MOST:
        found = repr(text) if text else "nothing"
        raise InputError(
            f"{columns.file}, line {line}, {column}: found {found}, wanted a number from 0 to {MOST:.0e}. "
            "Correct it, or drop the row."
        )
    return number


def _check_number_of_sizes(rows: Sequence[_Row], columns: _Columns) -> None:
    if len(rows) > MOST_ROWS:
        raise InputError(
            f"{columns.file} has {len(rows):,} rows, wanted {MOST_ROWS:,} or fewer; average the runs of each size."
        )
    sizes = {r.size for r in rows if r.size > 0}
    if len(sizes) < 2:
        found = f"one size, {min(sizes):g}" if sizes else "no row of positive size"
        raise InputError(f"{columns.file} has {found}; wanted two or more in {columns.size}. Measure another size.")


def _unit(rows: Sequence[_Row], columns: _Columns) -> Unit:
    """Fractions, or percent, of a metric from 0 to 1."""
    signs = {r.has_sign for r in rows}
    if len(signs) > 1:
        line = next(r.line for r in rows if not r.has_sign)
        raise InputError(f"{columns.file}, line {line}: found no % sign as others have; write all alike.")
    largest = max(rows, key=lambda r: r.value)
    if largest.value > 100:
        raise InputError(
            f"{columns.file}, line {largest.line}, {columns.value}: found {largest.value:g}, "
            f"wanted a fraction up to 1, or percent up to 100. "
            f"Of a loss, name the column one of {', '.join(LOSS_COLUMNS)}."
        )
    if True in signs or _PERCENT_NAME.search(columns.value.lower()):
        return "percent"
    if largest.value <= 1:
        return "fraction"
    small = next((r for r in rows if 0 < r.value <= 1), None)
    if small is not None:
        raise InputError(
            f"{columns.file}: found {small.value:g} in line {small.line} and {largest.value:g} in line {largest.line}, "
            f"fractions mixed with percent? Write all of {columns.value} as fractions, or all with a % sign."
        )
    return "percent"

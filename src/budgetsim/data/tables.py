"""Labelled rows in files of several formats: CSV, TSV, JSONL, CoNLL, and lines of a label and a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal, NamedTuple, get_args

from budgetsim.data.conll import check_words, looks_tagged, read_sentences
from budgetsim.data.rows import TextFile, cell, csv_rows, json_rows, nfc
from budgetsim.data.tasks import TaskKind
from budgetsim.errors import InputError

Format = Literal["csv", "tsv", "jsonl", "conll", "lines"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "jsonl", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".conll": "conll", ".bio": "conll", ".iob": "conll", ".iob2": "conll", ".iobes": "conll",
}  # fmt: skip
MOST_CLASSES: Final = 200  # of lines that begin with their label
_PEEK: Final = 2000  # lines that a format is told by


class Example(NamedTuple):
    """A row as a file has it."""

    source: str
    target: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where text and answer of a row stand; two text columns make a pair, `name: text name: text`."""

    kind: TaskKind = "classification"
    text_columns: tuple[str, ...] = ("text",)
    label_column: str = "label"


@dataclass(frozen=True, slots=True)
class Read:
    """The examples of a file; `n_converted` tags were not BIO there."""

    examples: list[Example]
    n_converted: int = 0


def guess_format(file: TextFile) -> Format:
    """The format of labelled rows, by the name of the file, else by what stands in it.

    raises : InputError where neither tells
    """
    known = SUFFIXES.get(PurePath(file.name).suffix.lower())
    if known is not None:
        return known
    if file.text.lstrip().startswith("{"):
        return "jsonl"
    if looks_tagged(file.text):
        return "conll"
    if _begins_with_labels(file.text):
        return "lines"
    raise InputError(
        f"{file.name}: neither its name nor its lines tell the format; name it .csv, .tsv, .jsonl or .conll, or add "
        f"--format {'|'.join(FORMATS)}."
    )


def as_format(name: str) -> Format:
    """One of the formats.

    raises : InputError
    """
    if name not in FORMATS:
        raise InputError(f"--format: found {name!r}, wanted {', '.join(FORMATS)}.")
    return name


def columns_of(file: TextFile, form: Format) -> list[str]:
    """Columns of the first row; none where the format has no names.

    raises : InputError
    """
    if form in ("conll", "lines"):
        return []
    first = next(_records(file, form), None)
    return [] if first is None else [str(name) for name in first[1]]


def read_examples(file: TextFile, form: Format, layout: Layout) -> Read:
    """The labelled rows of a file.

    raises : InputError naming the line that is malformed
    """
    if form == "conll":
        found = read_sentences(file)
        return Read([Example(s.words, s.tags, s.line) for s in found.sentences], found.n_converted)
    if form == "lines":
        return Read([*_label_lines(file)])
    rows = [
        Example(_source(file, number, row, layout.text_columns), cell(file, number, row, layout.label_column), number)
        for number, row in _records(file, form)
    ]
    return _tagged(file, rows) if layout.kind == "tagging" else Read(rows)


def read_unlabeled(file: TextFile, layout: Layout) -> list[str]:
    """Texts without labels: of a table's text columns, the sentences of a CoNLL file, or a text a line."""
    form = SUFFIXES.get(PurePath(file.name).suffix.lower())
    if form == "conll":
        return [s.words for s in read_sentences(file).sentences]
    if form is None:
        return [line.strip() for line in file.text.splitlines() if line.strip()]
    return [_source(file, number, row, layout.text_columns) for number, row in _records(file, form)]


def _records(file: TextFile, form: Format) -> Iterator[tuple[int, dict[str, object]]]:
    if form == "csv":
        return csv_rows(file)
    return _tsv_rows(file) if form == "tsv" else json_rows(file)


def _tsv_rows(file: TextFile) -> Iterator[tuple[int, dict[str, object]]]:
    """A row a line; quotes are text, but for those around a whole cell with inner ones doubled."""
    header: list[str] | None = None
    for number, line in enumerate(file.text.split("\n"), start=1):
        cells = [_unquoted(c) for c in line.rstrip("\r").split("\t")]
        if not any(c.strip() for c in cells):
            continue
        if header is None:
            header = cells
            if len({*header}) < len(header):
                raise InputError(f"{file.name}, line {number}: a column stands twice; keep one of them.")
        elif len(cells) != len(header):
            raise InputError(
                f"{file.name}, line {number}: found {len(cells)} cells, wanted {len(header)} as in the first line."
            )
        else:
            yield number, dict(zip(header, cells, strict=True))


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if is_quoted else text


def _label_lines(file: TextFile) -> Iterator[Example]:
    for number, line in enumerate(file.text.split("\n"), start=1):
        words = line.split(None, 1)
        if len(words) == 1:
            raise InputError(
                f"{file.name}, line {number}: found {words[0][:60]!r} alone, wanted a label, a blank and a text."
            )
        if words:
            yield Example(words[1].strip(), words[0], number)


def _begins_with_labels(text: str) -> bool:
    """Whether few words begin all lines, each many: `label text`."""
    lines = [line.split(None, 1) for line in text.split("\n")[:_PEEK] if line.strip()]
    first = {words[0] for words in lines}
    most = min(MOST_CLASSES, max(2, len(lines) // 5))
    return len(lines) > 2 and all(len(words) == 2 for words in lines) and len(first) <= most


def _source(file: TextFile, number: int, row: dict[str, object], columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return cell(file, number, row, columns[0])
    parts = [(name, nfc(cell(file, number, row, name))) for name in columns]
    return " ".join(f"{name}: {text}" for name, text in parts)


def _tagged(file: TextFile, rows: Sequence[Example]) -> Read:
    checked = [check_words(file.name, row.line, row.source, row.target) for row in rows]
    made = [Example(words, tags, row.line) for row, (words, tags, _) in zip(rows, checked, strict=True)]
    return Read(made, sum(n for *_, n in checked))

"""Tables as text, and numbers as people read them."""

from __future__ import annotations

import textwrap
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from unicodedata import combining, east_asian_width

from budgetsim.doors.words import show

if TYPE_CHECKING:
    from budgetsim.answers.points import PointAnswer
    from budgetsim.choosing.options import Allocation
    from budgetsim.design.points import Design

ANSWER_SCHEMA_VERSION = 1
Role = Literal["title", "best", "caution", "muted"]  # of a line: what its colour on a terminal means
Page = list["str | Table"]  # what a command prints: paragraphs and tables, in order
DESIGN_COUNTS = ("labels", "LLM", "texts")  # headings of what a plan buys
_NOTHING = ("-", "")  # cells of what a row has none of
_DIGITS = 4
_NARROWEST = 16  # column in which a text goes on below itself


class Showing(NamedTuple):
    """How much of an answer people want to see: the author's words explained, all notes."""

    explain: bool = False
    notes: bool = False


BRIEF = Showing()


class Headline(str):
    """The line of a page that says what to do; a terminal shows it bold."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as text: a title, headings, cells; numbers are right-aligned.

    optional : headings of columns that may be left out, the first first, where a terminal is too narrow; all other
        columns carry the answer. Where even they do not fit the first text goes on below itself, and where that does
        not help each row becomes a record of lines
    roles : row -> what it is, which a terminal shows by colour
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})
    optional: tuple[str, ...] = ()
    roles: Mapping[int, Role] = field(default_factory=dict)

    def lines(self, width: int | None = None) -> list[str]:
        """The table as plain text, two blanks between columns.

        width : of a terminal; None for pipes and files, which have room for all columns
        """
        return [line for line, _ in self.told(width)]

    def told(self, width: int | None = None) -> list[tuple[str, Role | None]]:
        """The lines with what each is, for a terminal that shows it by colour."""
        titles = ([show(self.title)] if width is None else wrap(show(self.title), width)) if self.title else []
        title: list[tuple[str, Role | None]] = [(line, "title") for line in titles]
        kept = self._kept(width)
        cells = [[row[i] for i in kept] for row in self._cells()]
        sizes = [max(cells_wide(row[k]) for row in cells) for k in range(len(kept))]
        over = 0 if width is None else _wide(sizes) - width
        head = next((k for k, i in enumerate(kept) if i in self.text_columns), 0)
        if over > 0 and not _folds([row[head] for row in cells], sizes[head] - over):
            return title + self._records(width or 0)
        sizes[head] -= max(over, 0)
        texts = {k for k, i in enumerate(kept) if i in self.text_columns}
        drawn = [_drawn(row, sizes, texts, head) for row in cells]
        ruled: list[tuple[str, Role | None]] = [(line, "title") for line in drawn[0]]
        ruled.append(("  ".join("-" * size for size in sizes), None))
        body: list[tuple[str, Role | None]] = [
            (line, self.roles.get(i)) for i, lines in enumerate(drawn[1:]) for line in lines
        ]
        left = [
            h for i, h in enumerate(self.headings) if i not in kept and any(row[i] not in _NOTHING for row in self.rows)
        ]
        more: list[tuple[str, Role | None]] = [(line, "muted") for line in _left_out(left, width or 0)]
        return [*title, *ruled, *body, *more]

    def _cells(self) -> list[list[str]]:
        """Cells with nothing in them that a terminal obeys: names come from cards, tables and stores of others."""
        return [[show(cell, one_line=True) for cell in row] for row in (self.headings, *self.rows)]

    def _kept(self, width: int | None) -> list[int]:
        """The columns that fit, or those alone that carry the answer."""
        kept = list(range(len(self.headings)))
        if width is None:
            return kept
        cells = self._cells()
        sizes = [max(cells_wide(row[i]) for row in cells) for i in kept]
        droppable = [self.headings.index(name) for name in self.optional if name in self.headings]
        while droppable and _wide([sizes[i] for i in kept]) > width:
            kept.remove(droppable.pop(0))
        return kept

    def _records(self, width: int) -> list[tuple[str, Role | None]]:
        """Each row as a heading, its first text, and below it all other cells by name."""
        headings, *rows = self._cells()
        head = min(self.text_columns, default=0)
        lines: list[tuple[str, Role | None]] = []
        for k, row in enumerate(rows):
            named = [f"{h} {cell}".strip() for i, (h, cell) in enumerate(zip(headings, row, strict=True)) if i != head]
            told = "; ".join(
                name for name, cell in zip(named, _without(row, head), strict=True) if cell not in _NOTHING
            )
            text = [*wrap(row[head], width), *(f"  {line}" for line in wrap(told, max(width - 2, 10)))]
            lines += [(line, self.roles.get(k)) for line in text]
        return lines


def _wide(sizes: Sequence[int]) -> int:
    """Columns of a terminal that a table takes, two blanks between its own."""
    return sum(sizes) + 2 * (len(sizes) - 1)


def _folds(texts: Sequence[str], size: int) -> bool:
    """Whether texts can go on below themselves in a column of that size: it is no splinter and takes every word."""
    return size >= _NARROWEST and all(cells_wide(word) <= size - 2 for text in texts for word in text.split())


def _drawn(row: Sequence[str], sizes: Sequence[int], texts: Container[int], head: int) -> list[str]:
    """The lines of a row: one, or several where its first text goes on below itself."""
    first, *rest = textwrap.wrap(row[head], sizes[head], subsequent_indent="  ", break_long_words=False) or [""]
    if cells_wide(row[head]) <= sizes[head]:
        first, rest = row[head], []
    cells = [*row[:head], first, *row[head + 1 :]]
    return [line.rstrip() for line in ("  ".join(_padded(cells, sizes, texts)), *rest)]


def _without(row: Sequence[str], i: int) -> list[str]:
    return [*row[:i], *row[i + 1 :]]


def _padded(row: Sequence[str], sizes: Sequence[int], texts: Container[int]) -> list[str]:
    blanks = [" " * (size - cells_wide(cell)) for cell, size in zip(row, sizes, strict=True)]
    return [
        cell + blank if i in texts else blank + cell for i, (cell, blank) in enumerate(zip(row, blanks, strict=True))
    ]


def _left_out(headings: Sequence[str], width: int) -> list[str]:
    return wrap(f"(no room in {width} columns for: {', '.join(headings)})", width) if headings else []


def wrap(text: str, width: int) -> list[str]:
    """A paragraph as lines of at most so many columns, where its words allow it."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def cells_wide(text: str) -> int:
    """Columns that a text takes on a terminal.

    >>> cells_wide("Haltung"), cells_wide("立場")
    (7, 4)
    """
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def usd(amount: float | None) -> str:
    """Dollars for people.

    >>> usd(1999.66), usd(0.364), usd(0.0003), usd(None)
    ('$2,000', '$0.36', 'under $0.01', '-')
    """
    if amount is None:
        return "-"
    if 0 < amount < 0.005:
        return "under $0.01"
    return f"${amount:,.0f}" if amount >= 100 else f"${amount:,.2f}"


def rounded(value: Any) -> Any:
    """Floats cut to a tenth of a thousandth of their unit, throughout a JSON object."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return value


def count(n: int | None) -> str:
    return "-" if not n else f"{n:,}"


def design_cells(design: Design) -> tuple[str, str, str, str]:
    """Strategy and models in short, labels, LLM labels and texts, as cells of a table."""
    return (design.route.short, count(design.n_labels), count(design.n_llm_labels), count(design.n_unlabeled))


def may_go(names: Sequence[str], headings: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Columns that a narrow terminal may do without, the first first; a count that any row has is never one of them.

    names : headings of those that carry no answer, `DESIGN_COUNTS` left out; one without anything in it goes first

    >>> may_go(["from"], ["who", "labels", "LLM", "from"], [["a", "9", "-", "x"]])
    ('LLM', 'from')
    """
    held = {h for i, h in enumerate(headings) if any(row[i] not in _NOTHING for row in rows)}
    empty = [h for h in (*DESIGN_COUNTS, *names) if h in headings and h not in held]
    return (*empty, *(h for h in names if h in held))


def interval_words(a: Allocation | PointAnswer) -> str:
    return "-" if a.lower is None or a.upper is None else f"{a.lower:.1f} to {a.upper:.1f}"


def kind_words(kind: str | None, factor: float | None) -> str:
    if kind is None:
        return "-"
    if kind != "extrapolated" or not factor:
        return kind
    return f"{factor:,.0f}-fold outside" if factor >= 1000 else f"{factor:.3g}-fold outside"

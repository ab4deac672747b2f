"""Tables as text, and numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from budgetsim.doors.words import show

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from budgetsim.answers.points import PointAnswer
    from budgetsim.choosing.options import Allocation
    from budgetsim.design.points import Design

ANSWER_SCHEMA_VERSION = 1
Page = list["str | Table"]  # what a command prints: paragraphs and tables, in order
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as text: a title, headings, cells; numbers are right-aligned."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})

    def lines(self) -> list[str]:
        """The table as plain text, two blanks between columns, for pipes and files."""
        cells = [self._shown(row) for row in (self.headings, *self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.headings))]
        drawn = ["  ".join(self._padded(row, widths)).rstrip() for row in cells]
        return [*([show(self.title)] if self.title else []), drawn[0], "  ".join("-" * w for w in widths), *drawn[1:]]

    @staticmethod
    def _shown(row: Sequence[str]) -> list[str]:
        """Cells with nothing in them that a terminal obeys: names come from cards, tables and stores of others."""
        return [show(cell, one_line=True) for cell in row]

    def _padded(self, row: Sequence[str], widths: Sequence[int]) -> list[str]:
        return [
            cell.ljust(width) if i in self.text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]

    def rich(self) -> RichTable:
        """The table for a terminal."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text  # cells are text, never markup

        table = RichTable(
            title=Text(show(self.title)) if self.title else None,
            title_justify="left",
            title_style="",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for i, heading in enumerate(self._shown(self.headings)):
            is_text = i in self.text_columns
            table.add_column(
                Text(heading), justify="left" if is_text else "right", no_wrap=not is_text, header_style="bold"
            )
        for row in self.rows:
            table.add_row(*map(Text, self._shown(row)))
        return table


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
    """Strategy and models, labels, LLM labels and texts, as cells of a table."""
    return (design.route.label, count(design.n_labels), count(design.n_llm_labels), count(design.n_unlabeled))


def interval_words(a: Allocation | PointAnswer) -> str:
    return "-" if a.lower is None or a.upper is None else f"{a.lower:.1f} to {a.upper:.1f}"


def kind_words(kind: str | None, factor: float | None) -> str:
    if kind is None:
        return "-"
    if kind != "extrapolated" or not factor:
        return kind
    return f"extrapolated {factor:,.0f}-fold" if factor >= 1000 else f"extrapolated {factor:.3g}-fold"

"""Published evidence: a table of results as a paper printed them, and what its dollars imply.

`COLUMNS` says what each column holds; `results/evidence/kang2023.csv` (Kang, Xu and Ritter, ACL 2023, read off the
authors' poster) is a table that tasks are answered from, the others beside it serve forecasts of new tasks alone.
Pure functions of text: the store decides where the text lies.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from budgetsim.data.tasks import TASKS
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER
from budgetsim.design.strategies import DISTILL, get_strategy
from budgetsim.design.strategies.strategy import COUNTS
from budgetsim.doors.values import MOST_UNITS, shorten
from budgetsim.doors.words import is_name
from budgetsim.errors import InputError

REPORTED: Final = "reported-"  # how evidence sets begin that serve forecasts alone
PAPER_GPU_USD_PER_HOUR: Final = 1.875  # what the paper paid for an A100-hour
PAPER_GPU: Final = "A100"
PAPER_LLMS: Final = ("gpt-3.5", "openai/text-davinci-003")  # names of the paper's one LLM: in its figures, in prices
PAPER_POOL_SIZE: Final = 100_000  # unlabelled texts the paper had
PAPER_LLM_USD_PER_MTOK: Final = 20.0  # text-davinci-003, input and output, April 2023
PAPER_PROMPT_TEXTS: Final = 33  # 32 examples in the prompt and the text to label

COLUMNS: Final = {
    "record_id": "the row's own name; no other row of the store has it",
    "same_as": "record_id of the same result, printed first elsewhere in the table",
    "panel": "table, figure or file it was read off",
    "set": "model family and metric: the row then serves forecasts of new tasks alone and is never fitted",
    "task": "name of the task",
    "strategy": "annotate, distill, llm_annotate or annotate_plus_llm",
    "student": "the model that is used in the end",
    "teacher": "the model that labelled texts for it",
    "llm": "the LLM that labelled",
    "n_labels": "examples that people labelled; 0 for a model that saw none, empty where it is not printed",
    "n_unlabeled": "texts that the teacher labelled",
    "initial_n_labels": "labels owned at the start of a comparison",
    "additional_budget_usd": "US dollars spent beyond them",
    "total_cost_usd": "US dollars in all",
    "total_cost_err_usd": "half-width of that reading",
    "gpu_hours": "hours, where printed",
    "seed": "of the run, where the table has several",
    "metric": "accuracy, f1, macro_f1 or another name, in which higher is better",
    "score": "the result",
    "scale": "percent (also where empty) or fraction: how the score is printed",
    "score_err": "half-width of its reading, in the same scale",
    "n_test": "items it was counted on",
    "provenance": "printed or digitised, or the paper to cite",
}
SCALES: Final = {"percent": 1.0, "fraction": 100.0}
COMPUTE_COLUMNS: Final = ["task", "dist_usd_per_1k_unlabeled", "se"]
_MOST_USD: Final = 1_000_000_000.0  # of any amount, hours among them
_LEAST: Final = 1e-6  # dollars of a thousand texts
_MOST_ROWS: Final = 100_000
_MOST_CHARACTERS: Final = 2000  # of a cell
_NUMBER: Final = re.compile(
    r"[+-]?[0-9]{0,30}\.?[0-9]{1,30}(e[+-]?[0-9]{1,3})?|[0-9]{1,30}\.", re.ASCII | re.IGNORECASE
)
_SET: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,99}", re.ASCII)
_SIZE: Final = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_TEACHER: Final = "teacher_ft_usd_L"
REQUIRED: Final = ("record_id", "task", "strategy", "student", "metric", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """A row of a published table; counts named in `derived` were computed from its dollars."""

    record_id: str
    same_as: str | None
    panel: str | None
    task: str
    strategy: str
    student: str
    teacher: str | None
    labeler: str | None
    n_labels: int | None
    n_llm_labels: int | None
    n_unlabeled: int | None
    initial_n_labels: int | None
    additional_budget_usd: float | None
    total_cost_usd: float | None
    total_cost_err_usd: float | None
    gpu_hours: float | None
    metric: str
    score: float  # percent
    score_err: float | None  # points
    provenance: str | None
    set: str | None = None
    seed: int | None = None
    n_test: int | None = None
    states_scale: bool = False
    implied_n_unlabeled: float | None = None
    derived: tuple[str, ...] = ()
    feasible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCompute:
    """What a paper paid for compute on one task, for one teacher and student, in US dollars."""

    task: str
    teacher: str
    student: str
    usd_per_text: float
    usd_per_text_se: float
    teacher_usd: tuple[tuple[int, float, float], ...]  # (n_labels, dollars, standard error)

    def teacher_usd_at(self, n_labels: float) -> float:
        """Dollars of fine-tuning the teacher: monotone between the printed sizes, flat below them."""
        n, usd = monotone_steps([(n, usd) for n, usd, _ in self.teacher_usd])
        if n_labels >= n[-1]:
            return usd[-1] + (usd[-1] - usd[-2]) / (n[-1] - n[-2]) * (n_labels - n[-1])
        for low, high in zip(range(len(n) - 1), range(1, len(n)), strict=True):
            if n[low] <= n_labels < n[high]:
                share = (n_labels - n[low]) / (n[high] - n[low])
                return usd[low] + share * (usd[high] - usd[low])
        return usd[0]


@dataclass(frozen=True, slots=True)
class Published:
    """A published source: its rows with implied counts, and its compute costs."""

    source: str
    rows: list[PublishedRow]
    compute: list[PublishedCompute]


def monotone_steps(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Sizes and the running maximum of what they cost: more labels never cost less compute.

    >>> monotone_steps([(100, 3.7), (500, 3.6), (1000, 7.7)])
    ([100, 500, 1000], [3.7, 3.7, 7.7])
    """
    sizes, costs, top = [], [], 0.0
    for n, cost in sorted(points):
        top = max(top, cost)
        sizes.append(n)
        costs.append(top)
    return sizes, costs


def parse_published(text: str, name: str) -> list[PublishedRow]:
    """Read a published table.

    text : CSV with columns among `COLUMNS`; `record_id`, `task`, `strategy`, `student`, `metric`
        and `score` are required, others may be empty or missing
    name : of the file, for messages
    raises : InputError naming file, line, column, what was found and what was wanted
    """
    rows = []
    for line, record in _records(text, name, REQUIRED, list(COLUMNS)):
        rows.append(_published_row(_Fields(record, f"{name}, line {line}")))
    _check_ids(rows, name)
    _check_percent(rows, name)
    return rows


def parse_compute(text: str, name: str) -> list[PublishedCompute]:
    """Read a table of published compute costs (columns of `kang2023_compute_cost.csv`).

    raises : InputError as `parse_published`
    """
    return [
        _compute_row(_Fields(record, f"{name}, line {line}"))
        for line, record in _records(text, name, COMPUTE_COLUMNS, None)
    ]


def imply_counts(rows: Sequence[PublishedRow], compute: Sequence[PublishedCompute]) -> list[PublishedRow]:
    """Fill the counts that a paper printed as dollars, and flag them.

    n_unlabeled : (additional budget - teacher fine-tuning) / cost per text, then the pool's size at
        most; only for the teacher and student whose costs are known. A budget that does not pay the
        teacher makes the row infeasible.
    n_llm_labels : dollars / (33 texts a prompt at the paper's price per token), an assumption.
    """
    by_pair = {(c.task, c.teacher, c.student): c for c in compute}
    return [_without_others(_imply_llm(_imply_unlabeled(row, by_pair))) for row in rows]


def _without_others(row: PublishedRow) -> PublishedRow:
    """Counts that the strategy does not take are 0, as of measured runs; None says that one is not known."""
    inputs = get_strategy(row.strategy).inputs
    others: dict[str, Any] = {name: 0 for name in COUNTS if name not in inputs and getattr(row, name) is None}
    return replace(row, **others)


def _imply_unlabeled(row: PublishedRow, compute: Mapping[tuple[str, str, str], PublishedCompute]) -> PublishedRow:
    prices = compute.get((row.task, row.teacher or "", row.student))
    lacks_count = row.strategy == DISTILL.name and row.n_unlabeled is None and row.additional_budget_usd is not None
    if not lacks_count or prices is None or row.n_labels is None or row.additional_budget_usd is None:
        return row
    usd_for_texts = row.additional_budget_usd - prices.teacher_usd_at(row.n_labels)
    implied = usd_for_texts / prices.usd_per_text
    if implied <= 0:
        return replace(row, feasible=False, implied_n_unlabeled=implied, n_unlabeled=0, derived=("n_unlabeled",))
    capped = ("capped:n_unlabeled",) if implied > PAPER_POOL_SIZE else ()
    return replace(
        row,
        implied_n_unlabeled=implied,
        n_unlabeled=min(round(implied), PAPER_POOL_SIZE),
        derived=("n_unlabeled", *capped),
    )


def paper_llm_usd_per_label(task: str) -> float:
    """Dollars the paper paid GPT-3.5 for a label, if a prompt held 33 texts with their answers.

    >>> round(paper_llm_usd_per_label("stance"), 4)
    0.0599
    """
    lengths = TASKS[task]
    tokens = PAPER_PROMPT_TEXTS * (lengths.source_tokens + lengths.target_tokens)
    return tokens * PAPER_LLM_USD_PER_MTOK / 1e6


def _imply_llm(row: PublishedRow) -> PublishedRow:
    if "n_llm_labels" not in get_strategy(row.strategy).inputs or row.task not in TASKS:
        return row
    alone = get_strategy(row.strategy).inputs == ("n_llm_labels",)
    usd = row.total_cost_usd if alone else row.additional_budget_usd
    if row.n_llm_labels is not None or usd is None:
        return row
    return replace(
        row,
        n_llm_labels=round(usd / paper_llm_usd_per_label(row.task)),
        derived=(*row.derived, "n_llm_labels"),
    )


def _records(
    text: str, name: str, required: Sequence[str], columns: Sequence[str] | None
) -> list[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    try:
        header = reader.fieldnames or []
        missing = [c for c in required if c not in header]
        unknown = [c for c in header if columns is not None and c not in columns]
        if missing or unknown:
            found = f"lacks {', '.join(missing)}" if missing else f"has unknown columns {shorten(', '.join(unknown))}"
            raise InputError(f"{name}: the table {found}; wanted are {', '.join(columns or required)}.")
        twice = [c for k, c in enumerate(header) if c in header[:k]]
        if twice:
            raise InputError(f"{name}: column {shorten(repr(twice[0]))} stands twice; keep one of them.")
        records: list[tuple[int, dict[str, str]]] = []
        for record in reader:
            if len(records) == _MOST_ROWS:
                raise InputError(f"{name} has more than {_MOST_ROWS:,} rows; split it.")
            if None in record or None in record.values():
                raise InputError(
                    f"{name}, line {reader.line_num}: the row has another number of cells than the header "
                    f"({len(header)}); quote cells that hold commas."
                )
            records.append((reader.line_num, {k: v.strip() for k, v in record.items()}))
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: not CSV ({error}).") from None
    if not records:
        raise InputError(f"{name}: the table has no rows.")
    return records


@dataclass(frozen=True, slots=True)
class _Fields:
    """Cells of one line, read with errors that name the place."""

    record: Mapping[str, str]
    place: str

    def text(self, column: str) -> str:
        value = self.record.get(column, "")
        if not value:
            raise InputError(f"{self.place}, {column}: it is empty; a value is needed.")
        return self._readable(column, value)

    def optional(self, column: str) -> str | None:
        value = self.record.get(column) or None
        return None if value is None else self._readable(column, value)

    def _readable(self, column: str, value: str) -> str:
        if not is_name(value) or len(value) > _MOST_CHARACTERS:
            raise InputError(f"{self.place}, {column}: found {shorten(repr(value))}, wanted text that can be read.")
        return value

    def set_name(self, column: str) -> str | None:
        value = self.optional(column)
        if value is not None and not _SET.fullmatch(value):
            raise InputError(
                f"{self.place}, {column}: found {shorten(repr(value))}, wanted small letters, digits, . + and -, "
                f"e.g. roberta-large-accuracy."
            )
        return value

    def number(self, column: str, *, high: float = _MOST_USD) -> float | None:
        value = self.record.get(column) or None
        if value is None:
            return None
        number = float(value) if _NUMBER.fullmatch(value) else math.nan
        if not 0 <= number <= high:
            raise InputError(
                f"{self.place}, {column}: found {shorten(repr(value))}, wanted a number from 0 to {high:g}."
            )
        return number

    def required_number(self, column: str, *, high: float = _MOST_USD) -> float:
        self.text(column)
        number = self.number(column, high=high)
        assert number is not None
        return number

    def positive_number(self, column: str) -> float:
        number = self.required_number(column)
        if number < _LEAST:
            raise InputError(f"{self.place}, {column}: found {number:g}, wanted {_LEAST:g} or more.")
        return number

    def count(self, column: str) -> int | None:
        number = self.number(column, high=MOST_UNITS)
        if number is not None and number != int(number):
            raise InputError(f"{self.place}, {column}: found {number:g}, wanted a whole number up to {MOST_UNITS:,}.")
        return None if number is None else int(number)


def _published_row(cells: _Fields) -> PublishedRow:
    strategy = get_strategy(cells.text("strategy"), f"{cells.place}, strategy").name
    if not get_strategy(strategy).is_trained:
        raise InputError(f"{cells.place}: strategy {strategy} is not trained; leave such rows out.")
    scale = cells.optional("scale")
    if scale not in (None, *SCALES):
        raise InputError(f"{cells.place}, scale: found {shorten(repr(scale))}, wanted {' or '.join(SCALES)}.")
    percent = SCALES[scale or "percent"]
    score_err = cells.number("score_err", high=100 / percent)
    return PublishedRow(
        record_id=cells.text("record_id"),
        same_as=cells.optional("same_as"),
        panel=cells.optional("panel"),
        task=cells.text("task"),
        strategy=strategy,
        student=cells.text("student"),
        teacher=cells.optional("teacher"),
        labeler=cells.optional("llm"),
        n_labels=cells.count("n_labels"),
        n_llm_labels=None,
        n_unlabeled=cells.count("n_unlabeled"),
        initial_n_labels=cells.count("initial_n_labels"),
        additional_budget_usd=cells.number("additional_budget_usd"),
        total_cost_usd=cells.number("total_cost_usd"),
        total_cost_err_usd=cells.number("total_cost_err_usd"),
        gpu_hours=cells.number("gpu_hours"),
        metric=cells.text("metric"),
        score=percent * cells.required_number("score", high=100 / percent),
        score_err=None if score_err is None else percent * score_err,
        provenance=cells.optional("provenance"),
        set=cells.set_name("set"),
        seed=cells.count("seed"),
        n_test=cells.count("n_test"),
        states_scale=scale is not None,
    )


def _compute_row(cells: _Fields) -> PublishedCompute:
    named = [c.removeprefix(_TEACHER) for c in cells.record if c.startswith(_TEACHER)]
    wrong = [name for name in named if not _SIZE.fullmatch(name)]
    if wrong:
        raise InputError(f"{cells.place}: found column {shorten(_TEACHER + wrong[0])!r}, wanted {_TEACHER}<n_labels>.")
    sizes = sorted(int(name) for name in named)
    if len(sizes) < 2:
        raise InputError(f"{cells.place}: wanted two or more columns teacher_ft_usd_L<n_labels>.")
    return PublishedCompute(
        task=cells.text("task"),
        teacher=cells.optional("teacher") or PAPER_TEACHER,
        student=cells.optional("student") or PAPER_STUDENT,
        usd_per_text=cells.positive_number("dist_usd_per_1k_unlabeled") / 1000,
        usd_per_text_se=cells.required_number("se") / 1000,
        teacher_usd=tuple(
            (n, cells.required_number(f"teacher_ft_usd_L{n}"), cells.number(f"se_L{n}") or 0.0) for n in sizes
        ),
    )


def _check_percent(rows: Sequence[PublishedRow], name: str) -> None:
    """Refuse a table whose scores look like fractions and do not say that they are."""
    highest = max((row.score for row in rows if not row.states_scale), default=100.0)
    if 0 < highest <= 1:
        raise InputError(f"{name}: the highest score is {highest:g}; wanted percent, 0 to 100. "
                         f"Multiply by 100, or say `fraction` in the column scale.")  # fmt: skip


def _check_ids(rows: Sequence[PublishedRow], name: str) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.record_id in seen:
            raise InputError(f"{name}: record_id {row.record_id} stands twice; give each row its own.")
        seen.add(row.record_id)
    firsts = {row.record_id for row in rows if row.same_as is None}
    for row in rows:
        if row.same_as in seen - firsts:
            raise InputError(
                f"{name}: {row.record_id} is same_as {row.same_as}, itself a copy; name the first of them."
            )
        if row.same_as is not None and row.same_as not in seen:
            raise InputError(f"{name}: {row.record_id} is same_as {row.same_as}, which is not in the table.")

"""From records to rows: what each table of the database is loaded with, in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from budgetsim.data.tasks import TASKS
from budgetsim.errors import StoreError
from budgetsim.store.database import Connection
from budgetsim.store.published import PAPER_GPU_USD_PER_HOUR, REPORTED, Published, PublishedCompute
from budgetsim.store.records import RunRecord, StageRecord

RECORD: Final = "_record"
_encode = json.JSONEncoder(ensure_ascii=False).encode
_encode_sorted = json.JSONEncoder(sort_keys=True).encode


_PUBLISHED_RUN_COLUMNS: Final = (
    "run_id source evidence_set same_as task strategy student teacher labeler n_labels n_llm_labels n_unlabeled "
    "derived feasible seed"
).split()
_SCORE_COLUMNS: Final = ["run_id", "metric", "value", "score_err", "n_test", "is_main", "task"]
_CELL_COLUMNS: Final = (
    "record_id panel initial_n_labels additional_budget_usd total_cost_usd total_cost_err_usd gpu_hours "
    "implied_n_unlabeled provenance"
).split()


def load_published(connection: Connection, published: Published, folder: Path) -> None:
    """Load a published source."""
    name, rows = published.source.removeprefix("published:"), published.rows
    runs = (
        (r.record_id, published.source, f"{REPORTED}{name}-{r.set}" if r.set else f"published-{name}", r.same_as,
         r.task, r.strategy, r.student, r.teacher, r.labeler, r.n_labels, r.n_llm_labels, r.n_unlabeled,
         list(r.derived), r.feasible, r.seed)
        for r in rows
    )  # fmt: skip
    load_rows(connection, "runs", _PUBLISHED_RUN_COLUMNS, runs, folder)
    shipped = {task.name: task.n_test for task in TASKS.values()}
    scores = (
        (r.record_id, r.metric, r.score, r.score_err, r.n_test or shipped.get(r.task), True, r.task) for r in rows
    )  # fmt: skip
    load_rows(connection, "scores", _SCORE_COLUMNS, scores, folder)
    cells = (
        (r.record_id, r.panel, r.initial_n_labels, r.additional_budget_usd, r.total_cost_usd,
         r.total_cost_err_usd, r.gpu_hours, r.implied_n_unlabeled, r.provenance)
        for r in rows
    )  # fmt: skip
    load_rows(connection, "published_cells", _CELL_COLUMNS, cells, folder)
    compute = [row for c in published.compute for row in _compute_rows(published.source, c)]
    columns = ["source", "task", "teacher", "student", "kind", "n_labels", "gpu_hours", "gpu_hours_se"]
    load_rows(connection, "published_compute", columns, compute, folder)


def _compute_rows(source: str, c: PublishedCompute) -> list[tuple[Any, ...]]:
    hour = PAPER_GPU_USD_PER_HOUR
    text = (
        source,
        c.task,
        c.teacher,
        c.student,
        "distill_text",
        0,
        c.usd_per_text / hour,
        c.usd_per_text_se / hour,
    )
    return [text] + [
        (source, c.task, c.teacher, c.student, "finetune_teacher", n, usd / hour, se / hour)
        for n, usd, se in c.teacher_usd
    ]


@dataclass(slots=True)
class TableFile:
    """Rows on their way to a table, as JSON lines on disk: a hundred times faster than a statement a row.

    A row may carry the number of the record it comes from, so that rows of some records can be left out.
    """

    folder: Path
    table: str
    columns: Sequence[str]
    _out: IO[str] = field(init=False)
    _n: int = 0

    def __post_init__(self) -> None:
        self._out = self._file.open("w", encoding="utf-8")

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.table}.jsonl"

    def add(self, row: Sequence[Any], record: int = 0) -> None:
        """Write a row."""
        values = {**dict(zip(self.columns, row, strict=True)), RECORD: record}
        self._out.write(_encode(values) + "\n")
        self._n += 1

    def close(self) -> None:
        """Let go of the file."""
        self._out.close()

    def load(self, connection: Connection, into: str = "", without: str = "", *, with_record: bool = False) -> None:
        """Load the rows, once.

        into : another table of the same columns; without : a table of the records whose rows are left out
        with_record : whether the table has a column for the record too

        raises : StoreError where the table has other numbers of rows in the end
        """
        self.close()
        target = into or self.table
        before = _count(connection, target)
        found = connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND NOT internal", [self.table]
        ).fetchall()
        types = dict(found)
        kinds = {name: "VARCHAR" if types[name] == "JSON" else types[name] for name in self.columns}
        names = ", ".join([*self.columns, *([RECORD] if with_record else [])])
        chosen = f"WHERE {RECORD} NOT IN (SELECT {RECORD} FROM {without})" if without else ""  # noqa: S608
        connection.execute(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM "  # noqa: S608 - names of the schema
            f"read_json(?, format = 'newline_delimited', columns = {kinds | {RECORD: 'BIGINT'}!r}) {chosen}",
            [str(self._file)],
        )
        if not without or not _count(connection, without):
            check_rows(connection, target, before + self._n)
        self._file.unlink()


def check_rows(connection: Connection, table: str, wanted: int) -> None:
    """Count the rows of a table, told what there must be: a database that loses any is never put in place.

    raises : StoreError
    """
    # counted one by one: a bare count(*) is answered from what the table says of itself
    row = connection.execute(f"SELECT count(*) FROM {table} WHERE rowid >= 0").fetchone()  # noqa: S608
    if row is None or row[0] != wanted:
        raise StoreError(
            f"DuckDB kept {row and row[0]} of {wanted} rows of {table}; nothing was changed. Report this with the "
            f"version of duckdb, and give the command again."
        )


def _count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name of the schema
    assert row is not None
    return int(row[0])


def load_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], folder: Path
) -> None:
    """Load rows in bulk."""
    with closing(TableFile(folder, table, columns)) as file:
        for row in rows:
            file.add(row)
        file.load(connection)


def stage_row(stage: StageRecord) -> list[Any]:
    """A stage in the order of `STAGE_COLUMNS`."""
    row = [getattr(stage, name) for name in STAGE_COLUMNS]
    row[_FINISHED], row[_PROVENANCE] = utc(stage.finished_at), _encode_sorted(stage.provenance)
    return row


STAGE_COLUMNS: Final = [f.name for f in fields(StageRecord)]
_FINISHED: Final = STAGE_COLUMNS.index("finished_at")
_PROVENANCE: Final = STAGE_COLUMNS.index("provenance")
RUN_COLUMNS: Final = [
    "run_id",
    "source",
    "evidence_set",
    "task",
    "split_id",
    "strategy",
    "student",
    "teacher",
    "labeler",
    "n_labels",
    "n_llm_labels",
    "n_unlabeled",
    "unlabeled_source",
    "recipe_id",
    "recipe",
    "seed",
    "model_family",
    "device_class",
    "device",
    "finished_at",
    "git_commit",
    "git_dirty",
    "versions",
    "host",
    "data_hash",
]


def run_row(run: RunRecord) -> tuple[Any, ...]:
    """A run in the order of `RUN_COLUMNS`."""
    point = run.point
    d = point.design
    return (
        point.run_id, "measured", run.evidence_set, d.task, point.split_id, d.route.strategy, d.route.student,
        d.route.teacher, d.route.labeler, d.n_labels, d.n_llm_labels, d.n_unlabeled, point.unlabeled_source,
        point.recipe_id, _encode_sorted(run.recipe), point.seed, run.model_family, run.device_class,
        run.device, utc(run.finished_at), run.git_commit, run.git_dirty, _encode_sorted(run.versions),
        run.host, run.data_hash,
    )  # fmt: skip


def utc(value: Any) -> Any:
    """A moment as the UTC that a TIMESTAMP column reads; anything else as it is."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value

"""From text files to the database: merge, rebuild, and a check that the two agree.

Text is the truth: a merge makes the database what the files say, so merging twice changes nothing, in whatever order
files came. Text is read and changed by one process at a time (`lock.hold`), so none is merged that is taken out again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from budgetsim.data.tasks import TASKS
from budgetsim.doors.files import read_file
from budgetsim.errors import InputError
from budgetsim.store.database import Connection, open_reader, rewrite, unwritable
from budgetsim.store.location import StorePaths, package_data
from budgetsim.store.lock import hold
from budgetsim.store.published import (
    PAPER_GPU_USD_PER_HOUR,
    REPORTED,
    PublishedCompute,
    PublishedRow,
    imply_counts,
    parse_compute,
    parse_published,
)
from budgetsim.store.records import RunRecord, StageRecord, read_files, read_shards, write_shard

MOST_TABLE_BYTES = 16_000_000
COMPUTE_SUFFIX = "_compute_cost"
TABLES = ("runs", "scores", "stages", "run_stages", "published_cells", "published_compute", "bills")


@dataclass(frozen=True, slots=True)
class MergeReport:
    """How many rows each table gained, what could not be used, and what the database had beyond its text files.

    refused : a line for each record or table that was left out, naming file and line
    dropped : runs of the database that no text file holds; `kept` is where a copy of it with them lies
    """

    added: dict[str, int]
    refused: tuple[str, ...] = ()
    dropped: int = 0
    kept: Path | None = None

    @property
    def total(self) -> int:
        return sum(self.added.values())


@dataclass(frozen=True, slots=True)
class Published:
    """A published source: its rows with implied counts, and its compute costs."""

    source: str
    rows: list[PublishedRow]
    compute: list[PublishedCompute]


def read_published_file(path: Path) -> Published:
    """Read a published table, and the compute costs `<name>_compute_cost.csv` beside it if any.

    raises : InputError where a file is missing, not UTF-8 or not such a table
    """
    beside = path.with_name(f"{path.stem}{COMPUTE_SUFFIX}.csv")
    compute = parse_compute(_text(beside), beside.name) if beside.exists() else []
    rows = imply_counts(parse_published(_text(path), path.name), compute)
    return Published(f"published:{path.stem}", rows, compute)


def _text(path: Path) -> str:
    return read_file(path, "file of published results", MOST_TABLE_BYTES)


def import_published(paths: StorePaths, file: Path) -> MergeReport:
    """Copy a published table into the store's evidence folder and merge it, or leave everything as it was.

    raises : InputError where the table is malformed or its ids are another's
    """
    if file.stem.endswith(COMPUTE_SUFFIX):
        raise InputError(f"{file.name} is a table of compute costs; import the table of results that it goes with.")
    published = read_published_file(file)
    beside = file.with_name(f"{file.stem}{COMPUTE_SUFFIX}.csv")
    with held(paths):  # nobody may read the copies before it is certain that they stay
        _refuse_foreign_ids(published, _read_tables(paths, []))
        copied: list[Path] = []
        try:
            for source in (f for f in (file, beside) if f.exists()):
                _copy(source, paths.evidence, copied)
            return _build(paths)
        except BaseException:
            for copy in copied:
                copy.unlink(missing_ok=True)
            raise


def _copy(source: Path, folder: Path, copied: list[Path]) -> None:
    """Copy a text file, whole or not at all; the same file again is left."""
    target = folder / source.name
    if target.exists():
        if target.read_bytes() != source.read_bytes():
            raise InputError(f"{target} already holds another file of that name; rename {source.name}.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    copied.append(target)


def merge_folder(paths: StorePaths, folder: Path) -> MergeReport:
    """Bring the runs of another folder (or store) into this store: each that is whole; what is not is told.

    raises : InputError where the folder has no run file
    """
    source = folder / "runs" if (folder / "runs").is_dir() else folder
    files = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    if not files or not (source.is_dir() or source.exists()):
        raise InputError(f"{folder} holds no run files (*.jsonl).")
    with held(paths):
        refused = _bring_in(files, paths.runs)
        report = _build(paths)
    return replace(report, refused=(*refused, *report.refused))


def _bring_in(files: Sequence[Path], folder: Path) -> list[str]:
    """Write the runs of some files, each as a file of its own; a run that is there already is left."""
    refused: list[str] = []
    mine, mine_stages = read_shards(folder, [])
    known = {run.point.run_id: run for run in mine}
    runs, stages = read_files(files, refused, mine_stages)
    by_id = {stage.stage_id: stage for stage in stages}
    for run in runs:
        key = run.point.run_id
        if key not in known:
            write_shard(folder, run, [by_id[stage] for stage in run.stages])
        elif known[key].scores != run.scores:
            refused.append(f"run {key[:12]} stands in the store with other scores; it was left as it is.")
    return refused


@contextmanager
def held(paths: StorePaths, wait_seconds: float | None = None) -> Iterator[None]:
    """As `hold`, for a store; a place that cannot be written is a StoreError."""
    try:
        with hold(paths.database, paths.lock, wait_seconds=wait_seconds):
            yield
    except OSError as error:
        raise unwritable(paths.folder, error) from None


def merge(paths: StorePaths, *, wait_seconds: float | None = None) -> MergeReport:
    """Make the database what the text files say; where it says that already it is left alone.

    wait_seconds : for another process that makes no progress; None for `lock.PATIENCE`

    raises : StoreError where the database is damaged or newer, StoreLockedError where another process holds it
    """
    with held(paths, wait_seconds):
        return _build(paths, wait_seconds=wait_seconds)


def rebuild(paths: StorePaths) -> MergeReport:
    """Build the database anew from the text files, and put it in place of the old one, whatever that held."""
    with held(paths):
        return _build(paths, whatever=True)


def _build(paths: StorePaths, *, whatever: bool = False, wait_seconds: float | None = None) -> MergeReport:
    """The database from the text files, in place of the old one; needs a `hold`.

    whatever : whether the old one is replaced unread
    """
    refused: list[str] = []
    published = _read_tables(paths, refused)
    runs, stages = read_shards(paths.runs, refused)
    old = {} if whatever else _read_marks(paths.database)
    with rewrite(paths.database, fresh=True, wait_seconds=wait_seconds) as building:
        connection = building.connection
        connection.begin()
        with tempfile.TemporaryDirectory(prefix="budgetsim-") as folder:
            for source in published:
                _load_published(connection, source, Path(folder))
            _load_runs(connection, runs, stages, Path(folder))
        connection.commit()
        new = _marks(connection)
        building.is_wanted = new != old
        dropped = 0 if whatever or not old else _surplus(paths.database, connection)
        kept = _keep(paths.database) if dropped else None
    added = {table: new[table][0] - (old[table][0] if old else 0) for table in TABLES}
    return MergeReport(added, tuple(refused), dropped, kept)


def _read_marks(database: Path) -> dict[str, tuple[int, int]]:
    if not database.exists():
        return {}
    with open_reader(database) as connection:
        return _marks(connection)


def _marks(connection: Connection) -> dict[str, tuple[int, int]]:
    """Number of rows of each table, and a number that two tables share if their rows are the same."""
    marks = {}
    for table in TABLES:
        row = connection.execute(
            f"SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR FROM {table} t"  # noqa: S608 - a name of TABLES
        ).fetchone()
        assert row is not None
        marks[table] = (int(row[0]), int(row[1]))
    return marks


def _surplus(database: Path, connection: Connection) -> int:
    """Runs of a database that are not in the one that is to take its place."""
    with open_reader(database) as old:
        there = {row[0] for row in old.execute("SELECT run_id FROM runs").fetchall()}
    return len(there - {row[0] for row in connection.execute("SELECT run_id FROM runs").fetchall()})


def _keep(database: Path) -> Path:
    """A copy of a database that holds what no text file does."""
    copy = database.with_name(database.name + ".before")
    shutil.copyfile(database, copy)
    return copy


def seed(paths: StorePaths) -> bool:
    """Make a store from the evidence that ships with the package, if there is none yet.

    raises : StoreError where its folder cannot be written
    """
    if paths.database.exists():
        return False
    with held(paths):
        if paths.database.exists():
            return False
        if not evidence_files(paths.evidence) and not any(paths.runs.glob("*.jsonl")):
            for name, folder in (("evidence", paths.evidence), ("runs", paths.runs)):
                for file in sorted(package_data(name).glob("*.*")):
                    _copy(file, folder, [])
        _build(paths)
    return True


def evidence_files(folder: Path) -> list[Path]:
    """Published tables of a folder, compute costs left out (they go with their table)."""
    return sorted(f for f in folder.glob("*.csv") if not f.stem.endswith(COMPUTE_SUFFIX))


def check(paths: StorePaths) -> list[str]:
    """Differences between the database and its text files, and text that cannot be used, in words; none is good."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = StorePaths(Path(folder) / paths.database.name, texts=paths.folder)
        report = merge(fresh)
        with open_reader(fresh.database) as texts, open_reader(paths.database) as database:
            return [*report.refused, *(line for table in TABLES for line in _differences(table, texts, database))]


def _differences(table: str, rebuilt: Connection, stored: Connection) -> Iterable[str]:
    texts, database = _rows(rebuilt, table), _rows(stored, table)
    if missing := len(texts - database):
        yield f"{table}: {missing} rows of the text files are not in the database; run `budgetsim store rebuild`"
    if surplus := len(database - texts):
        left = "the next merge leaves them out and keeps a copy of the file"
        yield f"{table}: {surplus} rows of the database are in no text file; {left}"


def _rows(connection: Connection, table: str) -> set[str]:
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a name of TABLES
    return {repr(row) for row in rows}


_PUBLISHED_RUN_COLUMNS = (
    "run_id source evidence_set same_as task strategy student teacher labeler n_labels n_llm_labels n_unlabeled "
    "derived feasible seed"
).split()
_CELL_COLUMNS = (
    "record_id panel initial_n_labels additional_budget_usd total_cost_usd total_cost_err_usd gpu_hours "
    "implied_n_unlabeled provenance"
).split()


def _load_published(connection: Connection, published: Published, folder: Path) -> None:
    name, rows = published.source.removeprefix("published:"), published.rows
    runs = (
        (r.record_id, published.source, f"{REPORTED}{name}-{r.set}" if r.set else f"published-{name}", r.same_as,
         r.task, r.strategy, r.student, r.teacher, r.labeler, r.n_labels, r.n_llm_labels, r.n_unlabeled,
         list(r.derived), r.feasible, r.seed)
        for r in rows
    )  # fmt: skip
    _load(connection, "runs", _PUBLISHED_RUN_COLUMNS, runs, folder)
    shipped = {task.name: task.n_test for task in TASKS.values()}
    scores = ((r.record_id, r.metric, r.score, r.score_err, r.n_test or shipped.get(r.task), True) for r in rows)
    _load(connection, "scores", ["run_id", "metric", "value", "score_err", "n_test", "is_main"], scores, folder)
    cells = (
        (r.record_id, r.panel, r.initial_n_labels, r.additional_budget_usd, r.total_cost_usd,
         r.total_cost_err_usd, r.gpu_hours, r.implied_n_unlabeled, r.provenance)
        for r in rows
    )  # fmt: skip
    _load(connection, "published_cells", _CELL_COLUMNS, cells, folder)
    compute = [row for c in published.compute for row in _compute_rows(published.source, c)]
    columns = ["source", "task", "teacher", "student", "kind", "n_labels", "gpu_hours", "gpu_hours_se"]
    _load(connection, "published_compute", columns, compute, folder)


def _read_tables(paths: StorePaths, refused: list[str]) -> list[Published]:
    """Published tables of a store; one that cannot be used is told, and the others are read."""
    tables: list[Published] = []
    for file in evidence_files(paths.evidence):
        try:
            table = read_published_file(file)
            _refuse_foreign_ids(table, tables)
            tables.append(table)
        except InputError as error:
            refused.append(str(error))
    return tables


def _refuse_foreign_ids(published: Published, others: Sequence[Published]) -> None:
    owners = {row.record_id: other.source for other in others for row in other.rows}
    for row in published.rows:
        owner = owners.get(row.record_id, published.source)
        if owner != published.source:
            raise InputError(
                f"{published.source}: record_id {row.record_id} already belongs to {owner}; give the rows "
                f"of each table ids of their own."
            )


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


def _load_runs(connection: Connection, runs: Sequence[RunRecord], stages: Sequence[StageRecord], folder: Path) -> None:
    """Load measured runs."""
    stage_columns = [f.name for f in fields(StageRecord)]
    _load(connection, "stages", stage_columns, (_stage_row(stage) for stage in stages), folder)
    _load(connection, "runs", RUN_COLUMNS, (_run_row(run) for run in runs), folder)
    scores = ((run.point.run_id, s.metric, s.value, s.n_test, s.is_main) for run in runs for s in run.scores)
    _load(connection, "scores", ["run_id", "metric", "value", "n_test", "is_main"], scores, folder)
    rests = ((run.point.run_id, stage) for run in runs for stage in run.stages)
    _load(connection, "run_stages", ["run_id", "stage_id"], rests, folder)


def _load(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], folder: Path
) -> None:
    """Load rows in bulk, through a file of JSON lines: a hundred times faster than a statement a row."""
    types = dict(
        connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND NOT internal", [table]
        ).fetchall()
    )
    file = folder / f"{table}.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")
    names = ", ".join(columns)
    kinds = {name: "VARCHAR" if types[name] == "JSON" else types[name] for name in columns}
    connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM "  # noqa: S608 - names of the schema
        f"read_json(?, format = 'newline_delimited', columns = {kinds!r}) ON CONFLICT DO NOTHING",
        [str(file)],
    )
    file.unlink()


def _stage_row(stage: StageRecord) -> list[Any]:
    return [
        json.dumps(value, sort_keys=True) if f.name == "provenance" else _utc(value)
        for f in fields(StageRecord)
        for value in [getattr(stage, f.name)]
    ]


RUN_COLUMNS = [
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


def _run_row(run: RunRecord) -> tuple[Any, ...]:
    point = run.point
    d = point.design
    return (
        point.run_id, "measured", run.evidence_set, d.task, point.split_id, d.route.strategy, d.route.student,
        d.route.teacher, d.route.labeler, d.n_labels, d.n_llm_labels, d.n_unlabeled, point.unlabeled_source,
        point.recipe_id, json.dumps(run.recipe, sort_keys=True), point.seed, run.model_family, run.device_class,
        run.device, _utc(run.finished_at), run.git_commit, run.git_dirty, json.dumps(run.versions, sort_keys=True),
        run.host, run.data_hash,
    )  # fmt: skip


def _utc(value: Any) -> Any:
    """A moment as the UTC that a TIMESTAMP column reads; anything else as it is."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value

"""From text files to the database: merge, rebuild, and a check that the two agree.

Everything is inserted with `ON CONFLICT DO NOTHING`, so merging twice changes nothing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from budgetsim.data.tasks import TASKS
from budgetsim.design.strategies import TRAINED
from budgetsim.errors import InputError, StoreError
from budgetsim.store.database import Connection, open_reader, open_writer, refuse_if_held
from budgetsim.store.location import StorePaths, package_data
from budgetsim.store.published import (
    PAPER_GPU_USD_PER_HOUR,
    PublishedCompute,
    PublishedRow,
    imply_counts,
    parse_compute,
    parse_published,
)
from budgetsim.store.records import RunRecord, StageRecord, read_shards

COMPUTE_SUFFIX = "_compute_cost"
TABLES = ("runs", "scores", "stages", "run_stages", "published_cells", "published_compute", "bills")
_BATCH = 100  # rows a statement: one statement a row takes ten times as long


@dataclass(frozen=True, slots=True)
class MergeReport:
    """How many rows each table gained."""

    added: dict[str, int]

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
    unknown = sorted({r.strategy for r in rows} - {s.name for s in TRAINED})
    if unknown:
        raise InputError(f"{path.name}: strategy {unknown[0]} is not trained; leave such rows out.")
    return Published(f"published:{path.stem}", rows, compute)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; name a CSV file of published results.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None


def import_published(paths: StorePaths, file: Path) -> MergeReport:
    """Copy a published table into the store's evidence folder and merge it, or leave everything as it was."""
    if file.stem.endswith(COMPUTE_SUFFIX):
        raise InputError(f"{file.name} is a table of compute costs; import the table of results that it goes with.")
    read_published_file(file)
    beside = file.with_name(f"{file.stem}{COMPUTE_SUFFIX}.csv")
    return _merge_copies(paths, [f for f in (file, beside) if f.exists()], paths.evidence)


def _merge_copies(paths: StorePaths, files: Sequence[Path], folder: Path) -> MergeReport:
    """Copy text files into a folder of the store and merge; what cannot be merged is taken out again."""
    copied: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = folder / file.name
            if not target.exists():
                copied.append(target)
                shutil.copyfile(file, target)
            elif target.read_bytes() != file.read_bytes():
                raise InputError(f"{target} already holds another file of that name; rename {file.name}.")
        return merge(paths)
    except OSError as error:
        _remove(copied)
        raise StoreError(f"{folder} cannot be written ({error.strerror}); nothing was brought in.") from None
    except BaseException:
        _remove(copied)
        raise


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def merge_folder(paths: StorePaths, folder: Path) -> MergeReport:
    """Copy the run files of another folder (or store) into this store and merge them."""
    source = folder / "runs" if (folder / "runs").is_dir() else folder
    files = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    if not files or not all(f.is_file() for f in files):
        raise InputError(f"{folder} holds no run files (*.jsonl).")
    return _merge_copies(paths, files, paths.runs)


def merge(paths: StorePaths) -> MergeReport:
    """Bring the database up to date with the text files; what is there already is left alone."""
    published = [read_published_file(f) for f in evidence_files(paths.evidence)]
    runs, stages = read_shards(paths.runs)
    with open_writer(paths.database, paths.lock) as connection:
        before = _counts(connection)
        connection.begin()
        for source in published:
            _insert_published(connection, source)
        _insert_stages(connection, stages)
        _insert_runs(connection, runs)
        connection.commit()
        after = _counts(connection)
    return MergeReport({table: after[table] - before[table] for table in TABLES})


def rebuild(paths: StorePaths) -> MergeReport:
    """Build the database anew from the text files, and put it in place of the old one, whatever that held."""
    try:
        paths.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=paths.folder) as building:
            fresh = StorePaths(Path(building) / paths.database.name, texts=paths.folder)
            report = merge(fresh)
            refuse_if_held(paths.database)
            fresh.database.replace(paths.database)
    except OSError as error:
        raise StoreError(
            f"{paths.folder} cannot be written ({error.strerror}); name another place with --store."
        ) from None
    return report


def seed(paths: StorePaths) -> bool:
    """Make a store from the evidence that ships with the package, if there is none yet."""
    if paths.database.exists():
        return False
    if not evidence_files(paths.evidence) and not any(paths.runs.glob("*.jsonl")):
        for name, folder in (("evidence", paths.evidence), ("runs", paths.runs)):
            folder.mkdir(parents=True, exist_ok=True)
            for file in sorted(package_data(name).glob("*.*")):
                shutil.copyfile(file, folder / file.name)
    merge(paths)
    return True


def evidence_files(folder: Path) -> list[Path]:
    """Published tables of a folder, compute costs left out (they go with their table)."""
    return sorted(f for f in folder.glob("*.csv") if not f.stem.endswith(COMPUTE_SUFFIX))


def check(paths: StorePaths) -> list[str]:
    """Differences between the database and its text files, in words; none is good.

    raises : StoreError where a text file is torn, InputError where a table is malformed
    """
    with tempfile.TemporaryDirectory() as building:
        fresh = StorePaths(Path(building) / paths.database.name, texts=paths.folder)
        merge(fresh)
        with open_reader(fresh.database) as texts, open_reader(paths.database) as database:
            return [line for table in TABLES for line in _differences(table, texts, database)]


def _differences(table: str, rebuilt: Connection, stored: Connection) -> Iterable[str]:
    texts, database = _rows(rebuilt, table), _rows(stored, table)
    if missing := len(texts - database):
        yield f"{table}: {missing} rows of the text files are not in the database; run `budgetsim store rebuild`"
    if surplus := len(database - texts):
        yield f"{table}: {surplus} rows of the database are in no text file; export them before you rebuild"


def _rows(connection: Connection, table: str) -> set[str]:
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a name of TABLES
    return {repr(row) for row in rows}


def _counts(connection: Connection) -> dict[str, int]:
    counts = {}
    for table in TABLES:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name of TABLES
        counts[table] = int(row[0]) if row else 0
    return counts


def _insert(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        marks = ", ".join(f"({', '.join('?' for _ in columns)})" for _ in batch)
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks} ON CONFLICT DO NOTHING",  # noqa: S608
            [value for row in batch for value in row],
        )


_PUBLISHED_RUN_COLUMNS = (
    "run_id source evidence_set same_as task strategy student teacher labeler n_labels n_llm_labels n_unlabeled "
    "derived feasible"
).split()
_CELL_COLUMNS = (
    "record_id panel initial_n_labels additional_budget_usd total_cost_usd total_cost_err_usd gpu_hours "
    "implied_n_unlabeled provenance"
).split()


def _insert_published(connection: Connection, published: Published) -> None:
    name = published.source.removeprefix("published:")
    _refuse_foreign_ids(connection, published)
    _insert(
        connection,
        "runs",
        _PUBLISHED_RUN_COLUMNS,
        [
            (r.record_id, published.source, f"published-{name}", r.same_as, r.task, r.strategy, r.student,
             r.teacher, r.labeler, r.n_labels, r.n_llm_labels, r.n_unlabeled, list(r.derived), r.feasible)
            for r in published.rows
        ],
    )  # fmt: skip
    _insert(
        connection,
        "scores",
        ["run_id", "metric", "value", "score_err", "n_test", "is_main"],
        [
            (
                r.record_id,
                r.metric,
                r.score,
                r.score_err,
                TASKS[r.task].n_test if r.task in TASKS else None,
                True,
            )
            for r in published.rows
        ],
    )
    _insert(
        connection,
        "published_cells",
        _CELL_COLUMNS,
        [
            (r.record_id, r.panel, r.initial_n_labels, r.additional_budget_usd, r.total_cost_usd,
             r.total_cost_err_usd, r.gpu_hours, r.implied_n_unlabeled, r.provenance)
            for r in published.rows
        ],
    )  # fmt: skip
    _insert(
        connection,
        "published_compute",
        ["source", "task", "teacher", "student", "kind", "n_labels", "gpu_hours", "gpu_hours_se"],
        [row for c in published.compute for row in _compute_rows(published.source, c)],
    )


def _refuse_foreign_ids(connection: Connection, published: Published) -> None:
    owners = dict(connection.execute("SELECT run_id, source FROM runs").fetchall())
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


def _insert_stages(connection: Connection, stages: Sequence[StageRecord]) -> None:
    columns = [f.name for f in fields(StageRecord)]
    rows = [
        [json.dumps(value, sort_keys=True) if name == "provenance" else _utc(value)
         for name, value in zip(columns, astuple(stage), strict=True)]
        for stage in stages
    ]  # fmt: skip
    _insert(connection, "stages", columns, rows)


def _insert_runs(connection: Connection, runs: Sequence[RunRecord]) -> None:
    stage_ids = {row[0] for row in connection.execute("SELECT stage_id FROM stages").fetchall()}
    for run in runs:
        absent = [stage for stage in run.stages if stage not in stage_ids]
        if absent:
            raise StoreError(
                f"Run {run.point.run_id[:12]} rests on stage {absent[0][:12]}, which no run file holds; "
                f"restore the file that has it."
            )
    _insert(connection, "runs", RUN_COLUMNS, [_run_row(run) for run in runs])
    _insert(
        connection,
        "scores",
        ["run_id", "metric", "value", "score_err", "n_test", "is_main"],
        [(run.point.run_id, s.metric, s.value, None, s.n_test, s.is_main) for run in runs for s in run.scores],
    )
    _insert(
        connection,
        "run_stages",
        ["run_id", "stage_id"],
        [(run.point.run_id, stage) for run in runs for stage in run.stages],
    )


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
    """A moment as the naive UTC that a TIMESTAMP column holds; anything else as it is."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value

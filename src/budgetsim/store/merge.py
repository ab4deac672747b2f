"""From text files to the database: merge, rebuild, and a check that the two agree.

Text is the truth: a merge makes the database what the files say, so merging twice changes nothing, in whatever order
files came. Text is read and changed by one process at a time (`lock.hold`), so none is merged that is taken out again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.doors.files import read_file
from budgetsim.doors.unfinished import sweep
from budgetsim.errors import InputError
from budgetsim.store.database import Connection, check_place, copy_whole, open_reader, rewrite, unwritable, upgrade
from budgetsim.store.gather import Gathered, KnownAlreadyError
from budgetsim.store.location import StorePaths, package_data
from budgetsim.store.lock import hold
from budgetsim.store.published import (
    Published,
    imply_counts,
    parse_compute,
    parse_published,
)
from budgetsim.store.records import read_files, write_shard, write_whole
from budgetsim.store.state import marks_of, read_state, write_state
from budgetsim.store.tables import load_published

MOST_TABLE_BYTES = 16_000_000
COMPUTE_SUFFIX = "_compute_cost"
TABLES = ("runs", "scores", "stages", "run_stages", "published_cells", "published_compute", "bills")
COUNTED: Final = "designs"  # from the runs
MADE: Final = (*TABLES, COUNTED)


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
        _refuse_measured_ids(published, paths)
        copied: list[Path] = []
        try:
            for source in (f for f in (file, beside) if f.exists()):
                _copy(source, paths.evidence, copied)
            return _build(paths)
        except BaseException:
            for copy in copied:
                copy.unlink(missing_ok=True)
            raise


def put_published(paths: StorePaths, name: str, text: str) -> MergeReport:
    """Put a table of reported results into the evidence folder, in place of one of that name, and merge it.

    raises : InputError where the table is malformed or its ids are another's
    """
    rows = parse_published(text, name)
    target = paths.evidence / f"{name}.csv"
    with held(paths):
        others = [table for table in _read_tables(paths, []) if table.source != f"published:{name}"]
        published = Published(f"published:{name}", rows, [])
        _refuse_foreign_ids(published, others)
        _refuse_measured_ids(published, paths)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text)
        return _build(paths)


def _copy(source: Path, folder: Path, copied: list[Path]) -> None:
    """Copy a text file, whole or not at all; the same file again is left."""
    target = folder / source.name
    if target.exists():
        if target.read_bytes() != source.read_bytes():
            raise InputError(f"{target} already holds another file of that name; rename {source.name}.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    copy_whole(source, target)
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
        own = {file.resolve() for file in _run_files(paths)}
        before = _build(paths)
        refused = _bring_in([file for file in files if file.resolve() not in own], paths)
        report = _build(paths)
    added = {table: n + before.added[table] for table, n in report.added.items()}
    return replace(report, added=added, refused=(*refused, *report.refused))


def _bring_in(files: Sequence[Path], paths: StorePaths) -> list[str]:
    """Write the runs of some files, each as a file of its own; a run that the database has is left."""
    refused: list[str] = []
    with open_reader(paths.database) as connection:
        runs, stages = read_files(files, refused, partial(_known_stages, connection))
        known = _known_results(connection, [run.point.run_id for run in runs])
    by_id = {stage.stage_id: stage for stage in stages}
    for run in runs:
        key = run.point.run_id
        if key not in known:
            write_shard(paths.runs, run, [by_id[stage] for stage in run.stages if stage in by_id])
        elif known[key] != {(score.metric, score.value) for score in run.scores}:
            refused.append(f"run {key[:12]} stands in the store with other scores; it was left as it is.")
    return refused


def _known_stages(connection: Connection, stage_ids: Collection[str]) -> set[str]:
    """Those of some stages that a database has."""
    sql = "SELECT stage_id FROM stages WHERE list_contains(?, stage_id)"
    return {row[0] for row in connection.execute(sql, [list(stage_ids)]).fetchall()}


def _known_results(connection: Connection, run_ids: Sequence[str]) -> dict[str, set[tuple[str, float]]]:
    """Scores of those of some runs that a database has."""
    rows = connection.execute(
        "SELECT run_id, metric, value FROM scores WHERE list_contains(?, run_id)", [list(run_ids)]
    ).fetchall()
    known: dict[str, set[tuple[str, float]]] = {}
    for run_id, metric, value in rows:
        known.setdefault(run_id, set()).add((metric, value))
    return known


@contextmanager
def held(paths: StorePaths, wait_seconds: float | None = None, *, whatever: bool = False) -> Iterator[None]:
    """As `hold`, for a store of the newest schema; a place that cannot be written, or is none for one, is a StoreError.

    whatever : whether a database of an older or newer schema is left as it is
    """
    check_place(paths.database)
    try:
        with hold(paths.database, paths.lock, wait_seconds=wait_seconds):
            if not whatever:
                upgrade(paths.database)
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
    with held(paths, whatever=True):
        return _build(paths, whatever=True)


def _build(paths: StorePaths, *, whatever: bool = False, wait_seconds: float | None = None) -> MergeReport:
    """The database from the text files: what is new into the old one, else anew in its place; needs a `hold`.

    whatever : whether the old one is replaced unread
    """
    _sweep(paths)
    files = _run_files(paths)
    marks = marks_of(paths, [*files, *_tables(paths)])
    report = None if whatever else _extend(paths, files, wait_seconds)
    if report is None:
        report = _build_anew(paths, files, whatever, wait_seconds)
    write_state(paths, marks, report.refused)
    return report


def _sweep(paths: StorePaths) -> None:
    """Take away what killed processes left half written."""
    for folder in (paths.runs, paths.evidence):
        sweep(folder)
    sweep(paths.database.parent, f"{paths.database.name}*")


def _run_files(paths: StorePaths) -> list[Path]:
    return sorted(paths.runs.glob("*.jsonl"))


def _tables(paths: StorePaths) -> list[Path]:
    """Published tables and what goes with them."""
    return sorted(paths.evidence.glob("*.csv"))


def _extend(paths: StorePaths, files: Sequence[Path], wait_seconds: float | None) -> MergeReport | None:
    """Bring run files that are new into the database as it is; None where it must be built anew."""
    state = read_state(paths)
    if state is None or not state.holds_for(paths):
        return None
    new = state.new_files(paths, [*files, *_tables(paths)])
    if new is None or not set(new) <= set(files):
        return None
    nothing = dict.fromkeys(TABLES, 0)
    if not new:
        return MergeReport(nothing, state.refused)
    refused = list(state.refused)
    try:
        with (
            rewrite(paths.database, wait_seconds=wait_seconds) as building,
            _scratch() as folder,
            closing(Gathered(folder, refused)) as gathered,
        ):
            gathered.read(new)
            added = gathered.load(building.connection, into_empty=False)
            building.is_wanted = any(added.values())
    except KnownAlreadyError:
        return None
    return MergeReport(nothing | added, tuple(refused))


def _build_anew(paths: StorePaths, files: Sequence[Path], whatever: bool, wait_seconds: float | None) -> MergeReport:
    refused: list[str] = []
    published = _read_tables(paths, refused)
    old = {} if whatever else _read_marks(paths.database)
    with (
        rewrite(paths.database, fresh=True, wait_seconds=wait_seconds) as building,
        _scratch() as folder,
        closing(Gathered(folder, refused)) as gathered,
    ):
        connection, published_folder = building.connection, folder / "published"
        published_folder.mkdir()
        gathered.read(files)
        for source in published:
            load_published(connection, source, published_folder)
        gathered.load(connection, into_empty=True)
        new = _marks(connection)
        building.is_wanted = new != old
        dropped = 0 if whatever or not old else _surplus(paths.database, connection)
        kept = _keep(paths.database) if dropped else None
    added = {table: new[table][0] - (old[table][0] if old else 0) for table in TABLES}
    return MergeReport(added, tuple(refused), dropped, kept)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for rows on their way."""
    with tempfile.TemporaryDirectory(prefix="budgetsim-") as folder:
        yield Path(folder)


def _read_marks(database: Path) -> dict[str, tuple[int, int]]:
    if not database.exists():
        return {}
    with open_reader(database) as connection:
        return _marks(connection)


def _marks(connection: Connection) -> dict[str, tuple[int, int]]:
    """Number of rows of each table, and a number that two tables share if their rows are the same."""
    marks = {}
    for table in MADE:
        row = connection.execute(
            f"SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR FROM {table} t"  # noqa: S608 - a name of TABLES
        ).fetchone()
        assert row is not None
        marks[table] = (int(row[0]), int(row[1]))
    return marks


def _surplus(database: Path, connection: Connection) -> int:
    """Runs of a database that are not in the one that is to take its place."""
    with open_reader(database) as old:
        there = _run_ids(old)
    return len(np.setdiff1d(there, _run_ids(connection)))


def _run_ids(connection: Connection) -> NDArray[np.uint64]:
    return np.asarray(connection.execute("SELECT hash(run_id) AS id FROM runs").fetchnumpy()["id"], dtype=np.uint64)


def _keep(database: Path) -> Path:
    """A copy of a database that holds what no text file does."""
    copy = database.with_name(database.name + ".before")
    copy_whole(database, copy)
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
    """Differences between the database and its text files, and text that cannot be used, in words; none is good.

    raises : StoreError where there is no database, DiskFullError where there is no room to build another beside it
    """
    try:
        return _check(paths)
    except OSError as error:
        raise unwritable(Path(tempfile.gettempdir()), error) from None


def _check(paths: StorePaths) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        fresh = StorePaths(Path(folder) / paths.database.name, texts=paths.folder)
        report = merge(fresh)
        with open_reader(fresh.database) as texts, open_reader(paths.database) as database:
            there, here = _marks(texts), _marks(database)
            differing = [table for table in MADE if there[table] != here[table]]
            if "runs" in differing:
                differing = [table for table in differing if table != COUNTED]  # they follow
            return [*report.refused, *(line for table in differing for line in _differences(table, texts, database))]


def _differences(table: str, rebuilt: Connection, stored: Connection) -> Iterable[str]:
    texts, database = _rows(rebuilt, table), _rows(stored, table)
    if table == COUNTED:
        wrong = max(len(np.setdiff1d(texts, database)), len(np.setdiff1d(database, texts)))
        yield f"{table}: {wrong} rows are not as counted from the runs; run `budgetsim store rebuild`"
        return
    if missing := len(np.setdiff1d(texts, database)):
        yield f"{table}: {missing} rows of the text files are not in the database; run `budgetsim store rebuild`"
    if surplus := len(np.setdiff1d(database, texts)):
        left = "the next merge leaves them out and keeps a copy of the file"
        yield f"{table}: {surplus} rows of the database are in no text file; {left}"


def _rows(connection: Connection, table: str) -> NDArray[np.uint64]:
    """A number a row, 8 bytes each, that is the same where the row is."""
    found = connection.execute(
        f"SELECT hash(t) AS row FROM {table} t"  # noqa: S608 - a name of TABLES
    ).fetchnumpy()["row"]
    return np.asarray(found, dtype=np.uint64)


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


def _refuse_measured_ids(published: Published, paths: StorePaths) -> None:
    """A database has no index that would tell: a row of a table that is called as a run that was measured here."""
    if not paths.database.exists():
        return
    with open_reader(paths.database) as connection:
        asked = [row.record_id for row in published.rows]
        found = connection.execute(
            "SELECT run_id FROM runs WHERE source = 'measured' AND list_contains(?, run_id) ORDER BY 1 LIMIT 1", [asked]
        ).fetchone()
    if found:
        raise InputError(
            f"{published.source}: record_id {found[0]} belongs to a run that was measured here; give the rows of the "
            f"table ids of their own."
        )

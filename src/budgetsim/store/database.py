"""Opening the DuckDB file: migrations, one writer at a time, many readers.

A writer never changes the file in place: it makes another beside it and renames it, so readers always find the last
one that was finished, and a process that is killed leaves the old one.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from budgetsim.doors.unfinished import sweep, unfinished
from budgetsim.errors import DiskFullError, StoreError, StoreLockedError
from budgetsim.store.location import LOCK_SUFFIX, StorePaths
from budgetsim.store.lock import PATIENCE, hold, holder_of, locked
from budgetsim.store.state import read_state, write_state

# Readable by every DuckDB from 1.2 on: the file a newer DuckDB writes by default is not.
STORAGE_VERSION: Final = "v1.2.0"
BLOCK_SIZE: Final = "16384"  # small blocks for a small file: it is committed at milestones
QUERY_MEMORY: Final = "1GB"
WRITE_MEMORY: Final = "1GB"  # above it rows on their way lie on disk, beside the database that is made
NO_SPACE: Final = os.strerror(errno.ENOSPC)
_BUILDING: Final = ".building-"
_ALONE: Final = {"python_enable_replacements": "false"}  # a table that is not there is no variable of Python's

Connection = duckdb.DuckDBPyConnection
Migration = tuple[int, str, str]  # number, name, SQL
logger = logging.getLogger("budgetsim.store")


@contextmanager
def open_reader(database: Path, *, locked_down: bool = False, exports: Path | None = None) -> Iterator[Connection]:
    """A read-only connection that reaches no other file, whatever views a store of others has.

    locked_down : whether SQL can change no setting of it, and has little memory and no temporary files
    exports : a folder that files may be written to, and read

    Where another program has the file open for writing, a copy of it is read.

    raises : StoreError where there is no store or it is no DuckDB file
    """
    if not database.exists():
        raise StoreError(f"There is no store at {database}; build it with `budgetsim store rebuild`.")
    check_place(database)
    # the store is small: a second thread costs more than it brings
    config = {"threads": "1"} if exports else {"threads": "1", "enable_external_access": "false"}
    if locked_down:
        config |= {"memory_limit": QUERY_MEMORY, "temp_directory": ""}
    with ExitStack() as stack:
        connection = stack.enter_context(closing(_read(database, config, stack)))
        try:
            if is_older(connection):
                connection.close()
                connection = stack.enter_context(closing(_read_upgraded(database, config, stack)))
            if exports:
                connection.execute("SET allowed_directories = ?", [[f"{exports.resolve()}/"]])
                connection.execute("SET enable_external_access = false")
            if locked_down:
                connection.execute("SET lock_configuration = true")
            yield connection
        except duckdb.Error as error:
            raise StoreError(f"{database} is no store of budgetsim, or a damaged one ({_first_line(error)}).") from None


def _read(database: Path, config: dict[str, str], stack: ExitStack) -> Connection:
    try:
        return _connect(database, config, wait_seconds=0.0)
    except StoreLockedError:
        pass
    try:
        copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="budgetsim-"))) / database.name
        shutil.copyfile(database, copy)
        return _connect(copy, config, wait_seconds=0.0)
    except (StoreError, OSError):  # torn by the other program's writing: wait for it
        return _connect(database, config, wait_seconds=PATIENCE)


def _read_upgraded(database: Path, config: dict[str, str], stack: ExitStack) -> Connection:
    """A reader of a file of an older schema: upgraded, or a copy of it is where it cannot be written now."""
    lock = database.with_name(database.name + LOCK_SUFFIX)
    with suppress(OSError, StoreLockedError):
        with hold(database, lock, wait_seconds=0.0):
            kept = upgrade(database)
        if kept is not None:
            return _connect(database, config, wait_seconds=PATIENCE)
    try:
        copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="budgetsim-"))) / database.name
        shutil.copyfile(database, copy)
    except OSError as error:
        raise unwritable(database, error) from None
    with closing(_new(copy)) as connection:
        migrate(connection)
    return _connect(copy, config, wait_seconds=0.0)


def upgrade(database: Path) -> Path | None:
    """Bring a file of an older schema up to date, once, keeping the old one beside it; needs a `hold`.

    returns : where the old file is kept; None where the schema is the newest, or none can be read
    raises : StoreError for a store that a newer budgetsim wrote
    """
    if not database.is_file():
        return None
    sweep(database.parent, f"{database.name}*")
    try:
        with closing(_connect(database, {}, wait_seconds=0.0)) as connection:
            have = schema_version(connection) if is_older(connection) else 0
    except (duckdb.Error, StoreError):
        return None  # damaged, or another program writes to it: who reads it is told
    if not have:
        return None
    kept, paths = database.with_name(f"{database.name}.schema{have}"), StorePaths(database)
    state = read_state(paths)
    known = state is not None and state.holds_for(paths)
    copy_whole(database, kept)
    with rewrite(database):
        pass  # the copy is migrated
    if known and state is not None:  # it holds what it held: the next merge need not read every text file again
        write_state(paths, state.files, state.refused)
    newest = migrations()[-1][0]
    logger.warning("%s had schema %d and has %d now; it is kept as it was as %s.", database, have, newest, kept)
    return kept


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file by a temporary name and a rename: the copy is there whole, or not at all."""
    with unfinished(target) as temporary:
        shutil.copyfile(source, temporary)


@contextmanager
def open_writer(database: Path, lock: Path, *, wait_seconds: float | None = None) -> Iterator[Connection]:
    """The one writing connection, to a copy that takes the place of the file in the end; migrated to the newest schema.

    raises : StoreLockedError where another process writes for longer than it is worth to wait
    """
    try:
        with hold(database, lock, wait_seconds=wait_seconds), rewrite(database, wait_seconds=wait_seconds) as building:
            yield building.connection
    except OSError as error:
        raise unwritable(database, error) from None


@dataclass(slots=True)
class Building:
    """A database that is being made, and whether it is to take its place in the end."""

    connection: Connection
    is_wanted: bool = True


@contextmanager
def rewrite(database: Path, *, fresh: bool = False, wait_seconds: float | None = None) -> Iterator[Building]:
    """A copy of a file, or a new one, that takes its place if all goes well; needs a `hold`.

    raises : StoreError where the old file is no store, StoreLockedError where another program writes to it
    """
    check_place(database)
    database.parent.mkdir(parents=True, exist_ok=True)
    for left in database.parent.glob(f"{_BUILDING}{database.name}-*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_BUILDING}{database.name}-", dir=database.parent) as folder:
        building = Path(folder) / database.name
        if database.exists() and not fresh:
            await_writer(database, wait_seconds)
            shutil.copyfile(database, building)
        try:
            connection = _new(building)
            try:
                migrate(connection)
                result = Building(connection)
                yield result
                connection.execute("CHECKPOINT")
            finally:
                connection.close()
        except duckdb.Error as error:
            if NO_SPACE in str(error):
                raise disk_full(database.parent) from None
            raise StoreError(f"{database} could not be written ({_first_line(error)}); nothing was changed.") from None
        if result.is_wanted:
            await_writer(database, wait_seconds)
            _replace(building, database)


def _replace(building: Path, database: Path) -> None:
    with building.open("rb") as file:
        os.fsync(file.fileno())
    database.with_name(database.name + ".wal").unlink(missing_ok=True)  # of a program that died: text has it all
    building.replace(database)


def check_place(database: Path) -> None:
    """Refuse what can be no store: a folder, a device or a pipe, which a finished file would take the place of.

    raises : StoreError
    """
    if database.is_dir():
        raise StoreError(f"{database} is a folder, wanted a DuckDB file; name one in it with --store.")
    if database.exists() and not database.is_file():
        raise StoreError(f"{database} is a pipe or a device, wanted a DuckDB file; name another place with --store.")


def unwritable(database: Path, error: OSError) -> StoreError | DiskFullError:
    """The error of a place that cannot be written, or whose disk is full."""
    if error.errno == errno.ENOSPC:
        return disk_full(Path(error.filename).parent if isinstance(error.filename, str) else database)
    return StoreError(f"{database} cannot be written ({error.strerror}); name another place with --store.")


def disk_full(folder: Path) -> DiskFullError:
    """The error of a disk without room."""
    return DiskFullError(
        f"The disk of {folder} is full; the store is as it was. Free some space, then give the same command again."
    )


def _new(database: Path) -> Connection:
    config = {} if database.exists() else {
        "storage_compatibility_version": STORAGE_VERSION, "default_block_size": BLOCK_SIZE,
    }  # fmt: skip
    return _quiet(duckdb.connect(str(database), config={**_ALONE, "memory_limit": WRITE_MEMORY, **config}))


def _connect(database: Path, config: dict[str, str], *, wait_seconds: float) -> Connection:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return _quiet(duckdb.connect(str(database), read_only=True, config={**_ALONE, **config}))
        except duckdb.Error as error:
            if not re.search(r"\block\b", str(error), re.IGNORECASE):  # that of a damaged *block* is no lock
                raise StoreError(
                    f"{database} cannot be opened as a DuckDB file ({_first_line(error)}). Move it away "
                    f"and run `budgetsim store rebuild`: the text files beside it hold everything."
                ) from None
            if time.monotonic() >= deadline:
                raise locked(database, holder_of(str(error))) from None
            time.sleep(0.1)


def _quiet(connection: Connection) -> Connection:
    """Without the bar of progress that DuckDB writes to standard output once a query takes two seconds."""
    connection.execute("SET enable_progress_bar = false")
    return connection


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def migrations() -> list[Migration]:
    """The numbered migrations: number, name, SQL."""
    folder = Path(__file__).parent / "migrations"
    files = sorted(folder.glob("*.sql"))
    return [(int(f.name.split("_")[0]), f.name, f.read_text(encoding="utf-8")) for f in files]


def schema_version(connection: Connection) -> int:
    """Number of the last migration that was applied, 0 for an empty file."""
    try:  # asking the catalogue whether there is such a table takes ten times as long
        row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    except duckdb.CatalogException:
        return 0
    return int(row[0]) if row and row[0] is not None else 0


def is_older(connection: Connection) -> bool:
    """Whether a store has an older schema than this budgetsim.

    raises : StoreError for a store that a newer one wrote
    """
    have, newest = schema_version(connection), migrations()[-1][0]
    _refuse_newer(have, newest)
    return 0 < have < newest


def migrate(connection: Connection, steps: Sequence[Migration] | None = None) -> None:
    """Bring the schema up to date, each migration whole or not at all.

    steps : of another schema than the newest
    raises : StoreError for a store that a newer budgetsim wrote
    """
    steps = migrations() if steps is None else steps
    have, newest = schema_version(connection), steps[-1][0]
    _refuse_newer(have, newest)
    for number, name, sql in steps:
        if number > have:
            _apply(connection, number, name, sql)


def _refuse_newer(have: int, newest: int) -> None:
    if have > newest:
        raise StoreError(
            f"The store has schema {have}, this budgetsim knows {newest}: upgrade budgetsim, or make the store anew "
            f"with `budgetsim store rebuild`."
        )


def await_writer(database: Path, wait_seconds: float | None = None) -> None:
    """Wait until no other program has the file open for writing; a missing or damaged one is no matter.

    raises : StoreLockedError
    """
    if not database.exists():
        return
    try:
        _connect(database, {}, wait_seconds=PATIENCE if wait_seconds is None else wait_seconds).close()
    except StoreLockedError:
        raise
    except StoreError:
        return  # what cannot be opened can be replaced


def _apply(connection: Connection, number: int, name: str, sql: str) -> None:
    connection.begin()
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name VARCHAR NOT NULL)"
        )
        connection.execute("COMMENT ON TABLE schema_version IS 'Migrations that were applied.'")
        connection.execute("COMMENT ON COLUMN schema_version.version IS 'Number of the migration.'")
        connection.execute("COMMENT ON COLUMN schema_version.name IS 'File of the migration.'")
        connection.execute(sql)
        connection.execute("INSERT INTO schema_version VALUES (?, ?)", [number, name])
        connection.commit()
    except duckdb.Error:
        with suppress(duckdb.Error):  # where the disk is full this fails too, and says less
            connection.rollback()
        raise

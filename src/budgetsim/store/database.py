"""Opening the DuckDB file: migrations, one writer at a time, many readers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from budgetsim.errors import StoreError, StoreLockedError

# Readable by every DuckDB from 1.2 on: the file a newer DuckDB writes by default is not.
STORAGE_VERSION: Final = "v1.2.0"
BLOCK_SIZE: Final = "16384"  # small blocks for a small file: it is committed at milestones
WAIT_SECONDS: Final = 10.0

Connection = duckdb.DuckDBPyConnection


@contextmanager
def open_reader(database: Path, *, locked_down: bool = False) -> Iterator[Connection]:
    """A read-only connection; with `locked_down`, SQL can reach nothing but the store.

    raises : StoreError where there is no store or it is no DuckDB file, StoreLockedError where a
        writer holds it for longer than `WAIT_SECONDS`
    """
    if not database.exists():
        raise StoreError(f"There is no store at {database}; build it with `budgetsim store rebuild`.")
    config = {"threads": "1"}  # the store is small: a second thread costs more than it brings
    if locked_down:
        config |= {"enable_external_access": "false", "lock_configuration": "true"}
    connection = _connect(database, read_only=True, config=config)
    have = newest = migrations()[-1][0]
    try:
        have = schema_version(connection)
        _refuse_newer(have, newest)
        yield connection
    except duckdb.Error as error:
        if 0 < have < newest:
            raise StoreError(
                f"{database} has schema {have}, this budgetsim reads {newest}: `budgetsim store rebuild` "
                f"makes it anew; the text files beside it hold everything."
            ) from None
        raise StoreError(f"{database} is no store of budgetsim, or a damaged one ({_first_line(error)}).") from None
    finally:
        connection.close()


@contextmanager
def open_writer(database: Path, lock: Path, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Connection]:
    """The one writing connection: opened late, closed soon; migrated to the newest schema.

    raises : StoreLockedError where another process reads or writes for longer than `wait_seconds`
    """
    import filelock  # readers never need it

    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=wait_seconds):
            connection = _connect(database, read_only=False, config={}, wait_seconds=wait_seconds)
            try:
                migrate(connection)
                yield connection
            finally:
                connection.close()
    except filelock.Timeout:
        raise _locked(database, "another budgetsim process is writing") from None
    except duckdb.Error as error:
        raise StoreError(f"{database} could not be written ({_first_line(error)}); nothing was changed.") from None
    except OSError as error:
        raise StoreError(f"{database} cannot be written ({error.strerror}); name another place with --store.") from None


def _connect(
    database: Path, *, read_only: bool, config: dict[str, str], wait_seconds: float = WAIT_SECONDS
) -> Connection:
    if not read_only and not database.exists():
        config = {
            **config,
            "storage_compatibility_version": STORAGE_VERSION,
            "default_block_size": BLOCK_SIZE,
        }
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(database), read_only=read_only, config=dict(config))
        except duckdb.Error as error:
            if database.is_dir():
                wanted = "wanted a DuckDB file; name one in it with --store."
                raise StoreError(f"{database} is a folder, {wanted}") from None
            if "lock" not in str(error).lower():
                raise StoreError(
                    f"{database} cannot be opened as a DuckDB file ({_first_line(error)}). Move it away "
                    f"and run `budgetsim store rebuild`: the text files beside it hold everything."
                ) from None
            if time.monotonic() > deadline:
                raise _locked(database, _first_line(error)) from None
            time.sleep(0.1)


def _locked(database: Path, what: str) -> StoreLockedError:
    return StoreLockedError(
        f"{database} is held by another process ({what}). Close that shell or wait for that run, then "
        f"try again: finished runs are safe in their text files."
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def migrations() -> list[tuple[int, str, str]]:
    """The numbered migrations: number, name, SQL."""
    folder = Path(__file__).parent / "migrations"
    files = sorted(folder.glob("*.sql"))
    return [(int(f.name.split("_")[0]), f.name, f.read_text(encoding="utf-8")) for f in files]


def schema_version(connection: Connection) -> int:
    """Number of the last migration that was applied, 0 for an empty file."""
    known = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'schema_version'"
    ).fetchone()
    if not known or not known[0]:
        return 0
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, each migration whole or not at all.

    raises : StoreError for a store that a newer budgetsim wrote
    """
    steps = migrations()
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


def refuse_if_held(database: Path) -> None:
    """Raise StoreLockedError where another process has the file open; a missing or damaged one is no matter."""
    if not database.exists():
        return
    try:
        _connect(database, read_only=False, config={}).close()
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
        connection.rollback()
        raise

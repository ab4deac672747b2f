"""Databases of others for `fuzzing.py`: DuckDB reads them, and their rows or schema are not as budgetsim writes them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import duckdb

from budgetsim.answers.evidence import load_evidence
from budgetsim.design.strategies import STRATEGIES
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import MADE, merge
from budgetsim.store.query import describe, run_sql
from budgetsim.store.records import write_shard
from fuzzing_tools import hurt_bytes
from made_runs import STAGES, made_run

TEXTS: Final = ("'nope'", "''", "NULL", "'constant'", "'distill'", "chr(27) || '[2J'", "repeat('x', 100000)", "'../x'")
NUMBERS: Final = ("-1", "0", "1e308", "'nan'::DOUBLE", "'inf'::DOUBLE", "250", "9e18", "NULL", "0.5")
_COLUMNS: Final = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
OUTSIDE: Final = ("read_text('/etc/passwd')", "read_csv('/etc/passwd')", "glob('/*')", "duckdb_secrets()")


@cache
def whole_database(folder: Path) -> bytes:
    """A small store's database."""
    paths = StorePaths(folder / "whole" / "budgetsim.duckdb")
    for seed in range(3):
        write_shard(paths.runs, made_run(seed), STAGES)
    merge(paths)
    return paths.database.read_bytes()


def databases(rng: random.Random, folder: Path) -> None:
    """A database with wrong bytes."""
    _read(folder, hurt_bytes(whole_database(folder), rng))


def stores(rng: random.Random, folder: Path) -> None:
    """A database that DuckDB wrote, changed by one to three statements of SQL."""
    file = folder / "hurt.duckdb"
    file.write_bytes(whole_database(folder))
    connection = duckdb.connect(str(file))
    columns = connection.execute(_COLUMNS).fetchall()
    for _ in range(rng.randint(1, 3)):
        try:
            connection.execute(hurt_sql(columns, rng))
        except duckdb.Error:  # DuckDB itself refuses it
            continue
    connection.close()
    _read(folder, file.read_bytes())


def hurt_sql(columns: list[tuple[str, str, str]], rng: random.Random) -> str:
    """A statement that makes a store wrong: a value, a column, a table, a view or the schema."""
    table, column, kind = rng.choice([each for each in columns if each[0] in MADE])
    value = rng.choice(TEXTS if kind == "VARCHAR" else NUMBERS)
    where = rng.choice(("", f" WHERE {column} IS NOT NULL", " WHERE rowid = 0"))
    match rng.randrange(12):
        case 0:
            return f"ALTER TABLE {table} DROP COLUMN {column}"
        case 1:
            return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {rng.choice(('VARCHAR', 'DOUBLE', 'INTEGER[]'))}"
        case 2:
            return rng.choice((f"DROP TABLE {table}", f"DELETE FROM {table}", f"ALTER TABLE {table} RENAME TO other",
                               f"INSERT INTO {table} SELECT * FROM {table}"))  # fmt: skip
        case 3:
            return f"CREATE OR REPLACE VIEW {rng.choice(('points', 'teacher_scores'))} AS SELECT * FROM {rng.choice(OUTSIDE)}"
        case 4:
            return rng.choice(("DELETE FROM schema_version", "UPDATE schema_version SET version = version + 90",
                               "DROP TABLE schema_version", "INSERT INTO schema_version VALUES (-1, 'x')"))  # fmt: skip
        case 5:
            return (
                f'CREATE TABLE "{rng.choice(("../x", "a b", "x" * 300))}" AS SELECT 1 AS "{rng.choice(("a", chr(27)))}"'
            )
        case _:
            return f"UPDATE {table} SET {column} = {value}{where}"


def _read(folder: Path, data: bytes) -> None:
    """Refused, or read within its ranges by queries and answers alike."""
    paths = StorePaths(folder / "of-others" / "budgetsim.duckdb")
    paths.folder.mkdir(exist_ok=True)
    paths.database.write_bytes(data)
    with open_reader(paths.database, locked_down=True) as connection:
        describe(connection)
        run_sql(connection, "SELECT * FROM points ORDER BY ALL", timeout=5)
    evidence = load_evidence(paths, tasks=["stance"])
    for m in evidence.measurements:
        assert m.route.strategy in STRATEGIES
        assert 0 <= m.score <= 1
        assert all(n is None or 0 <= n <= 10**12 for n in (m.n_labels, m.n_llm_labels, m.n_unlabeled))
        assert m.teacher_score is None or 0 <= m.teacher_score <= 1
    assert all(math.isfinite(stage.hours) and stage.hours >= 0 and stage.examples >= 0 for stage in evidence.stages)


STORES: dict[str, Callable[[random.Random, Path], None]] = {"databases": databases, "stores": stores}

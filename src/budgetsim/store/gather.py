"""Records of any number of files on their way to the database: on disk, never all in memory.

Of a run or stage that several files hold, the one that was finished first counts, whatever the files are called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from budgetsim.store.database import Connection
from budgetsim.store.designs import count_all, count_more
from budgetsim.store.records import Found, RunRecord, differing, find_records, unfounded
from budgetsim.store.tables import RUN_COLUMNS, STAGE_COLUMNS, TableFile, check_rows, run_row, stage_row

MEASURED: Final = ("stages", "runs", "scores", "run_stages")
_COLUMNS: Final = {
    "stages": STAGE_COLUMNS,
    "runs": RUN_COLUMNS,
    "scores": ["run_id", "metric", "value", "n_test", "is_main", "task"],
    "run_stages": ["run_id", "stage_id", "task"],
}
_FOUND: Final = {
    "id": "VARCHAR",
    "is_run": "BOOLEAN",
    "moment": "DOUBLE",
    "digest": "UBIGINT",
    "result": "UBIGINT",  # digest of a run's scores
    "place": "VARCHAR",
}
_LATER: Final = """
CREATE OR REPLACE TEMP TABLE later AS
SELECT _record, id, is_run, result, place, first_result, first_place FROM (
  SELECT *, row_number() OVER w AS rank, first(result) OVER w AS first_result, first(place) OVER w AS first_place
  FROM found WINDOW w AS (PARTITION BY is_run, id ORDER BY moment, digest, _record))
WHERE rank > 1
"""
_STAGE: Final = ", ".join(STAGE_COLUMNS)
# read once: the database may have millions
_KNOWN: Final = f"""
CREATE OR REPLACE TEMP TABLE known_stages AS SELECT {_STAGE} FROM stages
WHERE stage_id IN (SELECT stage_id FROM new_stages UNION SELECT stage_id FROM new_run_stages)
"""  # noqa: S608 - names of the schema
_UNFOUNDED: Final = """
SELECT n.run_id, arg_min(n.stage_id, n.rowid) FROM new_run_stages n
WHERE n.stage_id NOT IN (SELECT stage_id FROM new_stages) AND n.stage_id NOT IN (SELECT stage_id FROM known_stages)
GROUP BY n.run_id ORDER BY n.run_id
"""
_SCORE: Final = ", ".join(_COLUMNS["scores"])
_FOUNDED: Final = "(SELECT * FROM new_stages UNION ALL SELECT * FROM known_stages)"  # of the new runs
# what goes into each table, rows of one task together
_INTO: Final = {
    "stages": f"({_STAGE}) SELECT {_STAGE} FROM new_stages ORDER BY task, stage_id",  # noqa: S608 - names of the schema
    "runs": f"""({", ".join(RUN_COLUMNS)}, hours, gpu_hours)
SELECT r.*, h.hours, h.gpu_hours FROM new_runs r LEFT JOIN (
  -- summed in the order of the stages, so that the same rows give the same bits
  SELECT rs.run_id, list_sum(list(g.seconds ORDER BY g.stage_id)) / 3600 AS hours,
         list_sum(list(g.gpu_hours ORDER BY g.stage_id)) AS gpu_hours
  FROM new_run_stages rs JOIN {_FOUNDED} g USING (stage_id) GROUP BY rs.run_id
) h USING (run_id) ORDER BY r.task, r.run_id""",  # noqa: S608 - as above
    "scores": f"({_SCORE}) SELECT {_SCORE} FROM new_scores ORDER BY task, run_id",  # noqa: S608 - as above
    "run_stages": f"""(run_id, stage_id, task, stage_task)
SELECT rs.run_id, rs.stage_id, rs.task, g.task FROM new_run_stages rs JOIN {_FOUNDED} g USING (stage_id)
ORDER BY rs.task, rs.run_id""",  # noqa: S608 - as above
}
_PASSING: Final = ("found", "later", "known_stages")


class KnownAlreadyError(Exception):
    """A record that the database has already, so that text alone can say which counts."""


@dataclass(slots=True)
class Gathered:
    """What some files hold, and a line for each record that cannot be used."""

    folder: Path
    refused: list[str]
    _files: dict[str, TableFile] = field(init=False)
    _found: TableFile = field(init=False)
    _n: int = 0

    def __post_init__(self) -> None:
        self._files = {table: TableFile(self.folder, table, _COLUMNS[table]) for table in MEASURED}
        self._found = TableFile(self.folder, "found", list(_FOUND))

    def close(self) -> None:
        """Let go of the files, whatever happened."""
        for file in (*self._files.values(), self._found):
            file.close()

    def read(self, files: Iterable[Path]) -> None:
        """Take every record that can be used."""
        for found in find_records(files, self.refused):
            self._take(found)

    def _take(self, found: Found) -> None:
        self._n += 1
        record, key, files = found.record, found.key, self._files
        result = 0
        if isinstance(record, RunRecord):
            task = record.point.design.task
            files["runs"].add(run_row(record), self._n)
            for s in record.scores:
                files["scores"].add((key, s.metric, s.value, s.n_test, s.is_main, task), self._n)
            for stage in record.stages:
                files["run_stages"].add((key, stage, task), self._n)
            result = _number(hashlib.sha256(repr(record.scores).encode()).digest())
        else:
            files["stages"].add(stage_row(record), self._n)
        moment, digest = found.order
        row = (key, isinstance(record, RunRecord), min(moment, 1e300), _number(digest), result, found.place)
        self._found.add(row, self._n)

    def load(self, connection: Connection, *, into_empty: bool) -> dict[str, int]:
        """Bring the records into a database, whole runs alone; how many rows each table gained.

        into_empty : whether the database holds no measured run

        raises : KnownAlreadyError where it has one of them, StoreError where it ends with other numbers of rows

        There is no transaction: the database is a copy that nobody sees before it is whole, and DuckDB 2.0.0 loses
        inserts of 122,880 rows and more into a table that the same transaction made by CREATE TABLE ... AS.
        """
        columns = ", ".join(f"{name} {kind}" for name, kind in _FOUND.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE found ({columns}, _record BIGINT)")
        self._found.load(connection, with_record=True)
        connection.execute(_LATER)
        self._tell_results(connection)
        for table in MEASURED:
            names = ", ".join(_COLUMNS[table])
            connection.execute(f"CREATE OR REPLACE TEMP TABLE new_{table} AS SELECT {names} FROM {table} LIMIT 0")  # noqa: S608
            self._files[table].load(connection, into=f"new_{table}", without="later")
        connection.execute(_KNOWN)
        if into_empty:
            self._leave_published(connection)
        else:
            _leave_known(connection)
        self._leave_unfounded(connection)
        added = {}
        for table in MEASURED:
            before, added[table] = (_count(connection, f"SELECT count(*) FROM {t}") for t in (table, f"new_{table}"))  # noqa: S608
            connection.execute(f"INSERT INTO {table} {_INTO[table]}")
            check_rows(connection, table, before + added[table])
        count_all(connection) if into_empty else count_more(connection)
        connection.execute("; ".join(f"DROP TABLE {t}" for t in (*(f"new_{t}" for t in MEASURED), *_PASSING)))
        return added

    def _tell_results(self, connection: Connection) -> None:
        """Runs that stand in two files with two results."""
        rows = connection.execute(
            "SELECT id, first_place, place FROM later WHERE is_run AND result <> first_result ORDER BY _record"
        ).fetchall()
        self.refused += [differing(first, place, key) for key, first, place in rows]

    def _leave_published(self, connection: Connection) -> None:
        """Leave out rows of published tables that are called as a measured run is: its id is the hash of its design."""
        twice = "SELECT run_id FROM new_runs"
        rows = connection.execute(f"SELECT source, run_id FROM runs WHERE run_id IN ({twice}) ORDER BY ALL").fetchall()  # noqa: S608
        for source, run_id in rows:
            self.refused.append(
                f"{source}: record_id {run_id} belongs to a run that was measured here; give the row an id of its own."
            )
        for table, key in (("runs", "run_id"), ("scores", "run_id"), ("published_cells", "record_id")) if rows else ():
            connection.execute(f"DELETE FROM {table} WHERE {key} IN ({twice})")  # noqa: S608 - names of the schema

    def _leave_unfounded(self, connection: Connection) -> None:
        """Leave out runs whose stages are nowhere, and stages that no run rests on."""
        rows = connection.execute(_UNFOUNDED).fetchall()
        if rows:
            places = dict(
                connection.execute("SELECT id, place FROM found WHERE is_run ORDER BY _record DESC").fetchall()
            )
            self.refused += [unfounded(places[run_id], run_id, stage) for run_id, stage in rows]
            ids = [run_id for run_id, _ in rows]
            for table in ("new_runs", "new_scores", "new_run_stages"):
                connection.execute(f"DELETE FROM {table} WHERE list_contains(?, run_id)", [ids])  # noqa: S608
        connection.execute("DELETE FROM new_stages WHERE stage_id NOT IN (SELECT stage_id FROM new_run_stages)")


def _leave_known(connection: Connection) -> None:
    """Leave out stages that the database has as they are.

    raises : KnownAlreadyError where it has a run of these, or a stage of another content
    """
    runs = _count(connection, "SELECT count(*) FROM new_runs JOIN runs USING (run_id)")
    known = f"SELECT {_STAGE} FROM new_stages WHERE stage_id IN (SELECT stage_id FROM known_stages)"  # noqa: S608
    if runs or _count(connection, f"SELECT count(*) FROM ({known} EXCEPT SELECT {_STAGE} FROM known_stages)"):  # noqa: S608
        raise KnownAlreadyError
    connection.execute("DELETE FROM new_stages WHERE stage_id IN (SELECT stage_id FROM known_stages)")


def _count(connection: Connection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _number(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")

"""The table of designs: what was run, counted when runs come in, so that an answer reads designs and not runs."""

from __future__ import annotations

from typing import Final

from budgetsim.store.database import Connection

DESIGN: Final = (
    "task evidence_set strategy student teacher labeler n_labels n_llm_labels n_unlabeled recipe_id unlabeled_source "
    "source"
).split()
_NAMES: Final = ", ".join(DESIGN)
_SAME: Final = " AND ".join(f"d.{name} IS NOT DISTINCT FROM n.{name}" for name in DESIGN)
_UPDATE: Final = f"""
UPDATE designs d
SET n_runs = d.n_runs + n.n_runs, last_finished_at = greatest(d.last_finished_at, n.last_finished_at)
FROM more n WHERE {_SAME}
"""  # noqa: S608 - of names above
_INSERT: Final = f"""
INSERT INTO designs SELECT n.* FROM more n WHERE NOT EXISTS (SELECT 1 FROM designs d WHERE {_SAME}) ORDER BY ALL
"""  # noqa: S608 - of names above


def count_all(connection: Connection) -> None:
    """Count the runs of a new database, copies and those that no budget pays for left out."""
    _count(connection, "runs WHERE same_as IS NULL AND feasible")


def count_more(connection: Connection) -> None:
    """Count the runs of `new_runs` besides: measured ones, which the database did not have."""
    _count(connection, "new_runs")


def _count(connection: Connection, runs: str) -> None:
    more = f"SELECT {_NAMES}, max(finished_at) AS last_finished_at, count(*) AS n_runs FROM {runs} GROUP BY ALL"  # noqa: S608
    connection.execute(f"CREATE OR REPLACE TEMP TABLE more AS {more}")
    connection.execute(_UPDATE)
    connection.execute(_INSERT)
    connection.execute("DROP TABLE more")

"""Whether the rows of a database are such as text files can hold: one that others made may say anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from budgetsim.design.strategies import STRATEGIES
from budgetsim.doors.values import MOST_UNITS
from budgetsim.errors import StoreError
from budgetsim.store.database import Connection

_NAMED: Final = "{} <> ''"
_COUNT: Final = f"{{}} BETWEEN 0 AND {MOST_UNITS}"
_PERCENT: Final = "{} BETWEEN 0 AND 100"  # NaN is above all numbers to DuckDB
_AMOUNT: Final = "{} BETWEEN 0 AND 1e30"
_STRATEGY: Final = f"{{}} IN ({', '.join(repr(name) for name in STRATEGIES)})"
_COUNTS: Final = {f"{name}?": _COUNT for name in ("n_labels", "n_llm_labels", "n_unlabeled")}

# what is computed with, by table and column; one with a question mark may be NULL
_RANGES: Final[Mapping[str, Mapping[str, str]]] = {
    "runs": {
        **dict.fromkeys(("run_id", "source", "evidence_set", "task"), _NAMED), **_COUNTS, "strategy": _STRATEGY,
        "student": "{} IS NOT NULL", "derived": "{} IS NOT NULL", "feasible": "{} IS NOT NULL",
        "hours?": _AMOUNT, "gpu_hours?": _AMOUNT,
    },
    "scores": {
        "task": _NAMED, "value": _PERCENT, "score_err?": _PERCENT, "n_test?": f"{{}} BETWEEN 1 AND {MOST_UNITS}",
    },
    "stages": {
        **dict.fromkeys(("stage_id", "kind", "task"), _NAMED), **_COUNTS, "examples?": _COUNT, "score?": _PERCENT,
        "seconds?": _AMOUNT, "gpu_hours?": _AMOUNT, "n_devices?": "{} BETWEEN 1 AND 100000",
    },
    "run_stages": dict.fromkeys(("task", "stage_task"), _NAMED),
    "designs": {
        **dict.fromkeys(("source", "evidence_set", "task"), _NAMED), **_COUNTS, "strategy": _STRATEGY,
        "student": "{} IS NOT NULL", "n_runs": f"{{}} BETWEEN 1 AND {MOST_UNITS}",
    },
    # dollars may not pay for the teacher: then what they leave for texts is below zero
    "published_cells": {"implied_n_unlabeled?": "abs({}) <= 1e30"},
    "published_compute": {"n_labels": _COUNT, "gpu_hours": _AMOUNT, "gpu_hours_se?": _AMOUNT},
}  # fmt: skip


def check_ranges(connection: Connection) -> None:
    """Look at every number and name of a store that an answer is computed from.

    Conditions are plain comparisons of one column each: DuckDB answers these from the least and greatest value that it
    keeps of a column, and reads rows only where those leave it open.

    raises : StoreError naming table and column, where a row holds what no text file can
    """
    for table, columns in _RANGES.items():
        outside = {name: _outside(name, within) for name, within in columns.items()}
        each = (f"(SELECT '{name}' FROM {table} WHERE {where} LIMIT 1)" for name, where in outside.items())  # noqa: S608
        found = connection.execute(" UNION ALL ".join(each)).fetchone()
        if found:
            (name,) = found
            (n,) = connection.execute(f"SELECT count(*) FROM {table} WHERE {outside[name]}").fetchall()[0]  # noqa: S608
            raise StoreError(
                f"The store has {n} rows of {table} whose {name.rstrip('?')} is out of range, which budgetsim "
                f"writes none of: rebuild it from its text files with `budgetsim store rebuild`."
            )


def _outside(name: str, within: str) -> str:
    column = name.rstrip("?")
    missing = "" if name.endswith("?") else f" OR {column} IS NULL"
    return f"NOT ({within.format(column)}){missing}"

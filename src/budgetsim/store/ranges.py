"""Whether the rows of a database are such as text files can hold: one that others made may say anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from budgetsim.design.strategies import STRATEGIES
from budgetsim.doors.values import MOST_UNITS
from budgetsim.errors import StoreError
from budgetsim.store.database import Connection

_NAMED: Final = "length({}) > 0"
_COUNT: Final = f"{{}} BETWEEN 0 AND {MOST_UNITS}"
_PERCENT: Final = "{} BETWEEN 0 AND 100"  # NaN is above all numbers to DuckDB
_AMOUNT: Final = "{} BETWEEN 0 AND 1e30"
_COUNTS: Final = {f"{name}?": _COUNT for name in ("n_labels", "n_llm_labels", "n_unlabeled")}

# what is computed with, by table and column; one with a question mark may be NULL
_RANGES: Final[Mapping[str, Mapping[str, str]]] = {
    "runs": {
        **dict.fromkeys(("run_id", "source", "evidence_set", "task"), _NAMED), **_COUNTS,
        "strategy": f"{{}} IN ({', '.join(repr(name) for name in STRATEGIES)})",
        "student": "{} IS NOT NULL", "derived": "{} IS NOT NULL", "feasible": "{} IS NOT NULL",
    },
    "scores": {"value": _PERCENT, "score_err?": _PERCENT, "n_test?": f"{{}} BETWEEN 1 AND {MOST_UNITS}"},
    "stages": {
        **dict.fromkeys(("stage_id", "kind", "task"), _NAMED), **_COUNTS, "examples?": _COUNT, "score?": _PERCENT,
        "seconds?": _AMOUNT, "gpu_hours?": _AMOUNT, "n_devices?": "{} BETWEEN 1 AND 100000",
    },
    # dollars may not pay for the teacher: then what they leave for texts is below zero
    "published_cells": {"implied_n_unlabeled?": "abs({}) <= 1e30"},
    "published_compute": {"n_labels": _COUNT, "gpu_hours": _AMOUNT, "gpu_hours_se?": _AMOUNT},
}  # fmt: skip


def check_ranges(connection: Connection) -> None:
    """Look at every number and name of a store that an answer is computed from.

    raises : StoreError naming table and column, where a row holds what no text file can
    """
    for table, columns in _RANGES.items():
        outside = ", ".join(f"count(*) FILTER (NOT {_inside(name, within)})" for name, within in columns.items())
        counts = connection.execute(f"SELECT {outside} FROM {table}").fetchone()  # noqa: S608 - of the table above
        for name, n in zip(columns, counts or (), strict=True):
            if n:
                raise StoreError(
                    f"The store has {n} rows of {table} whose {name.rstrip('?')} is out of range, which budgetsim "
                    f"writes none of: rebuild it from its text files with `budgetsim store rebuild`."
                )


def _inside(name: str, within: str) -> str:
    column = name.rstrip("?")
    condition = f"coalesce({within.format(column)}, false)"
    return f"({column} IS NULL OR {condition})" if name.endswith("?") else condition

"""Fits as JSON files under `fits/`: one file an evidence set and task, stale when its rows change."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from budgetsim.design.borrowing import borrowed
from budgetsim.design.fitkey import METHOD, rows_hash
from budgetsim.design.points import Measurement
from budgetsim.design.surface import FIT_SCHEMA_VERSION, TaskFit

if TYPE_CHECKING:
    from budgetsim.forecast.process import Hypers

FORECAST_FILE = "forecast.json"
FORECAST_SCHEMA_VERSION = 1


def fit_path(folder: Path, evidence_set: str, task: str) -> Path:
    """Where the fit of a task lies."""
    return folder / evidence_set / f"{task}.json"


def load_fit(
    folders: Sequence[Path],
    evidence_set: str,
    task: str,
    rows: Sequence[Measurement],
    others: Sequence[Measurement] = (),
) -> TaskFit | None:
    """The first fit of these rows found in the folders, or None: stale and damaged files are passed over.

    others : rows of other tasks that the fit was made beside; it is stale if one that it can see has changed
    """
    seen = rows_hash(rows, borrowed(rows, others))
    key_values = {"rows_hash": seen, "method": METHOD, "schema_version": FIT_SCHEMA_VERSION}
    for folder in folders:
        try:
            data = json.loads(fit_path(folder, evidence_set, task).read_bytes())
            if all(data[key] == value for key, value in key_values.items()):
                return TaskFit.from_json(data)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def save_fit(folder: Path, fit: TaskFit) -> Path:
    """Write a fit, whole or not at all."""
    return _write(fit_path(folder, fit.evidence_set, fit.task), json.dumps(fit.to_json(), **_COMPACT))


def load_forecast(folders: Sequence[Path]) -> Hypers | None:
    """Hyperparameters of the forecast of new tasks, the first that can be read, or None.

    They outlive the rows they were fitted to: what is run later is conditioned on at once, whoever fits them anew.
    """
    from budgetsim.forecast.process import Hypers  # only a task without a fit needs it

    for folder in folders:
        try:
            data = json.loads((folder / FORECAST_FILE).read_bytes())
            if data["schema_version"] == FORECAST_SCHEMA_VERSION:
                return Hypers.from_json(data["hypers"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def save_forecast(folder: Path, hypers: Hypers, n_cells: int, n_tasks: int) -> Path:
    """Write hyperparameters, and how many cells of how many tasks they were fitted to."""
    data = {"schema_version": FORECAST_SCHEMA_VERSION, "n_cells": n_cells, "n_tasks": n_tasks}
    text = json.dumps({**data, "hypers": hypers.to_json()}, indent=1, allow_nan=False)
    return _write(folder / FORECAST_FILE, text)


_COMPACT: Final[dict[str, Any]] = {"separators": (",", ":"), "allow_nan": False}


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text + "\n", "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path

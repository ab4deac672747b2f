"""Fits as JSON files under `fits/`: one file an evidence set and task, stale when its rows change."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from budgetsim.design.fitkey import METHOD, rows_hash
from budgetsim.design.points import Measurement
from budgetsim.design.surface import FIT_SCHEMA_VERSION, TaskFit


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

    others : rows of other tasks that the fit was made beside
    """
    key_values = {"rows_hash": rows_hash(rows, others), "method": METHOD, "schema_version": FIT_SCHEMA_VERSION}
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
    path = fit_path(folder, fit.evidence_set, fit.task)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(fit.to_json(), separators=(",", ":"), allow_nan=False) + "\n", "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path

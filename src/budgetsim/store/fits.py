"""Fits as JSON files under `fits/`: one file an evidence set and task, stale when its rows change."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from budgetsim.design import Measurement, canonical_hash
from budgetsim.surface import SCHEMA_VERSION, TaskFit


def rows_hash(measurements: Sequence[Measurement], method: str) -> str:
    """Hash of what a fit depends on: its rows, the fitting method and the schema of the file."""
    rows = sorted(repr(astuple(m)) for m in measurements)
    return canonical_hash({"rows": rows, "method": method, "schema_version": SCHEMA_VERSION})


def fit_path(folder: Path, evidence_set: str, task: str) -> Path:
    """Where the fit of a task lies."""
    return folder / evidence_set / f"{task}.json"


def load_fit(folders: Sequence[Path], evidence_set: str, task: str, wanted_hash: str) -> TaskFit | None:
    """The first fresh fit found in the folders, or None: stale and damaged files are passed over."""
    for folder in folders:
        try:
            data = json.loads(fit_path(folder, evidence_set, task).read_bytes())
            if data["rows_hash"] == wanted_hash:
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

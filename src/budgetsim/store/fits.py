"""Fits as JSON files under `fits/`: one file an evidence set and task, stale when its rows change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from budgetsim.design.borrowing import borrowed
from budgetsim.design.fitkey import METHOD, rows_hash
from budgetsim.design.points import Measurement
from budgetsim.design.surface import FIT_SCHEMA_VERSION, TaskFit
from budgetsim.doors.unfinished import sweep, unfinished

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRoute:
    """What a stored fit says of itself, a route a row; errors in percent points of the metric.

    loo_rmse_points : of rows left out one at a time
    coverage_90 : share of `n_checked` left-out rows that lay in their 90 % interval
    noise_sd_points : of one run around the mean
    written_at : when the file was written here, UTC; a file that came with the package or a checkout, when it came
    """

    task: str
    evidence_set: str
    strategy: str
    teacher: str | None
    student: str
    labeler: str | None
    method: str
    n_rows: int
    loo_rmse_points: float | None
    coverage_90: float | None
    n_checked: int | None
    noise_sd_points: float | None
    written_at: datetime


def read_fits(folders: Sequence[Path]) -> list[FittedRoute]:
    """Every fit that lies in some folders, by task; of one that lies in several the first, whether or not it is stale.

    Damaged files are passed over, as answers do.
    """
    found: dict[tuple[str, str], list[FittedRoute]] = {}
    for place in (place for folder in folders for place in sorted(folder.glob("*/*.json"))):
        try:
            data = json.loads(place.read_bytes())
            key = (data["task"], data["evidence_set"])
            if key not in found:
                written = datetime.fromtimestamp(int(place.stat().st_mtime), UTC)
                found[key] = [_fitted_route(data, surface, written) for surface in data["surfaces"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return [row for key in sorted(found) for row in found[key]]


def _fitted_route(fit: dict[str, Any], surface: dict[str, Any], written: datetime) -> FittedRoute:
    told = surface["diagnostics"]
    checked = told.get("checked") or {}
    return FittedRoute(
        task=fit["task"],
        evidence_set=fit["evidence_set"],
        method=fit["method"],
        **{name: surface[name] for name in ("strategy", "teacher", "student", "labeler", "n_rows")},
        loo_rmse_points=told.get("loo_rmse_points"),
        coverage_90=(checked.get("coverage") or {}).get("90"),
        n_checked=checked.get("n"),
        noise_sd_points=told.get("noise_sd_points"),
        written_at=written,
    )


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
    sweep(path.parent)
    with unfinished(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")
    return path

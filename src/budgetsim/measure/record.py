"""From a finished run to its file: what ran, on what, with which code and packages."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from budgetsim.errors import BudgetsimError
from budgetsim.measure.execute import Result, execute
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stagestore import disk_is_full, full_disk
from budgetsim.measure.workspace import Workspace
from budgetsim.store.location import StorePaths
from budgetsim.store.records import RunRecord, StageRecord, write_shard

HOST_VARIABLE: Final = "BUDGETSIM_HOST"
_PACKAGES: Final = ("budgetsim", "torch", "transformers", "accelerate", "numpy", "scikit-learn", "sentencepiece")


@dataclass(frozen=True, slots=True)
class Finished:
    """A run whose file is written."""

    record: RunRecord
    shard: Path


def measure_one(spec: RunSpec, workspace: Workspace, paths: StorePaths) -> Finished:
    """Do a run and write its file; the database learns of it when somebody merges.

    raises : DiskFullError where the disk of the stages, or that of the store, has no room
    """
    try:
        result = execute(spec, workspace)
        record = make_record(spec, workspace, result)
        stages = [stage.record for stage in result.stages]
        return Finished(record, write_shard(paths.runs, record, distinct(stages)))
    except BudgetsimError:
        raise
    except Exception as error:  # libraries wrap a full disk in errors of their own
        for place in (workspace.stages.folder, paths.folder):
            if disk_is_full(place, error):
                raise full_disk(place, error) from None
        raise


def make_record(spec: RunSpec, workspace: Workspace, result: Result) -> RunRecord:
    """The record of a run with its provenance."""
    split = workspace.split(spec)
    commit, dirty = git_state()
    device = workspace.stages.device
    return RunRecord(
        point=workspace.point(spec),
        scores=result.scores,
        stages=tuple(dict.fromkeys(stage.key for stage in result.stages)),
        model_family=spec.recipe.family,
        device_class=device.kind,
        device=device.name,
        recipe=spec.recipe.identity(spec.route),
        finished_at=datetime.now(UTC).replace(microsecond=0),
        git_commit=commit,
        git_dirty=dirty,
        versions=versions(),
        host=os.environ.get(HOST_VARIABLE) or platform.node(),
        data_hash=workspace.data_hash(split),
    )


def distinct(stages: list[StageRecord]) -> list[StageRecord]:
    """Each stage once, in order."""
    return list({stage.stage_id: stage for stage in stages}.values())


@cache
def versions() -> Mapping[str, str]:
    """Versions of the packages that train, and of Python."""
    packages = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return packages


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit of this code and whether files of it differ from it; None outside a checkout."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src", "cli")
    return commit, None if changes is None else bool(changes)


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *words],  # noqa: S607
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

"""Stages on disk: each is made once, keyed by all it depends on, and is whole or not there at all.

A stage is built in a folder of its own (`KEY.partial/`, or in the builder's lease) and renamed when its `done.json` is
written; a file that changed since then is found by its hash, put aside, and the stage is made again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.errors import DiskFullError
from budgetsim.learners.device import peak_memory_bytes
from budgetsim.measure.leases import FileLocks, LeaseLostError, Locks
from budgetsim.store.records import StageRecord

CACHE_VARIABLE: Final = "BUDGETSIM_CACHE_DIR"
DONE: Final = "done.json"
FULL_BYTES: Final = 5 * 2**20  # less free space than this is called a full disk
logger = logging.getLogger("budgetsim.measure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a stage reports of itself; seconds are measured around it."""

    examples: int | None = None
    tokens: int | None = None
    flops: float | None = None
    metric: str | None = None
    score: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """A finished stage: its files and its record."""

    folder: Path
    record: StageRecord

    @property
    def key(self) -> str:
        return self.record.stage_id


@dataclass(frozen=True, slots=True)
class Device:
    """Where stages run."""

    kind: str  # cpu or gpu
    name: str
    count: int = 1


class StageStore:
    """A folder of finished stages, shared by every process that measures."""

    def __init__(
        self,
        folder: Path,
        device: Device,
        recorded: Mapping[str, StageRecord] | None = None,
        locks: Locks | None = None,
    ) -> None:
        self.folder, self.device, self.recorded = folder, device, dict(recorded or {})
        self.locks = locks or FileLocks()
        self.built: list[StageRecord] = []  # built by this process

    def get(self, kind: str, depends_on: Mapping[str, Any], build: Callable[[Path], Work], **about: Any) -> Stage:
        """The stage of that kind and content, built now if nobody has; others wait for it meanwhile.

        about : fields of the StageRecord set beforehand (task, model, n_labels, seed, ...)
        """
        key = stage_key(kind, depends_on)
        place = self.place(kind, key)
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                with self.locks.hold(place) as building:
                    return self._load(place) or self._make(kind, key, place, building, build, about)
            except LeaseLostError as error:
                logger.warning("%s Waiting for it.", error)

    def place(self, kind: str, key: str) -> Path:
        """Where a stage lies once it is finished."""
        return self.folder / f"{kind}-{key[:24]}"

    def drop(self, stage: Stage) -> None:
        """Delete the files of a stage that nothing will read again."""
        shutil.rmtree(stage.folder, ignore_errors=True)
        stage.folder.with_name(stage.folder.name + ".lock").unlink(missing_ok=True)

    def _load(self, place: Path) -> Stage | None:
        if not place.is_dir():
            return None
        problem, record = _verify(place)
        if problem is None and record is not None:
            return Stage(place, self.recorded.get(record.stage_id, record))
        aside = place.with_name(f"{place.name}.damaged-{time.time_ns()}")
        place.rename(aside)
        logger.warning("%s is damaged (%s); it was put aside as %s and is made again.", place.name, problem, aside.name)
        return None

    def _make(
        self,
        kind: str,
        key: str,
        place: Path,
        building: Path,
        build: Callable[[Path], Work],
        about: Mapping[str, Any],
    ) -> Stage:
        building.mkdir(exist_ok=True)
        wall, cpu = time.perf_counter(), time.process_time()
        work = build(building)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        record = self._record(kind, key, seconds, cpu_seconds, work, about)
        self.built.append(record)
        _finish(building, place, record)
        return Stage(place, self.recorded.get(key, record))

    def _record(
        self, kind: str, key: str, seconds: float, cpu_seconds: float, work: Work, about: Mapping[str, Any]
    ) -> StageRecord:
        gpu = self.device.kind == "gpu"
        return StageRecord(
            stage_id=key,
            kind=kind,
            seconds=round(seconds, 4),
            n_devices=self.device.count,
            device_class=self.device.kind,
            device=self.device.name,
            gpu_hours=round(seconds * self.device.count / 3600, 8) if gpu else 0.0,
            flops=work.flops,
            examples=work.examples,
            tokens=work.tokens,
            peak_memory_bytes=peak_memory_bytes(self.device.kind),
            metric=work.metric,
            score=work.score,
            finished_at=datetime.now(UTC).replace(microsecond=0),
            provenance={"cpu_seconds": round(cpu_seconds, 4), **work.provenance},
            **about,
        )


def stage_key(kind: str, depends_on: Mapping[str, Any]) -> str:
    """Id of a stage: the hash of its kind and of all it depends on."""
    return canonical_hash({"kind": kind, **depends_on})


def default_cache() -> Path:
    """Where stages are kept: BUDGETSIM_CACHE_DIR, else the user's cache directory."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("budgetsim", appauthor=False)) / "stages"


def disk_is_full(place: Path, error: Exception) -> bool:
    """Whether an error came of a full disk; libraries wrap it in errors of their own."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return True
    home = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(home).free < FULL_BYTES


def full_disk(place: Path, error: Exception) -> DiskFullError:
    """The error that says so, of the folder that could not be written, or else of `place`."""
    named = getattr(error, "filename", None)
    return DiskFullError(
        f"The disk of {Path(named).parent if isinstance(named, str) else place} is full. What is finished is safe in "
        f"the run files; free some space (or set {CACHE_VARIABLE} to another disk) and run the same command again: it "
        f"goes on from there."
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finish(building: Path, place: Path, record: StageRecord) -> None:
    paths = [p for p in sorted(building.rglob("*")) if p.is_file() and p.name != DONE]
    files = {str(p.relative_to(building)): file_hash(p) for p in paths}
    values = {**asdict(record), "finished_at": record.finished_at.isoformat() if record.finished_at else None}
    with (building / DONE).open("w", encoding="utf-8") as out:
        json.dump({"record": values, "files": files}, out, sort_keys=True)
        out.flush()
        os.fsync(out.fileno())
    building.rename(place)


def _verify(place: Path) -> tuple[str | None, StageRecord | None]:
    try:
        done = json.loads((place / DONE).read_text(encoding="utf-8"))
        for name, digest in done["files"].items():
            if file_hash(place / name) != digest:
                return f"{name} is not as it was written", None
        values = done["record"]
        values["finished_at"] = datetime.fromisoformat(values["finished_at"])
        return None, StageRecord(**values)
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing", None
    except (ValueError, KeyError, TypeError, OSError) as error:
        return f"{DONE} cannot be read ({type(error).__name__})", None

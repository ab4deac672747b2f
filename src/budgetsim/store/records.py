"""The truth in text: one JSON line a finished run or stage, written whole or not at all.

A finished run is a file of its own in `results/runs/`: its line and the lines of the stages it
rests on. The database is built from these files and can be thrown away.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import DesignPoint
from budgetsim.errors import StoreError

RECORD_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one run, in percent."""

    metric: str
    value: float
    n_test: int | None = None
    is_main: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One step of work that runs may share, and what it took; `stage_id` hashes what it depends on."""

    stage_id: str
    kind: str
    task: str
    model: str | None = None
    n_labels: int | None = None
    n_llm_labels: int | None = None
    n_unlabeled: int | None = None
    seed: int | None = None
    seconds: float | None = None
    n_devices: int | None = None
    device_class: str | None = None
    device: str | None = None
    gpu_hours: float | None = None
    flops: float | None = None
    examples: int | None = None
    tokens: int | None = None
    peak_memory_bytes: int | None = None
    metric: str | None = None
    score: float | None = None
    finished_at: datetime | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A finished run: what was run, what it scored, which stages it rests on, and where it ran."""

    point: DesignPoint
    scores: tuple[Score, ...]
    stages: tuple[str, ...]
    model_family: str
    device_class: str  # cpu or gpu
    device: str
    recipe: Mapping[str, Any]
    finished_at: datetime
    git_commit: str | None
    git_dirty: bool | None
    versions: Mapping[str, str]
    host: str
    data_hash: str

    @property
    def evidence_set(self) -> str:
        """Source, device class, model family and split: runs that one fit may use together."""
        return f"measured-{self.device_class}-{self.model_family}-{self.point.split_id[:8]}"


def write_shard(folder: Path, run: RunRecord, stages: Iterable[StageRecord]) -> Path:
    """Write a finished run and its stages as one file, by a temporary name and a rename.

    returns : the file, `<run_id, 20 digits>.jsonl`; a run written twice is one file
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{run.point.run_id[:20]}.jsonl"
    lines = [_line("stage", _flat(stage)) for stage in stages] + [_line("run", _run_fields(run))]
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as out:
            out.write("".join(lines))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def read_shards(folder: Path) -> tuple[list[RunRecord], list[StageRecord]]:
    """Read every `*.jsonl` of a folder, in the order of their names; a missing folder holds none.

    raises : StoreError naming file and line of a line that is torn or not of this schema
    """
    runs: dict[str, RunRecord] = {}
    stages: dict[str, StageRecord] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for kind, data in _lines(path):
            if kind == "run":
                run = _run(data)
                first = runs.setdefault(run.point.run_id, run)
                if first.scores != run.scores:
                    raise StoreError(
                        f"{path}: run {run.point.run_id[:12]} stands in another file with other scores; keep one."
                    )
            else:
                stages.setdefault(data["stage_id"], StageRecord(**data))
    return list(runs.values()), list(stages.values())


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path} cannot be read as UTF-8 text ({error}); restore it from git, or move it away."
        ) from None
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            data = json.loads(line)
            kind, version = data.pop("record"), data.pop("schema_version")
            if version != RECORD_SCHEMA_VERSION or kind not in ("run", "stage"):
                raise ValueError(f"record {kind!r} of schema {version}")
            if data.get("finished_at") is not None:
                data["finished_at"] = datetime.fromisoformat(data["finished_at"])
            yield kind, _checked(kind, data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{path}, line {number}: not a run or stage of schema {RECORD_SCHEMA_VERSION} ({error}). "
                f"Restore the file from git, or move it away and measure again what it held."
            ) from None


_KEYS: Final = {
    "stage": {f.name for f in fields(StageRecord)},
    "run": {"run_id", "design"} | {f.name for f in fields(RunRecord)} - {"point"},
}


def _checked(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(data) - _KEYS[kind])
    if unknown:
        raise ValueError(f"unknown keys {', '.join(unknown)}")
    if kind == "run":
        _check_identity(_run(data), data["run_id"])
    return data


def _check_identity(run: RunRecord, run_id: str) -> None:
    """Refuse a run whose ids are not the hashes of what stands beside them."""
    if run.point.run_id != run_id:
        raise ValueError(f"run_id {run_id[:12]} is not the hash of its design point")
    if canonical_hash(run.recipe) != run.point.recipe_id:
        raise ValueError(f"recipe_id {run.point.recipe_id[:12]} is not the hash of its recipe")


def _run(data: Mapping[str, Any]) -> RunRecord:
    rest = {k: v for k, v in data.items() if k not in ("run_id", "design", "scores", "stages")}
    scores = tuple(Score(**score) for score in data["scores"])
    if not scores or not all(math.isfinite(s.value) and 0 <= s.value <= 100 for s in scores):
        raise ValueError("a score is missing or not a percentage")
    return RunRecord(point=DesignPoint.of(data["design"]), scores=scores, stages=tuple(data["stages"]), **rest)


def _run_fields(run: RunRecord) -> dict[str, Any]:
    return {"run_id": run.point.run_id, **_flat(run)}


def _flat(record: RunRecord | StageRecord) -> dict[str, Any]:
    data = asdict(record)
    if isinstance(record, RunRecord):
        del data["point"]
        data["design"] = record.point.flat()  # the key that schema 1 has for a design point
    if record.finished_at is not None:
        data["finished_at"] = record.finished_at.astimezone(UTC).isoformat(timespec="seconds")
    return data


def _line(kind: str, data: Mapping[str, Any]) -> str:
    record = {"record": kind, "schema_version": RECORD_SCHEMA_VERSION, **data}
    return json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

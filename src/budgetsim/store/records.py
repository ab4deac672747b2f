"""The truth in text: one JSON line a finished run or stage, written whole or not at all.

A finished run is a file of its own in `results/runs/`: its line and the lines of the stages it
rests on. The database is built from these files and can be thrown away.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import DesignPoint
from budgetsim.doors.documents import load_json
from budgetsim.doors.files import read_file
from budgetsim.errors import InputError, StoreError
from budgetsim.store.schema import check_run, check_stage

RECORD_SCHEMA_VERSION: Final = 1
MOST_LINE: Final = 1_000_000  # characters


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
    write_whole(target, "".join(record_lines(run, stages)))
    return target


def record_lines(run: RunRecord, stages: Iterable[StageRecord]) -> list[str]:
    """The lines of some stages and of a run that rests on them."""
    return [_line("stage", _flat(stage)) for stage in stages] + [_line("run", _run_fields(run))]


def write_whole(target: Path, text: str) -> None:
    """Write a file by a temporary name and a rename: it is there whole, or not at all."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def read_shards(folder: Path, refused: list[str] | None = None) -> tuple[list[RunRecord], list[StageRecord]]:
    """Every run of the `*.jsonl` of a folder, and the stages that they rest on; a missing folder holds none.

    Of a run or stage that several files hold the one that was finished first counts, whatever the files are called.

    refused : gets a line for each record that cannot be used; the others are read
    raises : StoreError with the first such line where `refused` is not given
    """
    told: list[str] = [] if refused is None else refused
    runs, stages = read_files(sorted(folder.glob("*.jsonl")), told)
    if refused is None and told:
        raise StoreError(told[0])
    return runs, stages


def read_files(
    files: Iterable[Path], refused: list[str], stages: Iterable[StageRecord] = ()
) -> tuple[list[RunRecord], list[StageRecord]]:
    """The runs and stages of some files, as `read_shards`.

    stages : known besides, that runs may rest on
    """
    reader = _Reader(refused, stages={stage.stage_id: stage for stage in stages})
    for path in files:
        reader.read(path)
    return reader.result()


@dataclass(slots=True)
class _Reader:
    """Records read so far: the first finished of each, with where it stood."""

    refused: list[str]
    runs: dict[str, tuple[RunRecord, str]] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        try:
            text = read_file(path, "run file")
        except InputError as error:
            self.refused.append(f"{error} Restore it from git, or move it away.")
            return
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                self._take(line, f"{path}, line {number}")

    def _take(self, line: str, place: str) -> None:
        try:
            record = _record(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.refused.append(
                f"{place}: not a run or stage of schema {RECORD_SCHEMA_VERSION} ({error}). "
                f"Restore the file from git, or move it away and measure again what it held."
            )
            return
        if isinstance(record, StageRecord):
            known = self.stages.get(record.stage_id)
            if known is None or (record != known and _order(record) < _order(known)):
                self.stages[record.stage_id] = record
        else:
            self._take_run(record, place)

    def _take_run(self, run: RunRecord, place: str) -> None:
        key = run.point.run_id
        if key not in self.runs:
            self.runs[key] = (run, place)
            return
        known, where = self.runs[key]
        first, second = (
            ((run, place), (known, where)) if _order(run) < _order(known) else ((known, where), (run, place))
        )
        if first[0].scores != second[0].scores:
            self.refused.append(
                f"{second[1]}: run {key[:12]} stands in another file with other scores ({first[1]}); keep one."
            )
        self.runs[key] = first

    def result(self) -> tuple[list[RunRecord], list[StageRecord]]:
        """Runs that have all their stages, and the stages of those runs."""
        whole = []
        for run, place in self.runs.values():
            absent = [stage for stage in run.stages if stage not in self.stages]
            if absent:
                self.refused.append(
                    f"{place}: run {run.point.run_id[:12]} rests on stage {absent[0][:12]}, which no run file holds; "
                    f"restore the file that has it."
                )
            else:
                whole.append(run)
        used = {stage for run in whole for stage in run.stages}
        return whole, [stage for key, stage in self.stages.items() if key in used]


def _order(record: RunRecord | StageRecord) -> tuple[float, str]:
    """What decides between two records of one thing: when it was finished, then its text."""
    moment = record.finished_at
    return (math.inf if moment is None else moment.timestamp(), json.dumps(_flat(record), sort_keys=True, default=str))


def _record(line: str) -> RunRecord | StageRecord:
    if len(line) > MOST_LINE:
        raise ValueError(f"a line of {len(line):,} characters, wanted at most {MOST_LINE:,}")
    data = load_json(line)
    if not isinstance(data, dict):
        raise ValueError("no keys and values")
    kind, version = data.pop("record"), data.pop("schema_version")
    if version != RECORD_SCHEMA_VERSION or version is True or kind not in ("run", "stage"):
        raise ValueError(f"record {kind!r} of schema {version}")
    if data.get("finished_at") is not None:
        data["finished_at"] = datetime.fromisoformat(data["finished_at"])
    if kind == "stage":
        check_stage(data)
        return StageRecord(**data)
    check_run(data)
    run = _run(data)
    _check_identity(run, data["run_id"])
    return run


def _check_identity(run: RunRecord, run_id: str) -> None:
    """Refuse a run whose ids are not the hashes of what stands beside them."""
    if run.point.run_id != run_id:
        raise ValueError(f"run_id {run_id[:12]} is not the hash of its design point")
    if canonical_hash(run.recipe) != run.point.recipe_id:
        raise ValueError(f"recipe_id {run.point.recipe_id[:12]} is not the hash of its recipe")


def _run(data: Mapping[str, Any]) -> RunRecord:
    rest = {k: v for k, v in data.items() if k not in ("run_id", "design", "scores", "stages")}
    scores = tuple(Score(**score) for score in data["scores"])
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

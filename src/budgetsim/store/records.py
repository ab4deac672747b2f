"""The truth in text: one JSON line a finished run or stage, written whole or not at all.

A finished run is a file of its own in `results/runs/`: its line and the lines of the stages it
rests on. The database is built from these files and can be thrown away.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import DesignPoint
from budgetsim.doors.documents import load_json
from budgetsim.doors.files import read_file
from budgetsim.doors.unfinished import unfinished
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
    with unfinished(target) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


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
    files: Iterable[Path], refused: list[str], elsewhere: Callable[[Collection[str]], set[str]] | None = None
) -> tuple[list[RunRecord], list[StageRecord]]:
    """The runs and stages of some files, as `read_shards`.

    elsewhere : which of some stages are known besides, that runs may rest on
    """
    reader = _Reader(refused)
    for found in find_records(files, refused):
        reader.take(found)
    return reader.result(elsewhere)


@dataclass(frozen=True, slots=True)
class Found:
    """A record as a file has it; `digest` is of its line, and settles which of two counts that ended at one moment."""

    record: RunRecord | StageRecord
    key: str  # run_id or stage_id
    file: Path
    line: int
    digest: bytes

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file}, line {self.line}"

    @property
    def order(self) -> tuple[float, bytes]:
        """When it was finished, then its text: the first counts."""
        moment = self.record.finished_at
        return (math.inf if moment is None else moment.timestamp(), self.digest)


def find_records(files: Iterable[Path], refused: list[str]) -> Iterator[Found]:
    """Every record of some files that can be used, one at a time; a line is told for each that cannot."""
    for path in files:
        try:
            text = read_file(path, "run file")
        except InputError as error:
            refused.append(f"{error} Restore it from git, or move it away.")
            continue
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                key, record = _record(line)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                refused.append(
                    f"{path}, line {number}: not a run or stage of schema {RECORD_SCHEMA_VERSION} ({error}). "
                    f"Restore the file from git, or move it away and measure again what it held."
                )
            else:
                yield Found(record, key, path, number, hashlib.sha256(line.encode()).digest()[:8])


def differing(first: Found | str, second: str, key: str) -> str:
    """That a run stands in two files with two results."""
    where = first if isinstance(first, str) else first.place
    return f"{second}: run {key[:12]} stands in another file with other scores ({where}); keep one."


def unfounded(place: str, run_id: str, stage_id: str) -> str:
    """That a run rests on a stage that is nowhere."""
    return (
        f"{place}: run {run_id[:12]} rests on stage {stage_id[:12]}, which no run file holds; "
        f"restore the file that has it."
    )


def _scores(found: Found) -> tuple[Score, ...]:
    return found.record.scores if isinstance(found.record, RunRecord) else ()


def _stages(found: Found) -> tuple[str, ...]:
    return found.record.stages if isinstance(found.record, RunRecord) else ()


@dataclass(slots=True)
class _Reader:
    """Records read so far: the first finished of each, with where it stood."""

    refused: list[str]
    runs: dict[str, Found] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    _orders: dict[str, tuple[float, bytes]] = field(default_factory=dict)  # of the stages that were read

    def take(self, found: Found) -> None:
        if isinstance(found.record, StageRecord):
            known = self._orders.get(found.key)
            if known is None or found.order < known:
                self.stages[found.key], self._orders[found.key] = found.record, found.order
            return
        known_run = self.runs.setdefault(found.key, found)
        first, second = (found, known_run) if found.order < known_run.order else (known_run, found)
        if _scores(first) != _scores(second):
            self.refused.append(differing(first, second.place, found.key))
        self.runs[found.key] = first

    def result(
        self, elsewhere: Callable[[Collection[str]], set[str]] | None
    ) -> tuple[list[RunRecord], list[StageRecord]]:
        """Runs that have all their stages, and the stages of those runs."""
        missing = {s for found in self.runs.values() for s in _stages(found) if s not in self.stages}
        known = elsewhere(missing) if elsewhere is not None and missing else set()
        whole = []
        for key, found in self.runs.items():
            assert isinstance(found.record, RunRecord)
            absent = [s for s in found.record.stages if s not in self.stages and s not in known]
            if absent:
                self.refused.append(unfounded(found.place, key, absent[0]))
            else:
                whole.append(found.record)
        used = {stage for run in whole for stage in run.stages}
        return whole, [stage for key, stage in self.stages.items() if key in used]


def _record(line: str) -> tuple[str, RunRecord | StageRecord]:
    """Id and record of a line.

    raises : ValueError, KeyError, TypeError, AttributeError where it is none
    """
    if len(line) > MOST_LINE:
        raise ValueError(f"a line of {len(line):,} characters, wanted at most {MOST_LINE:,}")
    data = load_json(line)
    if not isinstance(data, dict):
        raise ValueError("no keys and values")
    kind, version = data.pop("record"), data.pop("schema_version")
    if type(version) is int and version > RECORD_SCHEMA_VERSION:
        raise ValueError(f"of schema {version}, which a newer budgetsim wrote: upgrade budgetsim")
    if version != RECORD_SCHEMA_VERSION or version is True or kind not in ("run", "stage"):
        raise ValueError(f"record {kind!r} of schema {version}")
    if data.get("finished_at") is not None:
        data["finished_at"] = datetime.fromisoformat(data["finished_at"])
    if kind == "stage":
        check_stage(data)
        return data["stage_id"], StageRecord(**data)
    check_run(data)
    run = _run(data)
    _check_identity(run, data["run_id"])
    return data["run_id"], run


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

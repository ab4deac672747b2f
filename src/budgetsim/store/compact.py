"""Compact run files: many small ones packed into few, sorted, with the same records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.store.location import StorePaths
from budgetsim.store.merge import held
from budgetsim.store.records import RunRecord, StageRecord, read_files, record_lines, write_whole

MOST_BYTES: Final = 4_000_000  # of a pack, about
_PREFIX: Final = "pack-"


@dataclass(frozen=True, slots=True)
class CompactReport:
    """How many runs lie in how many packs, how many files those were before, and files that were left as they are."""

    runs: int
    packs: int
    files_before: int
    left: tuple[str, ...]


def compact(paths: StorePaths) -> CompactReport:
    """Pack the run files of a store by evidence set, each pack sorted by run and of some megabytes at most.

    Packs are written before the files they hold are taken away, so a process that is killed leaves nothing out; doing
    it again changes nothing. A pack holds the runs whose ids begin alike: a new run changes one pack, in one place.
    A file with a record that cannot be used is left.

    raises : StoreError where the folder cannot be written, StoreLockedError where another process changes the store
    """
    with held(paths):
        files = sorted(paths.runs.glob("*.jsonl"))
        whole, left = _sort_out(files)
        told: list[str] = []
        runs, stages = read_files(whole, told)  # told: the same run twice with other scores, or without its stages
        if told:
            return CompactReport(0, 0, len(files), (*left, *told))
        packs = _pack(runs, {stage.stage_id: stage for stage in stages})
        for name, text in packs.items():
            target = paths.runs / name
            if not target.exists() or target.read_text(encoding="utf-8") != text:
                write_whole(target, text)
        for file in whole:
            if file.name not in packs:
                file.unlink(missing_ok=True)
    return CompactReport(len(runs), len(packs), len(files), tuple(left))


def _sort_out(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Files all of whose records can be used, and what is told of the others."""
    whole, left = [], []
    for file in files:
        told: list[str] = []
        read_files([file], told)
        left.extend(told)
        if not told:
            whole.append(file)
    return whole, left


def _pack(runs: Sequence[RunRecord], stages: Mapping[str, StageRecord]) -> dict[str, str]:
    """Text of each pack by its name."""
    sets: dict[str, list[RunRecord]] = defaultdict(list)
    for run in sorted(runs, key=lambda each: each.point.run_id):
        sets[run.evidence_set].append(run)
    packs = {}
    for name, members in sets.items():
        size = sum(len(line) for run in members for line in record_lines(run, [stages[s] for s in run.stages]))
        digits = 0
        while size / 16**digits > MOST_BYTES:
            digits += 1
        parts: dict[str, list[RunRecord]] = defaultdict(list)
        for run in members:
            parts[run.point.run_id[:digits]].append(run)
        for part, own in parts.items():
            packs[f"{_PREFIX}{name}{'-' if part else ''}{part}.jsonl"] = _text(own, stages)
    return packs


def _text(runs: Sequence[RunRecord], stages: Mapping[str, StageRecord]) -> str:
    """Lines of runs, each after those of its stages that no run before it has."""
    lines: list[str] = []
    written: set[str] = set()
    for run in runs:
        new = [stages[key] for key in run.stages if key not in written]
        written.update(run.stages)
        lines += record_lines(run, new)
    return "".join(lines)

"""Units as files: for engines that budgetsim does not drive itself, each of whose jobs works one off."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from budgetsim.data.loading import Access
from budgetsim.doors.files import read_file, write_text
from budgetsim.errors import InputError
from budgetsim.measure.leases import Leases, owner_name
from budgetsim.measure.record import Finished, measure_one
from budgetsim.measure.spec import RunSpec, from_json, to_json
from budgetsim.measure.worker import open_workspace
from budgetsim.store.location import StorePaths
from budgetsim.store.records import read_shards


def write_units(units: Sequence[Sequence[RunSpec]], folder: Path) -> int:
    """Write each unit as `unit-00000.jsonl` and so on, a run a line; how many those are.

    raises : InputError where the folder cannot be written, or holds units of another time
    """
    if any(folder.glob("unit-*.jsonl")):
        raise InputError(f"--write-units: {folder} holds units already; name another folder, or delete them.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--write-units: {folder} cannot be made ({error.strerror}); name another folder.") from None
    for number, unit in enumerate(units):
        text = "".join(to_json(spec) + "\n" for spec in unit)
        write_text(folder / f"unit-{number:05d}.jsonl", text, "--write-units")
    return len(units)


def read_unit(path: Path) -> list[RunSpec]:
    """The runs of a unit.

    raises : InputError where it is none
    """
    lines = read_file(path, "unit").splitlines()
    specs = [from_json(line, f"{path.name}, line {n}") for n, line in enumerate(lines, start=1) if line.strip()]
    if not specs:
        raise InputError(f"{path.name} holds no run; `budgetsim measure --dry-run --write-units DIR` writes units.")
    return specs


def work_off(specs: Sequence[RunSpec], paths: StorePaths, cache: Path) -> Iterator[Finished | None]:
    """Do the runs of a unit that have no file yet, one after the other; None for one that had.

    Stages are claimed by leases, so that jobs on many nodes may share the cache.
    """
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, _leave)
    workspace = open_workspace(paths, cache, Access(), locks=Leases(owner_name("unit")))
    done = {run.point.run_id for run in read_shards(paths.runs, [])[0]}
    for spec in specs:
        yield None if workspace.point(spec).run_id in done else measure_one(spec, workspace, paths)


def _leave(number: int, frame: FrameType | None) -> None:
    """End by way of every `finally`, so that leases are let go of."""
    raise SystemExit(128 + number)

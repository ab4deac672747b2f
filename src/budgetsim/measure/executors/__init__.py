"""Executors: where the workers of a campaign run; a file each, behind one protocol.

`local` starts processes on this machine. `ray` and `slurm` start the same worker on nodes, by an engine that somebody
else wrote; what the conductor and a worker tell each other then lies in a folder that both see (`mailbox`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from budgetsim.doors.amounts import did_you_mean
from budgetsim.errors import InputError
from budgetsim.measure.executors.cluster import ClusterExecutor
from budgetsim.measure.executors.local import LocalExecutor
from budgetsim.measure.executors.office import Office
from budgetsim.measure.executors.options import ExecutorOptions
from budgetsim.measure.executors.protocol import Engine, Executor, Patience
from budgetsim.measure.executors.ray import RayEngine
from budgetsim.measure.executors.slurm import SlurmEngine
from budgetsim.store.location import StorePaths

NAMES: Final = ("local", "ray", "slurm")


def choose_executor(text: str, options: ExecutorOptions, cache: Path, paths: StorePaths) -> Executor:
    """The executor of a name: `local`, `ray`, `ray:ADDRESS` or `slurm`.

    cache : the folder of the stages; on a cluster every node sees it at this path
    raises : InputError where it is none

    >>> choose_executor("local", ExecutorOptions(), Path("cache"), StorePaths(Path("x.duckdb"))).name
    'local'
    """
    name, _, address = text.partition(":")
    if name not in NAMES or (address and name != "ray"):
        near = did_you_mean(name, NAMES)
        raise InputError(f"--executor: found {text!r}, wanted local, ray, ray:HOST:PORT or slurm.{near}")
    if name == "local":
        return LocalExecutor()
    office = Office(cache.absolute(), paths)
    engine: Engine = RayEngine(options, address) if name == "ray" else SlurmEngine(options, office.folder / "submitit")
    return ClusterExecutor(engine, office, options)


__all__ = ["Executor", "ExecutorOptions", "LocalExecutor", "Patience", "choose_executor"]

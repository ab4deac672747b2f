"""Worker processes on this machine, told by pipes: the default."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from budgetsim.measure.executors.protocol import Patience
from budgetsim.measure.process import Events, Worker

RESTARTS = 2  # of a worker that died


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Processes of one thread, which end with their conductor."""

    name: str = "local"
    patience: Patience = field(default_factory=lambda: Patience(of_all=RESTARTS))

    def hire(self, number: int, settings: Mapping[str, Any], events: Events) -> Worker:
        """Start a process."""
        return Worker(number, settings, events)

    def open(self) -> int:
        """As many workers as there are cores, two at most: others may want some too."""
        return min(2, os.cpu_count() or 1)

    def end(self, workers: Sequence[Worker]) -> None:
        """End processes, one after the other: each takes no time."""
        for worker in workers:
            worker.stop()

    def close(self) -> None:
        """Nothing is left once the workers are ended."""

"""What the runs of one process share: stages on disk, and splits and pools in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from budgetsim.data.loading import Access, load_task
from budgetsim.data.splits import Split, split_task
from budgetsim.data.unlabeled import TextPool, load_pool
from budgetsim.design.identity import canonical_hash
from budgetsim.design.points import DesignPoint
from budgetsim.labelers import Desk
from budgetsim.measure.spec import RunSpec
from budgetsim.measure.stagestore import StageStore

CHECKPOINT_EVERY: Final = 200  # steps; a killed run loses at most as many


@dataclass(slots=True)
class Workspace:
    """What runs share in one process: the stages on disk, and splits and pools in memory."""

    stages: StageStore
    access: Access = field(default_factory=Access)
    progress: Callable[[str, int, int], None] | None = None
    part: str = "test"  # dev where a choice is being made
    checkpoint_every: int = CHECKPOINT_EVERY
    desk: Desk = field(default_factory=Desk)  # of labelers
    _splits: dict[str, Split] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _pools: dict[tuple[str, str], TextPool] = field(default_factory=dict)
    _memory: dict[tuple[str, ...], str] = field(default_factory=dict)

    def remember(self, key: tuple[str, ...], make: Callable[[], str]) -> str:
        """What `make` gives, made once a process."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]

    def split(self, spec: RunSpec) -> Split:
        """The split of a run's task, by its recipe's rule."""
        key = canonical_hash({"task": spec.task, "rule": repr(spec.recipe.split)})
        if key not in self._splits:
            data = load_task(spec.task, self.access)
            self._splits[key] = split_task(data, spec.recipe.split)
            self._hashes[self._splits[key].split_id] = data.data_hash
        return self._splits[key]

    def data_hash(self, split: Split) -> str:
        """SHA-256 of the files behind a split."""
        return self._hashes[split.split_id]

    def point(self, spec: RunSpec) -> DesignPoint:
        """The design point of a run on its task's split."""
        pool = self.pool(spec)
        return spec.point(self.split(spec).split_id, pool.source if pool else None)

    def pool(self, spec: RunSpec) -> TextPool | None:
        """The unlabelled texts of a run, None where it uses none."""
        if not spec.uses_pool:
            return None
        split = self.split(spec)
        key = (split.split_id, spec.unlabeled)
        if key not in self._pools:
            self._pools[key] = load_pool(spec.unlabeled, split, self.access)
        return self._pools[key]

"""Lost workers, counted: how often a run may be tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from budgetsim.measure.executors.protocol import Patience


@dataclass(slots=True)
class Losses:
    """Workers that a campaign lost, and at which runs.

    A run that comes further each time is not what kills its workers (a time limit does, or the market): its losses
    are forgotten where it came a checkpoint further.

    checkpoint_every : steps
    """

    patience: Patience
    checkpoint_every: int = 1
    total: int = 0
    _of: Counter[Hashable] = field(default_factory=Counter)
    _reached: dict[tuple[Hashable, str], int] = field(default_factory=dict)  # checkpoints
    _advanced: set[Hashable] = field(default_factory=set)

    def progress(self, run: Hashable, part: str, steps: int) -> None:
        """A part of a run came so far."""
        checkpoints = steps // self.checkpoint_every
        if checkpoints > self._reached.get((run, part), 0):
            self._reached[run, part] = checkpoints
            self._advanced.add(run)

    def bear(self, run: Hashable) -> bool:
        """One more worker was lost at a run: whether that run is tried again.

        >>> losses = Losses(Patience(of_a_run=1))
        >>> losses.bear("a"), losses.bear("b"), losses.bear("a")
        (True, True, False)
        """
        self.total += 1
        if run in self._advanced:
            self._advanced.discard(run)
            self._of[run] = 0
        self._of[run] += 1
        of_a_run, of_all = self.patience.of_a_run, self.patience.of_all
        return (of_a_run is None or self._of[run] <= of_a_run) and (of_all is None or self.total <= of_all)

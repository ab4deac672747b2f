"""Units: runs that rest on one teacher, or on one labelling pass, so that whoever made it does them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

SHARED: Final = ("finetune_teacher", "llm_label")  # kinds of stages that are worth waiting for

R = TypeVar("R", bound=Hashable)


def join_sharing(groups: Sequence[Sequence[R]], shared: Callable[[R], Collection[str]]) -> list[list[R]]:
    """Groups of runs, those that share something joined, in the order of their first runs.

    shared : keys of what a run needs that must not be made twice

    >>> join_sharing([["a"], ["b"], ["c"], ["d"]], {"a": "x", "b": "y", "c": "xz", "d": ""}.__getitem__)
    [['a', 'c'], ['b'], ['d']]
    """
    home: dict[int, int] = {number: number for number in range(len(groups))}

    def root(number: int) -> int:
        while home[number] != number:
            home[number] = home[home[number]]
            number = home[number]
        return number

    first: dict[str, int] = {}
    for number, group in enumerate(groups):
        for key in (key for run in group for key in shared(run)):
            one, other = root(first.setdefault(key, number)), root(number)
            home[max(one, other)] = min(one, other)
    units: dict[int, list[R]] = {}
    for number, group in enumerate(groups):
        units.setdefault(root(number), []).extend(group)
    return list(units.values())


@dataclass(slots=True)
class Rota(Generic[R]):
    """Which worker is at which unit, and what of each is left.

    is_made : whether what a run shares with others is there already
    """

    units: list[list[R]]
    is_made: Callable[[R], bool]
    n_waiting: int = field(init=False)  # runs that nobody is at
    _own: dict[int, list[R]] = field(default_factory=dict)  # the unit each worker is at
    _home: dict[R, list[R]] = field(init=False)
    _left: list[list[R]] = field(init=False)  # units with runs that nobody is at

    def __post_init__(self) -> None:
        self._home = {run: unit for unit in self.units for run in unit}
        self._left = [unit for unit in self.units if unit]
        self.n_waiting = len(self._home)

    @property
    def waiting(self) -> list[R]:
        """Runs that nobody is at."""
        return [run for unit in self._left for run in unit]

    def take(self, worker: int) -> R | None:
        """The next run for a worker: of its own unit, so that one teacher stays with one worker; else of one that is
        nobody's; else it helps with another's, at best where the teacher is there already. None where nothing is left.
        """
        unit = self._own.get(worker)
        if not unit:
            unit = self._choose(worker)
            if unit is None:
                self._own.pop(worker, None)
                return None
            self._own[worker] = unit
        self.n_waiting -= 1
        run = unit.pop(0)
        if not unit:
            self._left = [each for each in self._left if each is not unit]
        return run

    def put_back(self, run: R) -> None:
        """A run is to be done after all, before the others of its unit."""
        unit = self._home[run]
        if not unit:
            self._left.insert(0, unit)
        unit.insert(0, run)
        self.n_waiting += 1

    def leave(self, worker: int) -> None:
        """A worker is gone; its unit is anybody's."""
        self._own.pop(worker, None)

    def _choose(self, worker: int) -> list[R] | None:
        taken = {id(unit) for number, unit in self._own.items() if number != worker}
        free = next((unit for unit in self._left if id(unit) not in taken), None)
        if free is not None or not self._left:
            return free
        return max(self._left, key=lambda unit: (self.is_made(unit[0]), len(unit)))

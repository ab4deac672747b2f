"""What a law is: log error against log size, with derivatives, named parameters and a weak prior.

Sizes come as `log_size` = log(x / x0), x0 the geometric mean of the sizes, and errors in units of
the smallest one seen, so a law neither knows nor minds the units of either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.fitting.parameters import Parameter

WEAK: Final = "weak, chosen by us: near those of Alabdulmohsin et al. (2022), arXiv 2209.06640, and wide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a law may know of the data: their range, and limits given from outside."""

    first: float  # log size of the smallest positive size
    last: float  # log size of the largest
    level: float  # log error, in units of the smallest, near log size 0
    highest: float  # log error of the largest error, same unit
    floor: float = 0.0  # known lower limit of the error, same unit, below 1
    ceiling: float | None = None  # log of the known upper limit, same unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the data's frame changes of a law's priors, by the names of the parameters."""

    offset: Mapping[str, float] = field(default_factory=dict)  # added to the mean
    spread: Mapping[str, float] = field(default_factory=dict)  # in place of the parameter's own


# theta (starts, p), log sizes (n,), frame -> log errors (starts, n), derivatives (starts, n, p)
LogError = Callable[[Floats, Floats, Frame], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A curve: its name, its parameters without bounds, and where they are expected.

    A parameter on a log scale enters theta as its log, whatever its name.
    """

    name: str
    parameters: tuple[Parameter, ...]
    log_error: LogError
    place: Callable[[Frame], Placement] = lambda _: Placement()
    has_origin: bool = False  # finite and meaningful at size 0

    @property
    def n_parameters(self) -> int:
        return len(self.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters, in the order of theta."""
        return tuple(p.name for p in self.parameters)

    def prior(self, frame: Frame) -> tuple[Floats, Floats]:
        """Mean and standard deviation of theta before the data's shape is seen, (p,) each."""
        placed = self.place(frame)
        mean = [p.centre + placed.offset.get(p.name, 0.0) for p in self.parameters]
        return np.array(mean), np.array([placed.spread.get(p.name, p.spread) for p in self.parameters])


def at_level(frame: Frame, *names: str) -> Placement:
    """Levels count from that of the data."""
    return Placement(offset=dict.fromkeys(names or ("level",), frame.level))


def floor_parameter(median: float) -> Parameter:
    """The irreducible error, between the known floor and the smallest error seen."""
    return Parameter("floor", median, 2.0, "linear", "log odds of the floor as a share of the smallest error", WEAK)


def exponent(median: float, spread: float = 0.8, name: str = "log_exponent") -> Parameter:
    """A power of size, positive."""
    return Parameter(name, median, spread, "log", "fall of the log error an e-fold of size", WEAK)


def level(offset: float, name: str = "level") -> Parameter:
    """Log error of the power at log size 0, counted from the data's."""
    return Parameter(name, offset, 2.0, "linear", "log error, from the data's level", WEAK)


def sigmoid(t: Floats) -> Floats:
    """1 / (1 + exp(-t)), without overflow."""
    out: Floats = 0.5 * (1.0 + np.tanh(0.5 * t))
    return out


def floor_of(t: Floats, frame: Frame) -> tuple[Floats, Floats]:
    """Irreducible error between the known floor and the smallest error, and its derivative in t."""
    share = sigmoid(t)
    rest = 1.0 - frame.floor
    return frame.floor + rest * share, rest * share * (1.0 - share)


def add_floor(floor: Floats, by_t: Floats, log_power: Floats) -> tuple[Floats, Floats, Floats]:
    """log(floor + exp(log_power)), its derivative in t, and the power's share of the sum.

    floor, by_t : (starts, 1); log_power : (starts, n)
    """
    power = np.exp(np.minimum(log_power, 300.0))
    total = floor + power
    return np.log(total), by_t / total, power / total

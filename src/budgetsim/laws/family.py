"""What a learning-curve family is: log error against log size, with derivatives and a weak prior.

Sizes come as `log_size` = log(x / x0), x0 the geometric mean of the sizes, and errors in units of
the smallest one seen, so a family neither knows nor minds the units of either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from budgetsim.design.arrays import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a family may know of the data: their range, and limits given from outside."""

    first: float  # log size of the smallest positive size
    last: float  # log size of the largest
    level: float  # log error, in units of the smallest, near log size 0
    highest: float  # log error of the largest error, same unit
    floor: float = 0.0  # known lower limit of the error, same unit, below 1
    ceiling: float | None = None  # log of the known upper limit, same unit


# theta (starts, p), log sizes (n,), frame -> log errors (starts, n), derivatives (starts, n, p)
LogError = Callable[[Floats, Floats, Frame], tuple[Floats, Floats]]
# frame -> prior mean and standard deviation of each parameter, (p,) each
PriorOf = Callable[[Frame], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A curve: its name, its parameters without bounds, and where they are expected."""

    name: str
    parameters: tuple[str, ...]
    log_error: LogError
    prior: PriorOf
    has_origin: bool = False  # finite and meaningful at size 0

    @property
    def n_parameters(self) -> int:
        return len(self.parameters)


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

"""Named parameters of a form: what is expected of each before any data, in which unit, and why.

The sampler moves coordinates that are standard normal a priori, (particles, parameters). A parameter
turns its coordinate z into a value: median * exp(spread * z) on a log scale, median + spread * z on a
linear one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from budgetsim.design.arrays import Floats


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a form: its prior, its unit, and where the prior comes from.

    spread : standard deviation a priori, in e-folds on a log scale, in the unit on a linear one

    >>> half = Parameter("half_labels", 2000.0, 2.0, "log", "labels", "chosen by us")
    >>> half.value(np.array([-1.0, 0.0, 1.0])).round(0).tolist()
    [271.0, 2000.0, 14778.0]
    """

    name: str
    median: float
    spread: float
    scale: Literal["log", "linear"]
    unit: str
    source: str

    @property
    def centre(self) -> float:
        """Prior mean where the parameter is normal: of its log on a log scale."""
        return float(np.log(self.median)) if self.scale == "log" else self.median

    def value(self, z: Floats) -> Floats:
        """Values at coordinates, any shape."""
        if self.scale == "linear":
            return self.median + self.spread * z
        out: Floats = self.median * np.exp(self.spread * z)
        return out

    def log_value(self, z: Floats) -> Floats:
        """Natural logs of the values of a parameter on a log scale."""
        out: Floats = self.centre + self.spread * z
        return out


@dataclass(frozen=True, slots=True)
class Values:
    """Values of parameters at coordinates (particles, parameters), read by name; each is worked out once, for all."""

    parameters: Sequence[Parameter]
    whole: Floats  # coordinates of every particle
    rows: slice = field(default_factory=lambda: slice(None))  # particles that are looked at
    _known: dict[tuple[str, str], Floats] = field(default_factory=dict)

    @property
    def z(self) -> Floats:
        """Coordinates of the particles that are looked at, (particles, parameters)."""
        return self.whole[self.rows]

    def of(self, rows: slice) -> Values:
        """The same of some particles."""
        return replace(self, rows=rows)

    def __getitem__(self, name: str) -> Floats:
        """Values of a parameter, (particles, 1)."""
        return self._read(name, "value")

    def log(self, name: str) -> Floats:
        """Natural logs of the values of a parameter on a log scale, (particles, 1)."""
        return self._read(name, "log_value")

    def _read(self, name: str, what: Literal["value", "log_value"]) -> Floats:
        if (name, what) not in self._known:
            i = next(i for i, parameter in enumerate(self.parameters) if parameter.name == name)
            self._known[name, what] = getattr(self.parameters[i], what)(self.whole[:, i : i + 1])
        return self._known[name, what][self.rows]

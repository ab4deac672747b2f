"""What a fitted curve or surface has to say of its data, as values; `report/cautions.py` words them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FewSizes:
    """So few sizes that the interval rests on the prior."""

    n_sizes: int
    n_wanted: int


@dataclass(frozen=True, slots=True)
class ErrorRise:
    """The error rises with size by more than noise explains."""

    ratio: float  # of the rise to the error it starts from
    size: float  # where it is largest


@dataclass(frozen=True, slots=True)
class SingleValue:
    """An input that takes one value only."""

    input: str


@dataclass(frozen=True, slots=True)
class FewPoints:
    """So few rows for the inputs that the interval rests on the prior."""

    n_rows: int
    n_inputs: int


CurveCaution = FewSizes | ErrorRise | SingleValue | FewPoints

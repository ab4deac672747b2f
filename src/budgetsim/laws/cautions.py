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


@dataclass(frozen=True, slots=True)
class FormsDisagree:
    """Forms of a surface that, fitted to the cheaper rows, miss the dearest ones by unlike amounts.

    best_error, worst_error : mean absolute log error on the dearest rows; kept : forms that are averaged
    """

    best: str
    best_error: float
    worst: str
    worst_error: float
    kept: tuple[str, ...]


CurveCaution = FewSizes | ErrorRise | SingleValue | FewPoints | FormsDisagree

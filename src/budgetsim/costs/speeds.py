"""Speeds that were measured on a device, and the utilisation of a rate card that follows from them.

A file of speeds is JSON: `bench/gpu_speed.py` and `budgetsim doctor --calibrate` write it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from budgetsim.costs.rates import Day, LearnerSpeed, Utilisation
from budgetsim.doors.documents import load_json
from budgetsim.doors.values import Name, Number, Text, found, wanted
from budgetsim.errors import InputError

SCHEMA_VERSION: Final = 1
_PEAK: Final = 1e5  # TFLOP/s of a device, at most
Rate = Annotated[float, Number, Field(gt=0, le=1e15, allow_inf_nan=False)]
Seconds = Annotated[float, Number, Field(ge=0, le=1e6, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a bench tells more than a card takes


class Speed(_Part):
    """One model at one kind of work.

    kind : word of the learner: t5, ft, lm, encoder-lr, tfidf-lr; does : whether it trained or answered
    tflops : counted operations a second, in 1e12; None where operations say nothing of it
    """

    kind: Literal["t5", "ft", "lm", "encoder-lr", "tfidf-lr"]
    model: Name
    does: Literal["train", "answer"]
    tokens_per_s: Rate
    tflops: Annotated[float, Number, Field(gt=0, le=_PEAK, allow_inf_nan=False)] | None = None
    parameters: Annotated[int, Number, Field(ge=1, le=10**14)] | None = None
    whole: bool = True  # whether every weight was trained


class Speeds(_Part):
    """What was measured on one device."""

    schema_version: Annotated[Literal[1], Number]
    device_class: Literal["gpu", "cpu"]
    device: Name
    peak_tflops: Annotated[float, Number, Field(ge=1e-6, le=_PEAK, allow_inf_nan=False)]
    seconds_per_step: Seconds
    source: Text
    as_of: Day
    rows: Annotated[tuple[Speed, ...], Field(min_length=1, max_length=1000)]

    @field_validator("rows")
    @classmethod
    def _below_peak(cls, rows: tuple[Speed, ...], info: ValidationInfo) -> tuple[Speed, ...]:
        peak = info.data.get("peak_tflops")
        above = [r for r in rows if r.tflops is not None and peak is not None and r.tflops > 1.5 * peak]
        if above:
            raise ValueError(f"speeds about the peak of {peak:g} TFLOP/s or below it; {above[0].model} has more")
        return rows


def parse_speeds(text: str, name: str) -> Speeds:
    """Read and check a file of speeds.

    raises : InputError, one line a mistake
    """
    try:
        data: Any = load_json(text)
    except ValueError as error:
        raise InputError(f"{name} is no JSON ({error}); `bench/gpu_speed.py` writes such files.") from None
    try:
        return Speeds.model_validate(data)
    except ValidationError as error:
        lines = [_line(problem, name) for problem in error.errors(include_url=False)[:20]]
        raise InputError("\n".join(dict.fromkeys(lines))) from None


def _line(problem: Any, name: str) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "file"
    what = "nothing" if problem["type"] == "missing" else found(problem["input"])
    return f"{name}, {key}: found {what}, wanted {wanted(problem)}"


def speeds_text(speeds: Speeds) -> str:
    """A file of speeds."""
    return json.dumps(speeds.model_dump(mode="json", exclude_none=True), indent=1) + "\n"


def measured_utilisation(speeds: Speeds) -> Utilisation:
    """The utilisation that modelled hours rest on, from what was measured.

    A teacher trains and labels as the largest model did, a student trains as the smallest T5 did, else as the smallest
    model.
    raises : InputError where nothing was trained, or nothing answered, whose operations are counted
    """
    trained = _counted(speeds.rows, "train")
    whole = [row for row in trained if row.whole] or trained
    answered = _counted(speeds.rows, "answer")
    if not whole or not answered:
        raise InputError(
            f"The speeds of {speeds.device} lack a model that trained and one that answered; measure both."
        )
    student = _largest([row for row in whole if row.kind == "t5"] or whole, smallest=True)
    return Utilisation(
        peak_tflops=_rounded(speeds.peak_tflops),
        teacher_training=_share(_largest(whole), speeds),
        labelling=_share(_largest(answered), speeds),
        student_training=_share(student, speeds),
        seconds_per_step=_rounded(speeds.seconds_per_step),
        device=speeds.device,
        measured=tuple(_told(*named, speeds.rows) for named in dict.fromkeys((r.kind, r.model) for r in speeds.rows)),
        source=speeds.source,
        as_of=speeds.as_of,
    )  # fmt: skip


def _counted(rows: Sequence[Speed], does: str) -> list[Speed]:
    return [row for row in rows if row.does == does and row.tflops is not None]


def _largest(rows: Sequence[Speed], *, smallest: bool = False) -> Speed:
    """The largest model's row; of several of one model, the fastest."""
    sign = -1 if smallest else 1
    return max(rows, key=lambda row: (sign * (row.parameters or 0), row.tflops or 0.0))


def _share(row: Speed, speeds: Speeds) -> float:
    return min(1.0, max(1e-6, _rounded((row.tflops or 0.0) / speeds.peak_tflops)))


def _told(kind: str, model: str, rows: Sequence[Speed]) -> LearnerSpeed:
    """The fastest of a model at each kind of work."""
    mine = [row for row in rows if (row.kind, row.model) == (kind, model)]
    train = max((r for r in mine if r.does == "train"), key=lambda r: r.tokens_per_s, default=None)
    answer = max((r for r in mine if r.does == "answer"), key=lambda r: r.tokens_per_s, default=None)
    return LearnerSpeed(
        kind=kind,
        model=model,
        train_tokens_per_s=None if train is None else _rounded(train.tokens_per_s),
        answer_tokens_per_s=None if answer is None else _rounded(answer.tokens_per_s),
        train_tflops=None if train is None or train.tflops is None else _rounded(train.tflops),
        answer_tflops=None if answer is None or answer.tflops is None else _rounded(answer.tflops),
    )


def _rounded(value: float) -> float:
    """Three figures: no clock says more.

    >>> _rounded(0.0123456)
    0.0123
    """
    return float(f"{value:.3g}")

"""What a run file may hold: every field with its type and range, and the identity that its values must hash to.

`check_run` and `check_stage` take a line's values and say the first thing that is wrong, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from budgetsim.design.strategies import STRATEGIES, TRAINED
from budgetsim.doors.values import Amount, Count, Name, Percent, Seed, found, shorten, wanted

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Key = Annotated[str, Field(pattern=r"^[\w.:-]{1,128}$")]  # of a stage
Kind = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]  # of a stage, and words that name evidence sets
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]
Family = Annotated[str, Field(pattern=r"^[\w.-]{1,80}$")]


def _trained(name: str) -> str:
    if name not in {strategy.name for strategy in TRAINED}:
        raise ValueError(f"one of {', '.join(strategy.name for strategy in TRAINED)}")
    return name


Strategy = Annotated[str, AfterValidator(_trained)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class FlatDesign(_Strict):
    """A design as files have it: its fields under one level of names."""

    task: Name
    strategy: Strategy
    student: Name
    teacher: Name | None = None
    labeler: Name | None = None
    n_labels: Count = 0
    n_llm_labels: Count = 0
    n_unlabeled: Count = 0


class _Point(FlatDesign):
    split_id: Annotated[str, Field(pattern=r"^[\w.-]{8,128}$")]
    recipe_id: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    unlabeled_source: Name | None = None
    seed: Seed = 0


class _Score(_Strict):
    metric: Name
    value: Percent
    n_test: Annotated[int, Field(ge=1, le=10**12)] | None = None
    is_main: bool = True


class _Run(_Strict):
    run_id: Hash
    design: _Point
    scores: Annotated[list[_Score], Field(min_length=1, max_length=100)]
    stages: Annotated[list[Key], Field(max_length=1000)]
    model_family: Family
    device_class: Literal["cpu", "gpu"]
    device: Name
    recipe: dict[str, Any]
    finished_at: Moment
    git_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] | None
    git_dirty: bool | None
    versions: Annotated[dict[Name, Name], Field(max_length=200)]
    host: Annotated[str, Field(max_length=500)]
    data_hash: Name


class _Stage(_Strict):
    stage_id: Key
    kind: Kind
    task: Name
    model: Name | None = None
    n_labels: Count | None = None
    n_llm_labels: Count | None = None
    n_unlabeled: Count | None = None
    seed: Seed | None = None
    seconds: Amount | None = None
    n_devices: Annotated[int, Field(ge=1, le=100_000)] | None = None
    device_class: Literal["cpu", "gpu"] | None = None
    device: Name | None = None
    gpu_hours: Amount | None = None
    flops: Amount | None = None
    examples: Count | None = None
    tokens: Annotated[int, Field(ge=0, le=10**18)] | None = None
    peak_memory_bytes: Annotated[int, Field(ge=0, le=10**18)] | None = None
    metric: Name | None = None
    score: Percent | None = None
    finished_at: Moment | None = None
    provenance: dict[str, Any] = {}


_RUN: Final = TypeAdapter(_Run)
_STAGE: Final = TypeAdapter(_Stage)
_DESIGN: Final = TypeAdapter(FlatDesign)


def check_run(values: Mapping[str, Any]) -> None:
    """Check the values of a run, moments read.

    raises : ValueError in a few words: the key, what was found, what was wanted
    """
    _check(_RUN, values)
    metrics = [score["metric"] for score in values["scores"]]
    if len(set(metrics)) < len(metrics):
        raise ValueError(f"metric {next(m for m in metrics if metrics.count(m) > 1)} stands twice")
    if sum(score.get("is_main", True) for score in values["scores"]) != 1:
        raise ValueError("scores: wanted one main metric (is_main)")
    if len(set(values["stages"])) < len(values["stages"]):
        raise ValueError("stages: the same stage stands twice")
    check_needs(values["design"])


def check_stage(values: Mapping[str, Any]) -> None:
    """Check the values of a stage, as `check_run`."""
    _check(_STAGE, values)


def check_design(values: Mapping[str, Any]) -> None:
    """Check the flat fields of a design, as `check_run`."""
    _check(_DESIGN, values)


def check_needs(design: Mapping[str, Any]) -> None:
    """Check that a design has the models and counts of its strategy, and no others.

    raises : ValueError
    """
    needs = STRATEGIES[design["strategy"]].needs
    for name in ("n_labels", "n_llm_labels", "n_unlabeled", "teacher", "labeler"):
        if design.get(name) and name not in needs:
            raise ValueError(f"design.{name}: found {found(design[name])}, {design['strategy']} has no use for it")
        if name in needs and design.get(name) is None:
            raise ValueError(f"design.{name}: {design['strategy']} needs it")


def _check(adapter: TypeAdapter[Any], values: Mapping[str, Any]) -> None:
    try:
        adapter.validate_python(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        unknown = [shorten(str(p["loc"][-1])) for p in problems if p["type"] == "extra_forbidden"]
        if unknown:
            raise ValueError(f"unknown keys {', '.join(unknown[:5])}") from None
        problem = problems[0]
        key = ".".join(str(part) for part in problem["loc"])
        what = "nothing" if problem["type"] == "missing" else found(problem["input"])
        raise ValueError(f"{key}: found {what}, wanted {wanted(problem)}") from None

"""What a worker on a cluster is given, as a document: `executor.yaml`, or the key `executor` of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from budgetsim.doors.documents import load_yaml
from budgetsim.doors.files import MOST_DOCUMENT_BYTES, read_file
from budgetsim.doors.values import Name, Number, found, wanted
from budgetsim.errors import InputError

DEFAULT_FILE: Final = Path("executor.yaml")
SIGNALS: Final = ("USR1", "USR2", "TERM")


def _folder(text: str) -> str:
    if "://" in text:
        scheme = text.partition("://")[0]
        raise ValueError(
            f"a folder that every node sees: stages are claimed by a rename that one of two wins, and {scheme}:// has "
            f"none; mount it"
        )
    if not Path(text).expanduser().is_absolute():
        raise ValueError("an absolute path, the same on every node")
    return text


def _signal(text: str) -> str:
    if text not in SIGNALS:
        raise ValueError(f"one of {', '.join(SIGNALS)}")
    return text


class ExecutorOptions(BaseModel):
    """Resources of one worker, and how losses are borne.

    The last four are seconds: between signs of life; of a stage's builder until another takes over; of a worker until
    it is given up; of a conductor until its workers end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    workers: Annotated[int, Number, Field(ge=1, le=10_000)] | None = None  # at once; as many as there is room for
    gpus: Annotated[float, Number, Field(ge=0, le=64, allow_inf_nan=False)] = 0  # below 1: Ray alone shares one
    cpus: Annotated[int, Number, Field(ge=1, le=512)] = 1
    memory_gb: Annotated[float, Number, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None
    time_limit_hours: Annotated[float, Number, Field(gt=0, le=8760, allow_inf_nan=False)] | None = None  # Slurm
    partition: Name | None = None  # Slurm
    image: Name | None = None  # container: Ray's runtime environment, Slurm's --container-image (pyxis)
    python: Name | None = None  # interpreter on the nodes
    shared_cache: Annotated[Name, AfterValidator(_folder)] | None = None
    signal: Annotated[Name, AfterValidator(_signal)] = "USR2"  # that Slurm warns a job with
    signal_seconds: Annotated[int, Number, Field(ge=5, le=3600)] = 60  # before it is ended
    retries: Annotated[int, Number, Field(ge=0, le=1000)] = 3  # of a run whose workers are lost and that gets nowhere
    wait_for_nodes: bool = False  # whether nodes that are not there yet may come
    beat_seconds: Annotated[float, Number, Field(ge=0.1, le=600, allow_inf_nan=False)] = 5.0
    lease_seconds: Annotated[float, Number, Field(ge=1, le=86_400, allow_inf_nan=False)] = 60.0
    silence_seconds: Annotated[float, Number, Field(ge=1, le=86_400, allow_inf_nan=False)] = 300.0
    orphan_seconds: Annotated[float, Number, Field(ge=1, le=86_400, allow_inf_nan=False)] = 600.0


def read_options(path: Path | None) -> ExecutorOptions | None:
    """The options of a file; of `executor.yaml` in the folder at hand where none is named, None where there is none.

    raises : InputError where it is not such a file
    """
    if path is None and not DEFAULT_FILE.exists():
        return None
    place = path or DEFAULT_FILE
    name = place.name
    try:
        values = load_yaml(read_file(place, "file of executor options", MOST_DOCUMENT_BYTES), name)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{name}, line {line}: not YAML ({error.problem}); mend that line.") from None
    except (YAMLError, ValueError) as error:
        raise InputError(f"{name}: not YAML ({' '.join(str(error).split())}); mend it.") from None
    return parse_options(values, name)


def parse_options(values: object, source: str) -> ExecutorOptions:
    """Options from plain values.

    raises : InputError, a line a mistake

    >>> parse_options({"gpus": 1, "memory_gb": 32}, "executor.yaml").gpus
    1.0
    >>> parse_options({"gpus": "one"}, "executor.yaml")
    Traceback (most recent call last):
    ...
    budgetsim.errors.InputError: executor.yaml, gpus: found 'one', wanted a number, without quotes
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{source}: found {found(values)}, wanted keys and values: gpus, memory_gb, time_limit_hours.")
    try:
        return ExecutorOptions.model_validate({str(key): value for key, value in values.items()})
    except ValidationError as error:
        lines = [_explain(problem, source) for problem in error.errors(include_url=False)]
        raise InputError("\n".join(dict.fromkeys(lines))) from None


def _explain(problem: Any, source: str) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(sorted(ExecutorOptions.model_fields))
        return f"{source}, {key}: found an unknown key, wanted one of {known}"
    return f"{source}, {key}: found {found(problem['input'])}, wanted {wanted(problem)}"

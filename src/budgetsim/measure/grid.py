"""Grids: which points to run, in a YAML file; those that ship are named pilot, cpu, exp1-budgets and so on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from budgetsim.design.strategies import COUNTS, get_strategy
from budgetsim.doors.files import MOST_DOCUMENT_BYTES, read_file
from budgetsim.doors.values import MOST_SEED, MOST_UNITS, shorten
from budgetsim.doors.words import is_name
from budgetsim.errors import InputError
from budgetsim.measure.executors.options import ExecutorOptions, parse_options
from budgetsim.measure.recipe import Recipe, get_preset
from budgetsim.measure.spec import RunSpec, make_spec

_AXES: Final = ("student", "teacher", "labeler", *COUNTS, "unlabeled", "seed")
_BLOCK_KEYS: Final = {*_AXES, "strategy", "gold"}
_GRID_KEYS: Final = {"preset", "tasks", "blocks", "description", "executor"}
MOST_RUNS: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Blocks of points; each axis of a block is a list, and all combinations are run."""

    name: str
    preset: str
    tasks: tuple[str, ...]
    blocks: tuple[dict[str, Any], ...]
    description: str = ""
    executor: ExecutorOptions | None = None  # what a worker on a cluster is given

    def specs(self, tasks: Sequence[str] = (), recipe: Recipe | None = None) -> list[RunSpec]:
        """Every run of the grid, each once, for these tasks (default: the grid's own)."""
        training = recipe or get_preset(self.preset)
        specs = [
            spec
            for task in tasks or self.tasks
            for block in self.blocks
            for spec in _expand(task, block, training)
        ]  # fmt: skip
        return list(dict.fromkeys(specs))


def grid_names() -> list[str]:
    """Names of the grids that ship with budgetsim."""
    folder = resources.files("budgetsim.measure") / "grids"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_grid(name: str) -> Grid:
    """A grid by name, or from a YAML file.

    raises : InputError where it is missing or malformed, naming the key
    """
    path = Path(name).expanduser()
    if name in grid_names():
        text = (resources.files("budgetsim.measure") / "grids" / f"{name}.yaml").read_text(encoding="utf-8")
    elif path.suffix in (".yaml", ".yml") and path.is_file():
        text = read_file(path, "grid", MOST_DOCUMENT_BYTES)
    else:
        raise InputError(f"There is no grid {name!r}; known are {', '.join(grid_names())}, or name a YAML file.")
    return parse_grid(text, path.stem if path.suffix else name)


def parse_grid(text: str, name: str) -> Grid:
    """Read the YAML text of a grid.

    raises : InputError naming what is wrong

    >>> text = "{preset: cpu, tasks: [fever], blocks: [{strategy: annotate, n_labels: [9], seed: [0, 1]}]}"
    >>> len(parse_grid(text, "x").specs())
    2
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    from budgetsim.doors.documents import load_yaml

    try:
        values = load_yaml(text, f"Grid {name}")
    except (YAMLError, ValueError) as error:
        place = f", line {error.problem_mark.line + 1}" if isinstance(error, MarkedYAMLError) else ""
        problem = error.problem if isinstance(error, MarkedYAMLError) else " ".join(str(error).split())
        raise InputError(f"Grid {name}{place}: not YAML ({problem}).") from None
    if not isinstance(values, dict) or not isinstance(values.get("blocks"), list):
        raise InputError(f"Grid {name} has no list of `blocks`.")
    unknown = sorted(str(key) for key in set(values) - _GRID_KEYS)
    if unknown:
        keys = ", ".join(sorted(_GRID_KEYS))
        raise InputError(f"Grid {name} has unknown keys {', '.join(unknown)}; known are {keys}.")
    tasks = values.get("tasks") or []
    if not isinstance(tasks, list) or not all(_is_name(task) for task in tasks):
        raise InputError(f"Grid {name}: tasks is {shorten(repr(tasks))}, wanted a list of names.")
    for number, block in enumerate(values["blocks"], start=1):
        _check_block(name, number, block)
    n_runs = max(1, len(tasks)) * sum(math.prod(_lengths(block)) for block in values["blocks"])
    if n_runs > MOST_RUNS:
        raise InputError(f"Grid {name} has {n_runs:,} runs, wanted at most {MOST_RUNS:,}; split it.")
    return Grid(
        name=name,
        preset=str(values.get("preset", "cpu")),
        tasks=tuple(tasks),
        blocks=tuple(values["blocks"]),
        description=str(values.get("description", "")),
        executor=parse_options(values["executor"], f"Grid {name}, executor") if "executor" in values else None,
    )


def _check_block(name: str, number: int, block: Any) -> None:
    if not isinstance(block, dict) or "strategy" not in block:
        raise InputError(f"Grid {name}, block {number}: no strategy.")
    unknown = sorted(str(key) for key in set(block) - _BLOCK_KEYS)
    if unknown:
        keys = ", ".join(sorted(_BLOCK_KEYS))
        raise InputError(f"Grid {name}, block {number}: unknown keys {', '.join(unknown)}; known are {keys}.")
    for axis in _AXES:
        for value in _listed(block.get(axis, [])):
            wanted = _problem(axis, value)
            if wanted:
                raise InputError(f"Grid {name}, block {number}: {axis} is {shorten(repr(value))}, wanted {wanted}.")
    if not isinstance(block.get("gold", False), bool):
        raise InputError(f"Grid {name}, block {number}: gold is {shorten(repr(block['gold']))}, wanted true or false.")
    if not _is_name(block["strategy"]):
        raise InputError(f"Grid {name}, block {number}: the strategy is {shorten(repr(block['strategy']))}.")


def _problem(axis: str, value: Any) -> str:
    """What a value of an axis should have been; nothing where it is right."""
    if axis not in (*COUNTS, "seed"):
        return "" if _is_name(value) else "a name"
    low, high = (0, MOST_SEED) if axis == "seed" else (1, MOST_UNITS)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return "" if is_whole and low <= value <= high else f"a whole number from {low} to {high:,}"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and is_name(value)


def _lengths(block: dict[str, Any]) -> list[int]:
    return [len(_listed(block[axis])) for axis in _AXES if axis in block]


def _expand(task: str, block: dict[str, Any], recipe: Recipe) -> Iterator[RunSpec]:
    if block.get("gold"):
        recipe = replace(recipe, gold=True)
    axes = {"student": [recipe.student], **{axis: _listed(block[axis]) for axis in _AXES if axis in block}}
    if get_strategy(block["strategy"]).has_teacher:
        axes.setdefault("teacher", [recipe.teacher])
    for values in itertools.product(*axes.values()):
        cell = dict(zip(axes, values, strict=True))
        yield make_spec(recipe=recipe, task=task, strategy=block["strategy"], **cell)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]

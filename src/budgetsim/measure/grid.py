"""Grids: which points to run, in a YAML file; those that ship are named pilot, cpu, exp1-budgets and so on."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from budgetsim.design.strategies import COUNTS, get_strategy
from budgetsim.errors import InputError
from budgetsim.measure.recipe import Recipe, get_preset
from budgetsim.measure.spec import RunSpec, make_spec

_AXES: Final = ("student", "teacher", "labeler", *COUNTS, "unlabeled", "seed")
_BLOCK_KEYS: Final = {*_AXES, "strategy", "gold"}
_GRID_KEYS: Final = {"preset", "tasks", "blocks", "description"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Blocks of points; each axis of a block is a list, and all combinations are run."""

    name: str
    preset: str
    tasks: tuple[str, ...]
    blocks: tuple[dict[str, Any], ...]
    description: str = ""

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
        text = path.read_text(encoding="utf-8")
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
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        values = YAML(typ="safe", pure=True).load(io.StringIO(text))
    except YAMLError as error:
        raise InputError(f"Grid {name} is not YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(values, dict) or not isinstance(values.get("blocks"), list):
        raise InputError(f"Grid {name} has no list of `blocks`.")
    unknown = sorted(set(values) - _GRID_KEYS)
    if unknown:
        keys = ", ".join(sorted(_GRID_KEYS))
        raise InputError(f"Grid {name} has unknown keys {', '.join(unknown)}; known are {keys}.")
    for number, block in enumerate(values["blocks"], start=1):
        _check_block(name, number, block)
    return Grid(
        name=name,
        preset=str(values.get("preset", "cpu")),
        tasks=tuple(values.get("tasks", ())),
        blocks=tuple(values["blocks"]),
        description=str(values.get("description", "")),
    )


def _check_block(name: str, number: int, block: Any) -> None:
    if not isinstance(block, dict) or "strategy" not in block:
        raise InputError(f"Grid {name}, block {number}: no strategy.")
    unknown = sorted(set(block) - _BLOCK_KEYS)
    if unknown:
        keys = ", ".join(sorted(_BLOCK_KEYS))
        raise InputError(f"Grid {name}, block {number}: unknown keys {', '.join(unknown)}; known are {keys}.")
    for axis in (*COUNTS, "seed"):
        for value in _listed(block.get(axis, [])):
            if not isinstance(value, int) or isinstance(value, bool) or value < (0 if axis == "seed" else 1):
                raise InputError(f"Grid {name}, block {number}: {axis} is {value!r}, wanted a positive whole number.")


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

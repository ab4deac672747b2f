"""Ways to train, as they are typed: `bf16`, `8bit+checkpointing`, `lora=16`, `fsdp=4+rows=8`; a recipe with one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from budgetsim.costs.plans import RANK
from budgetsim.errors import InputError
from budgetsim.measure.recipe import Recipe

GRAMMAR: Final = "fp32, bf16, 8bit, lora[=RANK] or fsdp=GPUS, then +checkpointing and +rows=N where wanted"
_MOST: Final = 4096


def with_way(recipe: Recipe, way: str) -> Recipe:
    """The recipe, trained in a way. Precision, 8 bits and adapters make other runs; the rest makes the same ones.

    raises : InputError with the grammar

    >>> from budgetsim.measure.recipe import get_preset
    >>> changed = with_way(get_preset("paper"), "lora=8+checkpointing+rows=4")
    >>> changed.lora_rank, changed.precision, changed.checkpointing, changed.micro_batch
    (8, 'bf16', True, 4)
    """
    method, *parts = way.split("+")
    changes = _method(method, way)
    for part in parts:
        name, n = _number(part, way)
        if part == "checkpointing":
            changes["checkpointing"] = True
        elif name == "rows" and n:
            changes["micro_batch"] = n
        else:
            raise _refused(way)
    changed = replace(recipe, **changes)
    rows = changed.micro_batch or 1
    if recipe.batch % (changed.devices * rows):
        raise InputError(
            f"--way {way}: a batch of {recipe.batch} cannot be cut into {rows} rows on {changed.devices} GPUs; wanted "
            f"numbers that divide it."
        )
    return changed


def check_here(recipe: Recipe) -> None:
    """Refuse a way that this machine has not what it needs for, before anything is trained.

    raises : InputError for devices that are not here, MissingExtraError for packages
    """
    from budgetsim.learners.device import prepare

    prepare(threads=1)
    from budgetsim.learners.trainer import Optimisation
    from budgetsim.learners.ways import check_way

    how = Optimisation(
        steps=1, batch=recipe.batch, lr=0.0, optimizer=recipe.optimizer, micro_batch=recipe.micro_batch,
        devices=recipe.devices,
    )  # fmt: skip
    check_way(how)


def _method(method: str, way: str) -> dict[str, Any]:
    name, n = _number(method, way)
    if name == "lora":
        return {"precision": "bf16", "lora_rank": n or RANK}
    if name == "fsdp" and n > 1:
        return {"precision": "bf16", "devices": n}
    known: dict[str, dict[str, Any]] = {
        "fp32": {"precision": "fp32"},
        "bf16": {"precision": "bf16"},
        "8bit": {"precision": "bf16", "optimizer": "adamw_8bit"},
    }
    if method not in known:
        raise _refused(way)
    return known[method]


def _number(part: str, way: str) -> tuple[str, int]:
    """A word and the number behind it, 0 where there is none."""
    found = re.fullmatch(r"([a-z0-9]+)(?:=([1-9][0-9]{0,3}))?", part, re.ASCII)
    if found is None or int(found[2] or 0) > _MOST:
        raise _refused(way)
    return found[1], int(found[2] or 0)


def _refused(way: str) -> InputError:
    return InputError(f"--way: found {way[:60]!r}, wanted {GRAMMAR}.")

"""Where the weights of a model lie, and whether they may be used: safetensors or gguf, whole, finite, no code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from budgetsim.errors import InputError
from budgetsim.learners.catalogue import ALIASES, models_dir
from budgetsim.learners.configs import check_plausible, read_config
from budgetsim.learners.names import folder_of, model_id
from budgetsim.learners.tensors import Held, check_gguf, check_tensors, count_held, weight_files


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model's weights are.

    model : as it was named; target : the folder or hub name that the libraries take
    folder : None where they are on the hub; gguf : name of the file, where it is one
    """

    model: str
    target: str
    folder: Path | None
    licence: str | None
    gguf: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What every `from_pretrained` of these weights is told."""
        chosen: dict[str, Any] = {"trust_remote_code": False}
        if self.folder is not None:
            chosen["local_files_only"] = True
        if self.gguf is not None:
            chosen["gguf_file"] = self.gguf
        return chosen


def check_model_name(model: str) -> None:
    """Refuse what can be no alias, folder or hub name; nothing is looked up.

    raises : InputError saying which
    """
    if folder_of(model) is None and not is_path(model) and not _is_hub_name(model):
        raise InputError(
            f"{model!r} is no model: give an alias ({', '.join(ALIASES)}), a folder or OWNER/NAME of the hub."
        )


def model_name(model: str) -> str:
    """How a model stands in a run's identity: a folder by its name and content."""
    return model_id(model)


def resolve(model: str) -> Weights:
    """Where the weights of a model are.

    raises : InputError, or MissingExtraError, with the command that gets them
    """
    if model in ALIASES:
        return _of_alias(model)
    folder = folder_of(model)
    if folder is not None:
        return _of_folder(model, folder, _licence(folder))
    if is_path(model):
        raise InputError(f"There is no folder {model}; give one with config.json and safetensors, or {_ways()}.")
    check_model_name(model)
    from budgetsim.learners.hub import held_snapshot

    snapshot = held_snapshot(model)
    return Weights(model, model, None, None) if snapshot is None else _of_folder(model, snapshot, _licence(snapshot))


def open_weights(model: str) -> Weights:
    """Weights that are on this machine, those of a hub name fetched; what is new here is checked.

    raises : InputError or MissingExtraError as `resolve` and `check_weights` do
    """
    weights = resolve(model)
    if weights.folder is not None:
        return weights
    from budgetsim.learners.hub import fetch_hub

    fetched = _of_folder(model, fetch_hub(model), None)
    check_weights(fetched)
    return fetched


def check_weights(weights: Weights) -> dict[str, Any]:
    """Refuse weights that cannot be used, before anything is spent; returns the config.

    raises : InputError saying what is wrong with which file; MissingExtraError for what reads them
    """
    if weights.folder is None:
        from budgetsim.learners.hub import check_hub

        return check_hub(weights.model)
    if weights.gguf is not None:
        check_gguf(weights.folder / weights.gguf)
        return {}
    if (weights.folder / "adapter_config.json").is_file():
        raise InputError(
            f"{weights.folder} holds adapters of another model (adapter_config.json), which loaders would go to: merge "
            f"them into its weights and save those."
        )
    config = read_config(weights.folder)
    files = weight_files(weights.folder)
    check_tensors(files)
    held = count_held(files)
    check_plausible(config, str(weights.folder / "config.json"), held.tensors, held.numbers)
    return config


def weigh(weights: Weights) -> Held | None:
    """What the files hold; None where they are on the hub.

    raises : InputError where they are torn
    """
    if weights.folder is None:
        return None
    if weights.gguf is not None:
        return check_gguf(weights.folder / weights.gguf)
    return count_held(weight_files(weights.folder))


# Names and places


_HUB_NAME: Final = re.compile(r"(\w[\w.-]{0,95}/)?\w[\w.-]{0,95}", re.ASCII)


def _is_hub_name(model: str) -> bool:
    """Whether the hub may hold such a name: its client refuses others with an error of its own."""
    parts = model.split("/")
    return (
        _HUB_NAME.fullmatch(model) is not None
        and not any(part.endswith(("-", ".", ".git")) for part in parts)
        and ".." not in model
        and "--" not in model
    )


def is_path(model: str) -> bool:
    """Whether a name is written as a folder is, there or not.

    >>> is_path("./m"), is_path("owner/m")
    (True, False)
    """
    return model.startswith(("/", ".", "~")) or "\\" in model or model.count("/") > 1


def _ways() -> str:
    return f"an alias ({', '.join(ALIASES)}) or a hub name on a networked machine"


def _of_alias(model: str) -> Weights:
    alias = ALIASES[model]
    folder = models_dir() / model
    if folder.is_dir():
        return _of_folder(model, folder, alias.licence)
    if alias.package is not None:
        from budgetsim.learners.encoder import encoder_folder

        return _of_folder(model, encoder_folder(), alias.licence)
    raise InputError(
        f"The weights of {model} are not on this machine: run `budgetsim models fetch {model}`, or name {alias.hub} on "
        f"a machine that reaches the hub."
    )


def _of_folder(model: str, folder: Path, licence: str | None) -> Weights:
    packed = sorted(p.name for p in folder.glob("*.gguf"))
    whole = (folder / "model.safetensors").is_file() or (folder / "model.safetensors.index.json").is_file()
    if len(packed) > 1 and not whole:
        raise InputError(
            f"{folder} holds {len(packed)} gguf files ({packed[0]}, {packed[1]}); keep the one to be used."
        )
    return Weights(model, str(folder), folder, licence, packed[0] if packed and not whole else None)


def _licence(folder: Path) -> str | None:
    try:
        text = (folder / "README.md").read_text(encoding="utf-8", errors="replace")[:4000]
    except OSError:
        return None
    said = re.search(r"^license:\s*(\S+)\s*$", text, flags=re.MULTILINE)
    return said.group(1) if said else None

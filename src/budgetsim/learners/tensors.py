"""Files of weights, looked at before they are loaded: whole, of known kinds, every number finite."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

from budgetsim.errors import InputError, MissingExtraError
from budgetsim.learners.configs import read_json

INDEX: Final = "model.safetensors.index.json"
SINGLE: Final = "model.safetensors"
_WHOLE_BYTES: Final = 2 * 2**30  # files up to this size are read whole in search of numbers that are none
_SAMPLE_ROWS: Final = 256
_BYTES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True, slots=True)
class Held:
    """What files of weights hold: tensors, their numbers, megabytes on disk."""

    tensors: int
    numbers: int
    megabytes: float


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint: the one file, which loaders prefer, else those that an index names.

    raises : InputError where there are none, or the index names something else
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        others = sorted(p.name for p in folder.glob("*.bin")) or sorted(p.name for p in folder.iterdir())[:5]
        raise InputError(
            f"{folder} holds no {SINGLE} (it holds {', '.join(others) or 'nothing'}); budgetsim reads no pickled "
            f"weights: save the model again with save_pretrained, which writes safetensors."
        )
    named = _indexed(folder / INDEX)
    missing = [name for name in named if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder / INDEX} names {missing[0]}, which is not there; fetch the checkpoint again.")
    return [folder / name for name in named]


def check_tensors(files: list[Path]) -> None:
    """Open files of safetensors and look for numbers that are none; once for each state of a file.

    raises : InputError naming the file, and the tensor
    """
    for place in files:
        _check_tensors(str(place), place.stat().st_mtime_ns, place.stat().st_size)


def count_held(files: list[Path]) -> Held:
    """What files of safetensors hold, from their headers.

    raises : InputError where one is torn
    """
    counts = [n for place in files for n in _counts(place)]
    return Held(len(counts), sum(counts), sum(p.stat().st_size for p in files) / 1e6)


def _indexed(index: Path) -> list[str]:
    said = read_json(index, "fetch the checkpoint again")
    try:
        names = sorted(set(said["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{index} is no index of weights ({type(error).__name__}); fetch the checkpoint again."
        ) from None
    if not names:
        raise InputError(f"{index} names no file; fetch the checkpoint again.")
    for name in names:
        if not isinstance(name, str) or not name.endswith(".safetensors") or Path(name).name != name:
            raise InputError(f"{index} names {str(name)[:80]!r}; budgetsim reads safetensors beside the index alone.")
    return names


@cache
def _check_tensors(place: str, changed: int, size: int) -> None:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("Models need safetensors: pip install 'budgetsim[measure]'.") from None
    try:
        with safe_open(place, framework="pt") as file:
            names = list(file.keys())
            strange = next((name for name in names if not _is_finite(file, name, size)), None)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{place} is torn or no safetensors ({first_line(error)}); fetch it again.") from None
    if not names:
        raise InputError(f"{place} holds no tensor; fetch it again.")
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
    try:
        size = place.stat().st_size
        with place.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(min(length, size)))
        for name, tensor in header.items():
            if name != "__metadata__":
                start, end = tensor["data_offsets"]
                yield (end - start) // _BYTES.get(tensor["dtype"], 1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{place} is torn or no safetensors; fetch it again.") from None


# gguf: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md


_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST: Final = 2**24  # of keys, tensors, entries of an array, bytes of a text


def check_gguf(place: Path) -> Held:
    """Read the head of a gguf and see that every tensor it names lies whole in the file; quantised blocks are not read.

    returns : its tensors and their numbers
    raises : InputError where it is torn; MissingExtraError where the package that reads one is not installed
    """
    import importlib.util

    with place.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError(f"{place} does not begin as a gguf file does; fetch it again.")
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError(f"Reading {place.name} needs the package gguf: pip install 'budgetsim[measure]'.")
    return _check_gguf(str(place), place.stat().st_mtime_ns, place.stat().st_size)


@cache
def _check_gguf(place: str, changed: int, size: int) -> Held:
    with Path(place).open("rb") as file:
        try:
            return _read_gguf(file, size)
        except (ValueError, struct.error, OverflowError, MemoryError) as error:
            raise InputError(f"{place} is torn or no gguf ({first_line(error)}); fetch it again.") from None


def _read_gguf(file: BinaryIO, size: int) -> Held:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    file.seek(4)
    _unpack(file, "I")  # version
    n_tensors, n_keys = _bounded(file, "Q"), _bounded(file, "Q")
    alignment = 32
    for _ in range(n_keys):
        key, value = _text(file), _value(file, _unpack(file, "I"))
        if key == b"general.alignment":
            alignment = int(value)
    tensors = [_tensor(file) for _ in range(n_tensors)]
    start = math.ceil(file.tell() / max(alignment, 1)) * alignment
    for name, n, kind, offset in tensors:
        per_block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if start + offset + n // per_block * block_bytes > size:
            raise ValueError(f"{name.decode(errors='replace')[:80]} ends beyond the file")
    if not tensors:
        raise ValueError("it holds no tensor")
    return Held(len(tensors), sum(n for _, n, _, _ in tensors), size / 1e6)


def _tensor(file: BinaryIO) -> tuple[bytes, int, int, int]:
    """Name, numbers, kind and place of a tensor."""
    name, n_dims = _text(file), _unpack(file, "I")
    if n_dims > 8:
        raise ValueError(f"a tensor of {n_dims} dimensions")
    n = math.prod(_unpack(file, "Q") for _ in range(n_dims))
    return name, n, _unpack(file, "I"), _unpack(file, "Q")


def _value(file: BinaryIO, kind: int) -> Any:
    """A value of a key; arrays are passed over."""
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _unpack(file, _scalar(kind))
    inner, n = _unpack(file, "I"), _bounded(file, "Q")
    if inner == _STRING:
        for _ in range(n):
            _text(file)
    elif inner == _ARRAY:
        raise ValueError("an array of arrays")
    else:
        file.seek(n * struct.calcsize(f"<{_scalar(inner)}"), 1)
    return None


def _scalar(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"a value of the unknown kind {kind}")
    return _SCALARS[kind]


def _text(file: BinaryIO) -> bytes:
    n = _bounded(file, "Q")
    text = file.read(n)
    if len(text) < n:
        raise ValueError("a text ends beyond the file")
    return text


def _bounded(file: BinaryIO, code: str) -> int:
    n = _unpack(file, code)
    if n > _MOST:
        raise ValueError(f"a count of {n:,}")
    return n


def _unpack(file: BinaryIO, code: str) -> Any:
    (value,) = struct.unpack(f"<{code}", file.read(struct.calcsize(f"<{code}")))
    return value


def first_line(error: BaseException) -> str:
    """What an error says first, or its class where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__

"""Names of models, known without importing torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

# d_model, d_kv, d_ff, layers (encoder and decoder each), heads
CPU_SHAPES: Final[dict[str, tuple[int, int, int, int, int]]] = {
    "pico": (64, 16, 128, 2, 4),
    "nano": (96, 24, 192, 2, 4),
    "micro": (192, 32, 384, 4, 6),
    "mini": (256, 32, 640, 6, 8),
}
T5_SHAPES: Final[dict[str, tuple[int, int, int, int, int]]] = {
    "t5-v1_1-small": (512, 64, 1024, 8, 6),
    "t5-v1_1-base": (768, 64, 2048, 12, 12),
    "t5-v1_1-large": (1024, 64, 2816, 24, 16),
    "t5-v1_1-xl": (2048, 64, 5120, 24, 32),
    "t5-v1_1-xxl": (4096, 64, 10240, 24, 64),
}
CPU_FAMILY: Final = tuple(CPU_SHAPES)
T5_NAMES: Final = tuple(T5_SHAPES)
CHEAP_STUDENTS: Final = ("tfidf-lr", "encoder-lr", "overlap")
ENCODER_TEACHERS: Final = ("minilm-lr",)


def is_cheap(student: str) -> bool:
    """Whether a student trains in seconds without T5."""
    return student in CHEAP_STUDENTS


def model_id(name: str) -> str:
    """Name of a model in a run's identity: a folder counts by its last name and what is in it, not by its place."""
    folder = folder_of(name)
    return name if folder is None else _folder_id(str(folder.resolve()))


def folder_of(name: str) -> Path | None:
    """The folder that a model's name is, if it is one.

    >>> folder_of("nobody/nothing") is None
    True
    """
    try:
        place = Path(name).expanduser()
    except RuntimeError:  # a home that nobody has
        return None
    return place if name and place.is_dir() else None


@cache
def _folder_id(folder: str) -> str:
    digest = hashlib.sha256()
    files = [p for p in sorted(Path(folder).iterdir()) if p.suffix in (".json", ".safetensors", ".model", ".gguf")]
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{Path(folder).name}@{digest.hexdigest()[:12]}"

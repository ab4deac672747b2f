"""Names of models, known without importing torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from budgetsim.design.models import CPU_SHAPES

CPU_FAMILY: Final = tuple(CPU_SHAPES)


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

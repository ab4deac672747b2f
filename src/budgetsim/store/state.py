"""Which text files a database was built from: a note beside it, so that a merge reads what is new and nothing else.

The note is a convenience, never truth: where the database or any file it names is not as it was left, it counts for
nothing, and the text files are read anew.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from budgetsim.doors.unfinished import unfinished
from budgetsim.store.location import StorePaths

VERSION: Final = 2
HEADERS: Final = 3 * 4096  # bytes of a DuckDB file that every write of DuckDB changes: they count its checkpoints
FRESH_SECONDS: Final = 2.0  # a file that changed this short before it was read may change again unseen: it is hashed

Mark = tuple[int, int, int, str]  # bytes, ns of the last change, inode, SHA-256 ("" for a file at rest)


@dataclass(frozen=True, slots=True)
class State:
    """What a database was built from.

    database : of the database file itself
    files : text files by their name in the store's folder
    refused : what was told of records that cannot be used
    """

    database: Mark
    files: Mapping[str, Mark]
    refused: tuple[str, ...]

    def holds_for(self, paths: StorePaths) -> bool:
        """Whether the database is as it was left."""
        return paths.database.exists() and _is(self.database, paths.database, HEADERS)

    def new_files(self, paths: StorePaths, files: Iterable[Path]) -> list[Path] | None:
        """Those of the store's text files that the database does not know; None where one it knows changed or is gone.

        files : all that there are now
        """
        there = {_name(path, paths): path for path in files}
        if not self.files.keys() <= there.keys():
            return None
        if not all(_is(mark, there[name]) for name, mark in self.files.items()):
            return None
        return [path for name, path in there.items() if name not in self.files]


def note_of(paths: StorePaths) -> Path:
    """Where the note lies."""
    return paths.database.with_name(paths.database.name + ".files")


def marks_of(paths: StorePaths, files: Iterable[Path]) -> dict[str, Mark]:
    """Marks of text files as they are now: taken before they are read."""
    return {_name(path, paths): _mark(path) for path in files}


def read_state(paths: StorePaths) -> State | None:
    """The note, if there is one that can be read."""
    try:
        values = json.loads(note_of(paths).read_text(encoding="utf-8"))
        if values["version"] != VERSION:
            return None
        files = {str(name): _as_mark(mark) for name, mark in values["files"].items()}
        return State(_as_mark(values["database"]), files, tuple(map(str, values["refused"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_state(paths: StorePaths, files: Mapping[str, Mark], refused: Iterable[str]) -> None:
    """Note what the database was built from; a place that cannot be written has no note."""
    note = note_of(paths)
    try:
        values = {
            "version": VERSION,
            "database": _mark(paths.database, HEADERS),
            "files": files,
            "refused": list(refused),
        }
        with unfinished(note) as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")
    except OSError:
        note.unlink(missing_ok=True)


def _name(path: Path, paths: StorePaths) -> str:
    return path.relative_to(paths.folder).as_posix()


def _mark(path: Path, most: int = -1) -> Mark:
    """most : bytes to hash of a file that changed just now; of a database, which may be large, its headers"""
    found = path.stat()
    fresh = time.time() - found.st_mtime < FRESH_SECONDS
    return found.st_size, found.st_mtime_ns, found.st_ino, _digest(path, most) if fresh else ""


def _is(mark: Mark, path: Path, most: int = -1) -> bool:
    found = path.stat()
    if mark[:3] != (found.st_size, found.st_mtime_ns, found.st_ino):
        return False
    return not mark[3] or mark[3] == _digest(path, most)


def _digest(path: Path, most: int) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(most)).hexdigest()


def _as_mark(value: Any) -> Mark:
    size, changed, inode, digest = value
    return int(size), int(changed), int(inode), str(digest)

"""Files somebody else may have written: regular ones, of a bounded size, in UTF-8; and files written whole."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from budgetsim.doors.unfinished import unfinished
from budgetsim.errors import InputError

MOST_BYTES: Final = 64_000_000  # of a table or a file of runs
MOST_DOCUMENT_BYTES: Final = 256_000  # of what a person writes: a card, a grid, a spec


def read_file(path: Path, what: str, most: int = MOST_BYTES) -> str:
    """Text of a file, without its byte order mark.

    what : it is, for messages: `rate card`, `points file`
    most : bytes it may have
    raises : InputError where it is missing, no regular file (a pipe or a device never ends), too large or not UTF-8
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            _check_kind(os.fstat(file.fileno()).st_mode, path, what)
            data = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(f"There is no {what} {path}; check the name.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name the {what} in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from None
    if len(data) > most:
        raise InputError(f"{path} is larger than {most:,} bytes, wanted a {what} of at most that; split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def check_place(path: Path, option: str) -> None:
    """Whether a file may be written there, looked at before anything is worked out.

    raises : InputError where it is a folder, or lies in none
    """
    if path.is_dir():
        raise _unwritable(path, option, os.strerror(errno.EISDIR))
    if not path.parent.is_dir():
        raise _unwritable(path, option, os.strerror(errno.ENOENT))


def _unwritable(path: Path, option: str, why: object) -> InputError:
    return InputError(f"{option}: {path} cannot be written ({why}); name a file in a folder that exists.")


def write_text(path: Path, text: str, option: str) -> int:
    """Write a file whole, so that a reader never sees half of it; its size in bytes.

    option : that named it, for messages
    raises : InputError where it cannot be written
    """
    data = text.encode("utf-8")
    try:
        check_place(path, option)
        with unfinished(path) as beside:
            beside.write_bytes(data)
    except (OSError, ValueError) as error:  # ValueError: no name at all, or a zero byte in it
        raise _unwritable(path, option, getattr(error, "strerror", None) or error) from None
    return len(data)


def _check_kind(mode: int, path: Path, what: str) -> None:
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder; name the {what} in it.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a pipe or a device, wanted a {what} in a file; save it to one first.")

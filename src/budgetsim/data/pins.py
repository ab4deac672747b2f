"""The authors' data files: where they lie, what they hash to, how they get here.

Source: github jm-kang/Distill-or-Annotate at the commit below; that repository states no licence,
so its files are read or downloaded on the user's machine and never shipped.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.data.rows import TextFile, read_text
from budgetsim.errors import InputError, MissingExtraError

COMMIT: Final = "d2c1263b0a2014770f956d70d65cf2f9568a9677"
BASE_URL: Final = f"https://raw.githubusercontent.com/jm-kang/Distill-or-Annotate/{COMMIT}/"
DATA_DIR_VARIABLE: Final = "BUDGETSIM_DATA_DIR"


@dataclass(frozen=True, slots=True)
class AuthorFile:
    """A file of the authors' repository; `sha256` is None until somebody has seen the file."""

    folder: str
    name: str
    sha256: str | None = None


TRAIN_FILES: Final[dict[str, AuthorFile]] = {
    "wlp": AuthorFile("wlp", "wlp_train_all.json", "f79f544390275efd367fc5bc27b8ec8c95f8996a7fe13e3e9b75b7e0d43ba15c"),
    "stance": AuthorFile("stanceosaurus", "stanceosaurus_train_all.json"),
    "fever": AuthorFile("fever", "fever_train_all.json"),
    "multipit_id": AuthorFile("multipit_id", "multipit_id_train_all.json"),
    "multipit_gen": AuthorFile("multipit", "multipit_train_all.json"),
    "nq": AuthorFile("nq", "nq_train_all.json"),
}
TEST_FILES: Final[dict[str, AuthorFile]] = {
    "wlp": AuthorFile("wlp", "wlp_test_all.json", "b68810f05da2f651454141d4057f3457e93501a345e91a8a0376223123f859b0"),
    "stance": AuthorFile(
        "stanceosaurus",
        "stanceosaurus_test_all.json",
        "69527e4a6a7470990ef5d5069a898f323b687d850bc989f172ac1e5ecc8398fd",
    ),
    "fever": AuthorFile(
        "fever", "fever_dev_all.json", "dc7dd53d169b72bead7d9529dd6f67dcbb8c2553ba7e02c58d65aeba52e31ebf"
    ),
    "multipit_id": AuthorFile(
        "multipit_id", "multipit_id_test_all.json", "2d0ada3d1e7d09fe3eb87dbd5abfd1cea5de6272f0017ff22522c72116f2b684"
    ),
    "multipit_gen": AuthorFile(
        "multipit", "multipit_test_all.json", "d3bb85e73c527bde4743e84a45e047eeda9cf01c29ed0b94485929a44eba34e3"
    ),
    "nq": AuthorFile("nq", "nq_dev_all.json"),
}


def fetch(file: AuthorFile, *, download: bool = True, trust_first_use: bool = False) -> TextFile | None:
    """The text of an authors' file: from BUDGETSIM_DATA_DIR (flat or in folders), else downloaded once.

    With `download=False` a file that is not on this machine is None.

    raises : InputError where the file has another hash than the pinned one, cannot be downloaded,
        or is not pinned and `trust_first_use` is off
    """
    local = find_local(file)
    if local is not None:
        return _checked(file, read_text(local), local)
    cached = _cached(file)
    if cached is not None:
        return _checked(file, read_text(cached), cached)
    return _download(file, trust_first_use) if download else None


def find_local(file: AuthorFile) -> Path | None:
    """The file in the user's data directory, if it is there."""
    root = os.environ.get(DATA_DIR_VARIABLE)
    if not root:
        return None
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise InputError(f"{DATA_DIR_VARIABLE} is {root}, which is no folder; set it to the folder of data files.")
    places = (folder / file.name, folder / file.folder / file.name)
    return next((place for place in places if place.is_file()), None)


def cache_dir() -> Path:
    """Where downloads are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("budgetsim", appauthor=False)) / "data"


def _cached(file: AuthorFile) -> Path | None:
    place = cache_dir() / file.folder / file.name
    return place if place.is_file() else None


def _checked(file: AuthorFile, text: TextFile, place: Path) -> TextFile:
    pinned = file.sha256 or _recorded(file)
    if pinned is not None and pinned != text.sha256:
        raise InputError(
            f"{place} has SHA-256 {text.sha256[:16]}..., wanted {pinned[:16]}... ({_whose(file)}): it is not the "
            f"authors' file at commit {COMMIT[:7]}. Delete it and let budgetsim download it, or add your own files as "
            f"a task with `budgetsim tasks add`."
        )
    return text


def _whose(file: AuthorFile) -> str:
    return "pinned" if file.sha256 else f"recorded at the first use in {_trust_file()}"


def _trust_file() -> Path:
    return cache_dir() / "trusted.json"


def _recorded(file: AuthorFile) -> str | None:
    place = _trust_file()
    recorded: dict[str, str] = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    return recorded.get(f"{file.folder}/{file.name}")


def _record(file: AuthorFile, sha256: str) -> None:
    place = _trust_file()
    recorded = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    recorded[f"{file.folder}/{file.name}"] = sha256
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _download(file: AuthorFile, trust_first_use: bool) -> TextFile:
    pinned = file.sha256 or _recorded(file)
    if pinned is None and not trust_first_use:
        raise InputError(
            f"{file.name} is not on this machine and its hash is not pinned. Put it into the folder that "
            f"{DATA_DIR_VARIABLE} names, or pass --trust-first-use to download it once and record its hash."
        )
    path = _retrieve(file, f"{BASE_URL}{file.folder}/{file.name}", pinned)
    text = read_text(path)
    if pinned is None:
        _record(file, text.sha256)
    return text


def _retrieve(file: AuthorFile, url: str, sha256: str | None) -> Path:
    """Download a file into the cache; one of another hash than wanted never gets there."""
    try:
        import pooch
    except ImportError:
        raise MissingExtraError("Downloading needs the extra: pip install 'budgetsim[measure]'.") from None
    pooch.get_logger().setLevel("WARNING")
    pin = f"sha256:{sha256}" if sha256 else None
    by_hand = f"Put it into the folder that {DATA_DIR_VARIABLE} names, flat or as {file.folder}/{file.name}."
    try:
        return Path(pooch.retrieve(url, pin, file.name, cache_dir() / file.folder))
    except ValueError as error:
        if "hash" not in str(error).lower():
            raise InputError(f"{file.name} could not be downloaded from {url} ({error}). {by_hand}") from None
        raise InputError(
            f"{url} answered with a file of another hash than wanted ({(sha256 or '')[:16]}..., {_whose(file)}): "
            f"nothing was kept. A proxy or a login page may have answered instead. {by_hand}"
        ) from None
    except Exception as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise InputError(f"{file.name} could not be downloaded from {url} ({what}). {by_hand}") from None

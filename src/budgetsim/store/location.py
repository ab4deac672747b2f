"""Where the store lies, and how a new one comes to be."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from budgetsim.doors.amounts import did_you_mean
from budgetsim.errors import InputError

DATABASE_NAME: Final = "budgetsim.duckdb"
LOCK_SUFFIX: Final = ".lock"
ENVIRONMENT_VARIABLE: Final = "BUDGETSIM_STORE"
PAPER_CARD: Final = "paper-2023"


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The database, the text files it is built from, and the fits derived from it.

    A store in a folder called `results` is a project: its fits lie beside that folder. Any other
    store keeps everything in its own folder.
    """

    database: Path
    texts: Path | None = None  # folder of the text files, where it is not the database's own

    @property
    def folder(self) -> Path:
        return self.texts or self.database.parent

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    @property
    def fits(self) -> Path:
        in_project = self.folder.name == "results"
        return (self.folder.parent if in_project else self.folder) / "fits"

    @property
    def lock(self) -> Path:
        return self.database.with_name(self.database.name + LOCK_SUFFIX)


def locate(store: Path | None = None) -> StorePaths:
    """The store to use: the argument, BUDGETSIM_STORE, ./results, else the user data directory."""
    if store is not None:
        return StorePaths(store.expanduser())
    from_environment = os.environ.get(ENVIRONMENT_VARIABLE)
    if from_environment:
        return StorePaths(Path(from_environment).expanduser())
    local = Path("results") / DATABASE_NAME
    if local.exists() or (Path("results") / "evidence").is_dir():
        return StorePaths(local)
    return StorePaths(_user_data_dir() / DATABASE_NAME)


def store_option(paths: StorePaths) -> str:
    """The option that names a store in a suggested command, with the blank before it; nothing where none is needed.

    >>> store_option(StorePaths(Path("my store/x.duckdb")))
    " --store 'my store/x.duckdb'"
    """
    return "" if locate() == paths else f" --store {shlex.quote(str(paths.database))}"


def _user_data_dir() -> Path:
    import platformdirs  # only where no other store is named: most calls never need it

    return Path(platformdirs.user_data_dir("budgetsim", appauthor=False))


def package_data(name: str) -> Path:
    """A file or folder that ships with the package: `evidence`, `runs`, `fits`, `rates` or `rates.yaml`.

    In a wheel it lies beside the code; in a checkout it is the project's own.
    """
    installed = Path(__file__).parent.parent / "_data" / name
    if installed.exists():
        return installed
    root = Path(__file__).parents[3]
    return root / "results" / name if name in ("evidence", "runs") else root / name


def example_cards() -> dict[str, Path]:
    """The rate cards that ship with the package, by name; the paper's is the first."""
    others = sorted(package_data("rates").glob("*.yaml"))
    return {PAPER_CARD: package_data("rates.yaml")} | {path.stem: path for path in others}


def find_card(card: Path | None) -> Path:
    """Where a rate card lies: a file that exists goes before an example of that name; else ./rates.yaml or the paper's.

    raises : InputError where it is neither
    """
    if card is None:
        local = Path("rates.yaml")
        return local if local.exists() else package_data("rates.yaml")
    if card.exists():
        return card
    examples = example_cards()
    if str(card) not in examples:
        near = did_you_mean(card.stem, examples)
        raise InputError(f"There is no rate card {card}; name a file, or an example: {', '.join(examples)}.{near}")
    return examples[str(card)]

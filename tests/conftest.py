"""Fixtures: the store that ships, and what every test would make or read anew, made and read once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
import typer.main
import typer.testing
from hypothesis import settings

from budgetsim.answers import evidence
from budgetsim.answers.evidence import Evidence
from budgetsim.costs import rates
from budgetsim.store import database
from budgetsim.store.database import Connection
from budgetsim.store.location import StorePaths
from budgetsim.store.query import Catalogue
from made import ROOT

SHIPPED = ROOT / "results" / "budgetsim.duckdb"
settings.register_profile(
    "repeatable", derandomize=True
)  # the same examples each time; `make explore` looks for new ones
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def store() -> StorePaths:
    """The store that ships, to be read alone."""
    return StorePaths(SHIPPED)


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[None]:
    """What every command reads anew is read once: the types of all 37, a third of a short answer's time, and cards."""
    once = cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "_load", cache(rates._load))
        patch.setattr(typer.main, "get_command", once)
        patch.setattr(typer.testing, "_get_command", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def new_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new store begins as a copy of an empty one: its schema takes a third of a small merge.

    Where a test has other migrations they are applied; those of upgrades go through every one of them.
    """
    opened, numbered = database._new, database.migrations
    empty = tmp_path_factory.mktemp("empty") / "budgetsim.duckdb"
    with closing(opened(empty)) as connection:
        database.migrate(connection)

    def new(place: Path) -> Connection:
        if not place.exists() and database.migrations is numbered:
            shutil.copyfile(empty, place)
        return opened(place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_new", new)
        yield


@pytest.fixture(scope="session", autouse=True)
def shipped_evidence() -> Iterator[None]:
    """What answers rest on is read of the store that ships once for each question, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "_read", _read_once(evidence._read))
        yield


def _read_once(read: Callable[..., Evidence]) -> Callable[..., Evidence]:
    """The same reader, which remembers what it read of a store that nobody changes."""
    known: dict[object, Evidence] = {}

    def reader(
        connection: Connection,
        paths: StorePaths,
        catalogue: Catalogue,
        sets: Mapping[str, str],
        asked: Sequence[str] | None,
    ) -> Evidence:
        if paths.database.resolve() != SHIPPED:
            return read(connection, paths, catalogue, sets, asked)
        key = (paths, SHIPPED.stat().st_mtime_ns, *sets.items(), None if asked is None else tuple(asked))
        if key not in known:
            known[key] = read(connection, paths, catalogue, sets, asked)
        return known[key]

    return reader

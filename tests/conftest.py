"""Fixtures: a store of its own, and a command line whose commands are put together once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import typer.main
import typer.testing

from budgetsim.store.location import StorePaths
from budgetsim.store.merge import seed


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> StorePaths:
    """The published evidence in a store of its own."""
    paths = StorePaths(tmp_path_factory.mktemp("store") / "budgetsim.duckdb")
    seed(paths)
    return paths


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[None]:
    """Typer reads the types of all 37 commands anew at each call: a third of the time of a short answer."""
    once = cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", once)
        patch.setattr(typer.testing, "_get_command", once)
        yield

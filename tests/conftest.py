"""Fixtures: the store that ships, and a command line whose commands are put together once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import typer.main
import typer.testing

from budgetsim.costs import rates
from budgetsim.store.location import StorePaths
from made import ROOT


@pytest.fixture(scope="session")
def store() -> StorePaths:
    """The store that ships, to be read alone."""
    return StorePaths(ROOT / "results" / "budgetsim.duckdb")


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[None]:
    """What every command reads anew is read once: the types of all 37, a third of a short answer's time, and cards."""
    once = cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "_load", cache(rates._load))
        patch.setattr(typer.main, "get_command", once)
        patch.setattr(typer.testing, "_get_command", once)
        yield

"""Fixtures: a store of its own."""

from __future__ import annotations

import pytest

from budgetsim.store.location import StorePaths
from budgetsim.store.merge import seed


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> StorePaths:
    """The published evidence in a store of its own."""
    paths = StorePaths(tmp_path_factory.mktemp("store") / "budgetsim.duckdb")
    seed(paths)
    return paths

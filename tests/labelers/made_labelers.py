"""Made pieces for tests of labelers: a task, its rows, and briefs whose server is a fake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task, get_task
from budgetsim.labelers import Brief, Desk
from budgetsim.labelers.purse import Purse
from budgetsim.labelers.server import Server
from fake_server import Fake
from tiny import LABELS, tiny_rows

TASK: Task = replace(get_task("fever"), name="tiny", labels=LABELS, description="does w0 stand in it")


def rows_of(n: int, seed: int) -> list[Row]:
    """Texts with their answers, whether w0 stands in them."""
    return [Row(text, label, text) for text, label in tiny_rows(n, seed)]


def brief_of(fake: Fake, folder: Path, *, owned: Sequence[Row] = (), seed: int = 0, **settings: Any) -> Brief:
    """A brief whose desk asks the fake, patient but quick."""
    purse, say = settings.pop("purse", Purse()), settings.pop("say", lambda words: None)
    settings = {"url": fake.url, "timeout": 5.0, "retries": 6} | settings
    server = Server(**settings)
    return Brief(task=TASK, owned=owned, seed=seed, desk=Desk(folder=folder, server=server, purse=purse, say=say))

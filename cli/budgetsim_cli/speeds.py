"""Measured speeds on a rate card: what would change, and the change where it is asked for."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgetsim_cli.console import read_rates

if TYPE_CHECKING:
    from budgetsim.costs.speeds import Speeds
    from budgetsim.report.table import Page


def put_on_card(speeds: Speeds, file: Path, *, write: bool) -> tuple[dict[str, Any], Page]:
    """What speeds change in a card, as values and as a page; with `write` the file is changed.

    raises : InputError where the card cannot be read or written, or the speeds lack a part
    """
    from budgetsim.answers.measured_use import card_with_speeds, use_updates
    from budgetsim.doors.files import read_file
    from budgetsim.report.listing import updates_table
    from budgetsim_cli.rates import replace_file

    card, text = read_rates(file), read_file(file, "rate card")
    updates = use_updates(card, speeds)
    changed = card_with_speeds(text, speeds, file.name)
    if updates and write:
        replace_file(file, changed)
    data = {"file": str(file), "written": bool(updates) and write, "changes": [asdict(u) for u in updates]}
    if not updates:
        return data, [f"{file}: holds these speeds already."]
    end = f"Written to {file}." if write else f"Nothing is written yet: add --write to change {file}."
    return data, [updates_table(updates), end]

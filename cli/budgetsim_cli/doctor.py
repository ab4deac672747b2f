"""`budgetsim doctor`: what this machine has, what can run here, and how fast it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from budgetsim_cli.console import Json, Store, print_json, print_page, say


def doctor(
    llm_url: Annotated[
        str | None, typer.Option(help="Address of an LLM's server, which is asked for its models.", show_default=False)
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Time each kind of learner on this device, with random weights.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="Of the calibration, about.")] = 60.0,
    onto: Annotated[
        Path | None,
        typer.Option(
            help="With --calibrate: rate card to put the speeds on; shows what would change.", show_default=False
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="With --onto: change the card.")] = False,
    save: Annotated[
        Path | None, typer.Option(help="With --calibrate: file to keep the speeds in (JSON).", show_default=False)
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Say what this machine has and what can run on it; with --calibrate, how fast it is."""
    from dataclasses import asdict

    from budgetsim.errors import InputError
    from budgetsim.measure.doctor import examine
    from budgetsim.report.doctor import doctor_page
    from budgetsim.store.location import locate

    if not calibrate and (onto is not None or save is not None):
        raise InputError("--onto and --save take what --calibrate measures: add it, or use `budgetsim rates speeds`.")
    if write and onto is None:
        raise InputError("--write changes the card of --onto: name it.")
    if calibrate:
        _calibrate(seconds, onto, save, write=write, as_json=as_json)
        return
    found: dict[str, Any] = asdict(examine(locate(store), llm_url))
    print_json({"machine": found}) if as_json else print_page(doctor_page(found))


def _calibrate(seconds: float, onto: Path | None, save: Path | None, *, write: bool, as_json: bool) -> None:
    from datetime import date

    from budgetsim.costs.speeds import speeds_text
    from budgetsim.measure.doctor import calibrated
    from budgetsim.report.doctor import speeds_table
    from budgetsim_cli.console import read_rates
    from budgetsim_cli.rates import replace_file
    from budgetsim_cli.speeds import put_on_card

    if onto is not None:
        read_rates(onto)  # a card that cannot be read is told before the minute
    speeds = calibrated(seconds, say, date.today().isoformat())
    if save is not None:
        replace_file(save, speeds_text(speeds))
    data, page = ({}, []) if onto is None else put_on_card(speeds, onto, write=write)
    if as_json:
        print_json({"speeds": speeds.model_dump(mode="json", exclude_none=True), **({"card": data} if data else {})})
    else:
        print_page([speeds_table(speeds), *page])

"""`budgetsim rates`: start, show and check a rate card."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from budgetsim_cli.console import (
    Json,
    Rates,
    amount,
    check_amount,
    print_json,
    print_page,
    read_examples,
    read_rates,
)

app = typer.Typer(help="Rate cards: start one, show it, check it.", no_args_is_help=True)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("rates.yaml"),
    source: Annotated[str, typer.Option("--from", help="Example to copy (`rates list`).")] = "paper-2023",
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", help="A task of yours to give a label price; may be given again.", show_default="the example's"
        ),
    ] = None,
    usd_per_label: Annotated[
        float | None,
        typer.Option(
            "--usd-per-label", parser=amount("--usd-per-label"), metavar="USD", help="That price.", show_default=False
        ),
    ] = None,
    who: Annotated[
        str, typer.Option("--source", help="Who said so, kept beside the price.")
    ] = "stated with budgetsim rates init",
    as_json: Json = False,
) -> None:
    """Write an example card to start from: the paper's, or another; with a label price for tasks of your own."""
    from budgetsim.doors.amounts import did_you_mean
    from budgetsim.errors import InputError
    from budgetsim.store.location import example_cards

    examples = example_cards()
    if source not in examples:
        near = did_you_mean(source, examples)
        raise InputError(f"--from: found {source!r}, wanted {', '.join(examples)}.{near}")
    text = examples[source].read_text(encoding="utf-8")
    if task:
        task = list(dict.fromkeys(task))
        text = _with_labels(text, task, usd_per_label, who)
    elif usd_per_label is not None:
        raise InputError("--usd-per-label is the price of a label of a --task; name one.")
    text = _renamed(text, source, file.stem, task or [])
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise InputError(f"{file} exists; name another file, or remove it first.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); name a file in a folder that exists.") from None
    if as_json:
        print_json({"file": str(file)})
    else:
        print_page([str(file)])


def _with_labels(text: str, tasks: list[str], usd: float | None, source: str) -> str:
    """A card's text with label prices of tasks put first, in the place of those it has; its comments kept.

    raises : InputError without a price, and as `parse_rates`
    """
    from datetime import date

    from budgetsim.costs.rates import parse_rates
    from budgetsim.errors import InputError

    if usd is None:
        raise InputError(f"--task {tasks[0]} needs the price of a label: add --usd-per-label, e.g. 0.25.")
    check_amount(usd, "--usd-per-label")
    for name in tasks:  # a price that the example has gives way
        text = re.sub(rf'^  "?{re.escape(name)}"?:[^\n]*\n(?:    [^\n]*\n)*', "", text, count=1, flags=re.MULTILINE)
    entries = "".join(
        f"  {json.dumps(name)}:\n    usd_per_label: {usd:g}\n    source: {json.dumps(source)}\n"
        f"    as_of: {date.today()}\n"
        for name in tasks
    )
    changed = re.sub(r"^(labels:[^\n]*\n)", lambda m: m[1] + entries, text, count=1, flags=re.MULTILINE)
    parse_rates(changed)
    return changed


def _renamed(text: str, source: str, name: str, tasks: list[str]) -> str:
    """An example's text as a card of its own name, as answers are to say whose prices they rest on.

    source : name of the example, which stands in what the card is about where a label price is somebody's own
    raises : as `parse_rates`
    """
    from budgetsim.costs.rates import parse_rates

    text = re.sub(r"^name:[^\n]*$", lambda _: f"name: {_yaml(name)}", text, count=1, flags=re.MULTILINE)
    if tasks:
        about = _yaml(f"prices of {source}, but a label of {', '.join(tasks)} as stated")
        text = re.sub(r"^about:[^\n]*$", lambda _: f"about: {about}", text, count=1, flags=re.MULTILINE)
    parse_rates(text, f"{name}.yaml")
    return text


def _yaml(text: str) -> str:
    """A text on a line of YAML that is read as it stands, in quotes where it must be.

    >>> _yaml("mine"), _yaml("2026")
    ('mine', '"2026"')
    """
    plain = re.fullmatch(r"[A-Za-z][\w .,/-]*", text, re.ASCII)
    reserved = text.lower() in ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
    return text if plain and not reserved and text == text.strip() else json.dumps(text, ensure_ascii=False)


@app.command("list")
def list_cards(as_json: Json = False) -> None:
    """List the example cards; each may be given by name wherever a card is asked for."""
    from budgetsim.report.listing import cards_table

    cards = read_examples()
    if as_json:
        print_json({"cards": [{"name": card.name, "about": card.about} for card in cards]})
    else:
        print_page([cards_table(cards)])


@app.command()
def show(file: Rates = None, as_json: Json = False) -> None:
    """Show the prices of a card with their sources."""
    from budgetsim.report.listing import rates_table

    card = read_rates(file)
    if as_json:
        print_json({"rates": card.model_dump(mode="json", exclude_none=True)})
    else:
        print_page([rates_table(card)])


@app.command()
def refresh(
    file: Annotated[Path, typer.Argument(help="Rate card.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Another LLM for the card, as provider/model.", show_default="the card's"),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the file; without it, only show what would.")] = False,
    as_json: Json = False,
) -> None:
    """Show what the price of the card's LLM is now (genai-prices, offline), and write it where that is asked for."""
    from dataclasses import asdict
    from datetime import date

    from budgetsim.answers.llm_prices import llm_updates, refreshed_card
    from budgetsim.doors.files import read_file
    from budgetsim.report.listing import updates_table

    card, text = read_rates(file), read_file(file, "rate card")
    updates = llm_updates(card, model, date.today().isoformat())
    if updates and write:
        replace_file(file, refreshed_card(text, updates, file.name))
    if as_json:
        print_json({"file": str(file), "written": bool(updates) and write, "changes": [asdict(u) for u in updates]})
    elif not updates:
        print_page([f"{file}: the prices of {card.llm.model if card.llm else ''} are those of genai-prices."])
    else:
        end = f"Written to {file}." if write else f"Nothing is written yet: `budgetsim rates refresh {file} --write`."
        print_page([updates_table(updates), end])


@app.command()
def speeds(
    file: Annotated[Path, typer.Argument(help="Rate card.")],
    measured: Annotated[Path, typer.Argument(help="Speeds: JSON of bench/gpu_speed.py or doctor --calibrate --save.")],
    write: Annotated[bool, typer.Option("--write", help="Change the card; without it, only show what would.")] = False,
    as_json: Json = False,
) -> None:
    """Show what measured speeds change in a card's utilisation, and write it where that is asked for."""
    from budgetsim.costs.speeds import parse_speeds
    from budgetsim.doors.files import read_file
    from budgetsim_cli.speeds import put_on_card

    found = parse_speeds(read_file(measured, "file of speeds"), measured.name)
    data, page = put_on_card(found, file, write=write)
    print_json(data) if as_json else print_page(page)


def replace_file(file: Path, text: str) -> None:
    """Write a file anew, whole or not at all.

    raises : InputError where it cannot be written
    """
    from budgetsim.errors import InputError

    new = file.with_name(file.name + ".new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); name a file in a folder of yours.") from None


@app.command()
def check(file: Annotated[Path, typer.Argument(help="Rate card.")], as_json: Json = False) -> None:
    """Check a card: unknown keys, prices that are missing, negative or without source and date."""
    card = read_rates(file)
    if as_json:
        print_json({"file": str(file), "name": card.name, "ok": True})
    else:
        print_page([f"{file}: card {card.name} is in order; prices of {', '.join(card.labels)}."])

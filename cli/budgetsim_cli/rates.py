"""`budgetsim rates`: start, show and check a rate card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from budgetsim_cli.console import Json, Rates, print_json, print_page, read_examples, read_rates

app = typer.Typer(help="Rate cards: start one, show it, check it.", no_args_is_help=True)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("rates.yaml"),
    source: Annotated[str, typer.Option("--from", help="Example to copy (`rates list`).")] = "paper-2023",
    as_json: Json = False,
) -> None:
    """Write an example card to start from: the paper's, or another."""
    from budgetsim.errors import InputError
    from budgetsim.store.location import example_cards

    examples = example_cards()
    if source not in examples:
        raise InputError(f"--from: found {source!r}, wanted {', '.join(examples)}.")
    text = examples[source].read_text(encoding="utf-8")
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
def check(file: Annotated[Path, typer.Argument(help="Rate card.")], as_json: Json = False) -> None:
    """Check a card: unknown keys, prices that are missing, negative or without source and date."""
    card = read_rates(file)
    if as_json:
        print_json({"file": str(file), "name": card.name, "ok": True})
    else:
        print_page([f"{file}: card {card.name} is in order; prices of {', '.join(card.labels)}."])

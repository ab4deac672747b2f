"""The labelers' desk of a campaign: made from a rate card and a cap, and sent to workers as plain values."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from budgetsim.costs.rates import RateCard
from budgetsim.labelers.bill import Price
from budgetsim.labelers.labeler import Desk
from budgetsim.labelers.purse import Purse
from budgetsim.labelers.server import Server

ANSWERS: Final = "answers"  # folder of the answers of LLMs, beside the stages
logger = logging.getLogger("budgetsim.measure")


def open_purse(card: RateCard | None, cap_usd: float | None, usd_per_hour: float | None, workers: int) -> Purse:
    """The money of a campaign that begins now: devices and requests are paid from one purse.

    usd_per_hour : of a worker's device, None where it has no price
    """
    prices = {}
    if card is not None and card.llm is not None:
        prices[card.llm.model] = Price(
            usd_per_mtok_input=card.llm.usd_per_mtok_input,
            usd_per_mtok_output=card.llm.usd_per_mtok_output,
            usd_per_mtok_cached=card.llm.usd_per_mtok_cached,
            source=card.llm.source,
            as_of=card.llm.as_of,
        )
    return Purse(
        prices=prices,
        cap_usd=None if cap_usd is None else Decimal(str(cap_usd)),
        since=datetime.now(UTC).isoformat(timespec="milliseconds"),
        usd_per_second=Decimal(str(usd_per_hour or 0)) * workers / 3600,
    )


def desk_at(cache: Path, server: Server, purse: Purse) -> Desk:
    """A desk whose answers lie in a cache; it tells by the log."""
    return Desk(folder=cache / ANSWERS, server=server, purse=purse, say=logger.warning)


def desk_values(server: Server, purse: Purse) -> dict[str, Any]:
    """Plain values for a worker; keys are no part of them, a worker has its own environment."""
    values = {f.name: getattr(purse, f.name) for f in fields(purse) if f.name != "prices"}
    money = {name: None if value is None else str(value) for name, value in values.items()}
    prices = {
        model: {name: None if value is None else str(value) for name, value in asdict(price).items()}
        for model, price in purse.prices.items()
    }
    return {"server": asdict(server), "purse": {**money, "prices": prices}}


def desk_from(values: Mapping[str, Any], cache: Path) -> Desk:
    """A desk from plain values."""
    money = dict(values["purse"])
    prices = {model: _price(price) for model, price in money.pop("prices").items()}
    cap, rate = money.pop("cap_usd"), money.pop("usd_per_second")
    purse = Purse(
        prices=prices, cap_usd=None if cap is None else Decimal(cap), usd_per_second=Decimal(rate), **money
    )  # fmt: skip
    return desk_at(cache, Server(**values["server"]), purse)


def _price(values: Mapping[str, str | None]) -> Price:
    numbers = {n: None if v is None else Decimal(v) for n, v in values.items() if n.startswith("usd")}
    words = {n: v for n, v in values.items() if not n.startswith("usd")}
    return Price(**numbers, **words)  # type: ignore[arg-type]

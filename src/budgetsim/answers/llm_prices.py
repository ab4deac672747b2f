"""Prices of LLMs from the library genai-prices, and a card's text with them: shown before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from budgetsim.costs.rates import RateCard, parse_rates
from budgetsim.doors.amounts import did_you_mean
from budgetsim.errors import InputError, MissingExtraError

_FIELDS: Final = MappingProxyType(
    {"usd_per_mtok_input": "input_mtok", "usd_per_mtok_cached": "cache_read_mtok", "usd_per_mtok_output": "output_mtok"}
)
_BATCHED: Final = ("usd_per_mtok_input", "usd_per_mtok_output")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceUpdate:
    """A key of a card's `llm:` with the number it has and the one it would have; None where there is none."""

    key: str
    now: str | None
    then: str | None


def llm_prices(name: str) -> dict[str, Decimal]:
    """Prices of a model, US dollars a million tokens, by the keys of a card; batch prices only where they are listed.

    name : provider/model
    raises : InputError for a model that the library does not know, MissingExtraError without the library
    """
    model = _model(name)
    prices = {key: price for key, of in _FIELDS.items() if (price := _base(getattr(model.prices, of))) is not None}
    # asked for a batch price, the library gives the full one for models that have none: look at the variants first
    batch = next((v for v in model.price_variants or () if v.when == {"processing": "batch"}), None)
    if batch is not None:
        found = {f"{key}_batch": _base(getattr(batch.prices, _FIELDS[key])) for key in _BATCHED}
        prices |= {key: price for key, price in found.items() if price is not None}
    return prices


def _model(name: str) -> Any:
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        raise MissingExtraError(
            "Prices of LLMs come from the library genai-prices, which is not there: pip install 'budgetsim[prices]'."
        ) from None
    provider_name, _, model_name = name.partition("/")
    providers = {p.id: p for p in get_snapshot().providers}
    if provider_name not in providers:
        near = did_you_mean(provider_name, providers)
        raise InputError(f"genai-prices knows no provider {provider_name!r} of {name}.{near}")
    models = {m.id: m for m in providers[provider_name].models}
    if model_name not in models:
        near = did_you_mean(model_name, models)
        raise InputError(f"genai-prices knows no model {model_name!r} of {provider_name}.{near}")
    if not hasattr(models[model_name].prices, "input_mtok"):
        raise InputError(f"genai-prices has prices of {name} that depend on the time of day; write yours by hand.")
    return models[model_name]


def _base(price: Any) -> Decimal | None:
    """The price of the lowest tier."""
    base: Decimal | None = getattr(price, "base", price)
    return base


def llm_updates(card: RateCard, model: str | None, today: str) -> list[PriceUpdate]:
    """What a refresh would change in the `llm:` of a card.

    model : another than the card's
    raises : as `llm_prices`; InputError where the card has no LLM
    """
    if card.llm is None:
        raise InputError(
            f"The card {card.name!r} has no `llm:` to refresh; add one, as `budgetsim rates init` writes it."
        )
    name = model or card.llm.model
    prices = llm_prices(name)
    source = f"genai-prices {version('genai-prices')} (Python package), {name}, lowest tier"
    then: Mapping[str, str] = {"model": name, **{k: format(v, "f") for k, v in prices.items()}, "source": source}
    now = card.llm.model_dump(mode="json", exclude_none=True)
    updates = [
        PriceUpdate(key=key, now=None if key not in now else str(now[key]), then=value)
        for key, value in then.items()
        if key not in now or not _same(now[key], value)
    ]
    return [*updates, PriceUpdate(key="as_of", now=card.llm.as_of, then=today)] if updates else []


def _same(now: Any, then: str) -> bool:
    try:
        return bool(Decimal(str(now)) == Decimal(then))
    except ArithmeticError:
        return str(now) == then


def refreshed_card(text: str, updates: list[PriceUpdate], name: str) -> str:
    """A card's text with the changes, everything else as it was.

    raises : InputError where its `llm:` is not written as a block; as `parse_rates`
    """
    found = re.search(r"^llm:[^\n]*\n(?:[ \t]+[^\n]*\n|\n)*", text, flags=re.MULTILINE)
    if found is None or "{" in found.group().split("\n")[0]:
        raise InputError(f"{name}: `llm:` is not written as a block of lines; write it as `budgetsim rates init` does.")
    block = found.group()
    for update in updates:
        line = f"  {update.key}: {_quoted(update.key, update.then or '')}"
        written = re.search(rf"^  {update.key}:[^#\n]*?(\s+#[^\n]*)?$", block, flags=re.MULTILINE)
        if written is None:
            block = block.rstrip("\n") + f"\n{line}\n\n"
        else:
            block = block[: written.start()] + line + (written[1] or "") + block[written.end() :]
    changed = text[: found.start()] + block + text[found.end() :]
    parse_rates(changed, name)
    return changed


def _quoted(key: str, value: str) -> str:
    return f'"{value}"' if key == "source" else value

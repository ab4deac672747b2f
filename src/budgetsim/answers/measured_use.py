"""A card's text with measured speeds as its utilisation: shown before anything is written."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from budgetsim.answers.llm_prices import PriceUpdate
from budgetsim.costs.rates import RateCard, Utilisation, parse_rates
from budgetsim.costs.speeds import Speeds, measured_utilisation
from budgetsim.errors import InputError

_KEYS: Final = {"gpu": "utilisation", "cpu": "cpu_utilisation"}


def use_updates(card: RateCard, speeds: Speeds) -> list[PriceUpdate]:
    """What measured speeds would change in a card: each key with its number now and then.

    raises : InputError as `measured_utilisation`
    """
    then, place = measured_utilisation(speeds), _KEYS[speeds.device_class]
    before: Utilisation | None = getattr(card, place)
    now, new = _flat(before), _flat(then)
    keys = [*new, *(key for key in now if key not in new)]
    return [
        PriceUpdate(key=f"{place}.{key}", now=now.get(key), then=new.get(key))
        for key in keys
        if now.get(key) != new.get(key)
    ]


def card_with_speeds(text: str, speeds: Speeds, name: str) -> str:
    """A card's text with its block of utilisation of that device written anew, everything else as it was.

    raises : InputError as `measured_utilisation`, and where the block is not written as lines; as `parse_rates`
    """
    place = _KEYS[speeds.device_class]
    block = _block(place, measured_utilisation(speeds))
    found = re.search(rf"^{place}:[^\n]*\n(?:(?:[ \t]+[^\n]*|[ \t]*#[^\n]*)?\n)*?(?=^\S|\Z)", text, flags=re.MULTILINE)
    if found is None:
        changed = text.rstrip("\n") + f"\n\n{block}"
    elif "{" in found.group().split("\n")[0]:
        raise InputError(f"{name}: `{place}:` is not written as a block of lines; write it as `rates init` does.")
    else:
        changed = text[: found.start()] + block + ("\n" if text[found.end() :] else "") + text[found.end() :]
    parse_rates(changed, name)
    return changed


def _block(place: str, use: Utilisation) -> str:
    values = use.model_dump(mode="json", exclude_none=True, exclude={"measured"})
    lines = [f"{place}: # measured: modelled hours rest on it", *(f"  {k}: {_yaml(v)}" for k, v in values.items())]
    if use.measured:
        lines.append("  measured: # tokens a second, and counted operations a second in 1e12")
        for speed in use.measured:
            told = speed.model_dump(mode="json", exclude_none=True)
            lines.append(f"    - {{{', '.join(f'{k}: {_yaml(v)}' for k, v in told.items())}}}")
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else f"{value:.12g}"


def _flat(use: Utilisation | None) -> dict[str, str]:
    if use is None:
        return {}
    values = use.model_dump(mode="json", exclude_none=True, exclude={"measured"})
    told = {key: value if isinstance(value, str) else f"{value:g}" for key, value in values.items()}
    for speed in use.measured:
        rates = [f"{word} {rate:g}" for word, rate in _rates(speed.train_tokens_per_s, speed.answer_tokens_per_s)]
        told[f"{speed.kind}, {speed.model}"] = f"{', '.join(rates)} tokens/s"
    return told


def _rates(train: float | None, answer: float | None) -> list[tuple[str, float]]:
    return [(word, rate) for word, rate in (("trains", train), ("answers", answer)) if rate is not None]

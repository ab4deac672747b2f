"""What answers cost: tokens as the server counted them, dollars by a dated price a million tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

MILLION: Final = Decimal(1_000_000)
BATCH_FACTOR: Final = Decimal("0.5")  # of the price at once; batch pages of OpenAI and Anthropic, read 2026-11


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of an answer; `cached` ones are part of the input."""

    n_input: int = 0
    n_cached: int = 0
    n_output: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            n_input=self.n_input + other.n_input,
            n_cached=self.n_cached + other.n_cached,
            n_output=self.n_output + other.n_output,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars a million tokens, with the page and the day they come from."""

    usd_per_mtok_input: Decimal
    usd_per_mtok_output: Decimal
    usd_per_mtok_cached: Decimal | None = None  # None: cached input costs what other input does
    source: str = "not stated"
    as_of: str = "not stated"

    def usd(self, usage: Usage, batched: bool = False) -> Decimal:
        """Dollars of some tokens.

        >>> price = Price(usd_per_mtok_input=Decimal(2), usd_per_mtok_output=Decimal(8), usd_per_mtok_cached=Decimal(1))
        >>> price.usd(Usage(n_input=1000, n_cached=400, n_output=100))
        Decimal('0.0024')
        """
        cached = self.usd_per_mtok_input if self.usd_per_mtok_cached is None else self.usd_per_mtok_cached
        whole = (
            (usage.n_input - usage.n_cached) * self.usd_per_mtok_input
            + usage.n_cached * cached
            + usage.n_output * self.usd_per_mtok_output
        ) / MILLION
        return whole * BATCH_FACTOR if batched else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What some answers came to, whenever they were asked for."""

    n_answers: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: Decimal = Decimal(0)
    n_unpriced: int = 0  # answers that nobody has a price for

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            n_answers=self.n_answers + other.n_answers,
            usage=self.usage + other.usage,
            usd=self.usd + other.usd,
            n_unpriced=self.n_unpriced + other.n_unpriced,
        )

    @property
    def usd_per_million_texts(self) -> Decimal | None:
        """Dollars of a million such texts; None where the price of some is not known."""
        if self.n_unpriced or not self.n_answers:
            return None
        return self.usd / self.n_answers * MILLION


def add_up(parts: Iterable[tuple[Usage, Decimal | None]]) -> Bill:
    """The bill of answers with their tokens and dollars."""
    total = Bill()
    for usage, usd in parts:
        total += Bill(n_answers=1, usage=usage, usd=usd or Decimal(0), n_unpriced=int(usd is None))
    return total

"""The money that may be spent on requests, and what a request may cost at most before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from budgetsim.errors import InfeasibleBudgetError, InputError, MissingPriceError
from budgetsim.labelers.bill import Price, Usage
from budgetsim.labelers.server import Server

TOKENS_A_CHARACTER: Final = 0.5  # at most, of text of any sort we looked at, before the server has counted some
MARGIN: Final = 1.25  # on the most tokens a character that a server counted
OWN_SERVER: Final = Price(
    usd_per_mtok_input=Decimal(0), usd_per_mtok_output=Decimal(0), source="a server on this machine", as_of="now"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Prices by model, a cap, and where other money goes meanwhile."""

    prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    cap_usd: Decimal | None = None
    since: str = ""  # what was paid for from this moment on counts, ISO 8601 in UTC
    usd_per_second: Decimal = Decimal(0)  # of the devices that stand by from that moment on

    def __post_init__(self) -> None:
        if self.cap_usd is not None and not self.cap_usd >= 0:
            raise InputError(f"--max-cost is {self.cap_usd}; wanted zero or more US dollars.")

    def price_of(self, model: str, server: Server) -> Price | None:
        """The price of a model on a server; a server on this machine costs nothing but its device.

        raises : MissingPriceError where there is a cap and no price
        """
        for name, price in self.prices.items():
            if model in (name, name.rpartition("/")[2]):
                return price
        if server.is_loopback:
            return OWN_SERVER
        if self.cap_usd is not None:
            known = ", ".join(self.prices) or "none"
            raise MissingPriceError(
                f"--max-cost needs a price of {model}, and the rate card has one of {known}: name a card with --rates "
                f"whose `llm:` has model: {model}, usd_per_mtok_input and usd_per_mtok_output."
            )
        return None

    def standing_by(self) -> Decimal:
        """Dollars of the devices up to now."""
        if not self.usd_per_second or not self.since:
            return Decimal(0)
        seconds = (datetime.now(UTC) - datetime.fromisoformat(self.since)).total_seconds()
        return self.usd_per_second * Decimal(max(0.0, seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What is still to be asked, and what it may cost at most; None where nobody has a price."""

    n_requests: int = 0
    usd: Decimal | None = Decimal(0)

    def __add__(self, other: Quote) -> Quote:
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Quote(n_requests=self.n_requests + other.n_requests, usd=usd)


@dataclass(slots=True)
class Account:
    """What was spent under a cap, and what the requests under way may still cost."""

    purse: Purse
    price: Price | None
    spent: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    tokens_a_character: float = TOKENS_A_CHARACTER  # at most
    _counted: float = 0.0

    def hold(self, characters: int, most_output: int, batched: bool = False) -> Decimal:
        """Set aside what a request may cost at most.

        characters : of all that it sends

        raises : InfeasibleBudgetError where that would pass the cap, saying how to go on
        """
        if self.price is None:
            return Decimal(0)
        most = Usage(n_input=int(characters * self.tokens_a_character) + 16, n_output=most_output)
        usd, cap = self.price.usd(most, batched), self.purse.cap_usd
        if cap is not None:
            before = self.spent + self.held + self.purse.standing_by()
            if before + usd > cap:
                raise InfeasibleBudgetError(
                    f"The next request to the LLM may cost ${usd:.4g}; with ${before:.4g} spent or under way it would "
                    f"pass the cap of ${cap:.4g}. Every answer so far is kept: run the same command with a higher "
                    f"--max-cost to go on, nothing is asked or paid for twice."
                )
        self.held += usd
        return usd

    def settle(self, held: Decimal, paid: Decimal | None, usage: Usage, characters: int) -> None:
        """Replace what was set aside by what was billed, and learn how many tokens a text takes."""
        self.held -= held
        self.spent += paid or Decimal(0)
        if usage.n_input and characters:
            self._counted = max(self._counted, usage.n_input / characters)
            self.tokens_a_character = min(1.0, self._counted * MARGIN)

    def release(self, held: Decimal) -> None:
        """Give back what was set aside for a request that was not answered."""
        self.held -= held

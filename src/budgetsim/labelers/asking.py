"""Questions in, answers out: those on disk first, the others from the server, each on disk before it is used.

While an answer is written the next questions are under way: a disk that is slow costs no requests.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from budgetsim.errors import BudgetsimError
from budgetsim.labelers.backoff import wait_before
from budgetsim.labelers.client import Client, Lost, unreachable
from budgetsim.labelers.ledger import Ledger, Record, spent_since
from budgetsim.labelers.prompt import Question
from budgetsim.labelers.purse import Account, Purse
from budgetsim.labelers.replies import Reply
from budgetsim.labelers.server import Server

GIVE_UP: Final = 3  # questions in a row that no try got an answer to: the server is gone
TELL_EVERY: Final = 10.0  # seconds
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How questions are asked: where, for what money, and who hears of it."""

    server: Server
    purse: Purse
    model: str
    batched: bool = False
    say: Callable[[str], None] = lambda words: None


def missing(questions: Sequence[Question], ledger: Ledger) -> list[Question]:
    """Questions without an answer on disk, each once, in order."""
    return list({q.key: q for q in questions if q.key not in ledger.records}.values())


def ask(questions: Sequence[Question], ledger: Ledger, terms: Terms) -> Mapping[str, Record]:
    """The answer to each question by its key; what is on disk costs no request.

    raises : InputError where the server refuses the key or the question, EndpointError where it fails,
        InfeasibleBudgetError at the cap; every answer that came is kept
    """
    if missing(questions, ledger):
        with ledger.turn(whole_folder=terms.purse.cap_usd is not None):
            absent = missing(questions, ledger)
            if absent:
                run(_ask_all(absent, ledger, terms))
    return {question.key: ledger.records[question.key] for question in questions}


async def _ask_all(questions: Sequence[Question], ledger: Ledger, terms: Terms) -> None:
    session = Session.open(questions, ledger, terms)
    try:
        if terms.batched:
            from budgetsim.labelers.batches import ask_in_batches

            await ask_in_batches(questions, session)
        else:
            await session.ask_all(questions)
    finally:
        await session.client.close()


@dataclass(slots=True)
class Session:
    """One visit to a server: who asks, who writes, and what it has cost."""

    client: Client
    ledger: Ledger
    account: Account
    terms: Terms
    n_asked: int
    n_done: int = 0
    failure: BudgetsimError | None = None
    _lost: list[str] = field(default_factory=list)
    _in_a_row: int = 0
    rng: random.Random = field(default_factory=random.Random)
    _next_start: float = 0.0  # on the monotonic clock
    _told: float = field(default_factory=time.monotonic)
    _waiting: list[Record] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, questions: Sequence[Question], ledger: Ledger, terms: Terms) -> Session:
        """A session with the money that is left."""
        price = terms.purse.price_of(terms.model, terms.server)
        spent = Decimal(0) if terms.purse.cap_usd is None else spent_since(ledger.folder, terms.purse.since)
        return cls(Client(terms.server), ledger, Account(terms.purse, price, spent), terms, len(questions))

    async def ask_all(self, questions: Sequence[Question]) -> None:
        """Ask them, so many at once as the server may be asked; those under way are waited for, whatever happens.

        raises : the first failure that ended it
        """
        line = iter(questions)
        workers = [self._work(line) for _ in range(min(self.terms.server.concurrency, len(questions)))]
        await asyncio.gather(*workers)
        if self._writing is not None:
            await self._writing
        if self.failure is None and self._lost:
            self.failure = unreachable(self.terms.server, self._lost[-1])
        if self.failure is not None:
            left = self.n_asked - self.n_done
            raise type(self.failure)(
                f"{self.failure} ({self.n_done:,} of {self.n_asked:,} questions are answered and kept, {left:,} are "
                f"left.)"
            )

    async def _work(self, line: Iterator[Question]) -> None:
        for question in line:
            if self.failure is not None:
                return
            try:
                await self._answer(question)
            except Lost as lost:
                self._lose(str(lost))
            except BudgetsimError as error:
                self.failure = self.failure or error

    def _lose(self, why: str) -> None:
        self._lost.append(why)
        self._in_a_row += 1
        if self._in_a_row >= GIVE_UP:
            self.failure = self.failure or unreachable(self.terms.server, why)

    async def _answer(self, question: Question) -> None:
        characters = question.characters
        held = self.account.hold(characters, question.most_output)
        try:
            reply, tries = await self._try(question)
        except BaseException:
            self.account.release(held)
            raise
        record = self.record(question.key, reply, tries)
        self.keep(record)
        self.account.settle(held, record.usd, reply.usage, characters)
        self._in_a_row = 0
        self._tell()

    async def _try(self, question: Question) -> tuple[Reply, int]:
        retries = self.terms.server.retries
        for tries in range(1, retries + 2):
            await self._pace()
            try:
                return await self.client.ask(question), tries
            except Lost as lost:
                if tries > retries or self.failure is not None:
                    raise
                await asyncio.sleep(wait_before(tries, lost.wait, self.rng))
        raise AssertionError("the last try returns or raises")

    async def _pace(self) -> None:
        if self.terms.server.per_minute is None:
            return
        now = time.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + 60.0 / self.terms.server.per_minute
        await asyncio.sleep(start - now)

    def record(self, key: str, reply: Reply, tries: int = 1, *, batched: bool = False) -> Record:
        """A reply with its date and what it cost."""
        price = self.account.price
        usd = None if price is None else price.usd(reply.usage, batched)
        return Record(
            key=key,
            date=moment(),
            reply=reply,
            usd=usd if reply.usd is None else Decimal(str(reply.usd)),
            price="the server" if reply.usd is not None else "" if price is None else f"{price.source}, {price.as_of}",
            tries=tries,
            batched=batched,
        )

    def keep(self, record: Record) -> None:
        """Hand an answer to the disk; those that come while one is written go together, and the asking goes on."""
        self._waiting.append(record)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self.ledger.append, batch)
                self.n_done += len(batch)
            except BudgetsimError as error:
                self.failure = self.failure or error

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told > TELL_EVERY:
            self._told = now
            cost = "" if self.account.price is None else f", ${self.account.spent:.4g} spent"
            self.terms.say(f"{self.terms.model}: {self.n_done:,} of {self.n_asked:,} questions answered{cost}.")


def moment() -> str:
    """Now, ISO 8601 in UTC to the millisecond: such texts sort as their times do."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where a loop already runs (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()

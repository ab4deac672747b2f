"""Answers on disk before they are used: one file of JSON lines a model, appended to and never changed.

A line torn by a crash is passed over. Who asks holds the file's lock, so that another process that wants the same
answers waits, and then finds them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import filelock

from budgetsim.design.identity import canonical_hash
from budgetsim.errors import BudgetsimError, DiskFullError
from budgetsim.labelers.bill import Usage
from budgetsim.labelers.replies import Reply

SCHEMA_VERSION: Final = 1
PATIENCE: Final = 2.0  # seconds of waiting for another process before it is said
_KEPT: Final = tuple(f.name for f in fields(Reply) if f.name != "usage")
logger = logging.getLogger("budgetsim.labelers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An answer as it is kept: what was asked is in its key."""

    key: str
    date: str  # of the answer, ISO 8601 in UTC
    reply: Reply
    usd: Decimal | None  # as billed on that day; None where nobody had a price
    price: str = ""  # where the price came from
    tries: int = 1
    batched: bool = False


class Ledger:
    """The answers of one model, in a folder that processes share."""

    def __init__(self, folder: Path, kind: str, model: str) -> None:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", model)[-60:]
        self.folder = folder
        self.path = folder / f"{kind}-{plain}-{canonical_hash({'model': model})[:8]}.jsonl"
        self.records: dict[str, Record] = {}
        self.notes: dict[str, dict[str, Any]] = {}  # what is under way elsewhere, by name: batches
        self.n_torn = 0
        self._read = 0  # bytes
        self.refresh()

    def refresh(self) -> None:
        """Read what was appended since, by whomever."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise BudgetsimError(
                f"The answers in {self.path} cannot be read ({error.strerror}); nothing was asked."
            ) from None
        whole = data.rfind(b"\n") + 1
        self._read += whole
        for line in data[:whole].splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            values = json.loads(line)
            if "note" in values:
                self.notes[values["note"]] = values
            else:
                record = _record(values)
                self.records[record.key] = record
        except (ValueError, KeyError, TypeError, InvalidOperation):
            self.n_torn += 1

    def append(self, records: Sequence[Record]) -> None:
        """Write answers and see them on the disk; only then are they `records`.

        raises : DiskFullError, BudgetsimError where they cannot be written
        """
        self._write([json.dumps(_values(record), ensure_ascii=False) for record in records])
        self.records.update({record.key: record for record in records})

    def note(self, name: str, **values: Any) -> None:
        """Write down what is under way, or that it is over."""
        entry = {"note": name, **values}
        self._write([json.dumps(entry, ensure_ascii=False)])
        self.notes[name] = entry

    def _write(self, lines: Sequence[str]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                torn = b""
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    torn = b"" if file.read(1) == b"\n" else b"\n"
                file.write(torn + "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if error.errno == 28:
                raise DiskFullError(
                    f"The disk of {self.folder} is full. Every answer but the last is safe; free some space and run "
                    f"the same command again."
                ) from None
            raise BudgetsimError(f"Answers cannot be written to {self.folder} ({error.strerror}).") from None

    @contextlib.contextmanager
    def turn(self, whole_folder: bool = False) -> Iterator[None]:
        """The right to ask: of this model, or of all models where money is counted over them; others wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / "money.lock" if whole_folder else self.path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=PATIENCE)
        except filelock.Timeout:
            logger.warning("Another process asks for labels; waiting for it, and for its answers.")
            lock.acquire()
        try:
            self.refresh()
            yield
        finally:
            lock.release()


def spent_since(folder: Path, moment: str) -> Decimal:
    """Dollars of all answers in a folder from a moment on, ISO 8601 in UTC."""
    total = Decimal(0)
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, InvalidOperation):
                values = json.loads(line)
                if values["date"] >= moment and values["usd"] is not None:
                    total += Decimal(values["usd"])
    return total


def _values(record: Record) -> dict[str, Any]:
    kept = {name: getattr(record.reply, name) for name in _KEPT}
    return {
        "v": SCHEMA_VERSION,
        "key": record.key,
        "date": record.date,
        "usd": None if record.usd is None else str(record.usd),
        "price": record.price,
        "tries": record.tries,
        "batched": record.batched,
        "usage": asdict(record.reply.usage),
        "reply": {name: value for name, value in kept.items() if value not in (None, (), {})},
    }


def _record(values: dict[str, Any]) -> Record:
    kept = dict(values["reply"])
    tokens = tuple((token, log_p, others) for token, log_p, others in kept.pop("tokens", ()))
    reply = Reply(**kept, tokens=tokens, usage=Usage(**values["usage"]))
    return Record(
        key=values["key"],
        date=values["date"],
        reply=reply,
        usd=None if values["usd"] is None else Decimal(values["usd"]),
        price=values["price"],
        tries=values["tries"],
        batched=values["batched"],
    )

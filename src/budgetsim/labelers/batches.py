"""Questions handed in together, at half the price and answered within a day.

A batch's id is written down as soon as the server gives it: a run that is ended while it waits finds the batch again
and asks nothing twice. What a batch did not answer (it expired, a line failed) is asked in the next run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from budgetsim.design.identity import canonical_hash
from budgetsim.errors import BudgetsimError, EndpointError
from budgetsim.labelers.asking import Session, moment
from budgetsim.labelers.backoff import wait_before
from budgetsim.labelers.client import Lost, unreachable
from budgetsim.labelers.prompt import Question
from budgetsim.labelers.replies import chat_reply

MOST: Final = 10_000  # questions of a batch; servers allow 50,000 and 200 MB
FIRST_LOOK: Final = 1.0  # seconds
LONGEST_LOOK: Final = 60.0
OVER: Final = ("completed", "failed", "expired", "cancelled")


async def ask_in_batches(questions: Sequence[Question], session: Session) -> None:
    """Ask questions in batches, those that wait on the server from an earlier run first.

    raises : EndpointError where a batch left some without an answer, InfeasibleBudgetError at the cap
    """
    for note in list(session.ledger.notes.values()):
        if note.get("batch") and note.get("open"):
            await _collect(note, session)
    left = [q for q in questions if q.key not in session.ledger.records]
    for start in range(0, len(left), MOST):
        await _collect(await _hand_in(left[start : start + MOST], session), session)
    unanswered = sum(q.key not in session.ledger.records for q in questions)
    if unanswered:
        raise EndpointError(
            f"The batches of {session.terms.model} are over and left {unanswered:,} of {len(questions):,} questions "
            f"without an answer (they failed or expired). The others are kept: run the same command again, or without "
            f":batch, to ask for those that are left."
        )


async def _hand_in(questions: Sequence[Question], session: Session) -> Mapping[str, Any]:
    held = [session.account.hold(q.characters, q.most_output, batched=True) for q in questions]
    name = canonical_hash({"keys": [q.key for q in questions]})[:24]
    batch_id = await _patiently(lambda: session.client.send_batch(questions, name), session)
    for usd in held:
        session.account.release(usd)
    session.ledger.note(f"batch:{batch_id}", batch=batch_id, open=True, n=len(questions), handed_in=moment())
    session.terms.say(f"{session.terms.model}: a batch of {len(questions):,} questions is handed in ({batch_id}).")
    return session.ledger.notes[f"batch:{batch_id}"]


async def _collect(note: Mapping[str, Any], session: Session) -> None:
    """Wait until a batch is over, and keep what it answered."""
    batch_id, look = note["batch"], FIRST_LOOK
    while (batch := await _patiently(lambda: session.client.batch(batch_id), session)).status not in OVER:
        await asyncio.sleep(look)
        look = min(LONGEST_LOOK, look * 1.5)
    if batch.output_file_id:
        text = await _patiently(lambda: session.client.file(batch.output_file_id), session)
        records = [r for r in (_record(line, session) for line in text.splitlines()) if r is not None]
        session.ledger.append([r for r in records if r.key not in session.ledger.records])
        session.n_done += len(records)
    session.ledger.note(f"batch:{batch_id}", batch=batch_id, open=False, status=batch.status, over=moment())


def _record(line: str, session: Session) -> Any:
    try:
        values = json.loads(line)
        if values.get("error") or values["response"]["status_code"] != 200:
            return None
        return session.record(values["custom_id"], chat_reply(values["response"]["body"]), batched=True)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError):
        return None


async def _patiently(call: Any, session: Session) -> Any:
    retries = session.terms.server.retries
    for tries in range(1, retries + 2):
        try:
            return await call()
        except Lost as lost:
            if tries > retries:
                raise _gone(session, lost) from None
            await asyncio.sleep(wait_before(tries, lost.wait, session.rng))
    raise AssertionError("the last try returns or raises")


def _gone(session: Session, lost: Lost) -> BudgetsimError:
    return unreachable(session.terms.server, str(lost))

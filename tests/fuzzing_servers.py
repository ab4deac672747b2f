"""Answers of servers for `fuzzing.py`: bodies by themselves, and all that comes over a socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import random
import socket
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from budgetsim.data.tasks import get_task
from budgetsim.errors import BudgetsimError, InputError
from budgetsim.labelers.backoff import LONGEST_TOLD, wait_before
from budgetsim.labelers.client import Client, Lost
from budgetsim.labelers.options import Options
from budgetsim.labelers.prompt import Question, chat_question, decide_question
from budgetsim.labelers.replies import Reply, chat_reply, decisions_reply, read_reply, systemone_reply
from budgetsim.labelers.server import Server
from fuzzing_tools import hurt_bytes, hurt_text, hurt_value

LABELS = get_task("fever").labels
CHAT: Any = {
    "model": "m",
    "choices": [{
        "finish_reason": "stop", "message": {"content": '{"label": "SUPPORTS"}', "refusal": None},
        "logprobs": {"content": [
            {"token": '{"label": "', "logprob": -0.01, "top_logprobs": []},
            {"token": "SUPPORTS", "logprob": -0.2, "top_logprobs": [{"token": "SUPPORTS", "logprob": -0.2}, {"token": "REFUTES", "logprob": -2.0}]},
            {"token": '"}', "logprob": -0.01, "top_logprobs": []},
        ]},
    }],
    "usage": {"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}, "cost": 0.001},
}  # fmt: skip
SYSTEMONE: Any = {
    "model": "m",
    "answers": {"label": {"type": "answer", "probabilities": {"REFUTES": 0.2, "SUPPORTS": 0.8}}},
}
DECISIONS: Any = {
    "model": "m", "answers": [{"probabilities": [{"value": "REFUTES", "probability": 0.2}, {"value": "SUPPORTS", "probability": 0.8}]}],
}  # fmt: skip
REFUSAL: Any = {"error": {"message": "no such thing", "code": "insufficient_quota", "type": "x"}}
MODELS: Any = {"object": "list", "data": [{"id": "m", "object": "model"}]}
STATUSES = (
    "200 OK",
    "400 Bad Request",
    "404 Not Found",
    "401 no",
    "418 teapot",
    "429 Slow down",
    "500 Oh",
    "302 Found",
    "204 None",
    "999 ?",
    "20 x",
    "200",
)
HEADERS = (
    "Retry-After: nan", "Retry-After: 1e400", "Retry-After: -5", "Retry-After: Mon, 01 Jan 0001 00:00:00 -9999", "retry-after-ms: inf",
    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "Content-Encoding: gzip", "Content-Encoding: br", "Transfer-Encoding: chunked",
    "Content-Length: -1", "Content-Length: 99999999", "Content-Length: 5", "Content-Type: text/html; charset=nope", "Content-Type: application/json; charset=utf-16",
    "Location: http://127.0.0.1:9/x", "Location: file:///etc/passwd", "Set-Cookie: a=b", "X: \x1b[2J", "no colon", ": empty", "x-request-id: \xff",
)  # fmt: skip


def replies(rng: random.Random, folder: Path) -> None:
    """The body of an answer: no reply, or one that is read as scores of all labels, or none."""
    body, read = rng.choice([(CHAT, chat_reply), (SYSTEMONE, systemone_reply), (DECISIONS, decisions_reply)])
    for _ in range(rng.randint(1, 2)):
        body = hurt_value(body, rng)
    try:
        reply = read(body)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(f"no reply: {type(error).__name__}") from None  # what `client` and `batches` expect
    check_reply(reply)


def check_reply(reply: Reply) -> None:
    """What is kept of an answer is a label of the task with finite scores, or none; its bill is a number."""
    reading = read_reply(reply, LABELS)
    assert (reading.label in LABELS) == (reading.status == "answered")
    if reading.scores is not None:
        assert all(math.isfinite(s) and s <= 1e-9 for s in reading.scores)
    assert reply.usd is None or (math.isfinite(reply.usd) and reply.usd >= 0)
    assert all(0 <= n <= 10**12 for n in (reply.usage.n_input, reply.usage.n_cached, reply.usage.n_output))


class Wire:
    """A socket on loopback that sends the same bytes to whoever asks, and hangs up.

    ends : whether it does; else it goes on with `again` until nobody reads
    """

    def __init__(self, *, ends: bool = True) -> None:
        self.answer, self.again, self.ends = b"", b"", ends
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                try:
                    _take_request(connection)
                    connection.sendall(self.answer)
                    while not self.ends:
                        connection.sendall(self.again)
                except OSError:  # whoever asked has gone
                    continue


def _take_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < sum(lengths):
        body += connection.recv(65536)


@cache
def wire() -> Wire:
    return Wire()


def http(body: bytes) -> bytes:
    """An answer over HTTP."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\nConnection: close"
    return head.encode("latin-1") + b"\r\n\r\n" + body


def hurt_http(whole: bytes, rng: random.Random) -> bytes:
    """An answer with a wrong status, wrong headers, another's body or wrong bytes; or as it is."""
    head, _, body = whole.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if rng.random() < 0.4:
        lines[0] = f"HTTP/1.1 {rng.choice(STATUSES)}".encode("latin-1")
    for _ in range(rng.choice((0, 0, 1, 2))):
        lines.insert(rng.randint(1, len(lines)), rng.choice(HEADERS).encode("latin-1"))
    match rng.randrange(20):
        case 0:
            body = gzip.compress(body)
        case 1 | 2 | 3:
            body = json.dumps(rng.choice((REFUSAL, MODELS))).encode()
    hurt = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return hurt_bytes(hurt, rng) if rng.random() < 0.2 else hurt


def servers(rng: random.Random, folder: Path) -> None:
    """All that comes back from a server: an answer, a failure that is told, or a try that is lost."""
    options = Options(model="m", format="json")
    ask = rng.choice((chat_question, decide_question))
    question = ask(get_task("fever"), options, (), "a text")
    body = json.dumps(hurt_value(CHAT if ask is chat_question else SYSTEMONE, rng))
    text = hurt_text(body, rng) if rng.random() < 0.3 else body
    wire().answer = hurt_http(http(text.encode("utf-8", "surrogatepass")), rng)
    loop, client = _client()
    client.without, client.decisions = frozenset(), False  # as on the first day
    try:
        reply, listed = loop.run_until_complete(_ask(client, question))
    except Lost as error:
        lost = error
    else:
        check_reply(reply)
        assert listed is None or all(isinstance(name, str) for name in listed)
        return
    assert 0 <= wait_before(1, lost.wait, rng) <= 2 * LONGEST_TOLD
    raise InputError(f"lost: {lost}")


@cache
def _client() -> tuple[asyncio.AbstractEventLoop, Client]:
    """One for all cases: to make one takes ten times as long as to ask."""
    return asyncio.new_event_loop(), Client(Server(url=wire().url, timeout=2.0))


async def _ask(client: Client, question: Question) -> tuple[Reply, tuple[str, ...] | None]:
    try:
        listed = await client.models()
    except BudgetsimError:
        listed = None
    return await client.ask(question), listed


SERVERS: dict[str, Callable[[random.Random, Path], None]] = {"replies": replies, "servers": servers}

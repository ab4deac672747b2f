"""Requests a second through us against the bare openai client, and what a resumed run asks (goals: 90 %, nothing).

python bench/labelers.py [--requests 600] [--repeats 3]

Both ask the same chats of the same little server on loopback; ours are hashed, billed, parsed and on disk (fsync)
before they count. The server is a process of its own that writes one answer to all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import openai

from budgetsim.data.rows import Row
from budgetsim.data.tasks import get_task
from budgetsim.labelers import Brief, Desk, get_labeler
from budgetsim.labelers.language import LanguageLabeler
from budgetsim.labelers.prompt import chat_body
from budgetsim.labelers.server import Server

CONCURRENCY = (1, 8, 32)
SERVER = """
import asyncio, json
NAMED = [{"token": "REF", "logprob": -0.2}, {"token": "SUP", "logprob": -2.0}]
TOKENS = [{"token": t, "logprob": -0.1, "top_logprobs": NAMED} for t in ('{"label": "', "REF", "UTES", '"}')]
CHOICE = {"index": 0, "finish_reason": "stop", "logprobs": {"content": TOKENS},
          "message": {"role": "assistant", "content": '{"label": "REFUTES"}'}}
CHAT = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [CHOICE],
        "usage": {"prompt_tokens": 40, "completion_tokens": 5, "total_tokens": 45}}
n = 0
def answer(value):
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
ANSWER = answer(CHAT)
async def serve(reader, writer):
    global n
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\\r\\n")[0]) if b"content-length:" in head else 0
            await reader.readexactly(length)
            n += b"chat/completions" in head
            writer.write(answer({"n": n}) if head.startswith(b"get /count") else ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def brief(url: str, folder: Path, concurrency: int) -> Brief:
    """A desk at the server."""
    task = replace(get_task("fever"), labels=("REFUTES", "SUPPORTS"))
    return Brief(task=task, desk=Desk(folder=folder, server=Server(url=url, concurrency=concurrency)))


def ours(labeler: LanguageLabeler, rows: list[Row], made: Brief) -> np.ndarray:
    """Seconds of the clock and of the CPU to label the rows."""
    began = clocks()
    labeler.label(rows, made)
    return clocks() - began


def clocks() -> np.ndarray:
    """Wall and CPU seconds of this process."""
    return np.array([time.perf_counter(), time.process_time()])


async def bare(bodies: list[dict], url: str, concurrency: int) -> np.ndarray:
    """The same of the client alone, opened as ours is, its answers thrown away."""
    began = clocks()
    client = openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0)
    line = iter(bodies)

    async def work() -> None:
        for body in line:
            await client.chat.completions.create(**body)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    seconds = clocks() - began
    await client.close()
    return seconds


async def count(url: str) -> int:
    """Chats that the server has answered."""
    async with openai.AsyncOpenAI(api_key="x", base_url=url.removesuffix("/v1")) as client:
        return int(json.loads(await client.get("/count", cast_to=str))["n"])


def compare(url: str, n: int, repeats: int) -> None:
    """A line for each concurrency, ours and the bare client by turns."""
    labeler = get_labeler("chat:m:shots=0:owned=0")
    assert isinstance(labeler, LanguageLabeler)
    rows = [Row(f"the claim of number {i} is that this is so", "", "") for i in range(n)]
    for concurrency in CONCURRENCY:
        times: dict[str, list[np.ndarray]] = {"bare": [], "ours": []}
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                made = brief(url, Path(folder), concurrency)
                questions = [labeler.make_question(made.task, labeler.options, (), row.source) for row in rows]
                bodies = [chat_body(question.content) for question in questions]
                times["bare"].append(asyncio.run(bare(bodies, url, concurrency)))
                times["ours"].append(ours(labeler, rows, made))
                before = asyncio.run(count(url))
                resumed = ours(labeler, rows, made)
                asked = asyncio.run(count(url)) - before
        wall, cpu = ({name: np.median([t[i] for t in all_]) for name, all_ in times.items()} for i in (0, 1))
        print(
            f"concurrency {concurrency:>2}: bare {n / wall['bare']:5.0f}/s  ours {n / wall['ours']:5.0f}/s  "
            f"{wall['bare'] / wall['ours']:6.1%}  CPU {1000 * cpu['bare'] / n:.2f} and {1000 * cpu['ours'] / n:.2f} ms "
            f"a request   resumed: {asked} requests, {1000 * resumed[1] / n:.2f} ms a text"
        )


def main() -> None:
    """Start the server, compare, end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            compare(f"http://127.0.0.1:{int(server.stdout.readline())}/v1", chosen.requests, chosen.repeats)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()

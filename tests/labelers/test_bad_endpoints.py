"""Bad servers, names and keys: what the user reads, and the exit code; a dry run refuses what a run would.

`python tests/labelers/test_bad_endpoints.py` prints the table.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import re
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.data.splits import SplitRule
from budgetsim.errors import BudgetsimError, EndpointError, InputError
from budgetsim.labelers import get_labeler
from budgetsim.labelers.client import Client, Lost
from budgetsim.labelers.options import Options
from budgetsim.labelers.prompt import chat_question
from budgetsim.labelers.server import Server
from budgetsim.measure.recipe import get_preset
from budgetsim.measure.resolve import check_spec
from budgetsim.measure.spec import make_spec
from budgetsim.measure.stagestore import Device, StageStore
from budgetsim.measure.workspace import Workspace
from budgetsim_cli.main import main
from fake_server import Fake, serve
from fuzzing_servers import Wire
from made import ROOT
from made_labelers import TASK, brief_of, rows_of
from tiny import write_tiny_task

pytest.importorskip("openai")

TOY = (
    "measure",
    "--task",
    "toy_requests",
    "--strategy",
    "llm_annotate",
    "--student",
    "tfidf-lr",
    "--n-llm-labels",
    "20",
)
AT = ("--llm-url", "{url}")


@dataclass(frozen=True)
class Case:
    """A command behind `measure`, and what must come of it; `{url}` is a fake server."""

    name: str
    words: tuple[str, ...]
    message: str
    exit_code: int = 2
    server: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


CASES = (
    Case("nobody answers", ("--llm", "chat:m", "--llm-url", "http://127.0.0.1:9/v1"), "http://127.0.0.1:9/v1 does not answer: no connection", 1),
    Case("wrong scheme", ("--llm", "chat:m", "--llm-url", "ftp://127.0.0.1/v1"), "--llm-url: found 'ftp://127.0.0.1/v1', wanted the base address"),
    Case("no scheme", ("--llm", "chat:m", "--llm-url", "localhost:8000"), "wanted the base address of an OpenAI-compatible server"),
    Case("no host", ("--llm", "chat:m", "--llm-url", "http://"), "wanted the base address"),
    Case("port that is none", ("--llm", "chat:m", "--llm-url", "http://127.0.0.1:99999/v1"), "has a port that is none"),
    Case("key in the address", ("--llm", "chat:m", "--llm-url", "https://me:sk-secret@host/v1"), "put the key into the environment as OPENAI_API_KEY"),
    Case("address of the environment that is none", ("--llm", "chat:m"), "--llm-url: found 'here'", environment={"BUDGETSIM_LLM_URL": "here"}),
    Case("no key", ("--llm", "chat:m", "--llm-url", "https://api.openai.com/v1"), "wants a key: put it into the environment, OPENAI_API_KEY="),
    Case("wrong key", ("--llm", "chat:fake", *AT), "refuses the key (status 401, a key was sent): Incorrect API key provided: (the key)", server={"key": "right"}, environment={"OPENAI_API_KEY": "sk-wrong"}),
    Case("key that was not given", ("--llm", "chat:fake", *AT), "no key was sent; OPENAI_API_KEY holds it", server={"key": "right"}),
    Case("cap without a price", ("--llm", "chat:gpt-5-mini", "--max-cost", "1", "--llm-url", "https://127.1.example/v1"), "--max-cost needs a price of gpt-5-mini, and the rate card has one of", environment={"OPENAI_API_KEY": "x"}),
    Case("no model", ("--llm", "chat:", *AT), "'chat:' names no model; write KIND:MODEL"),
    Case("unknown kind", ("--llm", "talk:m", *AT), "There is no labeler 'talk:m'; write simulated:accuracy=0.8"),
    Case("unknown option", ("--llm", "chat:m:shot=4", *AT), "there is no option 'shot'; write KIND:MODEL"),
    Case("option that is no number", ("--llm", "chat:m:shots=few", *AT), "shots is 'few'; wanted a whole number"),
    Case("format that is none", ("--llm", "chat:m:format=xml", *AT), "format is 'xml'; wanted json or text"),
    Case("more shown than half", ("--llm", "chat:m:shots=8:owned=10", *AT), "at most half may be shown"),
    Case("batch of decisions", ("--llm", "decide:m:batch", *AT), "decide has no use for :batch"),
    Case("requests at no time", ("--llm", "chat:m", "--llm-per-minute", "0", *AT), "wanted more than zero"),
    Case("no requests at once", ("--llm", "chat:m", "--llm-concurrency", "0", *AT), "--llm-concurrency"),
)  # fmt: skip

LATE = (  # seen when the first question is asked: the labeler's name, the server, the message, the exit code
    ("chat:gpt", {}, "has no 'gpt' (status 404): The model `gpt` does not exist", 2),
    ("decide:gpt", {}, "has no 'gpt' (status 404)", 2),
    ("chat:fake", {"always": "not JSON"}, "does not answer: its answer is not JSON, or breaks off", 1),
    ("chat:fake", {"always": "no money"}, "your account's money or quota is used up", 1),
    ("chat:fake", {"always": "teapot"}, "answers with status 418: I am a teapot", 1),
    ("chat:fake", {"always": "403"}, "refuses the key (status 403", 2),
    ("chat:fake", {"always": "500"}, "does not answer: status 500", 1),
)


def environment_of(case: Case, folder: Path) -> dict[str, str]:
    """The case's environment, nothing of the user's that decides anything in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI", "BUDGETSIM"))}
    return kept | {"BUDGETSIM_CACHE_DIR": str(folder / "cache")} | dict(case.environment)


def words_of(case: Case, url: str, folder: Path) -> list[str]:
    """What is typed behind `budgetsim`."""
    words = [word.replace("{url}", url) for word in (*TOY, *case.words)]
    return [*words, "--store", str(folder / "s.duckdb"), "--unlabeled", "labelled"]


def run_case(case: Case, folder: Path, *more: str) -> int:
    """The exit code of a case in this process; what is said goes to stderr."""
    with serve(**case.server) as fake, mock.patch.dict(os.environ, environment_of(case, folder), clear=True):
        words = ["budgetsim", *words_of(case, fake.url, folder), *more]
        with mock.patch.object(sys, "argv", words), pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("run", ["dry run", "run"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_dry_run_refuses_what_a_run_would(
    case: Case, run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_case(case, tmp_path, *(("--dry-run",) if run == "dry run" else ()))
    said = " ".join(capsys.readouterr().err.split())
    assert "Traceback" not in said
    assert code == case.exit_code, said
    assert case.message in said.replace("│ ", "").replace(" │", ""), said
    assert "sk-" not in said


@pytest.mark.parametrize(("name", "server", "message", "exit_code"), LATE, ids=lambda part: str(part)[:30])
def test_the_first_question_says_what_is_wrong(
    name: str, server: Mapping[str, str], message: str, exit_code: int, tmp_path: Path
) -> None:
    with serve(**server) as fake, pytest.raises(BudgetsimError) as caught:
        get_labeler(f"{name}:shots=0:owned=0").label(rows_of(9, 1), brief_of(fake, tmp_path, retries=0, concurrency=1))
    assert message in str(caught.value)
    assert caught.value.exit_code == exit_code
    assert "0 of 9 questions are answered and kept" in str(caught.value)
    assert fake.requests <= 3


@pytest.mark.slow
@pytest.mark.train
def test_a_run_ends_with_the_servers_word(tmp_path: Path) -> None:
    """As a user: the worker's failure reaches the terminal, in a line."""
    pytest.importorskip("torch")
    case = Case("unknown model", ("--llm", "chat:gpt", *AT), "")
    with serve() as fake:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("budgetsim")), *words_of(case, fake.url, tmp_path)],
            capture_output=True, text=True, env=environment_of(case, tmp_path), timeout=200, cwd=ROOT,
        )  # fmt: skip
    assert done.returncode == 1
    assert "1 of the runs failed" in done.stderr
    assert "The model `gpt` does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("charset", "status", "body"),
    [
        ("utf-16", "200 OK", '{"a": 1}'),  # no mark of the order of its bytes
        ("no-such", "200 OK", "x"),
        ("utf-16", "418 teapot", "{"),
        ("utf-8", "200 OK", "[" * 100_000),
    ],
)
def test_an_answer_that_cannot_be_decoded_is_lost_or_told(charset: str, status: str, body: str) -> None:
    wire = Wire()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset={charset}\r\nConnection: close"
    wire.answer = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    question = chat_question(TASK, Options(model="m"), (), "a text")

    async def ask() -> None:
        client = Client(Server(url=wire.url))
        with contextlib.suppress(BudgetsimError):
            assert await client.models() is None
        try:
            await client.ask(question)
        finally:
            await client.close()

    with pytest.raises((Lost, BudgetsimError), match=r"answer|teapot"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("head", "body", "message"),
    [
        ("Content-Length: 17000000", b" " * 17_000_000, "sends an answer of more than 16,000,000 bytes; wanted at most that"),
        ("Transfer-Encoding: chunked", b"100000\r\n" + b" " * 0x100000 + b"\r\n", "more than 16,000,000 bytes"),
        ("Content-Encoding: gzip", gzip.compress(b" " * 200_000_000), "packs its answers ('gzip') though it is asked for"),
        ("Content-Encoding: br", b"x", "packs its answers ('br') though it is asked for plain ones"),
    ],
    ids=["long", "without end", "a bomb", "packed"],
)  # fmt: skip
@pytest.mark.parametrize("status", ["200 OK", "500 Oh", "400 No"])
def test_an_answer_without_end_fills_no_memory(
    head: str, body: bytes, message: str, status: str, tmp_path: Path
) -> None:
    """Whatever its status: what is read of it is bounded, and nothing is unpacked."""
    wire = Wire(ends="chunked" not in head)
    length = "" if "Length" in head or not wire.ends else f"Content-Length: {len(body)}\r\n"
    first = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n{length}{head}\r\n\r\n"
    wire.answer, wire.again = first.encode() + body, body
    tracemalloc.start()
    try:
        with pytest.raises(EndpointError, match=re.escape(message)) as caught:
            get_labeler("chat:m:shots=0:owned=0").label(
                rows_of(9, 1), brief_of(Fake(url=wire.url), tmp_path, timeout=60.0)
            )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert wire.url in str(caught.value)
    assert peak < 80_000_000  # the wire's own 17 MB, and what is read of them


def test_answers_are_asked_for_unpacked_and_read_as_before(tmp_path: Path) -> None:
    with serve() as fake:
        labels = get_labeler("chat:fake:shots=0:owned=0").label(rows_of(5, 1), brief_of(fake, tmp_path))
    assert len(labels.answers) == 5
    asked = [value for headers in fake.headers for name, value in headers.items() if name.lower() == "accept-encoding"]
    assert asked == ["identity"] * len(fake.headers)


def test_a_task_that_is_no_classification_has_no_labels_to_choose(tmp_path: Path) -> None:
    files = write_tiny_task(tmp_path)
    add_task(tmp_path / "tasks", "answers_l", TaskFiles(**files), "squad_f1")
    spec = make_spec(
        task="answers_l", strategy="llm_annotate", student="pico", labeler="chat:m", n_llm_labels=5,
        recipe=get_preset("cpu", split=SplitRule(kind="files", n_dev=5)),
    )  # fmt: skip
    with pytest.raises(InputError, match="LLM labels serve classifications alone"):
        check_spec(spec, Workspace(StageStore(tmp_path / "cache", Device("cpu", ""))))


def print_table() -> None:
    """Each case with its exit code; the messages go to stderr as they come."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            print(case.name, run_case(case, Path(folder), "--dry-run"), flush=True)


if __name__ == "__main__":
    print_table()

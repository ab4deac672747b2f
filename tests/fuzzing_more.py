"""More doors for `fuzzing.py`: tasks of a user, answers of servers, files of weights."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from budgetsim.data.custom import TaskFiles, add_task, describe_custom, load_custom, register_custom_tasks
from budgetsim.data.tasks import forget_task, known_tasks
from budgetsim.errors import InputError
from budgetsim.labelers.replies import chat_reply, decisions_reply, read_reply, systemone_reply
from fuzzing_tools import hurt_bytes, hurt_text, hurt_value

ROWS = {
    "single": ("csv", "text,label\na b,x\nc d,x\ne f,y\ng h,y\n", "text,label\ni j,x\nk l,y\nm n,y\no p,x\n"),
    "lines": ("jsonl", *(f'{{"text": "{a} b", "label": "x"}}\n{{"text": "{a} c", "label": "y"}}\n' * 2 for a in "ab")),
    "conll": ("conll", "A O\nB B-x\n\nC O\nD I-x\n\n", "E O\nF B-x\n\n"),
}


def tasks(rng: random.Random, folder: Path) -> None:
    """A table of rows is added and read again; or the description of one is damaged."""
    ending, train, test = ROWS[rng.choice(list(ROWS))]
    home = folder / "tasks"
    for place in folder.glob("tasks/*"):
        place.unlink()
    in_rows = rng.random() < 0.6
    files = {"train": hurt_text(train, rng) if in_rows else train, "test": test}
    for name, text in files.items():
        (folder / f"{name}.{ending}").write_bytes(text.encode("utf-8", "surrogatepass"))
    forget_task("fuzzed")
    given = TaskFiles(train=folder / f"train.{ending}", test=folder / f"test.{ending}")
    add_task(home, "fuzzed", given, accept=True)
    if not in_rows:
        place = home / "fuzzed.json"
        text = place.read_text(encoding="utf-8")
        text = json.dumps(hurt_value(json.loads(text), rng)) if rng.random() < 0.7 else hurt_text(text, rng)
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
        forget_task("fuzzed")
        if not register_custom_tasks(home):
            raise InputError("passed over")  # and the others stand
    (task,) = (t for t in known_tasks() if t.name == "fuzzed")
    describe_custom("fuzzed")
    data = load_custom("fuzzed")
    assert data.train
    assert data.test
    assert all(math.isfinite(v) for v in (task.constant_score, *task.floors))


CHAT: Any = {
    "model": "m",
    "choices": [{
        "finish_reason": "stop", "message": {"content": '{"label": "good"}', "refusal": None},
        "logprobs": {"content": [
            {"token": '{"label": "', "logprob": -0.01, "top_logprobs": []},
            {"token": "good", "logprob": -0.2, "top_logprobs": [{"token": "good", "logprob": -0.2}, {"token": "bad", "logprob": -2.0}]},
            {"token": '"}', "logprob": -0.01, "top_logprobs": []},
        ]},
    }],
    "usage": {"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}, "cost": 0.001},
}  # fmt: skip
SYSTEMONE: Any = {"model": "m", "answers": {"label": {"type": "answer", "probabilities": {"bad": 0.2, "good": 0.8}}}}
DECISIONS: Any = {
    "model": "m", "answers": [{"probabilities": [{"value": "bad", "probability": 0.2}, {"value": "good", "probability": 0.8}]}],
}  # fmt: skip


def replies(rng: random.Random, folder: Path) -> None:
    """What a server sent: no reply, or one that is read as scores of all labels, or none."""
    body, read = rng.choice([(CHAT, chat_reply), (SYSTEMONE, systemone_reply), (DECISIONS, decisions_reply)])
    for _ in range(rng.randint(1, 2)):
        body = hurt_value(body, rng)
    try:
        reply = read(body)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(f"no reply: {type(error).__name__}") from None  # what `client` and `batches` expect
    reading = read_reply(reply, ("bad", "good"))
    assert (reading.label in ("bad", "good")) == (reading.status == "answered")
    if reading.scores is not None:
        assert all(math.isfinite(s) and s <= 1e-9 for s in reading.scores)
    assert reply.usd is None or (math.isfinite(reply.usd) and reply.usd >= 0)
    assert all(0 <= n <= 10**12 for n in (reply.usage.n_input, reply.usage.n_cached, reply.usage.n_output))


def _weights(rng: random.Random) -> bytes:
    """A small file of safetensors, its header or its bytes hurt."""
    header: Any = {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}, "__metadata__": {"format": "pt"}}
    data = struct.pack("4f", 1.0, 2.0, 3.0, 4.0)
    if rng.random() < 0.6:
        header = hurt_value(header, rng)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    whole = struct.pack("<Q", len(text)) + text + data
    return hurt_bytes(whole, rng) if rng.random() < 0.5 else whole


def weights(rng: random.Random, folder: Path) -> None:
    """A file of weights: refused in words, or whole and finite."""
    from budgetsim.learners.tensors import check_tensors, count_held

    file = folder / f"model{rng.randrange(10**9)}.safetensors"  # what was looked at is remembered by name
    file.write_bytes(_weights(rng))
    try:
        check_tensors([file])
        held = count_held([file])
    finally:
        file.unlink()
    assert held.tensors > 0
    assert 0 <= held.numbers <= 10**12


MORE: dict[str, Callable[[random.Random, Path], None]] = {
    "tasks": tasks,
    "replies": replies,
    "weights": weights,
}

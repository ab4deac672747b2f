"""A server on loopback that answers like an OpenAI-compatible one, and misbehaves on demand.

It labels by a rule that tests know: `yes` where the word w0 stands in the text, and it counts what it was asked.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INPUT_TOKENS = 40  # of each request, as it bills
CACHED_TOKENS = 10
OUTPUT_TOKENS = 5


@dataclass
class Fake:
    """What the server does, and what it saw."""

    faults: deque[str] = field(default_factory=deque)  # the next requests, one each
    always: str = ""  # a fault of every request
    refuses: str = "unspeakable"  # texts with this word are refused
    model: str = "fake"
    key: str | None = None  # that it wants
    logprobs: bool = True
    wrong_words: tuple[str, ...] = ("w7",)  # texts with one of these get the other label
    slow: float = 0.0  # seconds of every answer
    asked: Counter[str] = field(default_factory=Counter)  # answered questions by their text
    requests: int = 0
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    batches: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    batch_fate: str = "completed"
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    @property
    def answered(self) -> int:
        """Questions that got an answer, refusals included."""
        return sum(self.asked.values())

    def probability(self, text: str, labels: list[str]) -> dict[str, float]:
        """Of each label: 0.8 and 0.95 by turns for the right one."""
        right = labels[("w0" in text.split()) % len(labels)]
        if any(word in text.split() for word in self.wrong_words):
            right = next(label for label in labels if label != right)
        high = 0.8 if len(text) % 2 else 0.95
        return {label: high if label == right else (1 - high) / (len(labels) - 1) for label in labels}

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of a chat's answer."""
        text = body["messages"][-1]["content"]
        head = body["messages"][0]["content"]
        labels = [label.strip() for label in head.rpartition(":")[2].split(",")]
        p = self.probability(text, labels)
        label = max(p, key=lambda name: p[name])
        if self.refuses in text:
            message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": "I will not."}
            return self._chat(message, "stop", None)
        if "mumble" in text:
            return self._chat({"role": "assistant", "content": "Well, who knows."}, "stop", None)
        if self.always == "ignores schema":
            content, pieces = f"The label is **{label}**.", ["The label is **", label, "**."]
        else:
            content = json.dumps({"label": label})
            pieces = ['{"label": "', label, '"}']
        tokens = None
        if body.get("logprobs") and self.logprobs:
            tops = [{"token": name, "logprob": math.log(q)} for name, q in p.items()]
            tokens = [
                {
                    "token": piece,
                    "logprob": math.log(p[label]) if i == 1 else 0.0,
                    "top_logprobs": tops if i == 1 else [],
                }
                for i, piece in enumerate(pieces)
            ]
        return self._chat({"role": "assistant", "content": content}, "stop", tokens)

    def _chat(self, message: dict[str, Any], finish: str, tokens: Any) -> dict[str, Any]:
        return {
            "id": "x",
            "model": f"{self.model}-2026-11-01",
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": finish,
                    "logprobs": {"content": tokens} if tokens else None,
                }
            ],
            "usage": {
                "prompt_tokens": INPUT_TOKENS,
                "completion_tokens": OUTPUT_TOKENS,
                "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
            },
        }

    def systemone(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of a decision's answer, System One's shape."""
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 0}
        if self.refuses in body["state"]:
            return {"model": self.model, "answers": {"label": {"type": "refusal"}}, "usage": usage}
        p = self.probability(body["state"], list(body["questions"]["label"]["criteria"]))
        answer = {"type": "choice", "choice": max(p, key=lambda name: p[name]), "probabilities": p}
        return {"model": self.model, "answers": {"label": answer}, "usage": usage}

    def decisions(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of a decision's answer, OpenAI's shape."""
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 0}
        if self.refuses in body["input"]:
            return {"model": self.model, "answers": [{"type": "refusal", "name": "label"}], "usage": usage}
        p = self.probability(body["input"], [choice["value"] for choice in body["questions"][0]["choices"]])
        listed = [{"value": name, "probability": q} for name, q in p.items()]
        return {
            "model": self.model,
            "answers": [{"type": "choice", "name": "label", "probabilities": listed}],
            "usage": usage,
        }


class _Handler(BaseHTTPRequestHandler):
    fake: Fake
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake = self.fake
        if not self._may():
            return
        if self.path == "/v1/models" and fake.always == "no list":
            self._send(500, "Internal Server Error")
        elif self.path == "/v1/models":
            self._send(200, {"data": [{"id": fake.model}]})
        elif self.path.startswith("/v1/batches/"):
            self._send(200, fake.batches[self.path.rpartition("/")[2]])
        elif self.path.endswith("/content"):
            self._send(200, fake.files[self.path.split("/")[3]])
        else:
            self._send(404, {"error": {"message": "Not Found"}})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        fake = self.fake
        with fake.lock:
            fake.requests += 1
            fake.at_once += 1
            fake.most_at_once = max(fake.most_at_once, fake.at_once)
            fake.headers.append(dict(self.headers))
            fault = fake.faults.popleft() if fake.faults else fake.always
        try:
            if fake.slow:
                time.sleep(fake.slow)
            if self._may():
                self._answer(data, fault)
        finally:
            with fake.lock:
                fake.at_once -= 1

    def _may(self) -> bool:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.fake.key is None or key == self.fake.key:
            return True
        self._send(401, {"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}})
        return False

    def _answer(self, data: bytes, fault: str) -> None:
        fake = self.fake
        if self.path == "/v1/files":
            name = f"file-{len(fake.files)}"
            fake.files[name] = data.decode("utf-8")
            self._send(
                200,
                {
                    "id": name,
                    "object": "file",
                    "bytes": len(data),
                    "created_at": 0,
                    "filename": "f",
                    "purpose": "batch",
                    "status": "processed",
                },
            )
            return
        body = json.loads(data)
        fake.bodies.append(body)
        if self.path == "/v1/batches":
            self._send(200, self._batch(body))
            return
        if fault and fault != "ignores schema":
            self._misbehave(fault, body)
            return
        if body["model"] != fake.model:
            self._send(
                404, {"error": {"message": f"The model `{body['model']}` does not exist", "code": "model_not_found"}}
            )
            return
        makers = {"/v1/chat/completions": fake.chat, "/v1/systemone": fake.systemone, "/v1/decisions": fake.decisions}
        if fake.always == "no systemone" and self.path == "/v1/systemone":
            self._send(404, {"detail": "Not Found"})
            return
        if self.path not in makers:
            self._send(404, {"detail": "Not Found"})
            return
        with fake.lock:
            fake.asked[text_of(body)] += 1
        self._send(200, makers[self.path](body))

    def _misbehave(self, fault: str, body: dict[str, Any]) -> None:
        if fault == "429":
            self._send(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"})
        elif fault == "500":
            self._send(500, {"error": {"message": "oops"}})
        elif fault == "time out":
            time.sleep(1.5)
            self.close_connection = True
        elif fault == "hang up":
            self.close_connection = True
        elif fault == "torn":
            whole = json.dumps(self.fake.chat(body) if "messages" in body else self.fake.systemone(body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole[: len(whole) // 2])
            self.close_connection = True
        elif fault == "cut":  # a whole HTTP body of half a JSON document
            self._send(200, json.dumps(self.fake.chat(body) if "messages" in body else {})[:-20])
        elif fault == "not JSON":
            self._send(200, "<html>It works!</html>")
        elif fault == "no schema" and body.get("response_format"):
            self._send(
                400, {"error": {"message": "response_format json_schema is not supported", "param": "response_format"}}
            )
        elif fault == "no logprobs" and body.get("logprobs"):
            self._send(400, {"error": {"message": "This model does not support logprobs"}})
        elif fault == "old" and "max_completion_tokens" in body:
            self._send(400, {"error": {"message": "Unrecognized request argument supplied: max_completion_tokens"}})
        elif fault == "no money":
            self._send(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
        elif fault == "403":
            self._send(403, {"error": {"message": f"no access with {self.headers.get('Authorization')}"}})
        elif fault == "teapot":
            self._send(418, {"error": {"message": "I am a teapot"}})
        else:
            with self.fake.lock:
                self.fake.asked[text_of(body)] += 1
            self._send(200, self.fake.chat(body) if "messages" in body else self.fake.systemone(body))

    def _batch(self, body: dict[str, Any]) -> dict[str, Any]:
        fake = self.fake
        name, out = f"batch-{len(fake.batches)}", f"file-out{len(fake.batches)}"
        raw = fake.files[body["input_file_id"]]
        lines = [json.loads(line) for line in raw.splitlines() if line.startswith("{")]
        done = []
        for i, line in enumerate(lines):
            if fake.batch_fate == "expired" and i % 2:
                continue
            fake.asked[text_of(line["body"])] += 1
            done.append(
                {
                    "custom_id": line["custom_id"],
                    "response": {"status_code": 200, "body": fake.chat(line["body"])},
                    "error": None,
                }
            )
        fake.files[out] = "\n".join(json.dumps(entry) for entry in done)
        fake.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "created_at": 0,
            "status": fake.batch_fate,
            "output_file_id": out,
        }
        return fake.batches[name]

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def text_of(body: dict[str, Any]) -> str:
    """The text that a request asks about."""
    text: str = body["messages"][-1]["content"] if "messages" in body else body.get("state", body.get("input"))
    return text


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away


@contextmanager
def serve(**settings: Any) -> Iterator[Fake]:
    """A fake on a free port of loopback, until the block ends."""
    fake = Fake(**settings)
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = _Server(("127.0.0.1", 0), handler)
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()

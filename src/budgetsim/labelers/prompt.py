"""From a task, shown rows and a text to a question: all that decides an answer, and the key it is kept under.

A question knows nothing of servers: the same model asked the same is answered once, wherever it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from budgetsim.data.rows import Row
from budgetsim.data.tasks import Task
from budgetsim.design.identity import canonical_hash
from budgetsim.labelers.options import Options

VERSION: Final = 1  # raised by hand where the words change: answers to old words are no answers to new ones
MOST_ALTERNATIVES: Final = 20  # log-probabilities that servers give for a token, at most
ROOM: Final = 24  # tokens of an answer beside its label


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one request asks.

    kind : of endpoint; content : all that decides the answer; most_output : tokens of it
    key : SHA-256 of kind and content; characters : of the content, for what it may cost
    """

    kind: str
    content: Mapping[str, Any]
    most_output: int
    key: str = field(init=False)
    characters: int = field(init=False)

    def __post_init__(self) -> None:
        key = canonical_hash({"kind": self.kind, "version": VERSION, **self.content})
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "characters", len(json.dumps(self.content, ensure_ascii=False)))


def choose_shots(rows: Sequence[Row], k: int, seed: int) -> list[int]:
    """Places of the rows to be shown: of each class by turns, drawn by a seed; at most half of the rows.

    >>> rows = [Row("", "ab"[i % 2], "") for i in range(20)]
    >>> sorted(rows[i].target for i in choose_shots(rows, 4, 0))
    ['a', 'a', 'b', 'b']
    """
    turns: dict[str, int] = {}
    ranked = []
    for i in np.random.default_rng([seed, 6]).permutation(len(rows)).tolist():
        turns[rows[i].target] = turns.get(rows[i].target, 0) + 1
        ranked.append((turns[rows[i].target], i))
    ranked.sort(key=lambda pair: pair[0])
    return [i for _, i in ranked[: min(k, len(rows) // 2)]]


def describe(task: Task, options: Options) -> str:
    """The task in words, as a model is told.

    >>> from budgetsim.data.tasks import get_task
    >>> print(describe(get_task("fever"), Options(model="m", format="text")))
    You label texts. Task: is a claim supported or refuted; accuracy.
    Answer with exactly one of these labels and nothing else: REFUTES, SUPPORTS
    """
    parts = f" Each text has these parts: {', '.join(task.fields)}." if task.fields else ""
    how = (
        'Answer with JSON, {"label": "..."}, the label being exactly one of'
        if options.format == "json"
        else "Answer with exactly one of these labels and nothing else"
    )
    return f"You label texts. Task: {task.description}.{parts}\n{how}: {', '.join(task.labels)}"


def chat_question(task: Task, options: Options, shots: Sequence[Row], text: str) -> Question:
    """A chat: the task, shown rows as turns of it, and the text."""
    messages = [{"role": "system", "content": describe(task, options)}]
    for row in shots:
        messages += [
            {"role": "user", "content": row.source},
            {"role": "assistant", "content": _answer(row.target, options)},
        ]
    messages.append({"role": "user", "content": text})
    most = options.tokens or ROOM + max(len(label.encode("utf-8")) for label in task.labels)
    content = {
        "model": options.model,
        "messages": messages,
        "labels": list(task.labels),
        "format": options.format,
        "logprobs": options.logprobs,
        "tokens": most,
    }
    return Question(kind="chat", content=content, most_output=most)


def decide_question(task: Task, options: Options, shots: Sequence[Row], text: str) -> Question:
    """A decision between the labels: the text is the state, shown rows stand in the instructions."""
    parts = f" It has these parts: {', '.join(task.fields)}." if task.fields else ""
    shown = "".join(f"\n\nText: {row.source}\nLabel: {row.target}" for row in shots)
    examples = f"\nExamples:{shown}" if shown else ""
    content = {
        "model": options.model,
        "text": text,
        "instructions": f"Which label does the text get? Task: {task.description}.{parts}{examples}",
        "labels": list(task.labels),
    }
    return Question(kind="decide", content=content, most_output=0)


def chat_body(content: Mapping[str, Any], without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The body of a chat request; `without` names what this server does not take (see `dialect`)."""
    body: dict[str, Any] = {"model": content["model"], "messages": content["messages"]}
    body["max_tokens" if "max_completion_tokens" in without else "max_completion_tokens"] = content["tokens"]
    if "temperature" not in without:
        body["temperature"] = 0
    if content["format"] == "json" and "response_format" not in without:
        body["response_format"] = _schema(content["labels"])
    if content["logprobs"] and "logprobs" not in without:
        body["logprobs"] = True
        body["top_logprobs"] = min(MOST_ALTERNATIVES, max(5, 2 * len(content["labels"])))
    return body


def systemone_body(content: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request to `/systemone` (System One; transformers serve and others)."""
    question = {
        "type": "choice",
        "instructions": content["instructions"],
        "criteria": dict.fromkeys(content["labels"]),
    }
    return {"model": content["model"], "state": content["text"], "questions": {"label": question}}


def decisions_body(content: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request to `/decisions` (OpenAI, beta)."""
    question = {
        "type": "choice",
        "name": "label",
        "instructions": content["instructions"],
        "choices": [{"value": label} for label in content["labels"]],
    }
    return {"model": content["model"], "input": content["text"], "questions": [question]}


def _answer(label: str, options: Options) -> str:
    return json.dumps({"label": label}, ensure_ascii=False) if options.format == "json" else label


def _schema(labels: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(labels)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "label", "strict": True, "schema": schema}}

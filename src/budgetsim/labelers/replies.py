"""What a server sent, as a value, and what can be read from it: a label, scores of all labels, or neither.

Raw texts are kept, not readings: a better reader reads old answers anew, and nothing is asked again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from budgetsim.design.arrays import Floats
from budgetsim.labelers.bill import Usage

Status = Literal["answered", "refused", "unreadable"]
MOST_TOKENS: Final = 10**12  # of an answer, by what a server says
MOST_USD: Final = 1e9
TRUST: Final = 0.9  # of a bare answer, before it is calibrated; the others share the rest
LEAST: Final = 1e-4  # probability of a label that a server's alternatives do not name, at most

_REFUSAL = re.compile(
    r"\b(i'?m sorry|i am sorry|i can(?:no|')?t|i am unable|i'm unable|i won't|as an ai\b"
    r"|cannot (?:assist|help|comply))",
    re.IGNORECASE,
)
_LABEL_FIELD = re.compile(r'"label"\s*:\s*"')
_ENDS: Final = '"}\n .*'
_SAID = re.compile(r"(?:label|answer|class|category)\W{1,4}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's answer as it is kept.

    tokens : of a chat, each with its log-probability and those of its alternatives; probabilities : of a decision
    """

    text: str | None = None
    refusal: str | None = None
    finish: str | None = None
    tokens: tuple[tuple[str, float, Mapping[str, float]], ...] = ()
    probabilities: Mapping[str, float] | None = None
    usage: Usage = field(default_factory=Usage)
    usd: float | None = None  # where the server itself says what it bills
    model: str | None = None  # the exact one that answered


@dataclass(frozen=True, slots=True)
class Reading:
    """A label and the logarithms of all labels' probabilities; neither where there is no answer."""

    status: Status
    label: str | None = None
    scores: Floats | None = None  # (classes,)


def chat_reply(body: Mapping[str, Any]) -> Reply:
    """A chat's body.

    raises : KeyError, TypeError, ValueError, IndexError where it is none
    """
    choice = body["choices"][0]
    message = choice["message"]
    listed = (choice.get("logprobs") or {}).get("content") or ()
    return Reply(
        text=_text(message.get("content")),
        refusal=_text(message.get("refusal")),
        finish=_text(choice.get("finish_reason")),
        tokens=tuple((*_token(t), dict(_token(a) for a in t.get("top_logprobs") or ())) for t in listed),
        usage=_usage(body.get("usage") or {}),
        usd=_cost(body.get("usage") or {}),
        model=_text(body.get("model")),
    )


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("no text")
    return value


def _token(value: Mapping[str, Any]) -> tuple[str, float]:
    """A token and its log-probability; some servers say -9999 for never, and one may say -inf."""
    token, logprob = value["token"], value["logprob"]
    if not isinstance(token, str) or isinstance(logprob, bool) or math.isnan(number := float(logprob)) or number > 0.01:
        raise ValueError("no token with a log-probability")
    return token, number


def _count(value: Any) -> int:
    """A number of tokens; nothing is none."""
    if value is None:
        return 0
    if isinstance(value, bool) or not 0 <= value <= MOST_TOKENS:
        raise ValueError("no number of tokens")
    return int(value)


def systemone_reply(body: Mapping[str, Any]) -> Reply:
    """The body of `/systemone`.

    raises : KeyError, TypeError, ValueError where it is none
    """
    answer = body["answers"]["label"]
    refused = answer.get("type") == "refusal"
    found = None if refused else {str(k): _probability(p) for k, p in answer["probabilities"].items()}
    return _decision(body, found)


def decisions_reply(body: Mapping[str, Any]) -> Reply:
    """The body of `/decisions`.

    raises : KeyError, TypeError, ValueError, IndexError where it is none
    """
    answer = body["answers"][0]
    refused = answer.get("type") == "refusal"
    found = None if refused else {str(p["value"]): _probability(p["probability"]) for p in answer["probabilities"]}
    return _decision(body, found)


def _probability(value: Any) -> float:
    """A number, at least; whether all together are probabilities is looked at when they are read."""
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > MOST_TOKENS:
        raise ValueError("no probability")
    return float(value)


def _decision(body: Mapping[str, Any], probabilities: Mapping[str, float] | None) -> Reply:
    return Reply(
        refusal="refused" if probabilities is None else None,
        probabilities=probabilities,
        usage=_usage(body.get("usage") or {}),
        usd=_cost(body.get("usage") or {}),
        model=_text(body.get("model")),
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    """Tokens, by the names of chats or of decisions."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    n_input = usage.get("prompt_tokens", usage.get("input_tokens"))
    n_output = usage.get("completion_tokens", usage.get("output_tokens"))
    return Usage(n_input=_count(n_input), n_cached=_count(details.get("cached_tokens")), n_output=_count(n_output))


def _cost(usage: Mapping[str, Any]) -> float | None:
    cost = usage.get("cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 <= cost <= MOST_USD:
        return None
    return float(cost)


def read_reply(reply: Reply, labels: Sequence[str]) -> Reading:
    """The label of an answer, and a score for each label.

    >>> read_reply(Reply(text='{"label": "good"}'), ("bad", "good")).label
    'good'
    >>> read_reply(Reply(text="I'm sorry, I can't help with that."), ("bad", "good")).status
    'refused'
    """
    if reply.refusal or reply.finish == "content_filter":
        return Reading("refused")
    if reply.probabilities is not None:
        return _read_probabilities(reply.probabilities, labels)
    text = reply.text or ""
    label = parse_label(text, labels)
    if label is None:
        return Reading("refused" if _REFUSAL.search(text) else "unreadable")
    scores = token_scores(reply.tokens, label, labels)
    return Reading("answered", label, scores if scores is not None else bare_scores(label, labels))


def _read_probabilities(found: Mapping[str, float], labels: Sequence[str]) -> Reading:
    p = np.array([found.get(label, math.nan) for label in labels], dtype=np.float64)
    if not np.isfinite(p).all() or (p < 0).any() or p.sum() <= 0:
        return Reading("unreadable")
    scores: Floats = np.log(np.maximum(p / p.sum(), 1e-12))
    return Reading("answered", labels[int(p.argmax())], scores)


def parse_label(text: str, labels: Sequence[str]) -> str | None:
    """The one label that a text names: as JSON, bare, or within a sentence; None where there is none or several.

    >>> parse_label("**Positive**.", ("negative", "positive"))
    'positive'
    >>> parse_label("It is not positive but negative", ("negative", "positive")) is None
    True
    """
    for found in (_of_json(text), text):
        exact = None if found is None else _exact(found, labels)
        if exact is not None:
            return exact
    if _REFUSAL.search(text):
        return None
    named = _named(text, labels)
    if len(named) == 1:
        return named.pop()
    said = [_exact(rest.splitlines()[0], labels) for rest in _SAID.split(text)[1:] if rest.strip()]
    distinct = {label for label in said if label is not None}
    return distinct.pop() if len(distinct) == 1 else None


def _of_json(text: str) -> str | None:
    start, end = text.find("{"), text.rfind("}")
    for piece in (text, text[start : end + 1] if 0 <= start < end else ""):
        try:
            value = json.loads(piece)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            value = value.get("label", next(iter(value.values()), None) if len(value) == 1 else None)
        if isinstance(value, str):
            return value
    torn = _LABEL_FIELD.search(text)
    return text[torn.end() :].partition('"')[0] if torn else None


def _exact(text: str, labels: Sequence[str]) -> str | None:
    bare = text.strip().strip("*_`\"'.,:;!()[]{}<> \n")
    if text.strip() in labels:
        return text.strip()
    if bare in labels:
        return bare
    alike = [label for label in labels if label.casefold() == bare.casefold()]
    return alike[0] if len(alike) == 1 else None


def _named(text: str, labels: Sequence[str]) -> set[str]:
    """Labels that stand in a text as whole words, those within a longer one that stands there not counted."""
    spans = []
    for label in labels:
        pattern = rf"(?<!\w){re.escape(label)}(?!\w)"
        spans += [(m.start(), m.end(), label) for m in re.finditer(pattern, text, re.IGNORECASE)]
    return {
        label
        for start, end, label in spans
        if not any(s <= start and end <= e and e - s > end - start for s, e, _ in spans)
    }


def bare_scores(label: str, labels: Sequence[str]) -> Floats:
    """Scores of an answer that came without probabilities."""
    rest = math.log((1 - TRUST) / max(1, len(labels) - 1))
    return np.array([math.log(TRUST) if name == label else rest for name in labels])


def token_scores(
    tokens: Sequence[tuple[str, float, Mapping[str, float]]], label: str, labels: Sequence[str]
) -> Floats | None:
    """Log-probabilities of the labels, from the alternatives where the answer's label begins; None without those.

    The walk goes on through tokens that several labels share. What an alternative leaves open is shared evenly.
    """
    joined = "".join(token for token, _, _ in tokens)
    start = _start(joined, label)
    if start is None or not any(alternatives for _, _, alternatives in tokens):
        return None
    first, lead = _token_at(tokens, start)
    if first is None:
        return None
    mass = np.zeros(len(labels))
    carried, said = 1.0, ""
    for place in range(first, len(tokens)):
        token, log_p, alternatives = tokens[place]
        cut = lead if place == first else ""
        for other, log_q in {token: log_p, **alternatives}.items():
            open_to = _open_to(said + _without(other, cut, bare=place == first), labels)
            if open_to and (other != token or len(open_to) == 1):
                mass[open_to] += carried * math.exp(log_q) / len(open_to)
        said += _without(token, cut, bare=place == first)
        if len(_open_to(said, labels)) <= 1:
            break
        carried *= math.exp(log_p)
    if mass.sum() <= 0:
        return None
    least = min(LEAST, float(mass[mass > 0].min()) / 2)
    scores: Floats = np.log(np.maximum(mass, least) / np.maximum(mass, least).sum())
    return scores


def _start(text: str, label: str) -> int | None:
    field = _LABEL_FIELD.search(text)
    if field:
        return field.end()
    found = text.casefold().find(label.casefold())
    return found if found >= 0 else None


def _token_at(tokens: Sequence[tuple[str, float, Mapping[str, float]]], start: int) -> tuple[int | None, str]:
    """The token in which a place of the text lies, and what stands before the place in it."""
    reached = 0
    for i, (token, _, _) in enumerate(tokens):
        if start < reached + len(token):
            return i, token[: start - reached]
        reached += len(token)
    return None, ""


def _without(token: str, lead: str, *, bare: bool) -> str:
    rest = token.removeprefix(lead)
    return rest.lstrip() if bare else rest


def _open_to(said: str, labels: Sequence[str]) -> list[int]:
    """Places of the labels that begin as `said` does; a label that is said in full is alone."""
    low, ended = said.casefold(), said[-1:] in _ENDS
    if not low.strip(_ENDS):
        return []
    plain = low.rstrip(_ENDS)
    names = [label.casefold() for label in labels]
    if ended and plain in names:
        return [names.index(plain)]
    begun = [i for i, name in enumerate(names) if name.startswith(plain)]
    passed = [i for i, name in enumerate(names) if low.startswith(name)]
    return begun or ([max(passed, key=lambda i: len(names[i]))] if passed else [])

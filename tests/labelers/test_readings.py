"""What stands in an answer: labels in any wrapping, probabilities by hand, tokens as servers count them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.labelers.bill import Usage
from budgetsim.labelers.replies import (
    Reply,
    bare_scores,
    chat_reply,
    decisions_reply,
    parse_label,
    read_reply,
    systemone_reply,
    token_scores,
)

SENTIMENT = ("negative", "positive")
NLI = ("entailment", "not entailment", "neutral")


@pytest.mark.parametrize(
    ("text", "labels", "label"),
    [
        ('{"label": "positive"}', SENTIMENT, "positive"),
        ('```json\n{"label": "positive"}\n```', SENTIMENT, "positive"),
        ('{"answer": "positive"}', SENTIMENT, "positive"),
        ('{"label": "posit', SENTIMENT, None),
        ('{"label": "positive", "why": "it is', SENTIMENT, "positive"),
        ('"positive"', SENTIMENT, "positive"),
        ("Positive.", SENTIMENT, "positive"),
        ("  **POSITIVE**\n", SENTIMENT, "positive"),
        ("The sentiment is positive", SENTIMENT, "positive"),
        ("Label: negative\nIt could seem positive.", SENTIMENT, "negative"),
        ("positive or negative", SENTIMENT, None),
        ("nonpositive", SENTIMENT, None),
        ("", SENTIMENT, None),
        ("I'm sorry, I can't say whether it is positive.", SENTIMENT, None),
        ("This is not entailment", NLI, "not entailment"),
        ("entailment", NLI, "entailment"),
        ('{"label": ["positive"]}', SENTIMENT, "positive"),
        ("C++ (a language)", ("C", "C++"), "C++"),
        ("1", ("1", "10"), "1"),
        ("10", ("1", "10"), "10"),
    ],
)
def test_a_label_is_found_in_its_wrapping(text: str, labels: tuple[str, ...], label: str | None) -> None:
    assert parse_label(text, labels) == label


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=5, unique=True), st.data())
def test_a_bare_label_reads_as_itself(labels: list[str], data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(labels))
    if label == label.strip() and not label.startswith(("{", '"')):
        assert parse_label(label, labels) == label


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(text=None, refusal="I will not."), "refused"),
        (Reply(text="", finish="content_filter"), "refused"),
        (Reply(text="I cannot help with that."), "refused"),
        (Reply(text="mumble"), "unreadable"),
        (Reply(text=None), "unreadable"),
        (Reply(probabilities={"negative": 0.5}), "unreadable"),
        (Reply(probabilities={"negative": math.nan, "positive": 1.0}), "unreadable"),
    ],
)
def test_what_is_no_answer_says_what_it_is(reply: Reply, status: str) -> None:
    found = read_reply(reply, SENTIMENT)
    assert (found.status, found.label, found.scores) == (status, None, None)


def probabilities(tokens: list[tuple[str, float, dict[str, float]]], label: str, labels: tuple[str, ...]) -> np.ndarray:
    """From tokens with probabilities instead of their logarithms."""
    logs = [(t, math.log(p), {a: math.log(q) for a, q in others.items()}) for t, p, others in tokens]
    scores = token_scores(logs, label, labels)
    assert scores is not None
    return np.exp(scores)


def test_alternatives_of_the_first_token_give_the_odds() -> None:
    tokens = [('{"label": "', 1.0, {}), ("pos", 0.7, {"pos": 0.7, "neg": 0.2, "the": 0.1}), ('itive"}', 1.0, {})]
    assert probabilities(tokens, "positive", SENTIMENT) == pytest.approx([2 / 9, 7 / 9])


def test_spellings_of_one_label_are_added_up() -> None:
    tokens = [(" Positive", 0.5, {" Positive": 0.5, "positive": 0.2, " NEG": 0.2, " neg": 0.1})]
    assert probabilities(tokens, "positive", SENTIMENT) == pytest.approx([0.3, 0.7])


def test_labels_that_begin_alike_are_told_apart_later() -> None:
    """P(card lost) = 0.8 * 0.9 * 0.25 of what is named; the walk passes the tokens that both share."""
    labels = ("card arrival", "card lost", "cash")
    tokens = [
        ("ca", 0.8, {"ca": 0.8, "cash": 0.2}),
        ("rd", 0.9, {"rd": 0.9, "sh": 0.1}),
        (" arrival", 0.75, {" arrival": 0.75, " lost": 0.25}),
    ]
    p = probabilities(tokens, "card arrival", labels)
    want = np.array([0.8 * 0.9 * 0.75, 0.8 * 0.9 * 0.25, 0.2 + 0.8 * 0.1])
    assert p == pytest.approx(want / want.sum())


def test_a_label_within_another_ends_where_its_quote_does() -> None:
    labels = ("1", "10")
    tokens = [('{"label": "', 1.0, {}), ("1", 0.9, {"1": 0.9}), ('"}', 0.6, {'"}': 0.6, "0": 0.4})]
    assert probabilities(tokens, "1", labels) == pytest.approx([0.6, 0.4], abs=0.01)


def test_a_label_nobody_names_keeps_a_little() -> None:
    p = probabilities([("negative", 1.0, {"negative": 1.0})], "negative", SENTIMENT)
    assert 0 < p[1] < 1e-3


def test_without_alternatives_the_answer_is_trusted_to_nine_tenths() -> None:
    assert np.exp(bare_scores("b", ("a", "b", "c"))) == pytest.approx([0.05, 0.9, 0.05])
    assert read_reply(Reply(text="positive"), SENTIMENT).scores == pytest.approx(bare_scores("positive", SENTIMENT))


def test_bodies_of_servers_are_read() -> None:
    """As OpenAI's reference and the code of transformers serve have them."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}, "cost": 0.5}
    chat = chat_reply(
        {"model": "m", "usage": usage, "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}
    )
    assert chat == Reply(text="a", finish="stop", usage=Usage(n_input=9, n_cached=4, n_output=2), usd=0.5, model="m")
    p = {"a": 0.25, "b": 0.75}
    one = systemone_reply({"answers": {"label": {"type": "choice", "probabilities": p}}, "usage": {"input_tokens": 3}})
    two = decisions_reply(
        {"answers": [{"type": "choice", "probabilities": [{"value": k, "probability": v} for k, v in p.items()]}]}
    )
    assert (one.probabilities, one.usage.n_input, two.probabilities) == (p, 3, p)
    assert decisions_reply({"answers": [{"type": "refusal"}]}).refusal
    with pytest.raises((KeyError, TypeError, IndexError)):
        chat_reply({"choices": []})

"""Nothing lost, nothing asked twice, the bill right, the key nowhere: against a server that does what it likes."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from budgetsim.data.rows import Row
from budgetsim.errors import BudgetsimError, EndpointError, InfeasibleBudgetError, InputError, MissingPriceError
from budgetsim.labelers import batches, get_labeler
from budgetsim.labelers.asking import moment
from budgetsim.labelers.backoff import retry_after, wait_before
from budgetsim.labelers.bill import Price, Usage
from budgetsim.labelers.ledger import Ledger
from budgetsim.labelers.own_score import own_score
from budgetsim.labelers.purse import Account, Purse
from budgetsim.labelers.server import Server
from fake_server import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, Fake, serve
from made_labelers import TASK, brief_of, rows_of

pytest.importorskip("openai")

OWNED, ROWS = rows_of(40, 1), rows_of(30, 2)
CHAT = get_labeler("chat:fake:owned=40")
BARE = get_labeler("chat:fake:shots=0:owned=0")
SECRET = "sk-test-0123456789abcdef"  # noqa: S105 - made up
PRICE = Price(
    usd_per_mtok_input=Decimal(2), usd_per_mtok_output=Decimal(8), usd_per_mtok_cached=Decimal("0.5"),
    source="a page", as_of="2026-11",
)  # fmt: skip
EACH = (Decimal(INPUT_TOKENS - CACHED_TOKENS) * 2 + CACHED_TOKENS * Decimal("0.5") + OUTPUT_TOKENS * 8) / 1_000_000


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serve() as server:
        yield server


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


# Faults


@pytest.mark.parametrize("fault", ["429", "500", "torn", "cut", "hang up", "not JSON", "time out"])
def test_after_a_fault_the_question_is_asked_again(fault: str, fake: Fake, tmp_path: Path) -> None:
    fake.faults.extend([fault, "", fault])
    said = BARE.label(ROWS[:8], brief_of(fake, tmp_path, timeout=0.7))
    assert None not in said.answers
    assert fake.requests == 8 + 2  # each fault costs one more, and no answer is asked for twice
    assert all(n == 1 for n in fake.asked.values())
    assert sum(line["tries"] - 1 for line in lines_of(tmp_path)) == 2


def test_refused_and_unreadable_texts_get_no_label_and_are_told(fake: Fake, tmp_path: Path) -> None:
    odd = [Row("unspeakable w0", "yes", ""), Row("mumble w1", "no", "")]
    said = BARE.label([*odd, *ROWS[:5]], brief_of(fake, tmp_path))
    assert said.answers[:2] == (None, None)
    assert None not in said.answers[2:]
    assert (said.n_refused, said.n_unreadable) == (1, 1)
    assert said.bill.n_answers == 7  # they are billed all the same
    assert BARE.probabilities(odd, brief_of(fake, tmp_path)).tolist() == [[0.5, 0.5]] * 2
    assert fake.requests == 7  # a refusal is an answer: it is not asked again


def test_a_model_that_labels_little_is_not_asked_on(fake: Fake, tmp_path: Path) -> None:
    fake.refuses = "w"
    with pytest.raises(EndpointError, match=r"gave a label to 0 of 36 owned texts: one was refused, 'I will not\.'"):
        CHAT.label(ROWS, brief_of(fake, tmp_path, owned=OWNED))
    assert fake.answered == 36


@pytest.mark.parametrize("always", ["no schema", "no logprobs", "old", "ignores schema"])
def test_what_a_server_does_not_take_is_left_out(always: str, fake: Fake, tmp_path: Path) -> None:
    fake.always = always
    said = BARE.label(ROWS, brief_of(fake, tmp_path, concurrency=1))
    assert None not in said.answers
    assert fake.requests == len(ROWS) + (0 if always == "ignores schema" else 1)  # learned once
    last = fake.bodies[-1]
    assert ("response_format" in last, "logprobs" in last, "max_tokens" in last) == (
        always != "no schema",
        always != "no logprobs",
        always == "old",
    )


def test_decisions_go_where_the_server_has_them(fake: Fake, tmp_path: Path) -> None:
    labeler = get_labeler("decide:fake:owned=0:shots=0")
    one = labeler.probabilities(ROWS, brief_of(fake, tmp_path / "one"))
    fake.always = "no systemone"
    two = labeler.probabilities(ROWS, brief_of(fake, tmp_path / "two", concurrency=1))
    assert (one == two).all()
    assert labeler.label([Row("unspeakable", "no", "")], brief_of(fake, tmp_path / "two")).n_refused == 1


# On disk


def test_a_torn_last_line_costs_one_question(fake: Fake, tmp_path: Path) -> None:
    BARE.label(ROWS, brief_of(fake, tmp_path))
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-30])
    said = BARE.label(ROWS, brief_of(fake, tmp_path))
    assert None not in said.answers
    assert fake.requests == len(ROWS) + 1
    ledger = Ledger(tmp_path, "chat", "fake")
    assert (len(ledger.records), ledger.n_torn) == (len(ROWS), 1)
    BARE.label(ROWS, brief_of(fake, tmp_path))
    assert fake.requests == len(ROWS) + 1


def test_a_line_keeps_what_was_said_counted_and_billed(fake: Fake, tmp_path: Path) -> None:
    BARE.label(ROWS[:1], brief_of(fake, tmp_path, purse=Purse(prices={"maker/fake": PRICE})))
    (line,) = lines_of(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{64}", line["key"])
    assert line["usage"] == {"n_input": INPUT_TOKENS, "n_cached": CACHED_TOKENS, "n_output": OUTPUT_TOKENS}
    assert Decimal(line["usd"]) == EACH
    assert line["price"] == "a page, 2026-11"
    assert line["date"][:10] == moment()[:10]
    assert line["reply"]["text"].startswith('{"label"')
    assert line["reply"]["model"] == "fake-2026-11-01"


def test_two_processes_on_one_folder_ask_once(fake: Fake, tmp_path: Path) -> None:
    fake.slow = 0.05
    code = (
        "import sys; from pathlib import Path; from fake_server import Fake; from made_labelers import brief_of, rows_of\n"
        "from budgetsim.labelers import get_labeler\n"
        "said = get_labeler('chat:fake:shots=0:owned=0').label(rows_of(30, 2), brief_of(Fake(url=sys.argv[1]), Path(sys.argv[2])))\n"
        "print(''.join(a[0] for a in said.answers))"
    )
    command = [sys.executable, "-c", code, fake.url, str(tmp_path)]
    both = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )
        for _ in "ab"
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert said[0] == said[1]
    assert len(said[0].strip()) == len(ROWS)
    assert fake.requests == len(ROWS)


def test_the_key_of_an_answer_is_all_that_decides_it() -> None:
    """Another model, text, shown row, format or list of labels is another question; another server is not."""
    chat, text = get_labeler("chat:m"), get_labeler("chat:m:format=text")
    questions = [
        labeler.make_question(task, labeler.options, shots, words)
        for labeler in (chat, text, get_labeler("chat:n"), get_labeler("decide:m"))
        for task in (TASK, replace(TASK, labels=("no", "yes", "maybe")))
        for shots in ((), tuple(OWNED[:1]))
        for words in ("a", "b")
    ]
    assert len({question.key for question in questions}) == len(questions)
    again = chat.make_question(TASK, chat.options, (), "a")
    assert again.key == questions[0].key


# Money


def test_the_bill_is_what_the_server_counted_at_the_dated_price(fake: Fake, tmp_path: Path) -> None:
    purse = Purse(prices={"fake": PRICE})
    fake.faults.extend(["500", "torn", "429"])
    said = CHAT.label(ROWS, brief_of(fake, tmp_path, owned=OWNED, purse=purse))
    n = len(ROWS) + 36
    assert said.bill.n_answers == n
    assert said.bill.usage == Usage(n_input=n * INPUT_TOKENS, n_cached=n * CACHED_TOKENS, n_output=n * OUTPUT_TOKENS)
    assert said.bill.usd == n * EACH
    assert said.bill.usd_per_million_texts == EACH * 1_000_000
    dearer = Purse(prices={"fake": replace(PRICE, usd_per_mtok_input=Decimal(99))})
    again = CHAT.label(ROWS, brief_of(fake, tmp_path, owned=OWNED, purse=dearer))
    assert again.bill == said.bill  # what was paid stays what was paid


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_cap_is_never_passed_and_says_how_to_go_on(concurrency: int, fake: Fake, tmp_path: Path) -> None:
    cap = EACH * 12
    began = moment()

    def purse(usd: Decimal) -> Purse:
        return Purse(prices={"fake": PRICE}, cap_usd=usd, since=began)

    with pytest.raises(InfeasibleBudgetError, match=r"higher --max-cost .* of 30 questions are answered and kept"):
        BARE.label(ROWS, brief_of(fake, tmp_path, concurrency=concurrency, purse=purse(cap)))
    done = fake.answered
    assert 0 < done * EACH <= cap
    with pytest.raises(InfeasibleBudgetError):  # another process under the same cap has nothing left
        BARE.label(ROWS, brief_of(fake, tmp_path, concurrency=concurrency, purse=purse(EACH * done)))
    assert fake.answered == done
    said = BARE.label(ROWS, brief_of(fake, tmp_path, purse=purse(EACH * 1000)))
    assert None not in said.answers
    assert fake.answered == len(ROWS)


def test_a_request_is_held_at_its_most_and_settled_at_what_it_was() -> None:
    """By hand: 100 characters are 50 tokens at most at first, later what was counted and a quarter more."""
    account = Account(Purse(), PRICE)
    assert account.hold(100, 10) == PRICE.usd(Usage(n_input=50 + 16, n_output=10))
    account.settle(account.held, EACH, Usage(n_input=20), 100)
    assert (account.held, account.spent) == (0, EACH)
    assert account.hold(100, 10) == PRICE.usd(Usage(n_input=25 + 16, n_output=10))
    assert PRICE.usd(Usage(n_input=10), batched=True) == PRICE.usd(Usage(n_input=10)) / 2


def test_devices_that_stand_by_count_against_the_cap() -> None:
    purse = Purse(cap_usd=Decimal(1), since="2026-01-01T00:00:00+00:00", usd_per_second=Decimal(1))
    with pytest.raises(InfeasibleBudgetError):
        Account(purse, PRICE).hold(10, 1)


def test_a_cap_needs_a_price_but_on_a_server_of_ones_own() -> None:
    capped = Purse(cap_usd=Decimal(1), prices={"other": PRICE})
    assert capped.price_of("fake", Server(url="http://127.0.0.1:1/v1")).usd(Usage(n_input=9)) == 0
    assert capped.price_of("other", Server()) == PRICE
    with pytest.raises(MissingPriceError, match="needs a price of fake, and the rate card has one of other"):
        capped.price_of("fake", Server())
    assert Purse().price_of("fake", Server()) is None


# The accuracy before the money


def test_its_accuracy_is_told_before_the_texts_are_asked_about(fake: Fake, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    brief = brief_of(fake, tmp_path, owned=OWNED, purse=Purse(prices={"fake": PRICE}))
    brief = replace(brief, desk=replace(brief.desk, say=lambda words: told.append((words, fake.answered))))
    CHAT.label(ROWS, brief)
    assert [n for _, n in told] == [36, 36]
    assert re.search(
        r"right on \d+ of 36 held-out labels of people, [\d.]+ % \(95 % interval [\d.]+ to [\d.]+\)", told[0][0]
    )
    assert f"30 texts to be asked about, about ${float(EACH * 30):.4g}" in told[1][0]


def test_a_labeler_that_guesses_is_told_before_it_is_paid_for(fake: Fake, tmp_path: Path) -> None:
    fake.wrong_words = tuple(f"w{i}" for i in range(1, 21))  # about half of the texts, whatever their label
    told: list[str] = []
    CHAT.label(ROWS, brief_of(fake, tmp_path, owned=OWNED, say=told.append))
    assert "may be no better than a guess, 50.0 %" in told[1]


def test_just_calling_it_has_a_score_and_a_price(fake: Fake, tmp_path: Path) -> None:
    """By hand: the server errs where w7 stands; a refused text is wrong."""
    rows = [*ROWS, Row("unspeakable w0", "yes", "")]
    found = own_score(BARE, rows, brief_of(fake, tmp_path, purse=Purse(prices={"fake": PRICE})))
    wrong = sum("w7" in row.source.split() for row in ROWS) + 1
    assert (found.n_texts, found.n_right, found.n_unanswered) == (31, 31 - wrong, 1)
    assert found.scores["accuracy"] == pytest.approx(100 * (31 - wrong) / 31)
    assert found.usd_per_million_texts == EACH * 1_000_000
    assert found.interval[0] < (31 - wrong) / 31 < found.interval[1]


# Keys


@pytest.mark.parametrize("fault", ["401", "403", "teapot", "torn"])
def test_the_key_is_in_no_file_log_or_error(
    fault: str, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    brief = brief_of(fake, tmp_path, owned=OWNED, retries=1)
    BARE.label(ROWS[:3], brief)
    assert fake.headers[0]["authorization"] == f"Bearer {SECRET}"
    fake.key, fake.always = ("another", "") if fault == "401" else (None, fault)
    with pytest.raises(BudgetsimError) as caught:
        BARE.label(ROWS, brief)
    written = [p.read_text(encoding="utf-8") for p in tmp_path.rglob("*") if p.is_file()]
    seen = [str(caught.value), repr(caught.value), repr(brief), caplog.text, *written]
    chain = caught.value.__cause__
    assert chain is None
    assert not any(SECRET in text for text in seen)


def test_no_key_goes_over_an_open_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert SECRET not in Server(url="http://10.0.0.5:8000/v1").key
    assert Server(url="https://api.openai.com/v1").key == SECRET
    monkeypatch.delenv("OPENAI_API_KEY")
    assert Server(url="http://localhost:1/v1").key
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        _ = Server().key


# Pace


def test_so_many_at_once_and_no_more(fake: Fake, tmp_path: Path) -> None:
    fake.slow = 0.05
    BARE.label(ROWS, brief_of(fake, tmp_path, concurrency=5))
    assert fake.most_at_once == 5


def test_so_many_a_minute_and_no_more(fake: Fake, tmp_path: Path) -> None:
    began = time.monotonic()
    BARE.label(ROWS[:7], brief_of(fake, tmp_path, per_minute=600))
    assert time.monotonic() - began >= 6 * 0.1


def test_waits_double_and_heed_the_server() -> None:
    class Middle:
        def random(self) -> float:
            return 0.0

    assert [wait_before(k, None, Middle()) for k in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 60.0]
    assert wait_before(1, 9.0, Middle()) == 9.0
    assert wait_before(1, 1e9, Middle()) == 600.0
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None


def test_a_server_that_is_gone_is_given_up_soon(fake: Fake, tmp_path: Path) -> None:
    fake.always = "500"
    with pytest.raises(EndpointError, match=r"does not answer: status 500.*0 of 30 questions"):
        BARE.label(ROWS, brief_of(fake, tmp_path, retries=1, concurrency=2))
    assert fake.requests <= 2 * (3 + 1)


@pytest.mark.parametrize("always", ["", "no list"])
def test_a_server_that_answers_is_there(always: str, fake: Fake, tmp_path: Path) -> None:
    fake.always = always
    BARE.knock(ROWS, brief_of(fake, tmp_path))
    assert fake.requests == 0  # nothing was asked


# Batches


def test_a_batch_costs_half_and_is_found_again(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "FIRST_LOOK", 0.01)
    labeler = get_labeler("chat:fake:shots=0:owned=0:batch")
    fake.batch_fate = "in_progress"
    brief = brief_of(fake, tmp_path, purse=Purse(prices={"fake": PRICE}), retries=0)
    monkeypatch.setattr(batches, "LONGEST_LOOK", 0.02)

    def ended(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as ending:
        ending.setattr(batches.asyncio, "sleep", ended)
        with pytest.raises(KeyboardInterrupt):
            labeler.label(ROWS, brief)
    assert len(fake.batches) == 1
    fake.batches["batch-0"]["status"] = "completed"
    said = labeler.label(ROWS, brief)
    assert len(fake.batches) == 1
    assert said.bill.usd == EACH * len(ROWS) / 2
    assert all(n == 1 for n in fake.asked.values())


def test_what_a_batch_left_is_asked_in_the_next_run(fake: Fake, tmp_path: Path) -> None:
    fake.batch_fate = "expired"
    with pytest.raises(EndpointError, match="left 15 of 30 questions without an answer"):
        get_labeler("chat:fake:shots=0:owned=0:batch").label(ROWS, brief_of(fake, tmp_path))
    assert None not in BARE.label(ROWS, brief_of(fake, tmp_path)).answers
    assert all(n == 1 for n in fake.asked.values())
    assert fake.answered == len(ROWS)

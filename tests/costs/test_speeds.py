"""Measured speeds: their file, the utilisation that follows, and a card with it."""

import json
from datetime import date

import pytest

from budgetsim.answers.measured_use import card_with_speeds, use_updates
from budgetsim.answers.pricing import modelled_speed
from budgetsim.costs.hours import distill_hours
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.speeds import measured_utilisation, parse_speeds, speeds_text
from budgetsim.data.tasks import TASKS
from budgetsim.errors import InputError, RateCardError
from budgetsim.store.location import example_cards

TEXT = example_cards()["paper-2023"].read_text(encoding="utf-8")
CARD = parse_rates(TEXT)
SPEEDS = {
    "schema_version": 1, "device_class": "gpu", "device": "A made GPU", "peak_tflops": 400.0, "seconds_per_step": 0.02,
    "source": "made for a test", "as_of": "2026-11-30",
    "rows": [
        {"kind": "t5", "model": "t5-v1_1-small", "does": "train", "tokens_per_s": 5e4, "tflops": 20.0, "parameters": 77_000_000},
        {"kind": "t5", "model": "t5-v1_1-xl", "does": "train", "tokens_per_s": 4e3, "tflops": 120.0, "parameters": 2_800_000_000},
        {"kind": "t5", "model": "t5-v1_1-xxl", "does": "train", "tokens_per_s": 2e3, "tflops": 90.0, "parameters": 11_000_000_000, "whole": False},
        {"kind": "t5", "model": "t5-v1_1-xxl", "does": "answer", "tokens_per_s": 9e3, "tflops": 100.0, "parameters": 11_000_000_000},
        {"kind": "t5", "model": "t5-v1_1-xxl", "does": "answer", "tokens_per_s": 9e3, "tflops": 110.0, "parameters": 11_000_000_000},
        {"kind": "ft", "model": "ModernBERT-large", "does": "answer", "tokens_per_s": 1e6, "tflops": 150.0, "parameters": 395_000_000},
    ],
}  # fmt: skip


def read(**changes):
    return parse_speeds(json.dumps({**SPEEDS, **changes}), "speeds.json")


def test_roles_take_the_speed_of_the_model_that_is_like_them():
    use = measured_utilisation(read())
    assert use.teacher_training == 120 / 400  # XL, the largest trained whole: XXL was by adapters
    assert use.labelling == pytest.approx(110 / 400)  # XXL, at its best
    assert use.student_training == 20 / 400
    assert (use.seconds_per_step, use.device, use.as_of) == (0.02, "A made GPU", "2026-11-30")
    assert use.tflops("t5", trains=True) == 90  # the median of three
    assert use.tflops("lm", trains=True) is None


def test_modern_hours_rest_on_what_was_measured():
    changed = parse_rates(card_with_speeds(TEXT, read(), "card.yaml"))
    task = TASKS["wlp"]

    def label_hours(card):
        return distill_hours("modern", "t5-v1_1-xxl", "t5-v1_1-small", task, None, modelled_speed(card)).label_text

    assert label_hours(CARD) / label_hours(changed) == pytest.approx((400 * 110 / 400) / (312 * 0.14))


def test_a_card_keeps_everything_else_and_says_what_was_measured_where_and_when():
    written = card_with_speeds(TEXT, read(), "card.yaml")
    changed = parse_rates(written, today=date(2026, 12, 1))
    assert changed.model_copy(update={"utilisation": CARD.utilisation}) == CARD
    assert changed.utilisation.device == "A made GPU"
    assert [s.model for s in changed.utilisation.measured] == [
        "t5-v1_1-small",
        "t5-v1_1-xl",
        "t5-v1_1-xxl",
        "ModernBERT-large",
    ]
    before = TEXT[: TEXT.index("utilisation:")]
    assert written.startswith(before)  # comments and all
    assert card_with_speeds(written, read(), "card.yaml") == written
    assert use_updates(changed, read()) == []


def test_a_processors_speeds_are_a_block_of_their_own():
    cpu = read(device_class="cpu", device="one core", peak_tflops=0.1, rows=[
        {"kind": "ft", "model": "minilm", "does": "train", "tokens_per_s": 300, "tflops": 0.04, "parameters": 22_000_000},
        {"kind": "ft", "model": "minilm", "does": "answer", "tokens_per_s": 900, "tflops": 0.04, "parameters": 22_000_000},
        {"kind": "tfidf-lr", "model": "tfidf-lr", "does": "train", "tokens_per_s": 1e6},
    ])  # fmt: skip
    written = card_with_speeds(TEXT, cpu, "card.yaml")
    changed = parse_rates(written)
    assert changed.utilisation == CARD.utilisation
    assert changed.cpu_utilisation.tflops("ft", trains=True) == 0.04
    assert changed.cpu_utilisation.student_training == pytest.approx(0.4)
    again = card_with_speeds(card_with_speeds(written, read(), "c"), cpu, "c")  # one after the other, in both orders
    assert parse_rates(again).cpu_utilisation == changed.cpu_utilisation
    updates = {u.key: (u.now, u.then) for u in use_updates(CARD, cpu)}
    assert updates["cpu_utilisation.device"] == (None, "one core")


def test_updates_show_numbers_now_and_then():
    updates = {u.key: (u.now, u.then) for u in use_updates(CARD, read())}
    assert updates["utilisation.peak_tflops"] == ("312", "400")
    assert updates["utilisation.t5, t5-v1_1-small"] == (None, "trains 50000 tokens/s")


def test_a_file_of_speeds_reads_back():
    assert parse_speeds(speeds_text(read()), "x") == read()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "speeds.json, schema_version: found 2, wanted 1"),
        ({"peak_tflops": 0}, "peak_tflops: found 0, wanted 1e-06 or more"),
        ({"seconds_per_step": -1}, "seconds_per_step: found -1, wanted 0"),
        ({"rows": []}, "rows: found"),
        ({"rows": [{**SPEEDS["rows"][0], "tflops": 900.0}]}, "wanted speeds about the peak of 400 TFLOP/s"),
        ({"rows": [{**SPEEDS["rows"][0], "tokens_per_s": 0}]}, "rows.0.tokens_per_s: found 0, wanted more than 0"),
        ({"rows": [{**SPEEDS["rows"][0], "kind": "rnn"}]}, "rows.0.kind: found 'rnn'"),
        ({"device": "a\x1b[2J"}, "wanted a name that can be read"),
        ({"as_of": "yesterday"}, "as_of: found yesterday" if False else "as_of: found 'yesterday'"),
    ],
)  # fmt: skip
def test_bad_speeds_are_refused_with_key_and_range(changes, message):
    with pytest.raises(InputError) as refused:
        read(**changes)
    assert message in str(refused.value)


def test_speeds_that_lack_a_part_and_files_that_are_none_are_refused():
    with pytest.raises(InputError, match="lack a model that trained and one that answered"):
        measured_utilisation(read(rows=SPEEDS["rows"][:1]))
    with pytest.raises(InputError, match="is no JSON"):
        parse_speeds("{", "x.json")
    with pytest.raises(InputError, match="wanted keys and values"):
        parse_speeds("[1]", "x.json")
    inline = (
        TEXT[: TEXT.index("utilisation:")]
        + "utilisation: {peak_tflops: 1, teacher_training: 1, labelling: 1, student_training: 1, source: x, as_of: 2026-11}\n"
    )
    with pytest.raises(InputError, match="not written as a block"):
        card_with_speeds(inline, read(), "c")
    with pytest.raises(RateCardError):
        card_with_speeds("name: x\n", read(), "c")

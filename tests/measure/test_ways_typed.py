"""Ways to train as they are typed, and what they change of a run's identity."""

import pytest

from budgetsim.errors import InputError
from budgetsim.measure import get_preset
from budgetsim.measure.spec import from_json, make_spec, to_json
from budgetsim.measure.typed_ways import with_way

PAPER = get_preset("paper")


def spec_of(recipe):
    return make_spec(
        recipe=recipe, task="stance", strategy="distill", teacher="t5-v1_1-xl", student="t5-v1_1-small", n_labels=9,
        n_unlabeled=9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("way", "same"),
    [("bf16", True), ("bf16+checkpointing", True), ("fsdp=4+rows=2", True), ("fp32", False), ("8bit", False), ("lora", False)],
)  # fmt: skip
def test_where_numbers_lie_makes_the_same_run_and_what_they_are_another(way, same):
    changed = with_way(PAPER, way)
    assert (spec_of(changed).point("s", "u").run_id == spec_of(PAPER).point("s", "u").run_id) is same
    assert from_json(to_json(spec_of(changed))) == spec_of(changed)  # what a worker is handed


def test_older_specs_are_read_as_before():
    import json

    values = json.loads(to_json(spec_of(PAPER)))
    for key in ("checkpointing", "micro_batch", "devices"):
        del values["recipe"][key]
    assert from_json(json.dumps(values)) == spec_of(PAPER)


@pytest.mark.parametrize(
    "way",
    [
        "",
        "bf17",
        "lora=0",
        "lora=99999",
        "fsdp",
        "fsdp=1",
        "bf16+",
        "bf16+rows",
        "bf16+rows=-1",
        "8bit=4x",
        "bf16+x=2",
        "bf16 ",
    ],
)
def test_other_words_are_refused_with_the_grammar(way):
    with pytest.raises(InputError, match=r"wanted fp32, bf16, 8bit, lora\[=RANK\] or fsdp=GPUS"):
        with_way(PAPER, way)


@pytest.mark.parametrize("way", ["bf16+rows=5", "fsdp=3", "fsdp=16+rows=4"])
def test_pieces_must_divide_the_batch(way):
    with pytest.raises(InputError, match="a batch of 32 cannot be cut"):
        with_way(PAPER, way)

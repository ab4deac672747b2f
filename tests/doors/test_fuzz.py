"""A bounded part of `make fuzz`: seeded attacks on every door, none of which gives a traceback, hangs or slips through."""

import os
import random
import signal

import pytest

import fuzzing
import fuzzing_models
import fuzzing_servers
import fuzzing_stores
import fuzzing_tasks
from budgetsim.store.location import StorePaths
from budgetsim.store.merge import check, merge, merge_folder

CASES = int(os.environ.get("BUDGETSIM_FUZZ_CASES", "150"))


FEW = ("databases", "stores", "tasks", "weights", "checkpoints")  # files are written for each
NEEDED = {"weights": "torch", "ggufs": "gguf", "checkpoints": "torch", "servers": "openai"}


def doors():
    """Each with its marks: some take seconds a case, some train."""
    marks = {"databases": [pytest.mark.slow], "stores": [pytest.mark.slow], "checkpoints": [pytest.mark.train]}
    return [pytest.param(door, marks=marks.get(door, [])) for door in fuzzing.DOORS]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
@pytest.mark.parametrize("door", doors())
def test_an_attack_is_refused_or_harmless(door, tmp_path):
    cases = max(CASES // 5, 10) if door in FEW else CASES
    outcomes = [(case, *fuzzing.attack(door, case, tmp_path)) for case in range(cases)]
    assert [failed for failed in outcomes if failed[1] not in ("accepted", "refused")] == []
    assert {outcome for _, outcome, _ in outcomes} == {"accepted", "refused"}  # neither shut nor wide open
    assert all(words for _, outcome, words in outcomes if outcome == "refused")


@pytest.mark.parametrize("door", doors())
def test_what_was_not_touched_is_accepted(door, tmp_path, monkeypatch):
    pytest.importorskip(NEEDED.get(door, "budgetsim"))
    for name in ("hurt_text", "hurt_value", "hurt_bytes", "hurt_http"):
        for module in (fuzzing, fuzzing_models, fuzzing_servers, fuzzing_stores, fuzzing_tasks):
            monkeypatch.setattr(module, name, lambda whole, rng: whole, raising=False)
    assert fuzzing.attack(door, 0, tmp_path) == ("accepted", "")


def test_a_store_of_damaged_shards_agrees_with_its_text(tmp_path):
    """Forty damaged run files at once: the good ones go in, and the database says what the text says, and no more."""
    rng = random.Random(7)
    incoming, paths = tmp_path / "incoming", StorePaths(tmp_path / "own" / "budgetsim.duckdb")
    incoming.mkdir()
    for file in rng.sample(fuzzing.SHARDS, 40):
        text = file.read_text(encoding="utf-8")
        (incoming / file.name).write_bytes(fuzzing.hurt_text(text, rng).encode("utf-8", "surrogatepass"))
    good = fuzzing.SHARDS[0]
    (incoming / good.name).write_text(good.read_text(encoding="utf-8"), encoding="utf-8")
    report = merge_folder(paths, incoming)
    assert report.added["runs"] >= 1
    assert len(report.refused) >= 20
    assert check(paths) == []
    assert merge(paths).total == 0

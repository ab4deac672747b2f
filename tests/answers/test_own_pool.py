"""The unlabelled texts of a user's own task bound every answer as `--pool` does, unless that is given."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import budgetsim.data.tasks as tasks
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import NO_TERMS, own_pool
from budgetsim.data.tasks import TASKS
from budgetsim_cli.main import app
from made import ROOT

CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
COMMANDS = {
    "optimize": ("--budget", "1500"),
    "optimize --target": ("--target", "55", "--chance", "0.4"),
    "frontier": ("--max-budget", "1500", "--points", "8"),
    "next": ("--budget", "1500"),
    "sensitivity": ("--budget", "1500", "--card", "cheap-2026"),
}


@pytest.fixture(autouse=True)
def _at_home(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)


def with_texts(monkeypatch, n):
    own = {**tasks._registry, "stance": replace(TASKS["stance"], n_unlabeled=n)}
    monkeypatch.setattr(tasks, "_registry", own)


def answer(command, *more):
    words = [command.split()[0], "--task", "stance", "--json", "--rates", "rates.yaml", *COMMANDS[command], *more]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return without_notes(json.loads(done.stdout)), done.stdout


def without_notes(value):
    if isinstance(value, dict):
        return {k: without_notes(v) for k, v in value.items() if k != "notes"}
    return [without_notes(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", COMMANDS)
def test_the_texts_of_a_task_are_its_pool(monkeypatch, command):
    free, _ = answer(command)
    asked, _ = answer(command, "--pool", "500")
    assert asked != free  # else 500 bounds nothing here
    with_texts(monkeypatch, 500)
    own, text = answer(command)
    assert own == asked
    assert "the 500 unlabelled texts that stance has" in text
    said, text = answer(command, "--pool", "100000")
    assert said == free
    assert "unlabelled texts that stance has" not in text


def test_a_task_without_texts_is_offered_nothing_that_needs_them(monkeypatch):
    with_texts(monkeypatch, 0)
    own, text = answer("optimize")
    offered = {a["strategy"] for a in own["tasks"]["stance"]["allocations"] if a["score"] is not None}
    assert offered == {"annotate", "constant"}
    assert "stance has no unlabelled texts" in text


@pytest.mark.parametrize(
    ("pool", "n", "wanted"),
    [(None, None, None), (None, 500, 500), (800, 500, None), (None, 10**6, None)],
    ids=["none of its own", "its own", "told otherwise", "the card has fewer"],
)
def test_the_smaller_of_card_and_task_bounds(pool, n, wanted):
    task = replace(TASKS["stance"], n_unlabeled=n)
    assert own_pool(NO_TERMS._replace(pool=pool), CARD, task) == wanted


def test_a_simulated_point_beyond_the_pool_says_so(monkeypatch):
    with_texts(monkeypatch, 500)
    words = ("simulate", "--task", "stance", "--strategy", "distill", "--n-labels", "500", "--n-unlabeled")
    for n, said in ((400, False), (900, True)):
        done = CliRunner().invoke(app, [*words, str(n), "--json"])
        (point,) = json.loads(done.stdout)["points"]
        assert ("more than the 500 unlabelled texts" in (point["reason"] or "")) is said
        assert point["score"] is not None

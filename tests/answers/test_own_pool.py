"""The texts of a user's own task bound every answer: the pool as `--pool` does, labels as `--max-labels` does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import budgetsim.data.tasks as tasks
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import NO_TERMS, label_bound, own_pool
from budgetsim.data.tasks import TASKS
from budgetsim_cli.main import app
from made import ROOT

CARD = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
TEXTS_TO_TEACH = ("--strategy", "distill", "--strategy", "annotate")  # the other strategies are in the other answers
COMMANDS = {
    "optimize": ("--budget", "1500"),
    "optimize --target": ("--target", "55", "--chance", "0.4"),
    "frontier": ("--max-budget", "1500", "--points", "8"),
    "next": ("--budget", "1500", *TEXTS_TO_TEACH),
    "sensitivity": ("--budget", "1500", "--card", "cheap-2026", *TEXTS_TO_TEACH),
}


@pytest.fixture(autouse=True)
def _at_home(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)


def with_texts(monkeypatch, n, n_train=None):
    own = {**tasks._registry, "stance": replace(TASKS["stance"], n_unlabeled=n, n_train=n_train)}
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


@pytest.mark.parametrize("command", ["optimize", "frontier", "next", "sensitivity"])
def test_no_more_labels_than_texts(monkeypatch, command):
    """300 texts with a label and 1,000 without: what 1,300 labels that people can give and a pool of 1,000 allow."""
    asked, _ = answer(command, "--max-labels", "1300", "--pool", "1000")
    free, _ = answer(command, "--pool", "1000")
    assert asked != free  # else 1,300 bound nothing here
    with_texts(monkeypatch, 1000, n_train=300)
    own, text = answer(command)
    assert own == asked
    assert "o plan asks for more labels than stance has texts: 1,300, of which 300 have a label now" in text


@pytest.mark.parametrize(
    ("said", "n_train", "n_unlabeled", "wanted"),
    [
        ({}, None, 500, None),
        ({}, 200, 500, 700),
        ({}, 200, 0, 200),
        ({"pool": 50}, 200, 500, 250),  # told otherwise
        ({}, 200, 10**6, 100_200),  # the card has fewer
        ({"owned_labels": 100.0}, 200, 500, 700),  # of texts that are there
        ({"owned_labels": 900.0}, 200, 500, 900),  # then there are as many
    ],
)
def test_a_text_takes_one_label(said, n_train, n_unlabeled, wanted):
    task = replace(TASKS["stance"], n_train=n_train, n_unlabeled=n_unlabeled)
    assert label_bound(NO_TERMS._replace(**said), CARD, task) == wanted


def test_fewer_labels_than_texts_may_be_said_and_not_more(monkeypatch):
    with_texts(monkeypatch, 1000, n_train=300)

    def most(*more):
        own, _ = answer("optimize", *more, "--strategy", "annotate")
        return max(a["n_labels"] or 0 for a in own["tasks"]["stance"]["allocations"])

    _, text = answer("optimize", "--strategy", "annotate")
    assert "ll 1,300 texts that the task has would carry a label: more labels need more texts" in text
    assert most("--max-labels", "1200") == 1200
    assert most("--max-labels", "1100", "--owned-labels", "20") == 1120
    assert most("--max-labels", "5000") == most() == 1300
    assert most("--pool", "1100") == 1400


@pytest.mark.parametrize("command", ["optimize", "frontier", "next"])
def test_nobody_owns_more_labels_than_there_are_texts(monkeypatch, command):
    """300 texts with a label and 1,000 without carry 1,300 labels; a task whose texts nobody counted carries any."""
    words = [command, "--task", "stance", "--strategy", "annotate", "--rates", "rates.yaml", *COMMANDS[command][:2]]
    assert CliRunner().invoke(app, [*words, "--owned-labels", "1301"]).exit_code == 0
    with_texts(monkeypatch, 1000, n_train=300)
    refused = CliRunner().invoke(app, [*words, "--owned-labels", "1301"])
    assert str(refused.exception) == (
        "--owned-labels: found 1,301, and stance has 1,300 texts, of which 300 have a label in its files. Give how "
        "many labels are paid for, e.g. --owned-labels 300; --pool N says that there are more unlabelled texts."
    )
    assert CliRunner().invoke(app, [*words, "--owned-labels", "1300"]).exit_code == 0
    assert CliRunner().invoke(app, [*words, "--owned-labels", "1301", "--pool", "1001"]).exit_code == 0


def test_a_simulated_point_of_more_labels_than_texts_says_so(monkeypatch):
    with_texts(monkeypatch, 500, n_train=200)
    words = ("simulate", "--task", "stance", "--strategy", "annotate", "--n-labels")
    for n, said in ((700, False), (701, True)):
        done = CliRunner().invoke(app, [*words, str(n), "--json"])
        (point,) = json.loads(done.stdout)["points"]
        assert ("n_labels is more than the 700 texts that the task has" in (point["reason"] or "")) is said
        assert point["score"] is not None

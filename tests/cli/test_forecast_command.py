"""Answers for tasks on which nothing, or next to nothing, was run: real commands on a store of what ships."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from made import run_cli
from made_runs import ship_some

LIKE = "single:classes=5,metric=accuracy,floor=20"
ROOT = Path(__file__).parents[2]
CARD = ROOT / "rates.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store of its own, made of some of what ships, and a card with a price of any label."""
    folder = tmp_path_factory.mktemp("forecast")
    ship_some(folder)
    text = CARD.read_text(encoding="utf-8")
    default = '  default: {usd_per_label: 0.2, source: "a test", as_of: 2026-01-01}\n  wlp:\n'
    (folder / "rates.yaml").write_text(text.replace("  wlp:\n", default, 1), encoding="utf-8")
    return folder


def ask(home: Path, *words: str) -> dict:
    result = run_cli(*words, "--rates", "rates.yaml", "--json", store=home / "budgetsim.duckdb", cwd=home)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_described_task_gets_a_plan_and_says_what_it_rests_on(home):
    task = ask(home, "optimize", "--budget", "500", "--like", LIKE)["tasks"]["described"]
    best = task["allocations"][task["recommended"]]
    assert task["evidence_set"] == "other-tasks"
    assert best["evidence"]["source"] == "other tasks"
    assert best["upper"] - best["lower"] > 15  # nobody has seen the task
    assert 20 <= best["lower"] < best["score"] < best["upper"] <= 100
    assert any(note.startswith("To know described better, measure first: ") for note in task["notes"])


def test_the_page_begins_with_what_is_known(home):
    result = run_cli("optimize", "--budget", "500", "--like", LIKE, "--rates", "rates.yaml",
                     store=home / "budgetsim.duckdb", cwd=home)  # fmt: skip
    first = result.stdout.strip().splitlines()[0]
    assert first.startswith("Nothing was run on described: forecast from ")
    assert "Which plan: " in first
    assert "which score: within " in first
    assert "results of the same models on other tasks; nothing of it was run on this task" in result.stdout
    task = ask(home, "optimize", "--budget", "500", "--like", LIKE)["tasks"]["described"]
    chance = task["allocations"][task["recommended"]]["p_best"]
    assert f"({chance:.0%}".replace("%", " % sure)") in first  # of the plan that follows, as its row says


def test_the_report_opens_with_what_the_command_line_says_of_it(home):
    """What is known, and how good an LLM has to be: that is worked out once, for the settings the page opens with."""
    asked = ("--budget", "500", "--like", LIKE, "--rates", "rates.yaml")
    wrote = run_cli("report", *asked, "--no-next", "-o", "page.html", store=home / "budgetsim.duckdb", cwd=home)
    assert wrote.returncode == 0, wrote.stderr
    html = (home / "page.html").read_text(encoding="utf-8")
    (task,) = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', html, re.DOTALL)[1])["tasks"]
    said = run_cli("optimize", *asked, store=home / "budgetsim.duckdb", cwd=home).stdout.splitlines()
    share = re.compile(r"Which plan: [a-z ]+ \(\d+ % sure\)")  # of the plan of the moment, which the page works out
    assert share.sub("", task["known"][0]) == share.sub("", said[0]) != said[0]
    assert task["needed"] == [line for line in said if line.startswith("Labels of an LLM would do as well from ")]
    assert len(task["needed"]) == 1
    assert any("measure first" in note for note in task["notes"])  # no runs are ranked on this page


@pytest.mark.parametrize("words", [["frontier"], ["next"], ["sensitivity", "--budget", "500"]])
def test_every_command_answers_for_it(home, words):
    assert "described" in ask(home, *words, "--like", LIKE)["tasks"]


def test_what_to_run_next_is_answered_once(home):
    """The ranked runs say what to measure; the note for those who do not ask that names other runs, for another end."""
    notes = ask(home, "next", "--like", LIKE)["tasks"]["described"]["notes"]
    assert not any("measure first" in note for note in notes)


def test_one_point_of_it_is_answered(home):
    (point,) = ask(home, "simulate", "--strategy", "annotate", "--student", "encoder-lr", "--n-labels", "500",
                   "--like", LIKE)["points"]  # fmt: skip
    assert (point["source"], point["kind"]) == ("other tasks", "interpolated")
    assert point["cost_usd"] == pytest.approx(100.0, abs=0.1)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("round:classes=5", "--like: found kind 'round', wanted single, pair"),
        ("single:classes=1", "--like, classes: found '1', wanted a whole number from 2 to 10,000"),
        ("single:colour=red", "--like: found 'colour', wanted classes"),
        ("single:metric=beauty", "--like, metric: found 'beauty'"),
    ],
)
def test_a_wrong_description_says_what_is_wanted(home, like, message):
    result = run_cli("optimize", "--budget", "500", "--like", like, store=home / "budgetsim.duckdb", cwd=home)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr


def test_a_name_that_ships_cannot_be_described_anew(home):
    result = run_cli("optimize", "--budget", "500", "--task", "stance", "--like", LIKE,
                     store=home / "budgetsim.duckdb", cwd=home)  # fmt: skip
    assert (result.returncode, "choose another name" in result.stderr) == (2, True)


def test_a_file_is_answered_but_for_the_points_nobody_knows(home):
    """Of five points three cannot be answered, each for a reason of its own; exit 0, and 4 where none can."""
    head = "task,strategy,student,n_labels\n"
    bad = "stance,annotate,nobody,100\nnope,annotate,,100\nnope,constant,,\n"
    (home / "some.csv").write_text(head + "stance,annotate,,100\nstance,constant,,\n" + bad, encoding="utf-8")
    (home / "none.csv").write_text(head + bad, encoding="utf-8")
    points = ask(home, "simulate", "--points", "some.csv")["points"]
    assert [p["score"] is None for p in points] == [False, False, True, True, True]
    none = run_cli(
        "simulate", "--points", "none.csv", "--rates", "rates.yaml", store=home / "budgetsim.duckdb", cwd=home
    )
    assert none.returncode == 4

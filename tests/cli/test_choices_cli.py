"""Objectives, targets, bounds, deadlines and owning as a user types them."""

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from budgetsim.errors import BudgetsimError, InputError, NoEvidenceError
from budgetsim_cli.main import app
from made import ROOT

SCHEMA = json.loads((ROOT / "docs" / "reference" / "schemas" / "optimize.json").read_text())
STANCE = (
    "--task",
    "stance",
    "--store",
    str(ROOT / "results" / "budgetsim.duckdb"),
    "--rates",
    str(ROOT / "rates.yaml"),
)


def run(*arguments, exit_code=0):
    """In this process; an expected error comes back as such (main turns it into a line and a code)."""
    done = CliRunner().invoke(app, ["optimize", *STANCE, *arguments])
    code = done.exception.exit_code if isinstance(done.exception, BudgetsimError) else done.exit_code
    assert code == exit_code, done.output
    return done


def json_of(*arguments, **more):
    data = json.loads(run(*arguments, "--json", **more).stdout)
    jsonschema.validate(data, SCHEMA)
    return data["tasks"]["stance"]


def test_a_plain_answer_says_what_a_hundred_dollars_more_would_do():
    task = json_of("--budget", "700")
    assert (task["choose"], task["level"], task["owning"]) == ("mean", None, None)
    assert 0 < task["shadow_price"]["gain"] < task["shadow_price"]["loss"] < 3
    assert "The next $100 would add" in run("--budget", "700", "--explain").stdout


def test_risk_and_regret_order_by_what_was_asked():
    for words, sign in ((("--risk", "0.1"), 1), (("--choose", "regret"), -1)):
        words = (*words, "--student", "t5-v1_1-small")
        task = json_of("--budget", "300", *words)
        asked = [sign * a["objective"] for a in task["allocations"] if a["feasible"]]
        assert asked == sorted(asked, reverse=True)
        assert " % of cases" in task["summary"]
    assert task["changes"] is None
    assert task["shadow_price"] is None


def test_a_target_alone_is_answered_without_a_budget_and_its_own_budget_is_enough():
    alone = json_of("--target", "57")["target"]
    plan = alone["reached"][0]
    assert plan["chance"] >= alone["wanted_chance"] == 0.9
    cost = plan["allocation"]["cost_usd"]
    task = json_of("--target", "57", "--budget", f"{cost + 0.01}")
    assert task["target"]["suffices"]
    less = json_of("--target", "57", "--budget", f"{0.9 * cost}")
    assert not less["target"]["suffices"]
    assert less["recommended"] is not None


def test_a_target_out_of_reach_exits_3_and_says_how_likely_it_gets():
    done = run("--target", "62", "--chance", "0.95", exit_code=3)
    assert "the highest chance of f1 62 or more in one new run is" in done.stdout
    assert "new run" in done.stdout


def test_owning_a_teacher_or_labels_is_told_with_its_worth():
    labels = json_of("--budget", "300", "--owned-labels", "500")["owning"]
    assert labels["score"] > labels["score_without"]
    assert labels["worth_usd"] == pytest.approx(500 * 0.364, rel=0.01)
    task = json_of("--budget", "300", "--owned-teacher", "t5-v1_1-xxl:5000")
    best = task["allocations"][task["recommended"]]
    assert (best["n_labels"], best["costs"]["labels"], best["costs"]["teacher"]) == (5000, 0, 0)
    assert any("neither is paid for" in note for note in best["notes"])
    assert any("do not count as owned" in note for note in task["notes"])


def test_a_fresh_teacher_on_fewer_labels_is_not_forbidden_by_an_owned_one():
    """Beyond its best size an owned teacher may be worse than a fresh one: at 10,000 texts multipit_gen falls."""
    words = (
        "--task multipit_gen --budget 10000 --pool 10000 --owned-teacher t5-v1_1-xxl:100000 --strategy distill".split()
    )
    done = CliRunner().invoke(app, ["optimize", *STANCE[2:], *words, "--json"])
    task = json.loads(done.stdout)["tasks"]["multipit_gen"]
    best = task["allocations"][task["recommended"]]
    assert best["n_labels"] < 100_000
    assert task["owning"]["score"] >= task["owning"]["score_without"]
    assert any("is left aside" in note for note in best["notes"])


def test_quantiles_are_called_quantiles():
    shown = run("--budget", "300", "--risk", "0.1", "--explain").stdout
    assert "already buys a 10 % quantile of " in shown
    assert "points of the 10 % quantile" in shown


def test_time_alone_leaves_out_nothing_that_takes_none():
    plain, timed = (json_of("--budget", "300", *words)["allocations"] for words in ((), ("--labels-per-day", "100")))
    assert {a["strategy"] for a in timed if a["feasible"]} == {a["strategy"] for a in plain if a["feasible"]}


def test_bounds_and_deadline_are_kept_and_said():
    words = ("--deadline", "20", "--labels-per-day", "100", "--gpus", "2", "--max-labels", "1500", "--pool", "50000")
    task = json_of("--budget", "2000", *words)
    best = task["allocations"][task["recommended"]]
    assert (best["n_labels"], best["n_unlabeled"]) == (1500, 50_000)
    assert 15 < best["days"] <= 20
    assert {
        "all 1,500 labels that people can give are used",
        "all 50,000 texts of the pool are used: with more of them the answer may be another",
    } <= set(best["notes"])
    hurried = json_of("--budget", "2000", "--deadline", "5", "--labels-per-day", "100")
    best = hurried["allocations"][hurried["recommended"]]
    assert best["days"] <= 5
    assert any("the deadline of 5 days bounds labels" in note for note in best["notes"])
    assert any("day and night" in note for note in hurried["notes"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Give --budget"),
        (("--budget", "9", "--risk", "1.5"), "--risk: found 1.5, wanted a share"),
        (("--budget", "9", "--risk", "0.1", "--choose", "regret"), "choose one of them"),
        (("--budget", "9", "--choose", "luck"), "--choose: found 'luck', wanted mean or regret"),
        (("--target", "0"), "--target: found 0"),
        (("--target", "nan"), "--target: found nan"),
        (("--target", "60", "--chance", "1"), "--chance: found 1"),
        (("--budget", "9", "--chance", "0.9"), "--chance belongs to a --target"),
        (("--budget", "9", "--deadline", "30"), "--deadline needs to know .* add --labels-per-day N"),
        (("--budget", "9", "--gpus", "2"), "--gpus needs to know"),
        (("--budget", "9", "--deadline", "0", "--labels-per-day", "9"), "--deadline: found 0"),
        (("--budget", "9", "--labels-per-day", "inf"), "--labels-per-day: found inf"),
        (("--budget", "9", "--owned-teacher", "t5-v1_1-xxl"), "--owned-teacher: found 't5-v1_1-xxl', wanted MODEL:N"),
        (("--budget", "9", "--owned-teacher", "a:5", "--task", "nq"), "tuned for one task"),
    ],
)
def test_bad_input_says_what_was_found_and_wanted(words, message):
    error = run(*words, exit_code=2).exception
    assert isinstance(error, InputError)
    with pytest.raises(InputError, match=message):
        raise error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--strategy", "distill_plus_llm"), "nothing is published or measured"),
        (("--owned-teacher", "t5-v1_1-xxl:5000000"), "scores are known up to .* labels; the owned teacher has more"),
        (("--owned-teacher", "bert:50"), "no fitted teacher bert on stance; it has t5-v1_1-xxl"),
    ],
)
def test_what_nobody_has_run_is_not_offered(words, message):
    error = run("--budget", "900", *words, exit_code=4).exception
    with pytest.raises(NoEvidenceError, match=message):
        raise error

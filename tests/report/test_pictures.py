"""Pictures of answers hold the numbers of the answers, and are written before nobody's eyes but as files and text."""

from __future__ import annotations

import numpy as np
import pytest

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.optimize import optimize_task
from budgetsim.economics.frontier import trace_frontier
from budgetsim.report.pictures import Bars, budget_chart, frontier_chart, picture_text, save_pictures
from budgetsim.store.location import StorePaths
from budgetsim_cli.console import read_rates
from made import ROOT, run_cli

EVIDENCE = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), "published")
OPEN = choices(EVIDENCE, "stance", Pricing(read_rates(ROOT / "rates.yaml")))


def test_a_chart_of_budgets_passes_through_the_plans_of_optimize():
    answer = optimize_task(OPEN.task, OPEN.options, 2000)
    chart = budget_chart(OPEN.task, OPEN.options, 2000)
    for plan in answer.allocations[:-1]:
        if plan.route.kind.is_trained:
            line = next(line for line in chart.lines if line.label == plan.label)
            at = np.interp(np.log(2000), np.log(line.usd), line.score)
            assert at == pytest.approx(plan.score, abs=0.2)  # straight between 40 budgets
            assert (line.lower[np.isfinite(line.score)] <= line.score[np.isfinite(line.score)]).all()


def test_a_budget_that_buys_nothing_of_a_route_has_no_point():
    chart = budget_chart(OPEN.task, OPEN.options, 60)
    distill = next(line for line in chart.lines if line.label.startswith("distill"))
    assert np.isnan(distill.score[0])
    assert np.isfinite(distill.score[-1])


def test_the_frontier_is_drawn_point_by_point():
    frontier = trace_frontier(OPEN.task, OPEN.options, 5000, n_budgets=12)
    chart = frontier_chart(frontier, "f1")
    drawn = sum(int(np.isfinite(line.score).sum()) for line in chart.lines)
    assert drawn == sum(p.allocation.cost_usd > 0 for p in frontier.points)


def test_bars_in_text_lie_between_their_ends():
    lines = picture_text(Bars(title="t", unit="points", rows=(("wide", 0.0, 10.0), ("narrow", 4.0, 6.0)), now=5.0))
    assert lines[0] == "t (points)"
    wide, narrow = (line.count("=") + line.count("|") for line in lines[1:])
    assert wide == 30
    assert narrow == pytest.approx(30 / 5, abs=1.1)
    assert lines[1].index("|") == lines[2].index("|")


def test_text_names_every_letter():
    lines = picture_text(budget_chart(OPEN.task, OPEN.options, 2000, [(10.92, 53.3)]))
    for letter in "abcd":
        assert any(line.startswith(f"  {letter} ") for line in lines)
    assert "  x measured here" in lines
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
def test_pictures_are_written(tmp_path, name, start):
    chart = budget_chart(OPEN.task, OPEN.options, 2000)
    file = save_pictures([chart, Bars(title="t", unit="u", rows=(("a", 0.0, 1.0),), now=0.5)], tmp_path / name)
    assert file.read_bytes().startswith(start)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("optimize", "--budget", "2000"),
        ("frontier", "--points", "8"),
        ("sensitivity", "--budget", "2000"),
        ("next", "--budget", "2000"),
        ("fit",),
    ],
)
def test_every_command_draws_to_a_file_and_to_the_terminal(tmp_path, store, command):
    file = tmp_path / "a.svg"
    words = (*command, "--task", "stance")
    drawn = run_cli(*words, "--plot", str(file), store=store.database)
    assert drawn.returncode == 0, drawn.stderr
    assert "Drew" in drawn.stderr
    assert b"<svg" in file.read_bytes()
    shown = run_cli(*words, "--plot", "-", store=store.database)
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout) > len(drawn.stdout) or command == ("fit",)


@pytest.mark.parametrize("command", [("optimize", "--budget", "2000"), ("frontier",), ("fit",)])
def test_a_name_that_no_picture_has_is_refused_before_anything_is_worked_out(tmp_path, store, command):
    done = run_cli(*command, "--task", "stance", "--plot", "a.pdf", store=store.database)
    assert (done.returncode, done.stdout) == (2, "")
    assert "wanted a name that ends in .png or .svg" in done.stderr

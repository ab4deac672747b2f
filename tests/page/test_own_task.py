"""The page of a task of one's own with few runs: the command line's rule for own runs, and the bound of its texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import Evidence, load_evidence
from budgetsim.answers.reply import reply
from budgetsim.answers.rivals import rivals
from budgetsim.choosing.optimize import TaskAnswer, optimize_task
from budgetsim.choosing.remarks import OwnRunsTooFew
from budgetsim.data import custom, tasks
from budgetsim.page.payload import Payload, Source, collect
from budgetsim.report.advice import advice_lines, headline
from budgetsim.report.cautions import forecast_words
from budgetsim.report.remarks import answer_words
from budgetsim.store.location import StorePaths
from made import ROOT
from page.node import in_node
from page.settings import TODAY, as_packed, compare, for_page, numbers, pricing_of, random_settings

OWN = ("wnut17", "css_ibc")  # both have runs of their own, fewer than a fit takes
BUDGETS = (20.0, 45.0, 300.0)
MANY = (3, pytest.param(8, marks=pytest.mark.slow))  # random settings besides
PLAIN: dict[str, Any] = {
    "prices": {"labels": 0.364, "GPU": 1.875, "LLM_mtok": 20.0, "texts": 0.0},
    "owned": 0, "maxLabels": None, "pool": None, "perDay": None, "gpus": 1, "days": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def own() -> Iterator[Evidence]:
    """Evidence of tasks that ship as somebody's own, forecast with their few runs."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((tasks, "_registry"), (custom, "_folders")):
            patch.setattr(module, name, dict(getattr(module, name)))
        custom.register_custom_tasks(ROOT / "results" / "tasks")
        yield load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), tasks=OWN)


def doubtful(own: Evidence) -> Evidence:
    """The same, where other tasks put two layers first, and the task's own runs all six by half a point, give or take
    five: less than anybody leaves a plan for."""
    fit = own.forecasts["wnut17"]
    two = next(s for s in fit.surfaces if s.route.short == "annotate ft:minilm:layers=2")
    two = replace(two, draws=0.5 * two.draws)
    known = two.draws.mean(axis=0)
    half_a_point = np.random.default_rng(0).normal(0.005, 0.05, (len(two.draws), 1))
    half_a_point += 0.005 - half_a_point.mean()
    made = {
        "annotate ft:minilm:layers=2": replace(two, before=known),
        "annotate ft:minilm": replace(two, draws=two.draws + half_a_point, before=known - 0.05),
    }
    surfaces = [
        replace(made[s.route.short], route=s.route) if s.route.short in made
        else replace(s, draws=0.3 * s.draws, before=0.3 * s.draws.mean(axis=0))
        for s in fit.surfaces
    ]  # fmt: skip
    return replace(own, forecasts={**own.forecasts, "wnut17": replace(fit, surfaces=tuple(surfaces))})


def page_of(own: Evidence, task: str) -> Payload:
    pricing = pricing_of({"task": task, **PLAIN})
    return collect([Source(evidence=own, choices=choices(own, task, pricing))], pricing, 100.0, TODAY)


def in_python(own: Evidence, settings: dict[str, Any]) -> TaskAnswer:
    open_to = choices(own, settings["task"], pricing_of(settings))
    return optimize_task(open_to.task, open_to.options, settings["budget"])


def both(node: str, own: Evidence, asked: list[dict[str, Any]]) -> list[tuple[dict[str, Any], TaskAnswer]]:
    """What the page and Python answer to settings of one task, found to be the same."""
    told = in_node(node, page_of(own, asked[0]["task"]), [for_page(s) for s in asked])
    answers = [(page, in_python(own, s)) for page, s in zip(told, asked, strict=True)]
    for page, answer in answers:
        compare(page, numbers(answer), {})
        assert page["doubt"] == [answer_words(r) for r in answer.remarks if isinstance(r, OwnRunsTooFew)]
    return answers


@pytest.mark.parametrize("n", MANY)
def test_own_runs_that_tell_too_little_do_not_move_the_page_either(node: str, own: Evidence, n: int) -> None:
    asked = [{"task": "wnut17", "budget": usd, **PLAIN} for usd in BUDGETS]
    answers = both(node, doubtful(own), [*asked, *random_settings(n, seed=5, tasks=("wnut17",))])
    doubted = [answer for page, answer in answers if page["doubt"]]
    assert len(doubted) >= len(BUDGETS)
    assert all(answer.best is not answer.allocations[0] for answer in doubted)
    both(node, own, asked)  # as the evidence has it, doubted or not
    fit = own.forecasts["wnut17"]
    bare = replace(fit, surfaces=tuple(replace(s, before=None) for s in fit.surfaces))  # nothing to leave
    sure = replace(own, forecasts={**own.forecasts, "wnut17": bare})
    assert not any(page["doubt"] for page, _ in both(node, sure, asked))


@pytest.mark.parametrize("n", MANY)
def test_the_page_asks_for_no_more_labels_than_a_task_has_texts(node: str, own: Evidence, n: int) -> None:
    """css_ibc has 297 texts, all with a label; who owns 400 labels, or has 50 texts besides, can use as many."""
    changes = [{}, {"pool": 50}, {"owned": 400}, {"maxLabels": 100}, {"maxLabels": 900, "owned": 100}]
    answers = both(node, own, [{"task": "css_ibc", "budget": 5000.0, **PLAIN, **change} for change in changes])
    most = [max(a.design.n_labels for a in answer.allocations) for _, answer in answers]
    assert most == [297, 347, 400, 100, 297]
    both(node, own, random_settings(n, seed=6, tasks=("css_ibc",)))


@pytest.mark.parametrize("task", OWN)
def test_the_page_of_a_forecast_says_what_the_command_line_says(node: str, own: Evidence, task: str) -> None:
    """What is known and from how many own designs, the plan in dollars as they are read, what to do, what it rests on."""
    page = page_of(own, task)
    asked = [{"task": task, "budget": usd, **PLAIN} for usd in BUDGETS]
    (shown,) = page.data["tasks"]
    assert shown["known"] == [forecast_words(c) for c in own.forecasts[task].cautions]
    assert f"{task} is forecast from" in shown["known"][0]
    for settings, told in zip(asked, in_node(node, page, [for_page(s) for s in asked]), strict=True):
        pricing = pricing_of(settings)
        open_to = as_packed(choices(own, task, pricing), page.packed)  # else the last digit may differ
        said = reply(
            optimize_task(open_to.task, open_to.options, settings["budget"]), open_to, rivals(own, task, pricing)
        )
        lines = advice_lines(said.advice, said.answer, open_to, said.learners)
        assert told["lines"][0] == headline(said.advice, said.answer, open_to.task.metric)
        assert [line for line in told["lines"][1:] if line not in lines] == []
        assert any(line.startswith("The plan: ") for line in told["lines"])
        assert any(line.startswith("It rests on ") for line in told["lines"])

"""Random settings of the page's sliders, and what Python answers to them: the numbers that `optimize` prints."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budgetsim.answers.advice import advise
from budgetsim.answers.choices import EVERYTHING, Choices, choices, rivals
from budgetsim.answers.evidence import Evidence, load_evidence
from budgetsim.answers.learners import learner_rows
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.optimize import TaskAnswer, optimize_task
from budgetsim.choosing.targets import STOP_WITHIN
from budgetsim.choosing.winners import HAIR
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import NO_TERMS
from budgetsim.data.tasks import get_task
from budgetsim.page.payload import Payload, Source, collect
from budgetsim.report.advice import headline
from budgetsim.store.location import locate
from budgetsim_cli.console import read_rates
from made import ROOT

TODAY = date(2026, 11, 24)
PAPER_TASKS = ("fever", "multipit_gen", "multipit_id", "nq", "stance", "wlp")


@cache
def evidence(folder: Path, name: str | None = None) -> Evidence:
    """The evidence that ships, in a store of its own."""
    return load_evidence(locate(folder / "budgetsim.duckdb"), name)


def card() -> RateCard:
    return read_rates(ROOT / "rates.yaml")


def payload(folder: Path, *tasks: str, pricing: Pricing | None = None, budget_usd: float = 2000.0) -> Payload:
    """What a page of some tasks rests on."""
    found, priced = evidence(folder), pricing or Pricing(card())
    sources = [Source(evidence=found, choices=choices(found, task, priced)) for task in tasks]
    return collect(sources, priced, budget_usd, TODAY)


def random_settings(n: int, seed: int, tasks: tuple[str, ...] = PAPER_TASKS) -> list[dict[str, Any]]:
    """Settings as the page has them, over the whole range of its sliders; of each bound some are not set."""
    random = np.random.default_rng(seed)

    def some(value: float) -> float | None:
        return value if random.random() < 0.5 else None

    def between(low: float, high: float) -> float:
        return float(np.exp(random.uniform(np.log(low), np.log(high))))

    out = []
    for k in range(n):
        per_day = some(round(between(10, 2000)))
        out.append(
            {
                "task": tasks[k % len(tasks)],
                "budget": round(between(20, 50_000), 2),
                "prices": {"labels": round(between(0.01, 5), 3), "GPU": round(between(0.1, 20), 3)}
                | {"LLM_mtok": round(between(0.05, 60), 4), "texts": some(round(between(1e-4, 0.05), 5)) or 0.0},
                "owned": int(random.choice([0, 0, 100, 1000, 7000])),
                "maxLabels": some(int(between(50, 50_000))),
                "pool": some(int(between(100, 1_000_000))),
                "perDay": per_day,
                "gpus": int(random.choice([1, 4, 8])),
                "days": None if per_day is None else some(round(between(1, 365), 1)),
            }
        )
    return out


def repriced(settings: dict[str, Any]) -> RateCard:
    """The card with the prices of some settings."""
    rates, task, prices = card(), settings["task"], settings["prices"]
    usd = {name: Decimal(repr(value)) for name, value in prices.items()}
    label, pool = rates.label_price(task), rates.pool(task)
    assert label is not None
    assert pool is not None
    assert rates.gpu is not None
    assert rates.llm is not None
    llm = {"usd_per_mtok_input": usd["LLM_mtok"], "usd_per_mtok_output": usd["LLM_mtok"]}
    return rates.model_copy(
        update={
            "labels": {task: label.model_copy(update={"usd_per_label": usd["labels"]})},
            "gpu": rates.gpu.model_copy(update={"usd_per_hour": usd["GPU"]}),
            "llm": rates.llm.model_copy(update=llm),
            "pools": {task: pool.model_copy(update={"usd_per_text": usd["texts"]})},
        }
    )


def for_page(settings: dict[str, Any]) -> dict[str, Any]:
    """The same settings in the page's own units: an LLM's price is that of a label."""
    from budgetsim.costs.model import llm_usd_per_label

    llm = repriced(settings).llm
    assert llm is not None
    prices = {k: v for k, v in settings["prices"].items() if k != "LLM_mtok"}
    prices["LLM"] = llm_usd_per_label(llm, get_task(settings["task"]))
    return {**settings, "prices": prices}


def pricing_of(settings: dict[str, Any]) -> Pricing:
    terms = NO_TERMS._replace(
        owned_labels=float(settings["owned"]),
        max_labels=settings["maxLabels"],
        pool=settings["pool"],
        labels_per_day=settings["perDay"],
        gpus=settings["gpus"],
    )
    if settings["days"] is not None:
        terms = terms._replace(deadline_days=settings["days"])
    return Pricing(repriced(settings), "published", terms)


def answer(folder: Path, settings: dict[str, Any]) -> tuple[Choices, TaskAnswer]:
    """What `optimize` answers under some settings."""
    open_to = choices(evidence(folder), settings["task"], pricing_of(settings), EVERYTHING)
    return open_to, optimize_task(open_to.task, open_to.options, settings["budget"])


def numbers(result: TaskAnswer) -> dict[str, Any]:
    """The numbers of an answer that are compared: by route the plan, and what stands beside it."""
    plans = {
        "|".join(a.route.sort_key): {
            "plan": {name: getattr(a.design, name) for name in a.route.kind.inputs},
            "usd": a.cost_usd,
            "score": a.score,
            "lower": a.lower,
            "upper": a.upper,
            "days": a.days,
            "pBest": a.standing.p_best if a.standing else None,
        }
        for a in result.allocations
    }
    stop, shadow = result.stop_here, result.shadow
    return {
        "best": "|".join(result.best.route.sort_key),
        "plans": plans,
        "stop": None if stop is None else {"usd": stop.budget_usd, "score": stop.score},
        "shadow": None if shadow is None else {"gain": shadow.gain, "loss": shadow.loss},
        "changes": [[c.price, c.factor, "|".join(c.instead.sort_key)] for c in result.changes or ()],
    }


def first_line(folder: Path, settings: dict[str, Any], open_to: Choices, result: TaskAnswer) -> str:
    """The advice that `optimize` begins with."""
    measured = rivals(evidence(folder), settings["task"], pricing_of(settings))
    rows = [learner_rows(measured, result.budget_usd, within) for within in (HAIR, STOP_WITHIN)]
    return headline(advise(result, *rows), result, open_to.task.metric)


TOLD = """(a) => ({
  best: a.best.option ? a.best.option.route : "constant|||",
  plans: Object.fromEntries(a.plans.map((p) => [p.option ? p.option.route : "constant|||",
    { plan: p.plan, usd: p.usd, score: p.score, lower: p.lower, upper: p.upper, days: p.days, pBest: p.pBest }])),
  stop: a.stop && { usd: a.stop.usd, score: a.stop.score },
  shadow: a.shadow,
  changes: a.changes.map((c) => [c.price, c.factor, c.route === "constant" ? "constant|||" : c.route]),
})"""  # the same numbers of the page's own answer


def compare(told: dict[str, Any], wanted: dict[str, Any], worst: dict[str, float]) -> None:
    """Check one answer of the page against Python's; `worst` keeps the largest differences."""
    assert told["best"] == wanted["best"]
    assert told["plans"].keys() == wanted["plans"].keys()
    for route, plan in wanted["plans"].items():
        page = told["plans"][route]
        assert page["plan"] == plan["plan"], route
        for name in ("score", "lower", "upper"):
            worst[name] = max(worst.get(name, 0.0), abs(page[name] - plan[name]))
        assert page["usd"] == pytest.approx(plan["usd"], rel=1e-9, abs=1e-9)
        assert page["days"] == pytest.approx(plan["days"], rel=1e-9) if plan["days"] is not None else True
        assert page["pBest"] == pytest.approx(plan["pBest"], abs=0.02)  # draws of the page are rounded: ties
    for part in ("stop", "shadow"):
        assert told[part] == pytest.approx(wanted[part], rel=1e-6, abs=1e-6)
    assert [c[::2] for c in told["changes"]] == [c[::2] for c in wanted["changes"]]
    assert [c[1] for c in told["changes"]] == pytest.approx([c[1] for c in wanted["changes"]], rel=1e-6)
    assert all(worst[name] <= 0.05 for name in ("score", "lower", "upper")), worst

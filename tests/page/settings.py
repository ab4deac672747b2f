"""Random settings of the page's sliders, and what Python answers to them: the numbers that `optimize` prints."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest

from budgetsim.answers.choices import EVERYTHING, Choices, choices
from budgetsim.answers.evidence import Evidence, load_evidence
from budgetsim.answers.learners import learner_rows
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.reply import reply
from budgetsim.answers.rivals import rivals
from budgetsim.answers.serving import serving_of
from budgetsim.choosing.goals import Goal, GoalPlan, reach_target
from budgetsim.choosing.optimize import TaskAnswer, optimize_task
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import NO_TERMS
from budgetsim.data.tasks import get_task
from budgetsim.design.surface import Surface
from budgetsim.page.packing import UNIT, Packed
from budgetsim.page.payload import Payload, Source, collect
from budgetsim.report.advice import advice_lines, headline
from budgetsim.store.location import StorePaths
from budgetsim_cli.console import read_rates
from made import ROOT

TODAY = date(2026, 11, 24)
PAPER_TASKS = ("fever", "multipit_gen", "multipit_id", "nq", "stance", "wlp")


@cache
def evidence(name: str | None = None) -> Evidence:
    """The evidence that ships."""
    return load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), name)


@cache
def card() -> RateCard:
    return read_rates(ROOT / "rates.yaml")


def payload(*tasks: str, pricing: Pricing | None = None, budget_usd: float = 2000.0) -> Payload:
    """What a page of some tasks rests on; of the card's prices it is made once."""
    return _payload(tasks, budget_usd) if pricing is None else make_payload(tasks, pricing, budget_usd)


@cache
def _payload(tasks: tuple[str, ...], budget_usd: float) -> Payload:
    return make_payload(tasks, Pricing(card()), budget_usd)


def make_payload(tasks: tuple[str, ...], priced: Pricing, budget_usd: float) -> Payload:
    """What a page of some tasks rests on under some prices."""
    found = evidence()
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


def random_aims(n: int, seed: int, tasks: tuple[str, ...] = PAPER_TASKS) -> list[dict[str, Any]]:
    """Random settings in which something else is asked for than the highest mean: bad luck, a target, serving."""
    random = np.random.default_rng(seed)
    out = []
    for settings in random_settings(n, seed, tasks):
        floor = 100 * get_task(settings["task"]).constant_score
        out.append(
            settings
            | {
                "risk": round(float(random.uniform(0.02, 0.6)), 3),
                "target": round(min(floor + float(random.uniform(0.5, 30)), 99.0), 1),
                "chance": round(float(random.uniform(0.3, 0.97)), 3),
                "serve": round(float(np.exp(random.uniform(np.log(1e3), np.log(1e7))))),
            }
        )
    return out


def repriced(settings: dict[str, Any]) -> RateCard:
    """The card with the prices of some settings."""
    rates, task, prices = card(), settings["task"], settings["prices"]
    usd = {name: Decimal(repr(value)) for name, value in prices.items()}
    label, pool = rates.label_price(task) or rates.label_price("stance"), rates.pool(task)
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


def answer(settings: dict[str, Any]) -> tuple[Choices, TaskAnswer]:
    """What `optimize` answers under some settings."""
    open_to = choices(evidence(), settings["task"], pricing_of(settings), EVERYTHING)
    return open_to, optimize_as_asked(open_to, settings)


def optimize_as_asked(open_to: Choices, settings: dict[str, Any]) -> TaskAnswer:
    """The answer for the mean, or for the quantile that some settings name."""
    risk, budget = settings.get("risk"), settings["budget"]
    if risk is None:
        return optimize_task(open_to.task, open_to.options, budget)
    return optimize_task(open_to.task, open_to.options, budget, choose="quantile", level=risk)


def as_packed(open_to: Choices, packed: Packed) -> Choices:
    """The same choices on the draws that the page holds, which are rounded."""
    return replace(open_to, options=tuple(replace(o, surface=rounded(o.surface, packed.step)) for o in open_to.options))


def rounded(surface: Surface, step: int) -> Surface:
    """A surface with its draws in whole steps and its noise in whole units, as `pack` stores them."""
    draws = np.rint(surface.draws / (UNIT * step)) * (UNIT * step)
    return replace(surface, draws=draws, run_noise=np.rint(surface.run_noise / UNIT) * UNIT)


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
    if result.choose == "quantile":
        for a in result.allocations:
            assert a.standing is not None
            plans["|".join(a.route.sort_key)]["worth"] = a.standing.objective
    return {
        "best": "|".join(result.best.route.sort_key),
        "plans": plans,
        "stop": None if stop is None else {"usd": stop.budget_usd, "score": stop.score},
        "shadow": None if shadow is None else {"gain": shadow.gain, "loss": shadow.loss},
        "changes": [[c.price, c.factor, "|".join(c.instead.sort_key)] for c in result.changes or ()],
    }


def words_of(settings: dict[str, Any], open_to: Choices, result: TaskAnswer) -> list[str]:
    """What `optimize` says before its table: the advice, what it beats, rests on, was chosen for and changes with."""
    told = reply(result, open_to, rivals(evidence(), settings["task"], pricing_of(settings)))
    head = headline(told.advice, result, open_to.task.metric)
    return [head, *advice_lines(told.advice, result, open_to, told.learners)]


TOLD = """(a) => ({
  best: a.best.option ? a.best.option.route : "constant|||",
  plans: Object.fromEntries(a.plans.map((p) => [p.option ? p.option.route : "constant|||",
    { plan: p.plan, usd: p.usd, score: p.score, lower: p.lower, upper: p.upper, days: p.days, pBest: p.pBest, worth: 100 * p.worth }])),
  stop: a.stop && { usd: a.stop.usd, score: 100 * a.stop.worth },
  shadow: a.shadow,
  changes: (a.changes ?? []).map((c) => [c.price, c.factor, c.route === "constant" ? "constant|||" : c.route]),
})"""  # the same numbers of the page's own answer


GOAL_TOLD = """(g) => {
  const told = (p) => p && ({ route: p.option ? p.option.route : "constant|||", plan: p.plan, usd: p.usd, score: p.score, chance: p.chance });
  return { reached: g.reached.map(told), short: g.short.map(told), atBudget: told(g.atBudget), suffices: g.suffices };
}"""
SERVING_TOLD = """(task, s, cpu) => ({
  callers: callersOf(task, s).map((c) => [c.model, c.score, callerCost(c, s), callerMonth(c, s)]),
  students: learnerRows(rivalsOf(task, s), s.budget).map((r) => [r.student, studentMonth(r.ms_per_text, task, s, cpu)]),
})"""


def goal_numbers(goal: Goal) -> dict[str, Any]:
    """The numbers of a target that are compared."""

    def told(p: GoalPlan) -> dict[str, Any]:
        a = p.allocation
        plan = {name: getattr(a.design, name) for name in a.route.kind.inputs}
        return {
            "route": "|".join(a.route.sort_key), "plan": plan, "usd": a.cost_usd, "score": a.score, "chance": p.chance,
        }  # fmt: skip

    assert goal.at_budget is not None
    return {
        "reached": [told(p) for p in goal.reached],
        "short": [told(p) for p in goal.short],
        "atBudget": told(goal.at_budget),
        "suffices": goal.suffices,
    }


def reach(open_to: Choices, settings: dict[str, Any]) -> Goal:
    """What `optimize --target` answers."""
    return reach_target(
        open_to.task, open_to.options, settings["target"], settings["chance"], budget_usd=settings["budget"]
    )


def serving_numbers(settings: dict[str, Any]) -> dict[str, Any]:
    """What `optimize --serve` says: dollars a month of every LLM and measured student."""
    priced = pricing_of(settings)
    told = serving_of(evidence(), get_task(settings["task"]), priced, settings["serve"])
    card_cpu, texts = priced.card.cpu, settings["serve"]
    students = learner_rows(rivals(evidence(), settings["task"], priced), settings["budget"])
    assert card_cpu is not None
    hour = float(card_cpu.usd_per_device_hour)
    return {
        "callers": [
            [c.model, c.score, c.cost_usd, None if c.usd_per_text is None else c.usd_per_text * texts]
            for c in told.callers
        ],
        "students": [
            [r.student, None if r.ms_per_text is None else r.ms_per_text / 3.6e6 * texts * hour] for r in students
        ],
    }


def compare(told: dict[str, Any], wanted: dict[str, Any], worst: dict[str, float]) -> None:
    """Check one answer of the page against Python's; `worst` keeps the largest differences."""
    assert told["best"] == wanted["best"]
    assert told["plans"].keys() == wanted["plans"].keys()
    for route, plan in wanted["plans"].items():
        page = told["plans"][route]
        assert page["plan"] == plan["plan"], route
        for name in ("score", "lower", "upper", *({"worth"} & plan.keys())):
            worst[name] = max(worst.get(name, 0.0), abs(page[name] - plan[name]))
        assert page["usd"] == pytest.approx(plan["usd"], rel=1e-9, abs=1e-9)
        assert page["days"] == pytest.approx(plan["days"], rel=1e-9) if plan["days"] is not None else True
        assert page["pBest"] == pytest.approx(plan["pBest"], abs=0.02)  # draws of the page are rounded: ties
    for part in ("stop", "shadow"):
        near = wanted[part] and pytest.approx(wanted[part], rel=1e-6, abs=1e-6)
        assert told[part] == near
    assert [c[::2] for c in told["changes"]] == [c[::2] for c in wanted["changes"]]
    assert [c[1] for c in told["changes"]] == pytest.approx([c[1] for c in wanted["changes"]], rel=1e-6)
    assert all(worst.get(name, 0.0) <= 0.05 for name in ("score", "lower", "upper", "worth")), worst


def compare_goal(told: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Check what the page says of a target against Python on the same draws.

    Plans that reach it are the same. Of those that fall short the chance is: it moves in steps of a world, so that many
    plans are equally likely, and the last digit of a sum decides which of them is named.
    """
    near = {"abs": 0.0051}  # two worlds of 400
    page, python = told["reached"], wanted["reached"]
    assert [(p["route"], p["plan"]) for p in page] == [(p["route"], p["plan"]) for p in python]
    assert [p["chance"] for p in page] == pytest.approx([p["chance"] for p in python], **near)
    assert [p["usd"] for p in page] == pytest.approx([p["usd"] for p in python], rel=1e-9, abs=1e-9)
    chances = [{p["route"]: p["chance"] for p in goal["short"]} for goal in (told, wanted)]
    assert chances[0] == pytest.approx(chances[1], **near)
    assert told["atBudget"]["chance"] == pytest.approx(wanted["atBudget"]["chance"], **near)
    assert told["suffices"] == wanted["suffices"]


def compare_unrounded(
    told: dict[str, Any], settings: dict[str, Any], open_to: Choices, worst: dict[str, float]
) -> None:
    """Check the page, whose draws are rounded, against what the command line answers from its own draws."""
    answered = numbers(optimize_as_asked(open_to, settings))
    for route, plan in answered["plans"].items():
        worst["quantile"] = max(worst.get("quantile", 0.0), abs(told["plans"][route]["worth"] - plan["worth"]))
    goal, first = goal_numbers(reach(open_to, settings)), "reached"
    worst["targets"] = worst.get("targets", 0) + 1
    if not goal[first] or not told["goal"][first]:
        worst["reach differs"] = worst.get("reach differs", 0) + (bool(goal[first]) != bool(told["goal"][first]))
        return
    page, python = told["goal"][first][0]["usd"], goal[first][0]["usd"]
    worst["target usd"] = max(worst.get("target usd", 0.0), abs(page - python) / max(python, 1.0))

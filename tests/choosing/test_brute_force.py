"""Every whole count tried, on random fits and random rate cards: nothing beats the search, and it keeps to the budget."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.optimize import optimize_task
from budgetsim.costs.hours import Hours
from budgetsim.costs.rates import parse_rates
from budgetsim.costs.terms import Terms
from budgetsim.data.tasks import TASKS
from budgetsim.design.surface import interpolate
from budgetsim.store.location import StorePaths
from made import ROOT, made_cost, make_option, make_surface

CARD = (ROOT / "rates.yaml").read_text(encoding="utf-8")
TASK = replace(TASKS["stance"], constant_score=0.1)
N = np.array([0.0, 8.3, 31.7, 90.2, 240.6])  # as fits have them: from zero, and not whole
U = np.array([0.0, 20.4, 101.5, 380.9])
KNOTS = {"n_labels": N, "n_llm_labels": U, "n_unlabeled": U}
CLOSE = 0.001  # a tenth of a point


def random_draws(rng, knots):
    """Curved worlds that saturate at different places, some falling again where texts crowd out labels."""
    grid = np.meshgrid(*[np.log1p(k) / np.log1p(k[-1]) for k in knots], indexing="ij")
    draws = np.full((20, *grid[0].shape), 0.1)
    for x in grid:
        lift, place = rng.uniform(0.1, 0.4, 20), rng.uniform(0.1, 0.9, 20)
        steep = rng.uniform(2, 12, 20)
        lift, place, steep = (v.reshape(-1, *[1] * len(grid)) for v in (lift, place, steep))
        draws = draws + lift / (1 + np.exp(-steep * (x - place)))
    crowd = rng.uniform(-0.2, 0.1) * grid[0] * grid[-1]
    return np.clip(draws + crowd, 0, 1)


def random_card(rng):
    """The card with other prices, pools and overheads."""
    changed = {
        "usd_per_label: 0.364": f"usd_per_label: {rng.uniform(0.05, 1):.3f}",
        "usd_per_hour: 1.875": f"usd_per_hour: {rng.uniform(0.2, 5):.3f}",
        "usd_per_mtok_input: 20": f"usd_per_mtok_input: {rng.uniform(1, 80):.2f}",
        "size: 100000": f"size: {rng.integers(15, 500)}",
        "usd_per_text: 0": f"usd_per_text: {rng.choice([0, 0.01, 0.05])}",
        "dev_labels: 0": f"dev_labels: {rng.integers(0, 8)}",
        "runs_per_model: 1": f"runs_per_model: {rng.integers(1, 4)}",
        "fixed_usd: 0": f"fixed_usd: {rng.integers(0, 3)}",
        "charge_student_training: true": f"charge_student_training: {'true' if rng.random() < 0.5 else 'false'}",
    }
    text = CARD
    for old, new in changed.items():
        assert old in text, old
        text = text.replace(old, new)
    return parse_rates(text)


def random_hours(rng):
    """A teacher whose fine-tuning rises in steps, flat at first."""
    steps = np.cumsum(rng.uniform(0, 2, 3))
    return Hours(
        model="made",
        device_class="gpu",
        teacher_n=(10.0, 50.0, 150.0),
        teacher_hours=(float(steps[0]), float(steps[0]), float(steps[2])),
        label_text=float(rng.uniform(0, 0.02)),
        train_text=float(rng.uniform(0.001, 0.03)),
        train_label=float(rng.uniform(0, 0.02)),
    )


def random_options(seed):
    """All four strategies under one card."""
    rng = np.random.default_rng(seed)
    card, hours, owned = random_card(rng), random_hours(rng), float(rng.choice([0, 0, 25, 120]))
    options = []
    for strategy, names in {
        "annotate": ("n_labels",),
        "distill": ("n_labels", "n_unlabeled"),
        "llm_annotate": ("n_llm_labels",),
        "annotate_plus_llm": ("n_labels", "n_llm_labels"),
    }.items():
        knots = tuple(KNOTS[name] for name in names)
        surface = make_surface(random_draws(rng, knots), knots, strategy=strategy)
        options.append(make_option(surface, made_cost(strategy, TASK, card, hours, Terms(owned_labels=owned))))
    return options


def best_of_all(option, budget, ends):
    """The highest mean score over every whole count from one to `ends` that the budget pays for."""
    names, s = option.surface.inputs, option.surface
    axes = [np.arange(1, min(end, option.cost.limit(n)) + 1) for n, end in zip(names, ends, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(names)).astype(float)
    x = x[option.cost.total(dict(zip(names, x.T, strict=True))) <= budget * (1 + 1e-9)]
    return interpolate(s.knots, s.mean_table(), x).max() if len(x) else -np.inf


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.floats(0.2, 200))
def test_nothing_beats_the_search_on_random_fits_and_cards(seed, budget):
    options = random_options(seed)
    answer = optimize_task(TASK, options, budget)
    of_strategy = {a.route.strategy: a for a in answer.allocations}
    every = [TASK.constant_score]
    for o in options:
        wanted = best_of_all(o, budget, [k[-1] for k in o.surface.knots])
        found = of_strategy.get(o.route.strategy)
        assert (found is not None) == np.isfinite(wanted)
        if found is not None:
            assert found.cost_usd <= budget * (1 + 1e-6)
            assert wanted - CLOSE <= found.score / 100 <= wanted + 1e-9
            every.append(wanted)
    assert answer.best.score / 100 == pytest.approx(max(every), abs=CLOSE)


@pytest.mark.parametrize(("task", "budget"), [("stance", 30.0), ("wlp", 23.24), ("multipit_gen", 44.8)])
def test_nothing_beats_the_search_on_the_shipped_fits(task, budget):
    """Small budgets, so that every pair can be tried, and where one label more or less matters most."""
    evidence = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), "published")
    found = choices(evidence, task, Pricing(parse_rates(CARD)))
    for option in found.options:
        ones = dict.fromkeys(option.surface.inputs, 1.0)
        ends = [float(option.cost.max_units(n, budget, {k: 1.0 for k in ones if k != n})) for n in ones]
        choice = allocate(option.surface, option.cost, [budget])
        wanted = best_of_all(option, budget, ends)
        assert wanted - CLOSE <= choice.value[0] <= wanted + 1e-9, option.label

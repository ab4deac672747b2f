"""How fast and how well budgets are split: ours against a dense lattice and against NSGA-II.

`OMP_NUM_THREADS=1 python bench/allocate.py [--rounds 5] [--rivals lattice,nsga2,worlds]`, 2 to 3 minutes.

All use the shipped fits (400 draws), the default card and the same 200 budgets. Seconds are of CPU, the least of
several rounds; on a busy machine the ratios come out lower, as small arrays suffer more from shared caches.

lattice : every pair of whole counts from LATTICE sizes an axis, spread evenly on a log scale. The strongest plain
    version: scores of the mean table (not of 400 tables), cost computed once, points sorted by cost, the best score so
    far taken cumulatively, all budgets looked up at once. LATTICE is the smallest of 200, 400, 800 ... that is within
    0.1 points of ours at every budget of every option. `masked` is the same without sorting: a mask a budget.
nsga2 : pymoo's NSGA-II on one task and its two-input strategy, dollars against mean score (the same vectorised table).
    Its front is read off at the 200 budgets; a budget counts as solved within 0.1 points of the best that ours or it
    finds. Of several population sizes the cheapest per solved budget is taken. And once for a single budget at a time,
    as a constraint. pymoo is no dependency: `pip install 'budgetsim[bench]'`; without it the rival is left out.
worlds : the best in each of the 400 worlds (the reference of regret): ours on the knots, against a lattice of draws.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from budgetsim.answers.choices import Choices, open_choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.allocate import FINE, prepare
from budgetsim.choosing.options import Option
from budgetsim.costs.rates import parse_rates
from budgetsim.design.arrays import Floats
from budgetsim.design.surface import interpolate
from budgetsim.store.location import locate
from studies.scoring import print_table

ROOT = Path(__file__).parents[1]
BUDGETS = np.geomspace(10, 5000, 200)
LATTICE = 1600  # see above: 800 is up to 0.13 points below
LATTICES = (200, 400, 800, 1600)
LINE = 20_000  # sizes where there is one input
WORLDS_LATTICE = 200
CLOSE = 0.1  # points
TASK = "stance"  # for NSGA-II
POPULATIONS = ((100, 100), (200, 60), (400, 40), (800, 80), (1600, 80))  # individuals, generations
SINGLE = (50, 60)


class Timed(NamedTuple):
    """What a way of solving reaches at each budget, and the CPU seconds it took."""

    value: Floats  # (..., budgets), percent; -inf where nothing is bought
    seconds: float


def timed(solve: Callable[[], Floats], rounds: int) -> Timed:
    """The shortest of several rounds."""
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        value = solve()
        best = min(best, time.process_time() - start)
    return Timed(100 * value, best)


def ours(option: Option) -> Floats:
    """As `optimize` does it, from the 400 draws on."""
    search = prepare(option.surface, option.surface.mean_table(), option.cost, FINE)
    return search.best(option.cost, BUDGETS).value


def points(option: Option, k: int) -> Floats:
    """(points, inputs): the lattice of whole counts."""
    ends = [
        min(knots[-1], option.cost.limit(n))
        for n, knots in zip(option.surface.inputs, option.surface.knots, strict=True)
    ]
    count = k if len(ends) > 1 else LINE
    axes = [np.unique(np.round(np.geomspace(1, end, count))) for end in ends]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def cost_of(option: Option, x: Floats) -> Floats:
    return option.cost.total(dict(zip(option.surface.inputs, x.T, strict=True)))


def lattice(option: Option, k: int) -> Floats:
    """Sorted by cost: every budget is one look-up."""
    x = points(option, k)
    return looked_up(cost_of(option, x), interpolate(option.surface.knots, option.surface.mean_table(), x))


def looked_up(cost: Floats, score: Floats) -> Floats:
    """The best score (..., points) that each budget reaches."""
    order = np.argsort(cost, kind="stable")
    best = np.maximum.accumulate(score[..., order], axis=-1)
    at = np.searchsorted(cost[order], BUDGETS * (1 + 1e-9), side="right") - 1
    return np.where(at >= 0, best[..., np.maximum(at, 0)], -np.inf)


def masked(option: Option, k: int) -> Floats:
    """A mask a budget."""
    x = points(option, k)
    cost, score = cost_of(option, x), interpolate(option.surface.knots, option.surface.mean_table(), x)
    return np.array([score[cost <= b * (1 + 1e-9)].max(initial=-np.inf) for b in BUDGETS])


def gap(better: Floats, worse: Floats) -> float:
    """The most that one lies above the other at any budget, points."""
    both = np.isfinite(better) & np.isfinite(worse)
    return float((better - worse)[both].max(initial=0.0))


def against_lattice(tasks: Sequence[Choices], rounds: int) -> None:
    """Time and gap, a row a task; before it, the gap by lattice."""
    options = [o for t in tasks for o in t.options]
    mine = {id(o): timed(lambda o=o: ours(o), rounds) for o in options}
    print("\n## Score gap by lattice: the most it lies below ours at any budget of any option, points")
    gaps = [max(gap(mine[id(o)].value, 100 * lattice(o, k)) for o in options) for k in LATTICES]
    print_table([f"{k} x {k}" for k in LATTICES], [gaps])
    body: list[list[object]] = []
    for t in tasks:
        rival = [timed(lambda o=o: lattice(o, LATTICE), rounds) for o in t.options]
        plain = [timed(lambda o=o: masked(o, LATTICE), 1) for o in t.options]
        own = [mine[id(o)] for o in t.options]
        body.append(
            [t.task.name, len(own), sum(r.seconds for r in own), sum(r.seconds for r in rival),
             sum(r.seconds for r in plain), max(gap(a.value, b.value) for a, b in zip(own, rival, strict=True)),
             max(gap(b.value, a.value) for a, b in zip(own, rival, strict=True))]
        )  # fmt: skip
    columns = list(zip(*body, strict=True))
    body.append(["all", *(sum(c) for c in columns[1:5]), *(max(c) for c in columns[5:])])
    for row in body:
        row[5:5] = [f"{row[3] / row[2]:.0f}x", f"{row[4] / row[2]:.0f}x"]
    draws = options[0].surface.n_draws
    print(f"\n## {len(BUDGETS)} budgets, means over {draws} draws; lattice {LATTICE} x {LATTICE}; seconds and points")
    print_table(
        ["task", "options", "ours", "lattice", "masked", "lattice / ours", "masked / ours", "ours above", "ours below"],
        body,
    )


def against_worlds(tasks: Sequence[Choices], rounds: int) -> None:
    """The best in every world, distilling only: the dearest surfaces."""
    body: list[list[object]] = []
    for t in tasks:
        option = next(o for o in t.options if o.surface.route.strategy == "distill")
        own = timed(lambda o=option: prepare(o.surface, o.surface.draws, o.cost, 1).best(o.cost, BUDGETS).value, rounds)
        rival = timed(lambda o=option: worlds_lattice(o), 1)
        body.append([t.task.name, own.seconds, rival.seconds, f"{rival.seconds / own.seconds:.0f}x",
                     float(np.mean(own.value - rival.value)), gap(rival.value, own.value)])  # fmt: skip
    size = f"lattice {WORLDS_LATTICE} x {WORLDS_LATTICE}"
    print(f"\n## The best in each of 400 worlds at {len(BUDGETS)} budgets, distilling; {size}")
    print_table(["task", "ours", "lattice", "lattice / ours", "ours above, mean", "ours below, most"], body)


def worlds_lattice(option: Option) -> Floats:
    """Draws at every lattice point, a few worlds at a time to fit in memory."""
    x = points(option, WORLDS_LATTICE)
    cost, draws = cost_of(option, x), option.surface.draws
    parts = [interpolate(option.surface.knots, draws[i : i + 40], x) for i in range(0, len(draws), 40)]
    return np.concatenate([looked_up(cost, part) for part in parts])


def against_nsga2(option: Option, rounds: int) -> None:
    """One front for all budgets, and one run a budget."""
    try:
        problem = _problem(option, None)
    except ImportError as error:
        print(f"\nNSGA-II left out: {error}. Install it with `pip install 'budgetsim[bench]'`.")
        return
    own = timed(lambda: ours(option), rounds)
    each = own.seconds / len(BUDGETS)
    body: list[list[object]] = []
    for population, generations in POPULATIONS:
        rival = timed(lambda p=population, g=generations: looked_up(*_evolve(problem, p, g)), 1)
        best = np.maximum(rival.value, own.value)
        solved = int((rival.value >= best - CLOSE).sum())
        body.append([f"front, {population} x {generations}", rival.seconds, solved, gap(own.value, rival.value),
                     gap(rival.value, own.value), *_ratio(rival.seconds, solved, each)])  # fmt: skip
    body.append(_one_by_one(option, own, each))
    speed = f"ours: {own.seconds:.4f} s, {1e3 * each:.3f} ms a budget"
    print(f"\n## {option.label} on {TASK}, {len(BUDGETS)} budgets; {speed}")
    print_table(
        ["NSGA-II", "seconds", "solved", "ours above, most", "ours below, most", "ms a solved budget", "ratio"], body
    )


def _ratio(seconds: float, solved: int, each: float) -> list[object]:
    if not solved:
        return ["none solved", ""]
    return [f"{1e3 * seconds / solved:.1f}", f"{seconds / solved / each:,.0f}x"]


def _one_by_one(option: Option, own: Timed, each: float) -> list[object]:
    """Every twentieth budget as a constraint of its own."""
    picked = range(9, len(BUDGETS), 20)
    start = time.process_time()
    reached = []
    for i in picked:
        cost, score = _evolve(_problem(option, BUDGETS[i]), *SINGLE)
        reached.append(100 * score[cost <= BUDGETS[i] * (1 + 1e-9)].max(initial=-np.inf))
    seconds = time.process_time() - start
    mine = own.value[list(picked)]
    solved = int((np.array(reached) >= np.maximum(mine, reached) - CLOSE).sum())
    name = f"a budget a run, {SINGLE[0]} x {SINGLE[1]}, {len(picked)} budgets"
    return [name, seconds, solved, gap(mine, np.array(reached)), gap(np.array(reached), mine),
            *_ratio(seconds, solved, each)]  # fmt: skip


def _problem(option: Option, budget: float | None) -> Any:
    """Counts on the axis log(1 + n), rounded; dollars and score, or score within a budget."""
    from pymoo.core.problem import Problem

    table, knots = option.surface.mean_table(), option.surface.knots
    ends = [min(k[-1], option.cost.limit(n)) for n, k in zip(option.surface.inputs, knots, strict=True)]

    class Split(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(
                n_var=2,
                n_obj=2 if budget is None else 1,
                n_ieq_constr=0 if budget is None else 1,
                xl=np.log1p([1.0, 1.0]),
                xu=np.log1p(ends),
            )

        def _evaluate(self, x: Floats, out: dict[str, Any], *_: object, **__: object) -> None:
            counts = np.round(np.expm1(x)).clip(1, ends)
            cost, score = cost_of(option, counts), interpolate(knots, table, counts)
            out["F"] = np.stack([cost, -score], axis=1) if budget is None else -score[:, None]
            if budget is not None:
                out["G"] = cost[:, None] - budget
            self.cost = cost

    return Split()


def _evolve(problem: Any, population: int, generations: int) -> tuple[Floats, Floats]:
    """Cost and score of the last front (of the one best where a budget was set)."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.optimize import minimize

    found = minimize(problem, NSGA2(pop_size=population), ("n_gen", generations), seed=1, verbose=False)
    if found.X is None:
        return np.array([np.inf]), np.array([-np.inf])
    values = problem.evaluate(np.atleast_2d(found.X), return_values_of=["F"])
    return (values[:, 0], -values[:, 1]) if problem.n_obj == 2 else (problem.cost, -values[:, 0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rivals", default="lattice,worlds,nsga2")
    asked = parser.parse_args()
    card = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
    tasks = open_choices(load_evidence(locate(), "published"), None, Pricing(card))
    if "lattice" in asked.rivals:
        against_lattice(tasks, asked.rounds)
    if "worlds" in asked.rivals:
        against_worlds(tasks, asked.rounds)
    if "nsga2" in asked.rivals:
        options = next(t.options for t in tasks if t.task.name == TASK)
        against_nsga2(next(o for o in options if o.surface.route.strategy == "distill"), asked.rounds)


if __name__ == "__main__":
    main()

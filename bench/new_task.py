"""A task that nobody has run: every task left out whole and forecast, with 0, 1, 2 and 4 runs of its own, and a probe.

    python bench/new_task.py [--folds 4] [--steps 60] [--hypers FILE] [--no-fits]

Rivals: the mean of other tasks' shares above the floor, the task most alike in its traits, the task's own fit alone,
and its fit beside the others (today's tool where a route has fewer than five sizes). Hyperparameters are fitted to the
tasks of the other folds, so nothing of a task left out is known. A run of each design left out is predicted and held
against the mean of its runs. Regret is that of the plan chosen for eight budgets from $100 to $10,000 under the paper's
card, held against the task's own fit of all its rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "bench" / "studies"))

from scoring import crps, print_table  # noqa: E402

from budgetsim.answers.evidence import Evidence, load_evidence, task_fit  # noqa: E402
from budgetsim.answers.forecasting import Known  # noqa: E402
from budgetsim.answers.forecasting import known as gather_known  # noqa: E402
from budgetsim.answers.pricing import Pricing, priced_option  # noqa: E402
from budgetsim.choosing.optimize import optimize_task  # noqa: E402
from budgetsim.costs.rates import parse_rates  # noqa: E402
from budgetsim.data.tasks import TASKS, get_task  # noqa: E402
from budgetsim.design.arrays import Floats  # noqa: E402
from budgetsim.design.points import PAPER_STUDENT, PAPER_TEACHER, Measurement, Route  # noqa: E402
from budgetsim.design.surface import Surface, TaskFit  # noqa: E402
from budgetsim.fitting.task import fit_task  # noqa: E402
from budgetsim.forecast.calibrate import calibrate, spread  # noqa: E402
from budgetsim.forecast.facts import is_usable, learner_of  # noqa: E402
from budgetsim.forecast.gather import Seen  # noqa: E402
from budgetsim.forecast.process import Hypers, condition, error_variance, start  # noqa: E402
from budgetsim.forecast.scale import to_score  # noqa: E402
from budgetsim.forecast.tune import fit_hypers  # noqa: E402
from budgetsim.forecast.worlds import forecast_surfaces  # noqa: E402
from budgetsim.store.database import open_reader  # noqa: E402
from budgetsim.store.location import StorePaths  # noqa: E402
from budgetsim.store.measurements import load_measurements  # noqa: E402
from budgetsim.store.query import all_sets  # noqa: E402

STORE = StorePaths(ROOT / "results" / "budgetsim.duckdb")
BUDGETS = tuple(float(b) for b in np.geomspace(100, 10_000, 8).round())
ANNOTATE = Route(strategy="annotate", student=PAPER_STUDENT)
DISTILL = Route(strategy="distill", student=PAPER_STUDENT, teacher=PAPER_TEACHER)
PROBES = ("tfidf-lr", "encoder-lr", "logistic-tfidf", "logistic-embeddings")
PROBE_LABELS = 1000  # that a user may own
N_DRAWS = 400
Mask = np.ndarray


class Pool(NamedTuple):
    """Tasks of one source, what is predicted on them, and what a probe of them holds."""

    name: str
    tasks: list[str]
    wanted: Callable[[Route], bool]
    probe: tuple[str, ...]


class Left(NamedTuple):
    """A task left out: cells to predict, cells of its own that are known, those of them that a probe told of."""

    task: str
    target: Mask
    own: Mask
    probe: Mask


def pools(known: Known) -> list[Pool]:
    """The four sources."""
    names = [t for i, t in enumerate(known.seen.names.tasks) if (known.seen.cells.task == i).any()]
    paper = [t for t in names if t in TASKS]
    modern = sorted({m.task for m in known.rows if m.evidence_set.startswith("measured-cpu-modern")} & set(names))
    return [
        Pool("paper", paper, lambda r: r in (ANNOTATE, DISTILL), PROBES),
        Pool("nli", [t for t in names if t.startswith("nli-")], lambda r: "deberta" in r.student, PROBES),
        Pool("setfit", [t for t in names if t.startswith("setfit-")], lambda r: r.strategy == "annotate", ()),
        Pool("modern", modern, lambda r: r.student == "encoder-lr" and r.strategy == "annotate", ("tfidf-lr",)),
    ]


def routes_of(known: Known) -> dict[float, Route]:
    """Routes by the number of their learner."""
    by_name = {learner_of(m.route): m.route for m in known.rows}
    return {float(i): by_name[name] for name, i in known.seen.names.learners.items()}


def forecast_runs(known: Known, h: Hypers, left: Left, rng: np.random.Generator) -> Floats:
    """Draws of the mean of as many runs as each target cell is of."""
    seen = known.seen
    k = list(seen.names.tasks).index(left.task)
    use, at = (seen.cells.task != k) | left.own, seen.cells.pick(left.target)
    p = condition(seen.cells.pick(use), seen.z[use], seen.n_runs[use], at, h)
    sd = np.sqrt(error_variance(p.mean, at, seen.n_runs[left.target], h))
    return to_score(p.draws(N_DRAWS, rng) + sd * rng.standard_normal((N_DRAWS, len(at))), at.floor)


def other_shares(seen: Seen, task: int, i: int) -> tuple[Floats, Floats]:
    """Shares above the floor of the same learner on other tasks at the sizes of cell i, and those tasks' numbers."""
    c = seen.cells
    tasks = [j for j in np.unique(c.task[c.learner == c.learner[i]]) if j != task]
    shares = []
    for j in tasks:
        cells = np.flatnonzero((c.task == j) & (c.learner == c.learner[i]))
        away = np.abs(c.x[cells, 1] - c.x[i, 1])
        cells = cells[away < away.min() + 0.3]
        cells = cells[np.argsort(c.x[cells, 0], kind="stable")]
        score = to_score(seen.z[cells], c.floor[cells])
        shares.append(np.interp(c.x[i, 0], c.x[cells, 0], (score - c.floor[cells]) / (1 - c.floor[cells])))
    return np.array(shares), np.array(tasks)


def share_runs(known: Known, left: Left, rng: np.random.Generator, *, nearest: bool) -> Floats:
    """The mean of other tasks, or the one most alike in traits, spread as other tasks are."""
    seen, columns = known.seen, []
    for i in np.flatnonzero(left.target):
        shares, tasks = other_shares(seen, int(seen.cells.task[i]), i)
        middle = shares.mean()
        if nearest:
            traits = [seen.cells.traits[seen.cells.task == j][0] for j in tasks]
            middle = shares[int(((np.array(traits) - seen.cells.traits[i]) ** 2).sum(axis=1).argmin())]
        sd = shares.std(ddof=1) * np.sqrt(1 + 1 / len(shares)) if len(shares) > 1 else 0.3
        floor = seen.cells.floor[i]
        columns.append(np.clip(floor + (1 - floor) * (middle + sd * rng.standard_normal(N_DRAWS)), 0, 1))
    return np.column_stack(columns)


def fitted_runs(known: Known, left: Left, routes: Mapping[float, Route], *, alone: bool) -> Floats | None:
    """What a fit of the own runs says, alone or beside other tasks; None where some learner has no run."""
    seen = known.seen
    columns: dict[int, Floats] = {}
    for learner in np.unique(seen.cells.learner[left.target]):
        route = routes[float(learner)]
        rows = [m for m in known.rows if isinstance(m, Measurement) and m.route == route and is_usable(m)]
        cells = np.flatnonzero(left.own & (seen.cells.learner == learner))
        counts = {tuple(np.expm1(seen.cells.x[i]).round().tolist()) for i in cells}
        mine = [m for m in rows if m.task == left.task and (m.n_labels or 0, m.n_unlabeled or 0) in counts]
        if not mine:
            return None
        sets = {m.task: m.evidence_set for m in rows}  # one of each task
        others = [] if alone else [m for m in rows if m.task != left.task and m.evidence_set == sets[m.task]]
        mine = [replace(m, evidence_set="own") for m in mine]
        (surface,) = fit_task(mine, others=others).surfaces
        for i in np.flatnonzero(left.target & (seen.cells.learner == learner)):
            at = np.expm1(seen.cells.x[i])[: len(surface.inputs)]
            columns[int(i)] = (surface.at([at]) + surface.deviations([at]))[:, 0]
    return np.column_stack([columns[int(i)] for i in np.flatnonzero(left.target)])


def figures(runs: Floats, truth: Floats) -> list[float]:
    """RMSE and CRPS in points, and shares held by 50, 80 and 90 % intervals."""
    held = [np.quantile(runs, [0.5 - level / 2, 0.5 + level / 2], axis=0) for level in (0.5, 0.8, 0.9)]
    return [
        100 * float(np.sqrt(((runs.mean(axis=0) - truth) ** 2).mean())),
        100 * float(crps(runs, truth).mean()),
        *(float(((low <= truth) & (truth <= high)).mean()) for low, high in held),
    ]


def stages(known: Known, pool: Pool, task: str, routes: Mapping[float, Route]) -> Iterator[tuple[str, Left]]:
    """What is known of a task, step by step."""
    seen = known.seen
    mine = seen.cells.task == list(seen.names.tasks).index(task)
    target = mine & np.array([pool.wanted(routes[float(k)]) for k in seen.cells.learner])
    if not target.any():
        return
    probe = mine & np.array([routes[float(k)].student in pool.probe for k in seen.cells.learner])
    probe &= ~target & (seen.cells.x[:, 0] <= np.log1p(PROBE_LABELS) + 1e-9)
    for n in (0, 1, 2, 4):
        own = spread(seen, target, n)
        if not (target & ~own).any():
            return
        yield f"{n} runs", Left(task, target & ~own, own, own & False)
        if probe.any():
            yield f"probe + {n} runs", Left(task, target & ~own, own | probe, probe)


def scores(known: Known, hypers: Mapping[str, Hypers], *, fits: bool = True) -> None:
    """A table a pool: a line a stage and method, means over its tasks."""
    routes = routes_of(known)
    for pool in pools(known):
        found: dict[tuple[str, str], dict[str, list[float]]] = {}
        for task in pool.tasks:
            for stage, left in stages(known, pool, task, routes):
                rng = np.random.default_rng(0)
                truth = to_score(known.seen.z[left.target], known.seen.cells.floor[left.target])
                methods: dict[str, Floats | None] = {"forecast": forecast_runs(known, hypers[task], left, rng)}
                if not stage.startswith("probe"):
                    methods |= {
                        "mean of others": share_runs(known, left, rng, nearest=False),
                        "nearest task": share_runs(known, left, rng, nearest=True),
                    }
                    if fits and not stage.startswith("0"):
                        methods["own fit alone"] = fitted_runs(known, left, routes, alone=True)
                        methods["today's lean"] = fitted_runs(known, left, routes, alone=False)
                for name, runs in methods.items():
                    if runs is not None:
                        found.setdefault((stage, name), {})[task] = figures(runs, truth)
        report(pool, found)


def report(pool: Pool, found: Mapping[tuple[str, str], Mapping[str, Sequence[float]]]) -> None:
    """Lines with a probe are over the tasks that have one; so are their rivals, beside them in the last column."""
    body = []
    for (stage, name), by_task in sorted(found.items(), key=lambda item: (item[0][0].startswith("p"), item[0])):
        means = np.mean(list(by_task.values()), axis=0)
        rivals = []
        for rival in ("mean of others", "today's lean"):
            same = found.get((stage.removeprefix("probe + "), rival), {})
            both = [t for t in by_task if t in same]
            if both and name == "forecast":
                mine, theirs = (np.mean([each[t][1] for t in both]) for each in (by_task, same))
                rivals.append(f"{100 * (mine / theirs - 1):+.0f} %")
            else:
                rivals.append("-")
        body.append([stage, name, len(by_task), *(f"{v:.2f}" for v in means), *rivals])
    print(f"\n## {pool.name}: {len(pool.tasks)} tasks")
    heads = ["known", "method", "tasks", "RMSE", "CRPS", "50 %", "80 %", "90 %", "CRPS to mean", "CRPS to lean"]
    print_table(heads, body)


def regrets(known: Known, hypers: Mapping[str, Hypers]) -> None:
    """Regret of the plan on the paper's six tasks."""
    evidence = load_evidence(STORE)
    card = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
    price = Pricing(card)
    full = {task: task_fit(evidence, task) for task in TASKS}
    routes = routes_of(known)
    pool = pools(known)[0]
    found: dict[str, list[float]] = {}
    for task in TASKS:
        best = [_plans(evidence, price, task, _both(full[task]), b) for b in BUDGETS]
        for stage, left in stages(known, pool, task, routes):
            seen = _only(known.seen, task, left)
            surfaces = forecast_surfaces(seen, hypers[task], task, [ANNOTATE, DISTILL])
            found.setdefault(f"{stage}: forecast", []).append(_regret(evidence, price, task, full, surfaces, best))
        for name, surfaces in _rivals(known, task, full).items():
            found.setdefault(name, []).append(_regret(evidence, price, task, full, surfaces, best))
    print(f"\n## regret, points: six tasks, {len(BUDGETS)} budgets from ${BUDGETS[0]:,.0f} to ${BUDGETS[-1]:,.0f}")
    body = [
        [name, len(each), f"{np.mean(each):.2f}", f"{np.std(each, ddof=1) / len(each) ** 0.5:.2f}", f"{max(each):.2f}"]
        for name, each in found.items()
    ]
    print_table(["known: method", "tasks", "mean", "s.e. over tasks", "worst task"], body)


def _both(fit: TaskFit) -> list[Surface]:
    return [s for s in fit.surfaces if s.route in (ANNOTATE, DISTILL)]


def _only(seen: Seen, task: str, left: Left) -> Seen:
    keep = (seen.cells.task != list(seen.names.tasks).index(task)) | left.own
    return replace(seen, probed=seen.probed | left.probe).pick(keep)


def _rivals(known: Known, task: str, full: Mapping[str, TaskFit]) -> dict[str, list[Surface]]:
    """The mean share of the other fits, and that of the fit of the task most alike."""
    facts = known.seen.names.tasks
    others = [t for t in TASKS if t != task]
    traits = np.array([facts[t].traits for t in others]) - np.array(facts[task].traits)
    nearest = [others[int((traits**2).sum(axis=1).argmin())]]
    return {
        "0 runs: mean of others": _mean_share(task, full, others),
        "0 runs: nearest task": _mean_share(task, full, nearest),
    }


def _mean_share(task: str, full: Mapping[str, TaskFit], others: Sequence[str]) -> list[Surface]:
    out = []
    floor = get_task(task).constant_score
    for own in _both(full[task]):
        knots = np.stack(np.meshgrid(*own.knots, indexing="ij"), axis=-1).reshape(-1, len(own.knots))
        shares = []
        for other in others:
            (surface,) = (s for s in full[other].surfaces if s.route == own.route)
            low = get_task(other).constant_score
            shares.append((surface.at(knots).mean(axis=0) - low) / (1 - low))
        table = floor + (1 - floor) * np.mean(shares, axis=0)
        draws = np.repeat(table.reshape(1, *own.draws.shape[1:]), 2, axis=0)
        out.append(replace(own, draws=draws, run_noise=np.zeros(2)))
    return out


def _plans(
    evidence: Evidence, price: Pricing, task: str, surfaces: Sequence[Surface], budget: float
) -> list[tuple[Route, list[float]]]:
    """Plans that a budget buys, the recommended one first: routes and counts."""
    options = [priced_option(evidence, s, get_task(task), price) for s in surfaces]
    answer = optimize_task(get_task(task), options, budget)
    plans = [answer.best, *(a for a in answer.allocations if a is not answer.best)]
    return [(a.route, [float(getattr(a.design, n)) for n in a.route.kind.inputs]) for a in plans]


def _regret(
    evidence: Evidence,
    price: Pricing,
    task: str,
    full: Mapping[str, TaskFit],
    surfaces: Sequence[Surface],
    best: Sequence[list[tuple[Route, list[float]]]],
) -> float:
    given_up = []
    for budget, plans in zip(BUDGETS, best, strict=True):
        chosen = _plans(evidence, price, task, surfaces, budget)[0]
        given_up.append(max(_worth(task, full, p) for p in plans) - _worth(task, full, chosen))
    return float(np.mean(given_up))


def _worth(task: str, full: Mapping[str, TaskFit], plan: tuple[Route, list[float]]) -> float:
    """Percent that a plan scores by the task's own fit of all its rows."""
    route, counts = plan
    if not route.kind.is_trained:
        return 100 * get_task(task).constant_score
    (surface,) = (s for s in full[task].surfaces if s.route == route)
    return 100 * float(surface.at([counts]).mean())


def fold_hypers(known: Known, n_folds: int, steps: int, file: Path | None) -> dict[str, Hypers]:
    """Hyperparameters for each task, of the tasks in the other folds; read from a file where it holds them."""
    stored = json.loads(file.read_text(encoding="utf-8")) if file is not None and file.exists() else {}
    seen, out = known.seen, {}
    tasks = [t for i, t in enumerate(seen.names.tasks) if (seen.cells.task == i).any()]
    for fold in range(n_folds):
        names = tasks[fold::n_folds]
        if str(fold) not in stored:
            numbers = [list(seen.names.tasks).index(t) for t in names]
            keep = ~np.isin(seen.cells.task, numbers)
            rest = seen.pick(keep)
            h = calibrate(rest, fit_hypers(rest.cells, rest.z, rest.n_runs, start(), steps), steps)
            stored[str(fold)] = h.to_json()
            if file is not None:
                file.write_text(json.dumps(stored), encoding="utf-8")
        out |= dict.fromkeys(names, Hypers.from_json(stored[str(fold)]))
    return out


def main() -> None:
    """Print a table a source, then the regrets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--hypers", type=Path, help="JSON file that keeps what was fitted for each fold")
    parser.add_argument("--no-fits", action="store_true", help="leave out the fits of own runs: minutes")
    options = parser.parse_args()
    load_evidence(STORE, None, tasks=[])  # knows the tasks of one's own
    with open_reader(STORE.database) as connection:
        known = gather_known(STORE, load_measurements(connection, all_sets(connection)))
    hypers = fold_hypers(known, options.folds, options.steps, options.hypers)
    scores(known, hypers, fits=not options.no_fits)
    regrets(known, hypers)


if __name__ == "__main__":
    main()

"""A fit of a task that nobody, or hardly anybody, ran anything on: a forecast from every other task of the store."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.data.tasks import known_tasks
from budgetsim.design.arrays import Floats
from budgetsim.design.cautions import FromOtherTasks
from budgetsim.design.fitkey import runs_hash
from budgetsim.design.points import Ran, Route
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.errors import NoEvidenceError
from budgetsim.forecast.facts import PROBE_SET, SHIPPED_TASKS, Facts, facts_of
from budgetsim.forecast.first_runs import Sized, first_runs
from budgetsim.forecast.gather import Seen, gather
from budgetsim.forecast.process import Hypers, start
from budgetsim.forecast.worlds import basis_of, forecast_surfaces
from budgetsim.store.fits import load_forecast
from budgetsim.store.location import StorePaths, package_data

FORECAST: Final = "other-tasks"  # the evidence set of a forecast
METHOD: Final = "process-3"
FEW_TASKS: Final = 3  # that ran a route before it is offered for another
N_DRAWS: Final = 400
_LABELS, _TEXTS = (300.0, 1000.0, 3000.0), (10_000.0, 100_000.0)  # where certainty is told, as far as the task has them


@dataclass(frozen=True, slots=True)
class Known:
    """All that forecasts rest on."""

    seen: Seen
    hypers: Hypers
    rows: tuple[Ran, ...]


def known(paths: StorePaths, rows: Sequence[Ran], extra: Sequence[str] = ()) -> Known:
    """Cells of every task whose facts are known, and the stored hyperparameters, or where their search begins.

    rows : of whatever tasks and sets; extra : tasks to forecast that have no row
    """
    facts: dict[str, Facts] = dict(SHIPPED_TASKS) | {t.name: facts_of(t) for t in known_tasks()}
    usable = [m for m in comparable(rows) if m.task in facts]
    wanted = {m.task for m in usable} | set(extra)
    seen = gather(usable, {name: f for name, f in facts.items() if name in wanted})
    return Known(seen, load_forecast([paths.fits, package_data("fits")]) or start(), tuple(usable))


def refit(facts: Known, steps: int | None = None) -> Hypers:
    """Hyperparameters fitted anew to all cells, then to whole tasks left out: SciPy, minutes."""
    from budgetsim.forecast import calibrate, tune

    seen = facts.seen
    likely = tune.fit_hypers(seen.cells, seen.z, seen.n_runs, start(), tune.STEPS if steps is None else steps)
    return calibrate.calibrate(seen, likely, calibrate.STEPS if steps is None else steps)


def comparable(rows: Sequence[Ran]) -> list[Ran]:
    """Rows of one metric a task: of reported ones accuracy where there is some; the miniature's are left out."""
    by_task: dict[str, set[str]] = defaultdict(set)
    for m in rows:
        by_task[m.task].add(_metric(m))
    best = {task: min(metrics, key=lambda name: (name != "accuracy", name)) for task, metrics in by_task.items()}
    return [m for m in rows if _metric(m) in ("", best[m.task]) and "-mini-" not in m.evidence_set]


def _metric(m: Ran) -> str:
    """Of a reported row, the end of its set's name; "" where a task has one metric."""
    endings = ("balanced-accuracy", "accuracy", "macro-f1", "exact-match", "f1")
    found = next((name for name in endings if m.evidence_set.endswith(f"-{name}")), "")
    return found if m.evidence_set.startswith("reported-") and not m.evidence_set.startswith(PROBE_SET) else ""


def offered_routes(rows: Sequence[Ran], task: str, kinds: str | None = None) -> list[Route]:
    """Routes that other tasks ran in sets that tasks are answered from, and those run on the task itself.

    kinds : how the sets' names begin; None for all
    """
    tasks: dict[Route, set[str]] = defaultdict(set)
    for m in rows:
        own = m.task == task and not m.evidence_set.startswith("reported-")
        if own or (not m.evidence_set.startswith("reported-") and m.evidence_set.startswith(kinds or "")):
            tasks[m.route].add(m.task)
    chosen = [r for r, names in tasks.items() if task in names or len(names) >= FEW_TASKS]
    return sorted((r for r in chosen if r.strategy in ("annotate", "distill")), key=lambda r: r.sort_key)


def forecast_fit(facts: Known, task: str, routes: Sequence[Route], *, seed: int = 0, store: str = "") -> TaskFit:
    """A fit of a task from the others, and from its own runs where it has some.

    store : the option that names the store, for the command that an error suggests
    raises : NoEvidenceError where no route is known from enough tasks
    """
    if not routes:
        raise NoEvidenceError(
            f"There is no evidence on task {task!r}, and no strategy that {FEW_TASKS} other tasks have run. "
            f"Measure it with `budgetsim measure --task {task}{store}`."
        )
    seen, h = facts.seen, facts.hypers
    surfaces = forecast_surfaces(seen, h, task, routes, n_draws=N_DRAWS, seed=seed)
    n_tasks = max(basis_of(seen, task, route).n_tasks for route in routes)
    own = next((t for t in known_tasks() if t.name == task), None)
    most_labels, most_texts = (math.inf, math.inf) if own is None else (own.most_labels, own.most_texts)
    share, width = _certainty(surfaces, most_labels, most_texts)
    owned = math.inf if own is None or own.n_train is None else own.n_train
    words = tuple(sized_words(d) for d in first_runs(seen, h, task, routes, most=(owned, most_texts)))
    caution = FromOtherTasks(
        task=task, n_own=seen.n_designs(task), n_tasks=n_tasks, plan_share=share, half_width=width, first_runs=words
    )
    return TaskFit(
        task=task,
        evidence_set=FORECAST,
        method=METHOD,
        rows_hash=runs_hash(facts.rows),
        n_draws=N_DRAWS,
        seed=seed,
        surfaces=surfaces,
        cautions=(caution,),
    )


def _certainty(surfaces: Sequence[Surface], most_labels: float, most_texts: float) -> tuple[float, float]:
    """How often the strategy that is best on the mean is best, and the half-width of its score, percent points.

    most_labels, most_texts : that the task has; no size asked about is larger
    """
    sizes = sorted({min(n, most_labels) for n in _LABELS})
    texts = sorted({min(u, most_texts) for u in _TEXTS})
    within = [s for s in surfaces if not (s.route.kind.has_teacher and most_texts < 1)] or list(surfaces)
    best, widths = [], []
    for n in sizes:
        runs: list[Floats] = []
        for s in within:
            counts = [[n, u] for u in texts] if s.route.kind.has_teacher else [[n]]
            runs.append(s.at(counts).max(axis=1))
        table = np.column_stack(runs)
        chosen = int(table.mean(axis=0).argmax())
        best.append(float((table.argmax(axis=1) == chosen).mean()))
        strays = within[chosen].deviations([[n] * len(within[chosen].inputs)])[:, 0]  # by labels, whatever the texts
        low, high = np.quantile(table[:, chosen] + strays, [0.05, 0.95])
        widths.append(100 * (high - low) / 2)
    return float(np.mean(best)), float(np.mean(widths))


def sized_words(design: Sized) -> str:
    """A design in words.

    >>> sized_words((Route(strategy="annotate", student="tfidf-lr"), 500.0, 0.0))
    'annotate (tfidf-lr) with 500 labels'
    """
    route, n, u = design
    texts = f" and {u:,.0f} texts" if u else ""
    return f"{route.label} with {n:,.0f} labels{texts}"

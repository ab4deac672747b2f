"""From the measurements of a task to joint draws of the score of every strategy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from budgetsim.data.tasks import known_tasks
from budgetsim.design.arrays import Floats
from budgetsim.design.borrowing import FEW_SIZES, borrowed, is_fitted
from budgetsim.design.cautions import GroupName, LeftOutReason, PooledGain, RowsLeftOut
from budgetsim.design.fitkey import METHOD, rows_hash
from budgetsim.design.points import Measurement, Route
from budgetsim.design.strategies import ANNOTATE, DISTILL, STRATEGIES, Axis
from budgetsim.design.surface import Surface, TaskFit, axis_scale
from budgetsim.errors import InputError, NoEvidenceError
from budgetsim.fitting.few_labels import few_of
from budgetsim.fitting.few_texts import continue_below, fewest_texts
from budgetsim.fitting.gains import pair_draws
from budgetsim.fitting.groups import GroupKey, Posterior, Prior, RowGroup, sample_posterior
from budgetsim.fitting.hierarchy import Pair, PopulationPrior, TaskSummary, pool_tasks, summarise_task
from budgetsim.fitting.hull import support_of
from budgetsim.fitting.onset import Floors
from budgetsim.fitting.sampler import Ints

PAIRING_FACTOR: Final = 2  # draws to pair for each that is kept
UNCHANGED_ABOVE: Final = 0.9  # effective share of pairs: above it the gains of other tasks change next to nothing
SUMMARY_DRAWS: Final = 400  # of a task that is fitted as a prior for others


class Wanted(NamedTuple):
    """What a task asks of others: curves under their keys, and gains of a teacher and a student."""

    curves: frozenset[GroupKey]
    gains: frozenset[Pair]


class GroupFit(NamedTuple):
    """A group of rows, its posterior, and a surface for each of its routes."""

    group: RowGroup
    posterior: Posterior
    surfaces: list[Surface]


def fit_task(
    measurements: Sequence[Measurement],
    *,
    others: Sequence[Measurement] = (),
    n_draws: int = 400,
    seed: int = 0,
) -> TaskFit:
    """Fit every strategy of one task from one evidence set.

    Rows whose inputs are not all known are left out with a caution. Strategies that train one
    student on labels of people or of an LLM share a curve, so draw i is one world across them. Curves of
    different students or teachers are independent given the rows, but for the gains of `others`.

    others : measurements of other tasks with the same models, of one evidence set a task. A group of few
        sizes takes its prior from them, and draws of annotating and distilling are paired by what
        distilling gained there. Their fits are kept in memory while the process lasts
    n_draws : worlds, as many in every surface; where draws are paired, time and memory grow with its square
    raises : NoEvidenceError without a usable row; InputError on rows of several tasks or
        evidence sets, rows of this task among the others, or scores outside 0 to 1
    """
    if n_draws < 1:
        raise InputError(f"n_draws is {n_draws}; at least one draw is needed, usually 400.")
    rows = _check_rows(measurements)
    used, left_out = _select_rows(rows)
    if not used:
        raise NoEvidenceError(f"No row of {rows[0].task} states all its inputs; measure one, or derive them.")
    groups, floors = _group_rows(used), _floors_of(rows[0].task, used)
    population = _population_prior(groups, others, seed)
    n_spare = n_draws * PAIRING_FACTOR if population.gains else n_draws
    fits = _fit_groups(groups, floors, n_spare, seed, population)
    surfaces, pooled_gains = _pair_draws_and_add_noise(fits, population, n_draws, seed)
    return TaskFit(
        task=rows[0].task,
        evidence_set=rows[0].evidence_set,
        method=METHOD,
        rows_hash=rows_hash(rows, borrowed(rows, others)),
        n_draws=n_draws,
        seed=seed,
        surfaces=tuple(sorted(surfaces, key=lambda s: s.route.sort_key)),
        cautions=(*left_out, *(c for fit in fits for c in fit.posterior.cautions), *pooled_gains),
    )


def _population_prior(own: Sequence[RowGroup], others: Sequence[Measurement], seed: int) -> PopulationPrior:
    """What the other tasks say of the groups of this one; only what is asked of them is fitted."""
    (task,) = {m.task for group in own for m in group.rows}
    by_task: dict[str, list[Measurement]] = defaultdict(list)
    for m in others:
        by_task[m.task].append(m)
    if task in by_task:
        raise InputError(f"Among the measurements of other tasks, {len(by_task[task])} are of {task}; leave them out.")
    usable = {name: tuple(_select_rows(_check_rows(by_task[name]))[0]) for name in sorted(by_task)}
    wanted = _wanted_of_others(own)
    return pool_tasks(
        [_task_summary(used, _floors_of(name, used), seed, wanted) for name, used in usable.items() if used]
    )


def _wanted_of_others(own: Sequence[RowGroup]) -> Wanted:
    """Curves of few sizes, and the gains of pairs that this task has run on both sides."""
    routes = {m.route for group in own for m in group.rows}
    students = {route.student for route in routes if route.kind is ANNOTATE}
    return Wanted(
        curves=frozenset(group.key for group in own if group.n_sizes < FEW_SIZES),
        gains=frozenset(route.pair for route in routes if route.kind is DISTILL and route.student in students),
    )


def _task_summary(used: tuple[Measurement, ...], floors: Floors, seed: int, wanted: Wanted) -> TaskSummary:
    """One of the other tasks, as far as it is asked about: pairs of which it has run one side tell no gain."""
    groups = _group_rows(used)
    here = {group.name.route.pair for group in groups}
    pairs = {pair for pair in wanted.gains if {pair, (None, pair[1])} <= here}
    sides = pairs | {(None, student) for _, student in pairs}
    fits = [
        _fit_other(used, floors, seed, number)
        for number, group in enumerate(groups)
        if group.key in wanted.curves or group.name.route.pair in sides
    ]
    return summarise_task({fit.group.key: fit.posterior for fit in fits}, [s for fit in fits for s in fit.surfaces])


@lru_cache(maxsize=512)  # every task of a set is fitted beside all others
def _fit_other(used: tuple[Measurement, ...], floors: Floors, seed: int, number: int) -> GroupFit:
    """A group of another task by its number, as that task is fitted by itself."""
    groups = _group_rows(used)
    first = next(i for i, group in enumerate(groups) if group.kind == groups[number].kind)
    leans = number != first and groups[number].n_sizes < FEW_SIZES
    related = _related_prior(_fit_other(used, floors, seed, first)) if leans else None
    return _fit_group(groups[number], floors, SUMMARY_DRAWS, [seed, number], related)


def _fit_groups(
    groups: Sequence[RowGroup], floors: Floors, n_draws: int, seed: int, population: PopulationPrior
) -> list[GroupFit]:
    """Every group, its posterior and its surfaces; of a kind those with most rows first."""
    out: list[GroupFit] = []
    for number, group in enumerate(groups):
        prior = None
        if group.n_sizes < FEW_SIZES:
            largest = next((fit for fit in out if fit.group.kind == group.kind), None)
            prior = population.curves.get(group.key, largest and _related_prior(largest))
        out.append(_fit_group(group, floors, n_draws, [seed, number], prior))
    return out


def _related_prior(largest: GroupFit) -> Prior | None:
    """What the largest group of a kind tells of another student, if it knows enough itself."""
    return largest.posterior.related_prior() if len(largest.group.rows) >= FEW_SIZES else None


def _fit_group(group: RowGroup, floors: Floors, n_draws: int, seed: list[int], prior: Prior | None) -> GroupFit:
    rng = np.random.default_rng(seed)
    posterior = sample_posterior(group, floors, rng, n_draws, prior)
    return GroupFit(group, posterior, _surfaces(group, posterior, n_draws, rng))


def _pair_draws_and_add_noise(
    fits: Sequence[GroupFit], population: PopulationPrior, n_draws: int, seed: int
) -> tuple[list[Surface], list[PooledGain]]:
    """Surfaces of the draws to keep, with the deviation of a run, and routes whose pairs other tasks decide.

    A student's draws on labels and distilled are paired where other tasks measured the gain.
    """
    surfaces = [s for fit in fits for s in fit.surfaces]
    cautions: list[PooledGain] = []
    keep: dict[Pair, Ints] = {}  # under the teacher None: the draws of labels
    for number, labels in enumerate(s for s in surfaces if s.route.kind is ANNOTATE):
        student = labels.route.student
        routes = [s for s in surfaces if s.route.student == student and s.route.pair in population.gains]
        if routes:
            gains = [population.gains[s.route.pair] for s in routes]
            rng = np.random.default_rng([seed, number, 1])
            pairs = pair_draws(labels, list(zip(routes, gains, strict=True)), n_draws, rng)
            keep[None, student] = pairs.annotate
            keep |= {s.route.pair: draws for s, draws in zip(routes, pairs.distill, strict=True)}
            cautions += [
                PooledGain(route=s.route, n_rows=s.n_rows, n_tasks=gain.n_tasks)
                for s, gain, share in zip(routes, gains, pairs.effective_share, strict=True)
                if share <= UNCHANGED_ABOVE
            ]
    rng, first = np.random.default_rng([seed, 2]), np.arange(n_draws)
    out = []
    for fit in fits:
        kept = keep.get(fit.surfaces[0].route.pair, first)
        noise = fit.posterior.noise()[kept]
        out += [
            replace(s, draws=s.draws[kept], run_noise=_run_deviations(noise, rng), few=few_of(fit.group.rows))
            for s in fit.surfaces
        ]
    rows = {fit.surfaces[0].route: fit.group.rows for fit in fits if fit.group.kind == "transfer"}
    return [_with_few_texts(s, out, rows.get(s.route)) for s in out], cautions


def _with_few_texts(surface: Surface, beside: Sequence[Surface], rows: Sequence[Measurement] | None) -> Surface:
    """A transfer surface that goes on below its fewest texts by the student's own curve, where there is one.

    rows : those of the surface; None where it is no transfer
    """
    labels = [s for s in beside if s.route.kind is ANNOTATE and s.route.student == surface.route.student]
    return continue_below(surface, labels[0], fewest_texts(rows)) if rows and labels else surface


def _run_deviations(noise: Floats, rng: np.random.Generator) -> Floats:
    """What one run deviates from each draw's mean: quantiles of the normal, in no order."""
    n = len(noise)
    out: Floats = noise * rng.permutation(ndtri((np.arange(n) + 0.5) / n))
    return out


def _check_rows(measurements: Sequence[Measurement]) -> list[Measurement]:
    rows = list(measurements)
    if not rows:
        raise NoEvidenceError("There are no measurements to fit; measure a grid or import published rows.")
    for name in ("task", "evidence_set"):
        values = sorted({str(getattr(m, name)) for m in rows})
        if len(values) > 1:
            raise InputError(f"Measurements are of {name} {', '.join(values)}; fit one at a time.")
    for m in rows:
        if not 0.0 <= m.score <= 1.0:
            raise InputError(f"Row {m.key} has score {m.score}; a score is a fraction from 0 to 1.")
    return sorted(rows, key=lambda m: (m.key, m.route.strategy, m.route.student, m.score))


def _select_rows(rows: Sequence[Measurement]) -> tuple[list[Measurement], list[RowsLeftOut]]:
    """Rows with every input known and feasible, and counts of the others by route and reason."""
    used: list[Measurement] = []
    left_out: dict[RowsLeftOut, int] = defaultdict(int)
    for m in rows:
        if is_fitted(m):
            used.append(m)
            continue
        if m.route.strategy not in STRATEGIES or not m.route.kind.is_trained:
            continue
        unknown = tuple(n for n, v in zip(m.route.kind.inputs, m.inputs, strict=True) if v is None)
        if unknown:
            left_out[_left_out(m.route, "unknown_inputs", unknown)] += 1
        elif any(v is not None and (not np.isfinite(v) or v < 0) for v in m.inputs):
            left_out[_left_out(m.route, "inputs_out_of_range")] += 1
        else:
            left_out[_left_out(m.route, "over_budget")] += 1
    return used, [replace(caution, n_rows=n) for caution, n in left_out.items()]


def _left_out(route: Route, reason: LeftOutReason, inputs: tuple[str, ...] = ()) -> RowsLeftOut:
    """One row, of strategy and models alone: labelers are not told apart, teachers where inputs are missing."""
    teacher = route.teacher if reason == "unknown_inputs" else None
    return RowsLeftOut(route=replace(route, labeler=None, teacher=teacher), n_rows=1, reason=reason, inputs=inputs)


def _floors_of(task: str, used: Sequence[Measurement]) -> Floors:
    for facts in known_tasks():
        if facts.name == task:
            return Floors(min(facts.floors), max(facts.floors), True)
    return Floors(0.0, max(min(m.score for m in used), 1e-3), False)


def _group_rows(used: Sequence[Measurement]) -> list[RowGroup]:
    """Rows that one posterior describes: all labels of a student, or a teacher and a student."""
    out = []
    for student in sorted({m.route.student for m in used}):
        labels = [m for m in used if m.route.student == student and m.route.kind.curve == "labels"]
        labelers = sorted({m.route.labeler for m in labels if m.route.kind.has_labeler}, key=str)
        if labels:
            name = GroupName(kind="labels", route=Route(strategy=ANNOTATE.name, student=student))
            out.append(RowGroup(name=name, rows=labels, labelers=tuple(labelers)))
    transfer = [m for m in used if m.route.kind.curve == "transfer"]
    out += [
        RowGroup(name=GroupName(kind="transfer", route=route), rows=[m for m in transfer if m.route == route])
        for route in sorted({m.route for m in transfer}, key=lambda route: route.sort_key)
    ]
    return sorted(out, key=lambda group: (group.kind, -len(group.rows), group.name.route.sort_key))


def _surfaces(group: RowGroup, posterior: Posterior, n_draws: int, rng: np.random.Generator) -> list[Surface]:
    """One table of mean scores for each strategy of a group, all from the same draws and residual path."""
    groups: dict[Route, list[Measurement]] = defaultdict(list)
    for m in group.rows:
        groups[m.route].append(m)
    knots = {route: _knots(route.kind.axes, rows) for route, rows in groups.items()}
    tables = {route: group.at(route, _mesh(knots[route])) for route in groups}
    path_at = np.concatenate(list(tables.values()))
    left_over = posterior.seen.mean - posterior.mean(posterior.seen.at)
    noise = posterior.noise()
    path = posterior.residual.draw(path_at, left_over, posterior.amplitude(), noise, rng)
    draws = np.clip(posterior.mean(path_at) + path, 0.0, 1.0)
    out, start = [], 0
    for route, rows in groups.items():
        stop = start + len(tables[route])
        points = np.unique(np.array([m.inputs for m in rows], dtype=np.float64), axis=0)
        out.append(
            Surface(
                route=route,
                knots=knots[route],
                draws=draws[:, start:stop].reshape(n_draws, *(len(k) for k in knots[route])),
                run_noise=np.zeros(n_draws),  # `_pair_draws_and_add_noise` adds it to the draws that are kept
                support=support_of(points),
                n_rows=len(rows),
                diagnostics=posterior.diagnostics,
            )
        )
        start = stop
    return out


def _knots(axes: Sequence[Axis], rows: Sequence[Measurement]) -> tuple[Floats, ...]:
    """Zero, sizes evenly spaced in log, and the observed sizes."""
    out = []
    for i, axis in enumerate(axes):
        observed = np.array([m.inputs[i] for m in rows], dtype=np.float64)
        out.append(_merge(np.geomspace(axis.low, axis.high, axis.count), observed, spare=len(axes) == 1))
    return tuple(out)


def _merge(grid: Floats, observed: Floats, spare: bool) -> Floats:
    """Grid and observed sizes; on a crowded axis only round sizes that several rows share."""
    values, count = np.unique(observed, return_counts=True)
    kept = values if spare else values[(count >= 2) | (values % 50 == 0)]
    near = np.abs(axis_scale(grid)[:, None] - axis_scale(kept)[None]).min(axis=1, initial=np.inf)
    half_step = np.log(grid[1] / grid[0]) / 3
    merged: Floats = np.unique(np.concatenate([[0.0], grid[near > half_step], kept]))
    return merged


def _mesh(knots: tuple[Floats, ...]) -> Floats:
    """Every knot of a grid, (points, inputs) counts."""
    return np.stack([m.ravel() for m in np.meshgrid(*knots, indexing="ij")], axis=1)

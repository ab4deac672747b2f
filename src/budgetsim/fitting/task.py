"""From the measurements of a task to joint draws of the score of every strategy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import ndtri

from budgetsim.data.tasks import known_tasks
from budgetsim.design.arrays import Floats
from budgetsim.design.fitkey import METHOD, rows_hash
from budgetsim.design.points import Measurement, Route
from budgetsim.design.strategies import ANNOTATE, STRATEGIES, Axis
from budgetsim.design.surface import Surface, TaskFit, axis_scale
from budgetsim.errors import InputError, NoEvidenceError
from budgetsim.fitting.gains import UsualGain, paired
from budgetsim.fitting.groups import Family, Posterior, posterior_of
from budgetsim.fitting.hierarchy import NOTHING, Pair, Shown, Usual, shown, usual
from budgetsim.fitting.hull import support_of
from budgetsim.fitting.onset import Floors
from budgetsim.fitting.sampler import Ints

Fitted = tuple[Family, Posterior, list[Surface]]

LEANS_BELOW: Final = 5  # distinct points: a family with fewer leans on other tasks, else on the richest of its kind
SPARE: Final = 2  # draws to pair for each that is kept
DECIDED: Final = 0.9  # of all pairs: where more stay open, other tasks told next to nothing
SHOWN_DRAWS: Final = 400  # of a task that is fitted for others


def fit_task(
    measurements: Sequence[Measurement],
    *,
    others: Sequence[Measurement] = (),
    n_draws: int = 400,
    seed: int = 0,
) -> TaskFit:
    """Fit every strategy of one task from one evidence set.

    Rows whose inputs are not all known are left out with a warning. Strategies that train one
    student on labels of people or of an LLM share a curve, so draw i is one world across them. Curves of
    different students or teachers are independent given the rows, but for what `others` say.

    others : measurements of other tasks with the same models, of one evidence set a task. A family of few
        sizes takes for usual what they showed, and draws of annotating and distilling are paired by what
        distilling gained there. Their fits are kept in memory while the process lasts
    n_draws : worlds, as many in every surface; where draws are paired, time and memory grow with its square
    raises : NoEvidenceError without a usable row; InputError on rows of several tasks or
        evidence sets, rows of this task among the others, or scores outside 0 to 1
    """
    if n_draws < 1:
        raise InputError(f"n_draws is {n_draws}; at least one draw is needed, usually 400.")
    rows = _checked(measurements)
    used, warnings = _usable(rows)
    if not used:
        raise NoEvidenceError(f"No row of {rows[0].task} states all its inputs; measure one, or derive them.")
    known = _known(rows[0].task, others, seed)
    floors = _floors(rows[0].task, used)
    fitted = _fitted(used, floors, n_draws * SPARE if known.gains else n_draws, seed, known)
    surfaces, leaning = _together(fitted, known, n_draws, seed)
    warnings += [*(told for _, posterior, _ in fitted for told in posterior.warnings), *leaning]
    return TaskFit(
        task=rows[0].task,
        evidence_set=rows[0].evidence_set,
        method=METHOD,
        rows_hash=rows_hash(rows, others),
        n_draws=n_draws,
        seed=seed,
        surfaces=tuple(sorted(surfaces, key=lambda s: s.route.sort_key)),
        warnings=tuple(warnings),
    )


def _known(task: str, others: Sequence[Measurement], seed: int) -> Usual:
    """What is usual over the other tasks."""
    by_task: dict[str, list[Measurement]] = defaultdict(list)
    for m in others:
        by_task[m.task].append(m)
    if task in by_task:
        raise InputError(f"Among the measurements of other tasks, {len(by_task[task])} are of {task}; leave them out.")
    usable = {name: tuple(_usable(_checked(by_task[name]))[0]) for name in sorted(by_task)}
    return usual([_shown(used, _floors(name, used), seed) for name, used in usable.items() if used])


@lru_cache(maxsize=64)  # every task of a set is fitted beside all others
def _shown(used: tuple[Measurement, ...], floors: Floors, seed: int) -> Shown:
    fitted = _fitted(used, floors, SHOWN_DRAWS, seed, NOTHING)
    return shown({family.kin: posterior for family, posterior, _ in fitted}, [s for _, _, mine in fitted for s in mine])


def _fitted(used: Sequence[Measurement], floors: Floors, n_draws: int, seed: int, known: Usual) -> list[Fitted]:
    """Every family, its posterior and its surfaces; of a kind those with most rows first."""
    out: list[Fitted] = []
    richest: dict[str, tuple[int, Posterior]] = {}
    for number, family in enumerate(_families(used)):
        rng = np.random.default_rng([seed, number])
        n_rows, other = richest.get(family.kind, (0, None))
        related = other.tied() if other and n_rows >= LEANS_BELOW else None
        prior = known.curves.get(family.kin, related) if family.n_sizes < LEANS_BELOW else None
        posterior = posterior_of(family, floors, rng, n_draws, prior)
        richest.setdefault(family.kind, (len(family.rows), posterior))
        out.append((family, posterior, _surfaces(family, posterior, n_draws, rng)))
    return out


def _together(fitted: Sequence[Fitted], known: Usual, n_draws: int, seed: int) -> tuple[list[Surface], list[str]]:
    """Surfaces of the draws to keep, and where other tasks told which.

    A student's draws on labels and distilled go together where their gain is known.
    """
    surfaces = [s for _, _, mine in fitted for s in mine]
    told: list[str] = []
    keep: dict[Pair, Ints] = {}  # under the teacher None: the draws of labels
    for number, one in enumerate(s for s in surfaces if s.route.kind is ANNOTATE):
        two = [s for s in surfaces if s.route.student == one.route.student and s.route.pair in known.gains]
        if two:
            gains = [(s, known.gains[s.route.pair]) for s in two]
            pairs = paired(one, gains, n_draws, np.random.default_rng([seed, number, 1]))
            keep[None, one.route.student] = pairs.annotate
            keep |= {s.route.pair: draws for s, draws in zip(two, pairs.distilled, strict=True)}
            told += [_leaning(s, gain, share) for (s, gain), share in zip(gains, pairs.open_share, strict=True)]
    rng, first = np.random.default_rng([seed, 2]), np.arange(n_draws)
    out = []
    for _, posterior, mine in fitted:
        kept = keep.get(mine[0].route.pair, first)
        noise = posterior.noise()[kept]
        out += [replace(s, draws=s.draws[kept], run_noise=_one_run(noise, rng)) for s in mine]
    return out, [words for words in told if words]


def _leaning(distill: Surface, gain: UsualGain, open_share: float) -> str:
    """What is said where other tasks decide how draws are paired; nothing where the rows decide."""
    if open_share > DECIDED:
        return ""
    rows, of = f"{distill.n_rows} row{'s' * (distill.n_rows > 1)}", f"{gain.n_tasks} other tasks"
    return f"{distill.route.doing}: {rows}; what it gains over labels alone rests in part on {of}."


def _one_run(noise: Floats, rng: np.random.Generator) -> Floats:
    """What one run deviates from each draw's mean: quantiles of the normal, in no order."""
    n = len(noise)
    out: Floats = noise * rng.permutation(ndtri((np.arange(n) + 0.5) / n))
    return out


def _checked(measurements: Sequence[Measurement]) -> list[Measurement]:
    rows = list(measurements)
    if not rows:
        raise NoEvidenceError("There are no measurements to fit; measure a grid or import published rows.")
    for name in ("task", "evidence_set"):
        found = sorted({str(getattr(m, name)) for m in rows})
        if len(found) > 1:
            raise InputError(f"Measurements are of {name} {', '.join(found)}; fit one at a time.")
    for m in rows:
        if not 0.0 <= m.score <= 1.0:
            raise InputError(f"Row {m.key} has score {m.score}; a score is a fraction from 0 to 1.")
    return sorted(rows, key=lambda m: (m.key, m.route.strategy, m.route.student, m.score))


def _usable(rows: Sequence[Measurement]) -> tuple[list[Measurement], list[str]]:
    """Rows with every input known and feasible, and what is said of the others."""
    used: list[Measurement] = []
    left: dict[str, int] = defaultdict(int)
    for m in rows:
        if m.route.strategy not in STRATEGIES or not m.route.kind.is_trained:
            continue
        inputs = m.inputs
        missing = [n for n, v in zip(m.route.kind.inputs, inputs, strict=True) if v is None]
        if missing:
            route = f"{m.route.strategy} of {m.route.student}" + (f" from {m.route.teacher}" if m.route.teacher else "")
            left[f"{route}: {' and '.join(missing)} not known"] += 1
        elif any(v is not None and (not np.isfinite(v) or v < 0) for v in inputs):
            left[f"{m.route.strategy} of {m.route.student}: an input below zero or not finite"] += 1
        elif m.route.kind.has_teacher and m.n_unlabeled == 0 and m.source.startswith("published"):
            left[f"{m.route.strategy} of {m.route.student}: the teacher alone costs more than the budget"] += 1
        else:
            used.append(m)
    told = [f"{count} row{'s' * (count > 1)} not fitted: {why}." for why, count in left.items()]
    return used, told


def _floors(task: str, used: Sequence[Measurement]) -> Floors:
    for known in known_tasks():
        if known.name == task:
            return Floors(min(known.floors), max(known.floors), True)
    return Floors(0.0, max(min(m.score for m in used), 1e-3), False)


def _families(used: Sequence[Measurement]) -> list[Family]:
    """Rows that one posterior describes: all labels of a student, or a teacher and a student."""
    out = []
    for student in sorted({m.route.student for m in used}):
        labels = [m for m in used if m.route.student == student and m.route.kind.curve == "labels"]
        labelers = sorted({m.route.labeler for m in labels if m.route.kind.has_labeler}, key=str)
        if labels:
            out.append(Family(kind="labels", name=f"labels for {student}", rows=labels, labelers=tuple(labelers)))
    taught = [m for m in used if m.route.kind.curve == "transfer"]
    out += [
        Family(kind="transfer", name=route.doing, rows=[m for m in taught if m.route == route])
        for route in sorted({m.route for m in taught}, key=lambda route: route.sort_key)
    ]
    return sorted(out, key=lambda family: (family.kind, -len(family.rows), family.name))


def _surfaces(family: Family, posterior: Posterior, n_draws: int, rng: np.random.Generator) -> list[Surface]:
    """One table of mean scores for each strategy of the family, all from the same draws and residual path."""
    groups: dict[Route, list[Measurement]] = defaultdict(list)
    for m in family.rows:
        groups[m.route].append(m)
    knots = {route: _knots(route.kind.axes, rows) for route, rows in groups.items()}
    tables = {route: family.at(route, _mesh(knots[route])) for route in groups}
    path_at = np.concatenate(list(tables.values()))
    rows_at = posterior.residual.at
    left_over = posterior.score - posterior.mean(rows_at)
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
                run_noise=np.zeros(n_draws),  # `_together` adds it, to the draws that are kept
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
        seen = np.array([m.inputs[i] for m in rows], dtype=np.float64)
        out.append(_merge(np.geomspace(axis.low, axis.high, axis.count), seen, spare=len(axes) == 1))
    return tuple(out)


def _merge(grid: Floats, seen: Floats, spare: bool) -> Floats:
    """Grid and observed sizes; on a crowded axis only round sizes that several rows share."""
    values, count = np.unique(seen, return_counts=True)
    kept = values if spare else values[(count >= 2) | (values % 50 == 0)]
    near = np.abs(axis_scale(grid)[:, None] - axis_scale(kept)[None]).min(axis=1, initial=np.inf)
    half_step = np.log(grid[1] / grid[0]) / 3
    merged: Floats = np.unique(np.concatenate([[0.0], grid[near > half_step], kept]))
    return merged


def _mesh(knots: tuple[Floats, ...]) -> Floats:
    """Every knot of a grid, (points, inputs) counts."""
    return np.stack([m.ravel() for m in np.meshgrid(*knots, indexing="ij")], axis=1)

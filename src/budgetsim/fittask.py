"""From the measurements of a task to joint draws of the score of every strategy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from budgetsim.curves.onset import Floors
from budgetsim.curves.score import Forms, label_forms, transfer_forms
from budgetsim.design import STRATEGY_INPUTS, Group, Measurement
from budgetsim.errors import InputError, NoEvidenceError
from budgetsim.fitkey import METHOD, rows_hash
from budgetsim.hull import support_of
from budgetsim.residual import Residual
from budgetsim.sampler import temper
from budgetsim.surface import Surface, TaskFit, axis_scale
from budgetsim.tasks import known_tasks

Floats = NDArray[np.float64]

N_PARTICLES: Final = 3000
LEVELS: Final = (0.5, 0.8, 0.9, 0.95)
LABEL_STRATEGIES: Final = ("annotate", "llm_annotate", "annotate_plus_llm")
LABEL_LENGTHS: Final = (3.0, 3.0)  # e-folds of labels, of LLM labels
TRANSFER_LENGTHS: Final = (2.0, 3.0)  # e-folds of labels, of unlabelled texts


def fit_task(measurements: Sequence[Measurement], *, n_draws: int = 400, seed: int = 0) -> TaskFit:
    """Fit every strategy of one task from one evidence set.

    Rows whose inputs are not all known are left out with a warning. Strategies that train one
    student on labels of people or of an LLM share a curve, so draw i is one world across them.

    raises : NoEvidenceError without a usable row; InputError on rows of several tasks or
        evidence sets, or scores outside 0 to 1
    """
    if n_draws < 1:
        raise InputError(f"n_draws is {n_draws}; at least one draw is needed, usually 400.")
    rows = _checked(measurements)
    used, warnings = _usable(rows)
    if not used:
        raise NoEvidenceError(f"No row of {rows[0].task} states all its inputs; measure one, or derive them.")
    floors = _floors(rows[0].task, used)
    surfaces: list[Surface] = []
    for number, (key, members) in enumerate(sorted(_families(used).items(), key=lambda kv: str(kv[0]))):
        rng = np.random.default_rng([seed, number])
        posterior = _posterior(key, members, floors, rng, n_draws)
        known = {s.group for s in surfaces}  # human labels alone stand with every labeler
        surfaces += [s for s in _surfaces(posterior, members, n_draws, rng) if s.group not in known]
        warnings += posterior.warnings
    return TaskFit(
        task=rows[0].task,
        evidence_set=rows[0].evidence_set,
        method=METHOD,
        rows_hash=rows_hash(rows),
        n_draws=n_draws,
        seed=seed,
        surfaces=tuple(sorted(surfaces, key=lambda s: tuple(part or "" for part in s.group))),
        warnings=tuple(warnings),
    )


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
    return sorted(rows, key=lambda m: (m.key, m.strategy, m.student, m.score))


def _inputs(m: Measurement) -> list[float | None]:
    return [getattr(m, name) for name in STRATEGY_INPUTS[m.strategy]]


def _usable(rows: Sequence[Measurement]) -> tuple[list[Measurement], list[str]]:
    """Rows with every input known and feasible, and what is said of the others."""
    used: list[Measurement] = []
    left: dict[str, int] = defaultdict(int)
    for m in rows:
        inputs = _inputs(m)
        if m.strategy == "constant" or m.strategy not in STRATEGY_INPUTS:
            continue
        missing = [n for n, v in zip(STRATEGY_INPUTS[m.strategy], inputs, strict=True) if v is None]
        if missing:
            route = f"{m.strategy} of {m.student}" + (f" from {m.teacher}" if m.teacher else "")
            left[f"{route}: {' and '.join(missing)} not known"] += 1
        elif any(v is not None and (not np.isfinite(v) or v < 0) for v in inputs):
            left[f"{m.strategy} of {m.student}: an input below zero or not finite"] += 1
        elif m.strategy == "distill" and m.n_unlabeled == 0 and m.source.startswith("published"):
            left[f"{m.strategy} of {m.student}: the teacher alone costs more than the budget"] += 1
        else:
            used.append(m)
    told = [f"{count} row{'s' * (count > 1)} not fitted: {why}." for why, count in left.items()]
    return used, told


def _floors(task: str, used: Sequence[Measurement]) -> Floors:
    for known in known_tasks():
        if known.name == task:
            return Floors(min(known.floors), max(known.floors), True)
    return Floors(0.0, max(min(m.score for m in used), 1e-3), False)


Family = tuple[str, str | None, str]


def _families(used: Sequence[Measurement]) -> dict[Family, list[Measurement]]:
    """Rows that one posterior describes: all labels of a student, or a teacher and a student.

    Labelers differ in accuracy: where there are several, each has a posterior with the human labels.
    """
    out: dict[Family, list[Measurement]] = defaultdict(list)
    for student in sorted({m.student for m in used}):
        labels = [m for m in used if m.student == student and m.strategy in LABEL_STRATEGIES]
        labelers: list[str | None] = [*sorted({m.labeler for m in labels if m.labeler})] or [None]
        for labeler in labelers:
            mine = [m for m in labels if m.labeler in (None, labeler)]
            if mine:
                out[("labels", labeler if len(labelers) > 1 else None, student)] = mine
    for m in used:
        if m.strategy not in LABEL_STRATEGIES:
            out[("transfer", m.teacher, m.student)].append(m)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posterior:
    """Draws of one family: coordinates per form, and the residual process they share."""

    kind: str
    forms: Forms
    which: NDArray[np.intp]  # form of each draw
    z: Floats  # (draws, widest form)
    residual: Residual
    score: Floats  # (rows,)
    diagnostics: Mapping[str, Any]
    warnings: list[str]

    def mean(self, at: Floats) -> Floats:
        """The parametric score of each draw at log sizes (n, axes): (draws, n)."""
        out = np.empty((len(self.z), len(at)))
        for i, form in enumerate(self.forms.forms):
            mine = self.which == i
            out[mine] = form.score(self.z[mine], at)
        return out

    def amplitude(self) -> Floats:
        return self.forms.amplitude(self.z)

    def noise(self) -> Floats:
        return self.forms.noise(self.z)


def _coordinates(m: Measurement, kind: str) -> list[float]:
    second = m.n_llm_labels if kind == "labels" else m.n_unlabeled
    return [m.n_labels or 0.0, second or 0.0]


def _posterior(
    key: Family, members: Sequence[Measurement], floors: Floors, rng: np.random.Generator, n_draws: int
) -> _Posterior:
    kind = key[0]
    at = axis_scale([_coordinates(m, kind) for m in members])
    score = np.array([m.score for m in members])
    forms = label_forms(floors) if kind == "labels" else transfer_forms(floors)
    residual = Residual.over(at, LABEL_LENGTHS if kind == "labels" else TRANSFER_LENGTHS)
    samples = []
    for form in forms.forms:

        def log_likelihood(z: Floats, form: Any = form) -> Floats:
            return residual.log_likelihood(score - form.score(z, at), forms.amplitude(z), forms.noise(z))

        samples.append(temper(log_likelihood, forms.n_dimensions, rng, n_particles=N_PARTICLES))
    evidence = np.array([s.log_evidence for s in samples])
    weight = np.exp(evidence - evidence.max())
    weight = 0.5 * weight / weight.sum() + 0.5 / len(weight)
    count = _shares(weight, n_draws)
    which = rng.permutation(np.repeat(np.arange(len(count)), count))
    z = np.empty((n_draws, forms.n_dimensions))
    for i, sample in enumerate(samples):
        again = -(-int(count[i]) // len(sample.z))  # draws are reused only where more are asked than there are
        pick = np.tile(rng.permutation(len(sample.z)), again)[: count[i]]
        z[which == i] = sample.z[pick]
    checks = [
        _leave_one_out(residual, score - form.score(s.z, at), forms.amplitude(s.z), forms.noise(s.z), score)
        for form, s in zip(forms.forms, samples, strict=True)
    ]
    diagnostics, warnings = _diagnose(key, members, forms, weight, checks, score, z, floors)
    return _Posterior(
        kind=kind,
        forms=forms,
        which=which,
        z=z,
        residual=residual,
        score=score,
        diagnostics=diagnostics,
        warnings=warnings,
    )


def _shares(weight: Floats, n: int) -> NDArray[np.intp]:
    """Whole numbers that sum to n in proportion to the weights (largest remainders)."""
    exact = weight * n
    count = np.floor(exact).astype(np.intp)
    count[np.argsort(count - exact)[: n - count.sum()]] += 1
    return count


def _leave_one_out(
    residual: Residual, left_over: Floats, amplitude: Floats, noise: Floats, score: Floats
) -> tuple[Floats, Floats]:
    """Error and probability integral of each row predicted without itself, by reweighting draws."""
    gap, sd = residual.leave_one_out(left_over, amplitude, noise)
    log_density = -0.5 * (gap / sd) ** 2 - np.log(sd)
    weight = np.exp(-(log_density - log_density.min(axis=0)))
    weight = np.minimum(weight, weight.mean(axis=0) * np.sqrt(len(weight)))
    weight /= weight.sum(axis=0)
    error = (weight * gap).sum(axis=0)
    below = (weight * ndtr(gap / sd)).sum(axis=0)
    return error, below


def _falls(members: Sequence[Measurement], tolerated: float) -> list[str]:
    """The largest fall of a score where every input grew, if noise does not explain it."""
    out = []
    for strategy in sorted({m.strategy for m in members}):
        mine = [m for m in members if m.strategy == strategy]
        x, score = np.array([_inputs(m) for m in mine], dtype=np.float64), np.array([m.score for m in mine])
        grew = (x[None] >= x[:, None]).all(axis=2)
        fall = np.where(grew, score[:, None] - score[None], 0.0)
        i, j = np.unravel_index(int(fall.argmax()), fall.shape)
        if fall[i, j] > np.sqrt(2.0) * tolerated:
            out.append(
                f"{strategy} falls from {100 * score[i]:.1f} to {100 * score[j]:.1f} "
                f"({mine[i].key[:12]} to {mine[j].key[:12]}) as inputs grow; kept as seen."
            )
    return out


def _diagnose(
    key: Family,
    members: Sequence[Measurement],
    forms: Forms,
    weight: Floats,
    checks: Sequence[tuple[Floats, Floats]],
    score: Floats,
    z: Floats,
    floors: Floors,
) -> tuple[dict[str, Any], list[str]]:
    error = sum(w * e for w, (e, _) in zip(weight, checks, strict=True))
    below = sum(w * b for w, (_, b) in zip(weight, checks, strict=True))
    held = {str(round(100 * v)): round(float((np.abs(below - 0.5) <= v / 2).mean()), 3) for v in LEVELS}
    noise = forms.noise(z)
    name = " ".join(k for k in key if k)
    warnings = [f"{name}: {fall}" for fall in _falls(members, 3 * float(np.median(noise)))]
    if len(score) < 4:
        warnings.append(f"{name}: {len(score)} rows; the interval rests on the prior. Measure more sizes.")
    diagnostics = {
        "forms": [
            {"form": f.name, "weight": round(float(w), 3), "loo_rmse_points": _points(e)}
            for f, w, (e, _) in zip(forms.forms, weight, checks, strict=True)
        ],
        "n_observed": len(score),
        "loo_rmse_points": _points(np.asarray(error)),
        "checked": {"by": "leave one row out, reweighted draws", "n": len(score), "coverage": held},
        "floor": {"low": floors.low, "high": floors.high, "known": floors.known},
        "noise_sd_points": round(100 * float(np.sqrt((noise**2).mean())), 2),
        "warnings": warnings,
    }
    return diagnostics, warnings


def _points(error: Floats) -> float:
    return round(100 * float(np.sqrt((error**2).mean())), 2)


def _surfaces(
    posterior: _Posterior, members: Sequence[Measurement], n_draws: int, rng: np.random.Generator
) -> list[Surface]:
    """One table of draws for each strategy of the family, all from the same draws and residual path."""
    groups: dict[Group, list[Measurement]] = defaultdict(list)
    for m in members:
        groups[m.group].append(m)
    knots = {key: _knots(key[0], rows) for key, rows in groups.items()}
    tables = {key: _spread(key[0], knots[key]) for key in groups}
    path_at = axis_scale(np.concatenate(list(tables.values())))
    rows_at = posterior.residual.at
    left_over = posterior.score - posterior.mean(rows_at)
    noise = posterior.noise()
    path = posterior.residual.draw(path_at, left_over, posterior.amplitude(), noise, rng)
    draws = np.clip(posterior.mean(path_at) + path, 0.0, 1.0)
    out, start = [], 0
    for key, rows in groups.items():
        stop = start + len(tables[key])
        inputs = STRATEGY_INPUTS[key[0]]
        points = np.unique(np.array([_inputs(m) for m in rows], dtype=np.float64), axis=0)
        out.append(
            Surface(
                strategy=key[0],
                teacher=key[1],
                labeler=key[2],
                student=key[3],
                inputs=inputs,
                knots=knots[key],
                draws=draws[:, start:stop].reshape(n_draws, *(len(k) for k in knots[key])),
                run_noise=noise * rng.permutation(ndtri((np.arange(n_draws) + 0.5) / n_draws)),
                support=support_of(points),
                n_rows=len(rows),
                diagnostics=posterior.diagnostics,
            )
        )
        start = stop
    return out


_GRID: Final[dict[str, tuple[tuple[float, float, int], ...]]] = {
    "annotate": ((10, 1e6, 40),),
    "llm_annotate": ((10, 1e6, 40),),
    "distill": ((30, 1e6, 20), (300, 1e6, 10)),
    "annotate_plus_llm": ((10, 1e6, 40), (100, 1e6, 7)),  # without LLM labels as fine as annotate
}


def _knots(strategy: str, rows: Sequence[Measurement]) -> tuple[Floats, ...]:
    """Zero, sizes evenly spaced in log, and the observed sizes."""
    out = []
    for axis, (low, high, count) in enumerate(_GRID[strategy]):
        seen = np.array([_inputs(m)[axis] for m in rows], dtype=np.float64)
        out.append(_merge(np.geomspace(low, high, count), seen, spare=len(_GRID[strategy]) == 1))
    return tuple(out)


def _merge(grid: Floats, seen: Floats, spare: bool) -> Floats:
    """Grid and observed sizes; on a crowded axis only round sizes that several rows share."""
    values, count = np.unique(seen, return_counts=True)
    kept = values if spare else values[(count >= 2) | (values % 50 == 0)]
    near = np.abs(axis_scale(grid)[:, None] - axis_scale(kept)[None]).min(axis=1, initial=np.inf)
    half_step = np.log(grid[1] / grid[0]) / 3
    merged: Floats = np.unique(np.concatenate([[0.0], grid[near > half_step], kept]))
    return merged


def _spread(strategy: str, knots: tuple[Floats, ...]) -> Floats:
    """Every knot of a strategy as (labels, second axis) counts of its family."""
    mesh = np.stack([m.ravel() for m in np.meshgrid(*knots, indexing="ij")], axis=1)
    if strategy == "annotate":
        return np.column_stack([mesh, np.zeros(len(mesh))])
    if strategy == "llm_annotate":
        return np.column_stack([np.zeros(len(mesh)), mesh])
    return mesh

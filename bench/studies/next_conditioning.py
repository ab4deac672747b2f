"""How well draws conditioned on one more run foretell the fit made again with it.

For every task of the paper, rows drawn at random are fitted, one more row is learned from, and the
mean scores at the knots are compared with those of a fit with that row. The error is told as a share
of how far the refit itself moved; two refits that differ by their seed alone show what part of it is
the fit's own chance.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from scoring import print_table

import budgetsim.fitting.groups as groups
import budgetsim.fitting.task as fittask
from budgetsim.answers.evidence import load_evidence
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.pilots.condition import RunOutlook, run_outlook, slices
from budgetsim.store.location import locate

SIZES = (4, 8, 14)  # rows in the fit
DRAWN = 8  # times a task and size
PARTICLES = 1000
LARGEST = 100_000.0


def counts(m: Measurement) -> list[float]:
    return [float(getattr(m, name) or 0) for name in m.route.kind.inputs]


def tables(fit: TaskFit, like: TaskFit) -> list[Floats]:
    """Draws of each surface of `like` at its knots up to LARGEST, from `fit`: (draws, knots)."""
    found = {s.route: s for s in fit.surfaces}
    return [found[s.route].at(knots_of(s)) for s in like.surfaces]


def knots_of(s: Surface) -> Floats:
    axes = [k[(k >= 30) & (k <= LARGEST)] for k in s.knots]
    return np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)


def weights(told: RunOutlook, result: float) -> Floats:
    """Importance weights of the worlds after a result."""
    log = -0.5 * ((result - told.mean) / told.noise) ** 2
    weight = np.exp(log - log.max())
    out: Floats = weight / weight.sum()
    return out


def learned(before: TaskFit, m: Measurement) -> dict[str, list[Floats]]:
    """Expected scores after a row, by each way of learning."""
    seen = next(s for s in before.surfaces if s.route == m.route)
    told = run_outlook(seen, counts(m))
    old = tables(before, before)
    z = (m.score - told.mean.mean()) / told.spread
    cut = slices(told)
    results = np.sort(told.mean + seen.run_noise)
    where = int(np.searchsorted(np.cumsum(cut.chance)[:-1], np.searchsorted(results, m.score) / len(results)))
    return {
        "nothing learned": [t.mean(axis=0) for t in old],
        "linear": [t.mean(axis=0) + z * told.slopes(t) for t in old],
        "importance weights": [weights(told, m.score) @ t for t in old],
        "slices": [cut.worlds[where] @ t for t in old],
        "slices, accident taken off": [cut.expected(t)[where] for t in old],
    }


def one(
    rows: Sequence[Measurement], more: Measurement, others: Sequence[Measurement], seed: int
) -> dict[str, float] | None:
    """Squared errors of each way, and of a second refit."""
    before = fittask.fit_task(rows, others=others, seed=seed)
    after, twin = (fittask.fit_task([*rows, more], others=others, seed=s) for s in (seed + 1, seed + 2))
    wanted = [t.mean(axis=0) for t in tables(after, before)]
    ways = learned(before, more)
    ways["a second refit"] = [t.mean(axis=0) for t in tables(twin, before)]
    return {k: float(np.mean([np.mean((a - b) ** 2) for a, b in zip(v, wanted, strict=True)])) for k, v in ways.items()}


def main() -> None:
    groups.N_PARTICLES = PARTICLES  # type: ignore[misc]
    evidence = load_evidence(locate(), sys.argv[1] if len(sys.argv) > 1 else None)
    errors: dict[int, list[dict[str, float]]] = {n: [] for n in SIZES}
    for task in evidence.tasks:
        rows = fittask._select_rows(evidence.rows(task))[0]
        for n in SIZES:
            for i in range(DRAWN):
                rng = np.random.default_rng([n, i])
                pick = rng.permutation(len(rows))[: n + 1]
                fitted, more = [rows[k] for k in pick[:-1]], rows[pick[-1]]
                if len(pick) > n and more.route in {m.route for m in fitted}:
                    errors[n].append(one(fitted, more, evidence.others(task), 3 * i))
    names = list(errors[SIZES[0]][0])
    body: list[list[object]] = []
    for name in names:
        row: list[object] = [name]
        for n in SIZES:
            moved = np.array([e["nothing learned"] for e in errors[n]])
            mine = np.array([e[name] for e in errors[n]])
            row += [float(np.sqrt(mine.mean()) * 100), float(np.sqrt(mine.mean() / moved.mean()))]
        body.append(row)
    heads = [h for n in SIZES for h in (f"{n} rows ({len(errors[n])} times), points", "share")]
    print_table(["", *heads], body)


if __name__ == "__main__":
    main()

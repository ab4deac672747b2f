"""Which of two designs scores higher: how often what was called with a chance of .9 to .97 comes true.

Two in five cells of every published and measured task are hidden at random, the rest is fitted beside the other tasks,
and all pairs of hidden cells are called by the share of worlds: of expected scores, as `optimize` tells a chance of
being best, and of one new run of each, as it came out. Pairs of one strategy and of two are told apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from scoring import cluster_range, print_table

from budgetsim.answers.evidence import load_evidence
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.fitting.task import fit_task
from budgetsim.store.location import StorePaths

STORE = StorePaths(Path(__file__).parents[2] / "results" / "budgetsim.duckdb")
HIDDEN_SHARE = 0.4
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0)


@dataclass(frozen=True, slots=True)
class Call:
    """A pair of hidden cells: chances that the first is higher, and the difference that came out, points."""

    task: str
    kind: str  # whether of one strategy or of two
    means: float  # chance that its expected score is higher
    runs: float  # chance that one new run of it is higher than one of the other
    seen: float
    part: int
    cells: tuple[str, str]


def cells_of(rows: Sequence[Measurement]) -> dict[tuple[object, ...], list[Measurement]]:
    """Runs by route and counts."""
    out: dict[tuple[object, ...], list[Measurement]] = {}
    for m in rows:
        if m.route.strategy in ("annotate", "distill") and all(m.inputs):
            out.setdefault((m.route, m.inputs), []).append(m)
    return out


def calls(which: str, n_parts: int) -> Iterator[Call]:
    """Every pair of hidden cells of every task."""
    evidence = load_evidence(STORE, which)
    for task in evidence.tasks:
        cells = cells_of(evidence.rows(task))
        for part in range(n_parts):
            rng = np.random.default_rng([part, len(cells)])
            hidden = [key for key in cells if rng.random() < HIDDEN_SHARE]
            left = [m for key, rows in cells.items() if key not in hidden for m in rows]
            surfaces = {s.route: s for s in fit_task(left, others=evidence.others(task)).surfaces}
            hidden = [key for key in hidden if key[0] in surfaces]
            draws = {key: surfaces[key[0]].at([key[1]])[:, 0] for key in hidden}  # type: ignore[index]
            for one, two in combinations(hidden, 2):
                yield _call(task, part, one, two, draws, surfaces, cells)


def _call(task, part, one, two, draws, surfaces, cells) -> Call:  # type: ignore[no-untyped-def]
    gap = draws[one] - draws[two]
    sd = np.hypot(*(float(surfaces[key[0]].run_noise.std()) for key in (one, two)))
    rng = np.random.default_rng(0)
    noisy = gap[:, None] + sd * rng.standard_normal((len(gap), 20))
    seen = float(np.mean([m.score for m in cells[one]]) - np.mean([m.score for m in cells[two]]))
    kind = "one strategy" if one[0] == two[0] else "two strategies"
    names = (_named(one), _named(two))
    return Call(task, kind, float((gap > 0).mean()), float((noisy > 0).mean()), 100 * seen, part, names)


def _named(key) -> str:  # type: ignore[no-untyped-def]
    return f"{key[0].strategy} {' x '.join(f'{n:g}' for n in key[1])}"


def misses(found: Sequence[Call]) -> list[list[object]]:
    """Of the pairs called with .9 to .97 and wrong: how many a replay, and the cell that most of them share."""
    wrong: dict[tuple[str, int], list[Call]] = {}
    for c in found:
        likely = max(c.means, 1 - c.means)
        if 0.9 <= likely < 0.97 and (c.means >= 0.5) != (c.seen > 0):
            wrong.setdefault((c.task, c.part), []).append(c)
    body: list[list[object]] = []
    for (task, part), calls_missed in sorted(wrong.items()):
        names = [name for c in calls_missed for name in c.cells]
        most = max(set(names), key=names.count)
        worst = max(abs(c.seen) for c in calls_missed)
        body.append([task, part, len(calls_missed), most, names.count(most), f"{worst:.1f}"])
    return body


def reliability(found: Sequence[Call], field: str) -> list[list[object]]:
    """Mean chance of the likelier of each pair, and how often it came true, by chance; ties count half."""
    chance = np.array([getattr(c, field) for c in found])
    sign = np.where(chance >= 0.5, 1.0, -1.0)
    likely, seen = np.maximum(chance, 1 - chance), sign * np.array([c.seen for c in found])
    true: Floats = np.where(seen == 0, 0.5, (seen > 0).astype(np.float64))
    body: list[list[object]] = []
    for low, high in pairwise(BINS):
        pick = (likely >= low) & ((likely < high) | (high == 1.0))
        if pick.any():
            names = [c.task for c, p in zip(found, pick, strict=True) if p]
            lo, hi = cluster_range(true[pick], names, lambda v: float(v.mean()))
            wrong = np.abs(seen[pick & (true < 0.5)])
            most = f"{np.median(wrong):.2f}" if len(wrong) else "-"
            figures = [f"{likely[pick].mean():.3f}", f"{true[pick].mean():.3f}", f"{lo:.2f}-{hi:.2f}", most]
            body.append([f"{low:.2f}-{high:.2f}", int(pick.sum()), *figures])
    return body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=3, help="random parts a task")
    options = parser.parse_args()
    head = ["chance", "pairs", "mean chance", "came true", "90 % range, tasks", "points missed by, median"]
    for which in ("published", "measured-cpu-mini"):
        found = list(calls(which, options.parts))
        for kind in ("one strategy", "two strategies"):
            mine = [c for c in found if c.kind == kind]
            for field, title in (("means", "expected scores"), ("runs", "one new run of each")):
                print(f"\n## {which}, pairs of {kind}: chance of {title}")
                print_table(head, reliability(mine, field))
        print(f"\n## {which}: wrong though called with .90 to .97")
        print_table(["task", "part", "wrong", "cell that most share", "of them", "by points, at most"], misses(found))


if __name__ == "__main__":
    main()

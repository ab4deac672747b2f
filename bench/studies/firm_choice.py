"""How much must own runs say before the plan of other tasks is left? Which learner to teach, on tasks left out whole.

    python bench/studies/firm_choice.py --hypers FILE    # the file that bench/new_task.py --hypers writes

At every number of labels that two or more learners of a task were run at, one is chosen by the highest expected score;
the choice made without own runs is left only where the gain exceeds so many of its own standard deviations. Regret is
the best score there less that of the choice, in points: means of a task's sizes, then of tasks. None of the
paper's tasks is among them, so that its regrets (`bench/new_task.py`) can check what is chosen here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from scoring import print_table

from budgetsim.answers.evidence import load_known
from budgetsim.answers.forecasting import Known
from budgetsim.design.arrays import Floats
from budgetsim.forecast.calibrate import spread
from budgetsim.forecast.process import Hypers, condition
from budgetsim.forecast.scale import to_score
from new_task import STORE, fold_hypers, pools, routes_of

FIRM = (0.0, 0.25, 0.5, 1.0, 1.64, np.inf)
OWN = (0, 1, 2, 4)


def worlds(known: Known, h: Hypers, mine: np.ndarray, own: np.ndarray) -> Floats:
    """Joint draws of the scores of a task's cells, given some of them and all other tasks: (400, cells)."""
    seen = known.seen
    use = (seen.cells.task != seen.cells.task[mine][0]) | own
    at = seen.cells.pick(mine)
    told = condition(seen.cells.pick(use), seen.z[use], seen.n_runs[use], at, h)
    return 100 * to_score(told.draws(400, np.random.default_rng(0)), at.floor)


def regrets(known: Known, h: Hypers, mine: np.ndarray) -> dict[tuple[int, float], float]:
    """Regret on one task by own cells and deviations asked for."""
    cells, out = known.seen.cells.pick(mine), {}
    truth = 100 * to_score(known.seen.z[mine], cells.floor)
    before = worlds(known, h, mine, np.zeros_like(mine))
    sizes = [np.flatnonzero(cells.x[:, 0] == x) for x in np.unique(cells.x[:, 0])]
    for n in OWN:
        now = worlds(known, h, mine, spread(known.seen, mine, n)) if n else before
        for firm in FIRM:
            lost = []
            for at in (at for at in sizes if len(at) > 1):
                first, top = (at[d[:, at].mean(axis=0).argmax()] for d in (before, now))
                gain = now[:, top] - now[:, first]
                left = first != top and gain.mean() >= (firm * gain.std() if np.isfinite(firm) else np.inf)
                lost.append(truth[at].max() - truth[top if left else first])
            out[n, firm] = float(np.mean(lost))
    return out


def main() -> None:
    """A line for each source and number of own runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypers", type=Path, help="JSON file that keeps what was fitted for each fold")
    known = load_known(STORE)
    hypers = fold_hypers(known, 4, 60, parser.parse_args().hypers)
    routes, names = routes_of(known), list(known.seen.names.tasks)
    taught = np.array([routes[float(k)].strategy == "annotate" for k in known.seen.cells.learner])
    body: list[Sequence[object]] = []
    for start, tasks in (
        *((s, [t for t in hypers if t.startswith(f"{s}-")]) for s in ("nli", "setfit", "superglue")),
        ("modern", pools(known)[3].tasks),
    ):
        modern = np.array([routes[float(k)].student in ("tfidf-lr", "encoder-lr") for k in known.seen.cells.learner])
        wanted = taught & modern if start == "modern" else taught
        each = [wanted & (known.seen.cells.task == names.index(t)) for t in tasks]
        found = [regrets(known, hypers[t], m) for t, m in zip(tasks, each, strict=True) if m.any()]
        body += [[start, len(found), n, *(f"{np.mean([r[n, f] for r in found]):.2f}" for f in FIRM)] for n in OWN]
    print_table(["source", "tasks", "own runs", *(f"{f:g} sd" for f in FIRM)], body)


if __name__ == "__main__":
    main()

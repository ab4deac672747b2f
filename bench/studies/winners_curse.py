"""Do intervals hold, and predictions keep their word, AT the plans that were chosen? The winner's curse, replayed.

Whoever chooses the highest of many uncertain predictions tends to choose one that errs upwards. Three kinds of replay:

cells : hide cells of the published and the measured evidence (two in five at random, or a whole panel of the paper, or
    a seed), fit the rest, choose under several budgets, and look the score up: among hidden cells, and freely with the
    hidden cell nearest to what was chosen
seeds : choose among measured cells from two seeds; realised is the third seed's run
made : the truth is one posterior world of a fit; rows are simulated at the logged design, fitted again, and the choice
    is free over the whole continuum; realised is the truth and a run's noise

`python bench/studies/winners_curse.py [--log FILE]`: about 130 fits of 1 to 5 s. Finished replays are kept in the
log, a file outside the project, and not run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scoring import print_table

from budgetsim.answers.choices import choices
from budgetsim.answers.evidence import Evidence, load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.options import Option
from budgetsim.choosing.simulate import chance_of_best, run_interval
from budgetsim.costs.rates import RateCard, parse_rates
from budgetsim.data.tasks import get_task
from budgetsim.design.arrays import Floats
from budgetsim.design.fitkey import METHOD
from budgetsim.design.points import Measurement
from budgetsim.design.surface import TaskFit, axis_scale
from budgetsim.fitting.task import fit_task
from budgetsim.store.location import StorePaths

ROOT = Path(__file__).parents[2]
HIDDEN_SHARE = 0.4
N_RANDOM = {"published": 6, "measured": 3}  # random parts of a task
N_WORLDS = 10  # made worlds a task
N_BUDGETS = 8
MADE_USD = {"published": (20, 5000), "measured": (2, 500)}  # budgets in made worlds
NEAR = 0.7  # e-folds in every input: a free choice is looked up at a hidden cell no further than that


@dataclass(frozen=True, slots=True)
class Chosen:
    """One choice: what was predicted and what came, percent; `chances` and `won` are of all rows chosen among."""

    replay: str
    kind: str
    task: str
    budget: float
    plan: str
    predicted: float
    lower: float
    upper: float
    realised: float
    chances: list[float]
    won: int

    @property
    def held(self) -> bool:
        return self.lower <= self.realised <= self.upper


@dataclass(frozen=True, slots=True)
class Row:
    """One option's plan in a choice."""

    option: Option
    counts: Floats
    realised: float


@dataclass(frozen=True, slots=True)
class Replay:
    """A name, and what it takes to run it."""

    name: str
    kind: str
    evidence: Evidence
    task: str
    seen: tuple[Measurement, ...]
    hidden: tuple[Measurement, ...] = ()
    world: int | None = None  # of a made one


def inputs(m: Measurement) -> Floats | None:
    values = [getattr(m, name) for name in m.route.kind.inputs]
    return None if None in values else np.array(values, dtype=np.float64)


def usable(rows: Sequence[Measurement]) -> list[Measurement]:
    """Rows with every input known and above zero: what a choice could have been."""
    return [m for m in rows if m.route.strategy != "constant" and (x := inputs(m)) is not None and (x >= 1).all()]


def replays(evidence: Evidence, *, published: bool) -> Iterator[Replay]:
    for task in evidence.tasks:
        rows = evidence.rows(task)
        for k in range(N_RANDOM["published" if published else "measured"]):
            seen, hidden = random_part(rows, k)
            yield Replay(f"{task} random {k}", "cells", evidence, task, seen, hidden)
        if published:
            yield from panel_replays(evidence, task, rows)
        else:
            for seed in sorted({m.seed for m in rows if m.seed is not None}):
                seen, hidden = (tuple(m for m in rows if (m.seed == seed) == out) for out in (False, True))
                yield Replay(f"{task} seed {seed}", "seeds", evidence, task, seen, hidden)
        for world in range(N_WORLDS):
            yield Replay(f"{task} world {world}", "made", evidence, task, tuple(rows), world=world)


def random_part(rows: Sequence[Measurement], k: int) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
    """Two in five cells hidden, with all their seeds."""
    cells = sorted({cell(m) for m in usable(rows)})
    rng = np.random.default_rng([7, k, len(cells)])
    out = {cells[i] for i in rng.permutation(len(cells))[: round(HIDDEN_SHARE * len(cells))]}
    hidden = [m for m in usable(rows) if cell(m) in out]
    return tuple(m for m in rows if m not in hidden), tuple(hidden)


def cell(m: Measurement) -> str:
    return f"{m.route} {inputs(m)}"


def panel_replays(evidence: Evidence, task: str, rows: Sequence[Measurement]) -> Iterator[Replay]:
    for panel in ("main_results", "pareto_fig"):
        hidden = tuple(m for m in usable(rows) if m.panel == panel)
        seen = tuple(m for m in rows if m.panel != panel)
        if hidden and {m.route.strategy for m in hidden} <= {m.route.strategy for m in usable(seen)}:
            yield Replay(f"{task} without {panel}", "cells", evidence, task, seen, hidden)


def run(replay: Replay, card: RateCard) -> list[Chosen]:
    if replay.world is not None:
        return run_made(replay, card)
    fit = fit_task(replay.seen, others=replay.evidence.others(replay.task))
    options = choices(replay.evidence, replay.task, Pricing(card), fit=fit).options
    found = [among_cells(replay, options, budget) for budget in budgets(replay, options)]
    free = [freely_near_cells(replay, options, budget) for budget in budgets(replay, options)]
    return distinct([c for c in [*found, *free] if c is not None])


def distinct(found: Sequence[Chosen]) -> list[Chosen]:
    """A plan that several budgets choose counts once a kind."""
    return list({(c.kind, c.plan): c for c in reversed(found)}.values())


def budgets(replay: Replay, options: Sequence[Option]) -> list[float]:
    costs = [cost_of(o, m) for o in options for m in replay.hidden if m.route == o.surface.route]
    return [float(b) for b in np.geomspace(max(min(costs), 1e-6), max(costs), N_BUDGETS)] if costs else []


def cost_of(option: Option, m: Measurement) -> float:
    x = inputs(m)
    assert x is not None
    return float(option.cost.total(dict(zip(option.surface.inputs, x, strict=True))))


def among_cells(replay: Replay, options: Sequence[Option], budget: float) -> Chosen | None:
    """The best hidden cell of each option that the budget pays for; the best of those is chosen."""
    rows = []
    for o in options:
        mine = [m for m in replay.hidden if m.route == o.surface.route and cost_of(o, m) <= budget * (1 + 1e-9)]
        if mine:
            at = np.stack([x for m in mine if (x := inputs(m)) is not None])
            k = int(o.surface.at(at).mean(axis=0).argmax())
            rows.append(Row(o, at[k], mine[k].score))
    return settle(replay, replay.kind, budget, rows)


def freely_near_cells(replay: Replay, options: Sequence[Option], budget: float) -> Chosen | None:
    """What the search chooses, looked up at the nearest hidden cell; nothing where none is near."""
    rows, best, looked_up = [], -1.0, False
    for o in options:
        choice = allocate(o.surface, o.cost, [budget])
        mine = [m for m in replay.hidden if m.route == o.surface.route]
        near = nearest(mine, choice.counts[0]) if choice.feasible[0] and mine else None
        if near is not None:
            rows.append(Row(o, *near))
        if choice.feasible[0] and choice.value[0] > best:
            best, looked_up = float(choice.value[0]), near is not None
    return settle(replay, f"{replay.kind}, free", budget, rows) if looked_up else None


def nearest(rows: Sequence[Measurement], counts: Floats) -> tuple[Floats, float] | None:
    at = np.stack([x for m in rows if (x := inputs(m)) is not None])
    far = np.abs(axis_scale(at) - axis_scale(counts)).max(axis=1)
    k = int(far.argmin())
    return (at[k], rows[k].score) if far[k] <= NEAR else None


def run_made(replay: Replay, card: RateCard) -> list[Chosen]:
    """Simulate the logged design in one posterior world, fit, choose freely, and ask the world."""
    fit = choices(replay.evidence, replay.task, Pricing(card)).fit
    assert replay.world is not None
    rng = np.random.default_rng([11, replay.world, len(replay.seen)])
    world = int(rng.integers(fit.n_draws))
    made = [m for m in (simulated(m, fit, world, rng) for m in usable(replay.seen)) if m is not None]
    again = fit_task(made, others=replay.evidence.others(replay.task))
    options = choices(replay.evidence, replay.task, Pricing(card), fit=again).options
    truth = {s.route: s for s in fit.surfaces}
    found = []
    for budget in np.geomspace(*MADE_USD[fit.evidence_set.split("-")[0]], N_BUDGETS):
        rows = []
        for o in options:
            choice = allocate(o.surface, o.cost, [float(budget)])
            if choice.feasible[0]:
                surface = truth[o.surface.route]
                noise = float(surface.run_noise[rng.integers(fit.n_draws)])
                at = choice.counts[0]
                rows.append(Row(o, at, float(np.clip(surface.at(at[None])[world, 0] + noise, 0, 1))))
        found.append(settle(replay, "made", float(budget), rows))
    return distinct([c for c in found if c is not None])


def simulated(m: Measurement, fit: TaskFit, world: int, rng: np.random.Generator) -> Measurement | None:
    surface = next((s for s in fit.surfaces if s.route == m.route), None)
    x = inputs(m)
    if surface is None or x is None:
        return None
    mean = float(surface.at(x[None])[world, 0])
    score = mean + float(surface.run_noise[rng.integers(fit.n_draws)])
    return replace(m, score=float(np.clip(score, 0, 1)))


def settle(replay: Replay, kind: str, budget: float, rows: Sequence[Row]) -> Chosen | None:
    """Choose the highest expected score among the rows and the constant answer, as the tool does."""
    if not rows:
        return None
    constant = get_task(replay.task).constant_score
    draws = np.stack([r.option.surface.at(r.counts[None])[:, 0] for r in rows], axis=1)
    means = draws.mean(axis=0)
    k = int(means.argmax())
    if means[k] <= constant:
        return None
    chances = chance_of_best(np.column_stack([draws, np.full(len(draws), constant)]))
    (low,), (high,) = run_interval(draws[:, k : k + 1], rows[k].option.surface.run_noise)
    return Chosen(
        replay=replay.name,
        kind=kind,
        task=f"{replay.task} {rows[k].option.evidence.source}",
        budget=budget,
        plan=f"{rows[k].option.label} {rows[k].counts.tolist()}",
        predicted=100 * float(means[k]),
        lower=100 * float(low),
        upper=100 * float(high),
        realised=100 * rows[k].realised,
        chances=[float(c) for c in chances],
        won=int(np.argmax([*(r.realised for r in rows), constant])),
    )


def brier(found: Sequence[Chosen]) -> tuple[float, float]:
    """Mean squared error of all chances of being best, and of the forecast that every row is as likely."""
    ours, even = [], []
    for c in found:
        truth = np.eye(len(c.chances))[c.won]
        ours.append(float(((np.array(c.chances) - truth) ** 2).sum()))
        even.append(float(((1 / len(truth) - truth) ** 2).sum()))
    return float(np.mean(ours)), float(np.mean(even))


def report(found: Sequence[Chosen]) -> None:
    body: list[list[object]] = []
    kinds = sorted({c.kind for c in found})
    for kind in kinds:
        for task in [*sorted({c.task for c in found if c.kind == kind}), "all"]:
            mine = [c for c in found if c.kind == kind and task in (c.task, "all")]
            body.append(line(kind, task, mine))
    logged = [c for c in found if c.kind != "made"]
    body += [line("all but made", "all", logged), line("all", "all", list(found))]
    print_table(
        ["replays", "task", "replays", "choices", "90 % held", "range", "predicted - realised", "range", "its median",
         "Brier", "even odds"], body
    )  # fmt: skip


def line(kind: str, task: str, mine: Sequence[Chosen]) -> list[object]:
    gap = np.array([c.predicted - c.realised for c in mine])
    held = np.array([c.held for c in mine], dtype=np.float64)
    ours, even = brier(mine)
    names = [c.replay for c in mine]
    return [
        kind, task, len(set(names)), len(mine), f"{held.mean():.2f}", spread(held, names), f"{gap.mean():+.2f}",
        spread(gap, names), f"{np.median(gap):+.2f}", f"{ours:.3f}", f"{even:.3f}",
    ]  # fmt: skip


def spread(values: Floats, names: Sequence[str]) -> str:
    """90 % range of the mean when whole tasks are drawn again, or whole replays where there is one task."""
    tasks = [n.split(" ")[0] for n in names]
    clusters = tasks if len(set(tasks)) > 2 else list(names)
    groups = [values[np.array([c == k for c in clusters])] for k in sorted(set(clusters))]
    rng = np.random.default_rng(3)
    picks = rng.integers(len(groups), size=(2000, len(groups)))
    means = [np.concatenate([groups[i] for i in pick]).mean() for pick in picks]
    low, high = np.quantile(means, [0.05, 0.95])
    return f"{low:.2f} to {high:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(tempfile.gettempdir()) / "budgetsim-winners-curse.jsonl"
    parser.add_argument("--log", type=Path, default=default, help="finished replays; read and added to")
    parser.add_argument("--table-only", action="store_true", help="only what the log holds")
    arguments = parser.parse_args()
    log: Path = arguments.log
    lines = [json.loads(text) for text in log.read_text().splitlines()] if log.exists() else []
    done = {d["replay"]: d["chosen"] for d in lines if d["method"] == METHOD}
    card = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
    store = StorePaths(ROOT / "results" / "budgetsim.duckdb")
    if not arguments.table_only:
        for wanted in ("published", "measured"):
            for replay in replays(load_evidence(store, wanted), published=wanted == "published"):
                name = f"{wanted}: {replay.name}"
                if name not in done:
                    done[name] = [asdict(c) for c in run(replay, card)]
                    with log.open("a") as file:
                        file.write(json.dumps({"replay": name, "method": METHOD, "chosen": done[name]}) + "\n")
    report([Chosen(**c) for chosen in done.values() for c in chosen])


if __name__ == "__main__":
    main()

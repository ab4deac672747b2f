"""Logged runs as worlds to choose in: what was run, what it costs, and what is believed after some of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from curve_data import Curve, column, folder, rectified_sft, rows
from numpy.typing import NDArray

from budgetsim.answers.choices import Selection, choices
from budgetsim.answers.evidence import load_evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.choosing.options import Option
from budgetsim.costs.rates import parse_rates
from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement, Route
from budgetsim.fitting.task import fit_task
from budgetsim.laws.curve import fit_curve
from budgetsim.laws.surface import fit_surface
from budgetsim.pilots.condition import RunOutlook
from budgetsim.store.location import locate

PAPER_RUN_SE = 0.5  # points, read off the paper's replicated cells
LOSS_NOISE = 1.0  # percent of the loss: what the policies take for the noise of a run
MOST_USD = 5000.0  # one row of 92,000 labels costs more
CARD = Path(__file__).parents[2] / "rates.yaml"


@dataclass(frozen=True)
class Beliefs:
    """What is thought of every cell: draws of its mean score (draws, cells), and the noise of a run."""

    draws: Floats
    noise: float

    def told(self, cell: int) -> RunOutlook:
        return RunOutlook(self.draws[:, cell], self.noise)


@dataclass(frozen=True)
class World:
    """Logged runs of one problem; scores in points, higher is better.

    cell : (runs,), which cell each run is of; score : (runs,)
    usd : cell -> dollars of a run there from nothing; labels : (cells,), labels it needs, bought once
    label_usd : price of a label, part of `usd`
    plans : (cells,), whether a cell may be chosen in the end
    """

    kind: str
    name: str
    cell: NDArray[np.intp]
    score: Floats
    usd: Floats
    labels: Floats
    label_usd: float
    plans: NDArray[np.bool_]
    pilot: tuple[int, ...]  # runs made first, whatever the policy
    budgets: tuple[float, ...]
    se: float  # points, of one run; 0 where nobody ran anything twice
    believe: Callable[[Sequence[int]], Beliefs]
    arm: NDArray[np.intp]  # (cells,), which of the rivals a cell belongs to
    believe_alone: Callable[[Sequence[int]], Beliefs] | None = None  # if no other task were known

    @cached_property
    def truth(self) -> Floats:
        """Mean logged score of every cell."""
        counts = np.bincount(self.cell)
        return np.bincount(self.cell, weights=self.score) / counts

    @cached_property
    def truth_se(self) -> Floats:
        return self.se / np.sqrt(np.bincount(self.cell))

    def price(self, run: int, owned: float) -> float:
        """Dollars of a run when some labels are owned."""
        cell = self.cell[run]
        return float(self.usd[cell] - self.label_usd * min(owned, self.labels[cell]))

    def within(self, budget: float) -> NDArray[np.intp]:
        """Cells that may be chosen under a budget."""
        return np.flatnonzero(self.plans & (self.usd <= budget * (1 + 1e-9)))


def task_worlds(which: str, student: str) -> Iterator[World]:
    """Annotating and distilling on every task of an evidence set, with the paper's prices."""
    card = parse_rates(CARD.read_text(encoding="utf-8"))
    evidence = load_evidence(locate(), which)
    for task in evidence.tasks:
        options = choices(evidence, task, Pricing(card), Selection(students=(student,))).options
        kept = {o.surface.route: o for o in options if o.surface.route.strategy in ("annotate", "distill")}
        found = [m for m in evidence.rows(task) if m.route in kept and _usable(m)]
        price = card.label_price(task)
        yield _task_world(which, task, found, kept, float(price.usd) if price else 0.0, evidence.others(task))


def _usable(m: Measurement) -> bool:
    return all((getattr(m, name) or 0) >= 1 for name in m.route.kind.inputs)


def _counts(m: Measurement) -> tuple[float, ...]:
    return tuple(float(getattr(m, name)) for name in m.route.kind.inputs)


def _task_world(
    which: str,
    task: str,
    found: list[Measurement],
    options: dict[Route, Option],
    label_usd: float,
    others: list[Measurement],
) -> World:
    def usd(m: Measurement) -> float:
        option: Option = options[m.route]
        return float(option.cost.total(dict(zip(option.surface.inputs, _counts(m), strict=True))))

    ordered = sorted((m for m in found if usd(m) <= MOST_USD), key=lambda m: (str(m.route), _counts(m), m.key))
    cells = list(dict.fromkeys((m.route, _counts(m)) for m in ordered))
    cell = np.array([cells.index((m.route, _counts(m))) for m in ordered])
    cost = np.zeros(len(cells))
    for m, c in zip(ordered, cell, strict=True):
        cost[c] = usd(m)

    @lru_cache(maxsize=200)
    def fitted(seen: tuple[int, ...], alone: bool) -> Beliefs:
        fit = fit_task([ordered[i] for i in seen], others=() if alone else others)
        surfaces = {s.route: s for s in fit.surfaces}
        draws = np.column_stack([surfaces[g].at([x])[:, 0] for g, x in cells])
        noise = float(np.sqrt(np.mean([(s.run_noise**2).mean() for s in fit.surfaces])))
        return Beliefs(100 * draws, 100 * noise)

    first = {g: next(i for i in np.argsort(cost[cell], kind="stable") if ordered[i].route == g) for g in options}
    score = 100 * np.array([m.score for m in ordered])
    return World(
        kind="paper" if which == "published" else "measured",
        name=task,
        cell=cell,
        score=score,
        usd=cost,
        labels=np.array([x[0] for _, x in cells]),
        label_usd=label_usd,
        plans=np.ones(len(cells), dtype=bool),
        pilot=tuple(int(i) for i in sorted(first.values(), key=lambda i: cost[cell[i]])),
        budgets=tuple(float(cost.max() / k) for k in (1, 2)),
        se=PAPER_RUN_SE if which == "published" else _pooled_sd(cell, score),
        believe=lambda seen: fitted(tuple(seen), False),
        arm=np.unique([str(route) for route, _ in cells], return_inverse=True)[1],
        believe_alone=lambda seen: fitted(tuple(seen), True),
    )


def _pooled_sd(cell: NDArray[np.intp], score: Floats) -> float:
    """Deviation of a run from its cell's mean, over cells with several runs."""
    groups = [score[cell == c] for c in range(cell.max() + 1) if (cell == c).sum() > 1]
    return float(np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in groups) / sum(len(g) - 1 for g in groups)))


def tuning_worlds(n_models: int = 10, n_drawn: int = 10) -> Iterator[World]:
    """Which of ten models to fine-tune on everything: drawn again and again from the thirty of a task.

    A run costs size times examples. The budget is what training all ten on everything costs. Scores
    are minus 100 times the log loss, so a point is one percent of the loss.
    """
    sizes = _model_sizes()
    for task in ("flan", "wmt19"):
        mine = [c for c in rectified_sft() if c.task == task]
        for k in range(n_drawn):
            pick = np.random.default_rng([k, len(task)]).permutation(len(mine))[:n_models]
            yield _tuning_world(f"{task} {k}", [mine[i] for i in pick], sizes)


def _model_sizes() -> dict[str, float]:
    return {
        r["config name"]: float(r["size"])
        for file in sorted(folder("rectified_sft").glob("*.csv"))
        if file.stem != "rmsd"
        for r in rows(file)
    }


def _tuning_world(name: str, curves: list[Curve], sizes: dict[str, float]) -> World:
    x = curves[0].sizes[1:]
    n, k = len(curves), len(x)
    loss = np.stack([c.errors[1:] for c in curves])  # (models, sizes)
    zero = np.array([c.errors[0] for c in curves])
    cost = np.array([[sizes[c.name] * v for v in x] for c in curves])
    unit = 1000.0 / cost[:, -1].sum()  # the budget is 1,000

    @lru_cache(maxsize=300)
    def of_model(i: int, at: tuple[int, ...]) -> Floats:
        fit = fit_curve(np.append(0.0, x[list(at)]), np.append(zero[i], loss[i, list(at)]))
        out: Floats = -100 * np.log(fit.predict(x).draws)
        return out

    def believe(seen: Sequence[int]) -> Beliefs:
        parts = [of_model(i, tuple(sorted(j % k for j in seen if j // k == i))) for i in range(n)]
        return Beliefs(np.concatenate(parts, axis=1), LOSS_NOISE)

    return World(
        kind="fine-tuning",
        name=name,
        cell=np.arange(n * k),
        score=-100 * np.log(loss).ravel(),
        usd=unit * cost.ravel(),
        labels=np.zeros(n * k),
        label_usd=0.0,
        plans=np.tile(np.arange(k) == k - 1, n),
        pilot=tuple(i * k + j for j in range(3) for i in range(n)),
        budgets=(float("inf"),),
        se=0.0,
        believe=believe,
        arm=np.repeat(np.arange(n), k),
    )


def surface_worlds() -> Iterator[World]:
    """The given surface of loss over parameters, tokens and distinct tokens: the best under a compute budget."""
    names = ("params", "tokens", "unique_tokens")
    table = [
        r for part in ("train", "test") for r in rows(folder("scalebench") / f"data_constrained_scaling_law.{part}.csv")
    ]
    x = np.column_stack([column(table, name) for name in names])
    loss, usd = column(table, "loss"), x[:, 0] * x[:, 1]
    usd *= 1000.0 / usd.max()

    def believe(seen: Sequence[int]) -> Beliefs:
        at = list(seen)
        fit = fit_surface(dict(zip(names, x[at].T, strict=True)), loss[at])
        return Beliefs(-100 * np.log(fit.predict(dict(zip(names, x.T, strict=True))).draws), LOSS_NOISE)

    for fraction in (1.0, 0.25, 0.0625):
        order = [int(i) for i in np.argsort(usd, kind="stable")]
        yield World(
            kind="surface",
            name=f"data_constrained {fraction:g}",
            cell=np.arange(len(loss)),
            score=-100 * np.log(loss),
            usd=usd,
            labels=np.zeros(len(loss)),
            label_usd=0.0,
            plans=np.ones(len(loss), dtype=bool),
            pilot=tuple(order[: 2 * len(names) + 2]),
            budgets=(float(1000 * fraction),),
            se=0.0,
            believe=believe,
            arm=np.zeros(len(loss), dtype=np.intp),
        )


def worlds(kinds: Sequence[str]) -> Iterator[World]:
    """Every world of some kinds."""
    makers: dict[str, Callable[[], Iterator[World]]] = defaultdict(lambda: iter(()))
    makers |= {
        "paper": lambda: task_worlds("published", "t5-v1_1-small"),
        "measured": lambda: task_worlds("measured-cpu-mini", "pico"),
        "fine-tuning": tuning_worlds,
        "surface": surface_worlds,
    }
    for kind in kinds:
        yield from makers[kind]()

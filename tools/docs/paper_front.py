"""Sections of docs/paper/claims.md on the frontier: who is on it, texts along it, the share of compute, compute models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from paper_evidence import CHECKED, Cell, Forecast, Refits, Section, checked, forecast, table

from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.options import Allocation, Option, allocation_at, constant_allocation
from budgetsim.costs.hours import COMPUTE_MODELS
from budgetsim.data.tasks import get_task
from budgetsim.design.stages import COMPUTE_STAGES
from budgetsim.economics.frontier import pareto_front

KINDS = ("interpolated", "extrapolated")
N_BUDGETS = 6
OWNED = 5000  # labels already paid for, in the table of shares


def grid_of(cells: Sequence[Cell], task: str) -> list[Cell]:
    """The cells of a task's Pareto figure, cheapest first."""
    mine = [c for c in cells if c.panel == "pareto_fig" and c.task == task]
    return sorted(mine, key=lambda c: (c.total_usd or 0.0, c.n_labels or 0))


def tasks_of(cells: Sequence[Cell]) -> list[str]:
    return sorted({c.task for c in cells if c.panel == "pareto_fig"})


def told_of(grid: Sequence[Cell], refits: Refits) -> list[Forecast]:
    """Each cell as a fit without it forecasts it."""
    found = [forecast(refits.without(c.task, [c]), c) for c in grid]
    return [f for f in found if f is not None]


def members(grid: Sequence[Cell], scores: Sequence[float]) -> list[int]:
    """Indices of the cells on the frontier; the constant answer is on it for nothing."""
    cost = np.array([0.0, *(c.total_usd or 0.0 for c in grid)])
    constant = 100 * get_task(grid[0].task).constant_score
    return [i - 1 for i in pareto_front(cost, np.array([constant, *scores])) if i > 0]


def frontier(cells: Sequence[Cell], refits: Refits) -> Section:
    """Membership and order of texts, in print and told."""
    parts, every, counts, orders = [], [], np.zeros((2, 2), dtype=int), []
    for task in tasks_of(cells):
        grid = grid_of(cells, task)
        told = told_of(grid, refits)
        on, on_told = members(grid, [c.score for c in grid]), members(grid, [f.score for f in told])
        for i in range(len(grid)):
            counts[int(i in on), int(i in on_told)] += 1
        every += told
        parts += [f"### {task}", matrix(grid, told, on, on_told)]
        orders.append([task, order(grid, on), order(grid, on_told)])
    text = [
        "## Which cells are on the frontier",
        "Printed score / score told by a fit without that cell. Bold: on the frontier of the printed scores; "
        "underlined: on the frontier of the told ones, at the same printed dollars. The constant answer counts as a "
        "point that costs nothing, so a cell at or below it is on no frontier. `!`: outside its 90 % interval.",
        agreement(counts),
        table(CHECKED, told_errors(every)),
        *parts,
        "## Where 10,000 and 100,000 texts alternate",
        "The cells of the frontier as labels:texts, cheapest first. " + switches(orders),
        table(["task", "in print", "told"], orders),
    ]
    same = counts[0, 0] + counts[1, 1]
    return Section(text, every, f"on the frontier or not: {same} of {counts.sum()} cells")


def agreement(counts: np.ndarray) -> str:
    total, same = counts.sum(), counts[0, 0] + counts[1, 1]
    return (
        f"Of {total} cells, {counts[1].sum()} are on the frontier in print and {counts[:, 1].sum()} as told; the two "
        f"agree on {same} of {total} ({counts[1, 1]} on, {counts[0, 0]} off). They disagree on {total - same}: "
        f"{counts[1, 0]} on the printed frontier only, {counts[0, 1]} on the told one only. Membership hangs on "
        f"tenths of points, and a left-out corner of the grid is told from far away."
    )


def told_errors(found: Sequence[Forecast]) -> list[list[object]]:
    """Errors by strategy, inside the data and outside it."""
    lines = []
    for strategy in ("annotate", "distill"):
        for kind in KINDS:
            mine = [f for f in found if (f.cell.strategy, f.kind) == (strategy, kind)]
            lines += [checked(f"{strategy}, {kind}", mine)] if mine else []
    return lines


def matrix(grid: Sequence[Cell], told: Sequence[Forecast], on: Sequence[int], on_told: Sequence[int]) -> str:
    """Labels by texts."""
    at = {(c.n_labels or 0, c.n_unlabeled or 0): i for i, c in enumerate(grid)}
    texts = sorted({u for _, u in at})

    def text(i: int) -> str:
        printed = f"**{grid[i].score:.1f}**" if i in on else f"{grid[i].score:.1f}"
        guess = f"<u>{told[i].score:.1f}</u>" if i in on_told else f"{told[i].score:.1f}"
        return f"{printed} / {guess}{'' if told[i].held else ' !'} (${grid[i].total_usd:,.0f})"

    lines = [[f"{n:,}", *(text(at[n, u]) for u in texts)] for n in sorted({n for n, _ in at})]
    return table(["labels", *("annotate" if u == 0 else f"distill, {u:,} texts" for u in texts)], lines)


def order(grid: Sequence[Cell], on: Sequence[int]) -> str:
    """The frontier from cheap to dear, as labels:texts in thousands."""
    return ", ".join(f"{grid[i].n_labels:,}:{(grid[i].n_unlabeled or 0) // 1000}K" for i in on)


def switches(orders: Sequence[Sequence[str]]) -> str:
    """How often the number of texts falls as the frontier gets dearer."""

    def falls(text: str) -> int:
        texts = [int(cell.rsplit(":", 1)[1][:-1]) for cell in text.split(", ") if cell]
        return sum(b < a for a, b in pairwise(texts))

    printed, told = ([falls(o[k]) for o in orders] for k in (1, 2))
    return (
        f"From 100,000 back to fewer texts at a dearer point: in print {sum(printed)} times "
        f"({sum(n > 0 for n in printed)} of {len(orders)} tasks), as told {sum(told)} times "
        f"({sum(n > 0 for n in told)} of {len(orders)}). So few texts do not give way to many once and for all: on a "
        f"grid of two sizes they interleave."
    )


def best_plan(task: str, options: Sequence[Option], usd: float) -> Allocation:
    """The split of a budget with the highest expected score; the constant answer where nothing beats it."""
    plans = [constant_allocation(get_task(task))]
    for o in options:
        choice = allocate(o.surface, o.cost, [usd])
        if choice.feasible[0]:
            plans.append(allocation_at(get_task(task), o, choice.counts[0]))
    return max(plans, key=lambda a: a.score)


def share(plan: Allocation) -> float:
    """Compute as a share of the dollars of a plan."""
    return sum(plan.costs.get(stage, 0.0) for stage in COMPUTE_STAGES) / (plan.cost_usd or 1.0)


def compute_share(cells: Sequence[Cell], refits: Refits) -> Section:
    """Compute in dollars and as a share along the frontier."""
    lines: list[list[str]] = []
    plans: list[Allocation] = []
    for task in tasks_of(cells):
        grid = grid_of(cells, task)
        on = [grid[i] for i in members(grid, [c.score for c in grid]) if grid[i].strategy == "distill"]
        for c in (on[0], on[-1]):
            usd = c.total_usd or 0.0
            compute = usd - (c.n_labels or 0) * label_usd(refits, task)
            fit = refits.without(task, ())
            free, paid = (best_plan(task, refits.options(fit, owned_labels=n), usd) for n in (0, OWNED))
            plans.append(paid)
            printed = f"${compute:,.0f}, {100 * compute / usd:.0f} %"
            lines.append([task, f"${usd:,.0f}", order([c], [0]), printed, dollars(free), dollars(paid)])
    fell = [percent(dear) < percent(cheap) for cheap, dear in zip(lines[::2], lines[1::2], strict=True)]
    whole = sum(share(p) > 0.99 for p in plans[::2])
    text = [
        "## The share of compute along the frontier",
        f"The cheapest and the dearest distilled point of each printed frontier. From the one to the other the share "
        f"of compute falls in {sum(fell)} of {len(fell)} tasks, while its dollars grow. Beside it the tool's best plan "
        f"at the same dollars (whole fit, texts chosen freely), and the same with {OWNED:,} labels already paid for: "
        f"then {whole} of the {len(fell)} cheap budgets go into compute alone, and at the dear end more labels are "
        f"bought again.",
        table(["task", "dollars", "labels:texts", "compute, in print", "told", f"told, {OWNED:,} owned"], lines),
    ]
    return Section(text, [])


def label_usd(refits: Refits, task: str) -> float:
    """The paper's price of a label."""
    price = refits.card.label_price(task)
    return float(price.usd) if price else float("nan")


def percent(line: Sequence[str]) -> float:
    """The printed share of a line of that table."""
    return float(line[3].split()[1])


def dollars(plan: Allocation) -> str:
    return f"${share(plan) * plan.cost_usd:,.0f}, {100 * share(plan):.0f} % ({plan.route.strategy})"


def compute_models(cells: Sequence[Cell], refits: Refits) -> Section:
    """The same frontier as the three models of compute price it."""
    parts: list[str] = []
    gains: dict[tuple[str, str, float], float] = {}
    for task in tasks_of(cells):
        top = max(c.total_usd or 0.0 for c in grid_of(cells, task))
        fit = refits.without(task, ())
        options = {m: refits.options(fit, compute=m) for m in COMPUTE_MODELS}
        lines = []
        for usd in (float(f"{b:.2g}") for b in np.geomspace(max(10.0, top / 300), top, N_BUDGETS)):
            plans = {m: best_plan(task, options[m], usd) for m in COMPUTE_MODELS}
            gains |= {(m, task, usd): (p.score or 0.0) - (plans["published"].score or 0.0) for m, p in plans.items()}
            lines.append([f"${usd:,.0f}", *map(plan_text, plans.values())])
        parts += [f"### {task}", table(["dollars", *COMPUTE_MODELS], lines)]
    text = [
        "## The same frontier under the three compute models",
        "Best expected score at each budget: strategy, labels / texts, score, share of compute. `published` is as "
        "billed: the teacher runs inside every step. `cached` labels each text once on the same hardware; `modern` "
        "adds bf16 and the card's utilisation. The last two are modelled, not measured. All three use the whole fit.",
        f"{most(gains, 'cached')} {most(gains, 'modern')} At the dear end the pool and the labels bind, and the three "
        f"agree within a few tenths.",
        *parts,
    ]
    return Section(text, [])


def most(gains: Mapping[tuple[str, str, float], float], model: str) -> str:
    """The largest and the mean gain of a compute model over the published one."""
    mine = {(task, usd): gain for (m, task, usd), gain in gains.items() if m == model}
    task, usd = max(mine, key=lambda k: mine[k])
    return (
        f"`{model}` gains {sum(mine.values()) / len(mine):.1f} points over `published` on average over these budgets, "
        f"most on {task} at ${usd:,.0f} ({mine[task, usd]:+.1f})."
    )


def plan_text(plan: Allocation) -> str:
    if plan.route.strategy == "constant":
        return f"constant: {plan.score:.1f}"
    second = plan.design.n_unlabeled or plan.design.n_llm_labels
    counts = f"{plan.design.n_labels:,}" + (f" / {second:,}" if second else "")
    return f"{plan.route.strategy} {counts}: {plan.score:.1f}, {100 * share(plan):.0f} %"

"""Pictures of the page of findings: learning curves, gains of distilling, dollars, and accuracy of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measured_cells import LEARNERS, PRICES, Cell, annotated, best_bought, gains_at_labels, pairs_of
from measured_labels import twins_of

from budgetsim.report.plot import save_panels


def pictures(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float], folder: Path) -> None:
    """Learning curves by learner, gains by labels and texts, and dollars against score: SVG by the room of `--plot`."""
    sizes: dict[str, set[int]] = defaultdict(set)
    for c in annotated(cells, "encoder-lr"):
        sizes[c.task].add(c.n_labels)
    tasks = sorted(task for task, found in sizes.items() if len(found) > 2)
    curves = [partial(draw_curves, cells, task, task == "banking77") for task in tasks]
    save_panels(curves, folder / "curves.svg", width=12, height=2.4, columns=5)
    save_panels([partial(draw_gains, cells)], folder / "gains.svg", width=7, height=4)
    dollars = [partial(draw_dollars, cells, price, price == PRICES[0]) for price in PRICES]
    save_panels(dollars, folder / "dollars.svg", width=12, height=4, columns=len(dollars))
    if twins_of(cells, accuracies):
        save_panels([partial(draw_labels, cells, accuracies)], folder / "labels.svg", width=7, height=4)


def draw_labels(cells: Sequence[Cell], accuracies: Mapping[tuple[str, str], float], axes: Any) -> None:
    """Accuracy of labels against the score of the frozen encoder on the most of them: real LLMs and simulated ones."""
    pairs = [(r, e) for r, e in twins_of(cells, accuracies) if r.student == "encoder-lr"]
    most = max(real.n_llm_labels for real, _ in pairs)
    for task in sorted({real.task for real, _ in pairs}):
        at = [(r, e) for r, e in pairs if r.task == task and r.n_llm_labels == most]
        right = [100 * accuracies[r.task, r.taught_by] for r, _ in at]
        (drawn,) = axes.plot(right, [r.score for r, _ in at], "o", label=task)
        axes.plot(right, [e.score for _, e in at], "x", color=drawn.get_color())
    axes.set(xlabel="labels that are right, %", ylabel="score", title=f"{most} labels of an LLM (o) and simulated (x)")
    axes.legend(fontsize=7)


def draw_curves(cells: Sequence[Cell], task: str, legend: bool, axes: Any) -> None:
    """Learning curves of one task by learner."""
    for student in LEARNERS:
        line = sorted((c.n_labels, c.score) for c in annotated(cells, student) if c.task == task)
        if line:
            axes.plot(*zip(*line, strict=True), marker=".", label=student)
    axes.set(title=task, xscale="log")
    if legend:
        axes.legend(fontsize=6)


def draw_gains(cells: Sequence[Cell], axes: Any) -> None:
    """What distilling gains over annotating, by texts, a line a number of labels."""
    teacher, student = pairs_of(cells)[0]
    for n, by_texts in gains_at_labels(cells, teacher, student).items():
        told = list(by_texts.values())
        means, ends = [t.mean for t in told], [[t.mean - t.low for t in told], [t.high - t.mean for t in told]]
        axes.errorbar(list(by_texts), means, yerr=ends, marker="o", capsize=3, label=f"{n:,} labels")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xscale="log", xlabel="unlabelled texts", ylabel="points over annotating", title=f"{teacher} to {student}")
    axes.legend()


def draw_dollars(cells: Sequence[Cell], price: float, first: bool, axes: Any) -> None:
    """The best measured score by dollars at one price of a label."""
    budgets = np.geomspace(3, 1000, 40)
    for task in sorted({c.task for c in cells if c.strategy == "distill"}):
        best = [best_bought(cells, task, usd, price) for usd in budgets]
        axes.plot(budgets, [np.nan if c is None else c.score for c in best], label=task)
    axes.set(xscale="log", xlabel="dollars", title=f"${price:.2f} a label", xlim=(3, 1000), ylim=(0, 100))
    if first:
        axes.set_ylabel("best measured score")
        axes.legend(fontsize=7)

"""Frontiers for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from budgetsim.frontier import Frontier
from budgetsim.report.answer import allocation_json
from budgetsim.report.grid import Grid, Page, count, kind_words, rounded, usd


def frontier_page(front: Frontier, metric: str) -> Page:
    """A frontier for people: where each strategy wins, then the expansion path."""
    lines: Page = [f"{front.task}: where each strategy wins"]
    lines += [f"  {usd(r.from_usd)} to {usd(r.to_usd)}: {r.label}" for r in front.regions]
    rows = tuple(
        (
            usd(p.allocation.cost_usd),
            p.allocation.label,
            count(p.allocation.n_labels),
            count(p.allocation.n_llm_labels),
            count(p.allocation.n_unlabeled),
            f"{p.allocation.score:.1f}",
            f"{p.attained[0]:.1f} to {p.attained[2]:.1f}",
            kind_words(p.allocation.kind, p.allocation.factor),
        )
        for p in front.points
    )
    headings = ("cost", "strategy", "labels", "LLM", "texts", metric, "attained in 90 % of worlds", "from")
    grid = Grid(title="", headings=headings, rows=rows, text_columns=frozenset({1, 7}))
    return [*lines, grid]


def frontier_json(front: Frontier) -> dict[str, Any]:
    """A frontier for programs."""
    data: dict[str, Any] = rounded(
        {
            "points": [
                {
                    "budget_usd": p.budget_usd,
                    "attained": {"lower": p.attained[0], "median": p.attained[1], "upper": p.attained[2]},
                    "allocation": allocation_json(p.allocation),
                }
                for p in front.points
            ],
            "regions": [asdict(r) for r in front.regions],
        }
    )
    return data

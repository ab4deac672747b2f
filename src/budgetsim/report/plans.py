"""What several budgets buy on several tasks, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.report.allocation import allocation_json, flat_allocation, infeasible_json
from budgetsim.report.table import DESIGN_COUNTS, Role, Table, design_cells, interval_words, may_go, rounded, usd


def plan_rows(answer: TaskAnswer) -> list[dict[str, Any]]:
    """What a budget buys of each strategy as rows of a table, the best first, the advised one marked."""
    entries = [*map(allocation_json, answer.allocations), *map(infeasible_json, answer.infeasible)]
    return [
        {
            "task": answer.task,
            "budget_usd": answer.budget_usd,
            "recommended": i == answer.recommended,
            **rounded(flat_allocation(e)),
        }
        for i, e in enumerate(entries)
    ]


def plans_table(answers: Sequence[TaskAnswer]) -> Table:
    """What budgets buy of each strategy, for people: tasks and budgets in order, the best plan first."""
    rows = tuple(
        (
            a.route.short,
            answer.task,
            usd(answer.budget_usd),
            *design_cells(a.design)[1:],
            usd(a.cost_usd),
            f"{a.score:.1f}",
            interval_words(a),
        )
        for answer in answers
        for a in answer.allocations
    )
    best = [i == answer.recommended for answer in answers for i, _ in enumerate(answer.allocations)]
    headings = ("strategy", "task", "budget", *DESIGN_COUNTS, "cost", "score", "90 % of runs")
    roles: dict[int, Role] = {k: "best" for k, chosen in enumerate(best) if chosen}
    optional = may_go(() if len({row[1] for row in rows}) > 1 else ("task",), headings, rows)
    return Table(title="", headings=headings, rows=rows, text_columns=frozenset({0, 1}), optional=optional, roles=roles)

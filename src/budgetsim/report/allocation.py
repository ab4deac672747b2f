"""One allocation for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from budgetsim.choosing.options import Allocation, Infeasible, Standing
from budgetsim.design.points import Design, Route
from budgetsim.design.stages import COMPUTE_STAGES
from budgetsim.design.strategies import CONSTANT
from budgetsim.report.remarks import allocation_words, shortfall_words
from budgetsim.report.table import interval_words, usd


def describe_allocation(a: Allocation, metric: str) -> str:
    """One allocation in a sentence."""
    if a.route.kind is CONSTANT:
        return f"spend nothing: {allocation_words(a.remarks[0])}, {metric} {a.score:.1f}"
    return f"{a.label}: {bought(a)}; {metric} {a.score:.1f} (90 % of runs {interval_words(a)})"


def bought(a: Allocation) -> str:
    """What an allocation pays for, and the time it takes where that is known."""
    parts = []
    if a.design.n_labels:
        parts.append(f"{a.design.n_labels:,} human labels ({usd(a.costs.get('labels', 0.0))})")
    if a.design.n_llm_labels:
        parts.append(f"{a.design.n_llm_labels:,} LLM labels ({usd(a.costs.get('llm_labels', 0.0))})")
    if a.design.n_unlabeled:
        parts.append(f"{a.design.n_unlabeled:,} unlabelled texts")
    parts.append(f"{usd(compute_usd(a))} of compute")
    rest = sum(a.costs.get(stage, 0.0) for stage in ("texts", "fixed", "dev_and_test_labels"))
    if rest:
        parts.append(f"{usd(rest)} of texts, fixed costs and dev and test labels")
    if a.days is not None:
        parts.append(f"{a.days:.1f} days")
    return ", ".join(parts)


def compute_usd(a: Allocation) -> float:
    """Dollars of compute of an allocation."""
    return sum(a.costs.get(stage, 0.0) for stage in COMPUTE_STAGES)


def allocation_notes(a: Allocation) -> list[str]:
    """What is to be said of an allocation that buys something; the constant answer says it in its sentence."""
    return [] if a.route.kind is CONSTANT else [allocation_words(r) for r in a.remarks]


def route_json(route: Route) -> dict[str, Any]:
    """Strategy and models for programs, under one level of names."""
    return {
        "strategy": route.strategy,
        "teacher": route.teacher,
        "student": route.student or None,
        "labeler": route.labeler,
    }


def design_json(design: Design) -> dict[str, Any]:
    """Strategy, models and counts for programs, under one level of names."""
    counts = {"n_labels": design.n_labels, "n_llm_labels": design.n_llm_labels, "n_unlabeled": design.n_unlabeled}
    return {**route_json(design.route), **counts}


def allocation_json(a: Allocation) -> dict[str, Any]:
    """An allocation for programs."""
    return {
        **design_json(a.design),
        "cost_usd": a.cost_usd,
        "costs": dict(a.costs),
        "feasible": True,
        "reason": None,
        "score": a.score,
        "lower": a.lower,
        "upper": a.upper,
        "kind": a.kind,
        "factor": a.factor,
        **_standing_json(a.standing),
        "days": a.days,
        "evidence": asdict(a.evidence),
        "notes": [allocation_words(r) for r in a.remarks],
    }


def flat_allocation(allocation: Mapping[str, Any]) -> dict[str, Any]:
    """What `allocation_json` gave as one row of a table: without what is nested in it but where it comes from."""
    flat = {name: v for name, v in allocation.items() if name not in ("costs", "evidence", "notes")}
    return {**flat, "evidence_set": allocation["evidence"]["set"], "source": allocation["evidence"]["source"]}


def infeasible_json(entry: Infeasible) -> dict[str, Any]:
    """A route that a budget does not buy, for programs: an allocation without numbers."""
    return {
        **route_json(entry.route),
        "n_labels": None,
        "n_llm_labels": None,
        "n_unlabeled": None,
        "cost_usd": None,
        "costs": {},
        "feasible": False,
        "reason": shortfall_words(entry.reason),
        "score": None,
        "lower": None,
        "upper": None,
        "kind": None,
        "factor": None,
        **_standing_json(None),
        "days": None,
        "evidence": asdict(entry.evidence),
        "notes": [],
    }


def _standing_json(standing: Standing | None) -> Mapping[str, float | None]:
    if standing is None:
        return {"p_best": None, "expected_regret": None, "objective": None}
    return asdict(standing)

"""Simulate what a budget buys: labels, LLM labels or a distilled teacher, and the score.

Public names are imported when they are first used: `import budgetsim` loads neither NumPy nor
DuckDB, and nothing here loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budgetsim._version import __version__
    from budgetsim.answers.choices import Choices, Selection, choices, open_choices
    from budgetsim.answers.evidence import Evidence, load_evidence, task_fit
    from budgetsim.answers.points import Point, PointAnswer, parse_points
    from budgetsim.answers.prices import price_points
    from budgetsim.answers.pricing import Pricing
    from budgetsim.answers.rivals import Rival, rivals
    from budgetsim.answers.sensitivity import Sensitivity, trace_sensitivity
    from budgetsim.choosing.allocate import BestInputs, allocate
    from budgetsim.choosing.goals import Goal, GoalPlan, reach_target
    from budgetsim.choosing.optimize import TaskAnswer, optimize_task
    from budgetsim.choosing.options import Allocation, Option
    from budgetsim.choosing.owning import Owning, worth_of_owning
    from budgetsim.choosing.recommend import best_plan
    from budgetsim.choosing.simulate import chance_of_best, expected_regret, predict, run_interval
    from budgetsim.costs.hours import Hours, ModelledSpeed, distill_flops, forward_flops
    from budgetsim.costs.model import CostModel, cost_model
    from budgetsim.costs.rates import RateCard, parse_rates
    from budgetsim.costs.terms import Terms
    from budgetsim.data.tasks import TASKS, Task, get_task
    from budgetsim.design.models import T5Shape
    from budgetsim.design.points import DesignPoint, Measurement
    from budgetsim.design.surface import Support, Surface, TaskFit
    from budgetsim.economics.expansion import expansion_path
    from budgetsim.economics.frontier import Frontier, pareto_front, trace_frontier
    from budgetsim.economics.switches import break_even_usd
    from budgetsim.economics.tradeoff import indifference_curve, substitution_rate, trace_indifference
    from budgetsim.errors import (
        BudgetsimError,
        InfeasibleBudgetError,
        InputError,
        MissingExtraError,
        MissingPriceError,
        NoEvidenceError,
        RateCardError,
        StoreError,
        StoreLockedError,
    )
    from budgetsim.fitting.task import fit_task
    from budgetsim.laws.curve import CurveFit, fit_curve
    from budgetsim.laws.ensemble import Prediction
    from budgetsim.laws.pooling import pool_prior
    from budgetsim.laws.surface import SurfaceFit, fit_surface
    from budgetsim.laws.target import Requirement, labels_for
    from budgetsim.pilots.condition import observe
    from budgetsim.pilots.nextrun import NextAnswer, NextRun, rank_runs
    from budgetsim.report.notebook import Answer, curves, frontier, optimize, simulate
    from budgetsim.store.database import open_reader
    from budgetsim.store.location import StorePaths, locate
    from budgetsim.store.query import points_frame

_HOME = {
    "__version__": "_version",
    "Answer": "report.notebook",
    "curves": "report.notebook",
    "frontier": "report.notebook",
    "optimize": "report.notebook",
    "simulate": "report.notebook",
    "Choices": "answers.choices",
    "Evidence": "answers.evidence",
    "Pricing": "answers.pricing",
    "price_points": "answers.prices",
    "Selection": "answers.choices",
    "Rival": "answers.rivals",
    "choices": "answers.choices",
    "load_evidence": "answers.evidence",
    "open_choices": "answers.choices",
    "rivals": "answers.rivals",
    "task_fit": "answers.evidence",
    "BestInputs": "choosing.allocate",
    "allocate": "choosing.allocate",
    "Hours": "costs.hours",
    "ModelledSpeed": "costs.hours",
    "T5Shape": "design.models",
    "distill_flops": "costs.hours",
    "forward_flops": "costs.hours",
    "observe": "pilots.condition",
    "CostModel": "costs.model",
    "Terms": "costs.terms",
    "cost_model": "costs.model",
    "DesignPoint": "design.points",
    "Measurement": "design.points",
    "BudgetsimError": "errors",
    "InfeasibleBudgetError": "errors",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "MissingPriceError": "errors",
    "NoEvidenceError": "errors",
    "RateCardError": "errors",
    "StoreError": "errors",
    "StoreLockedError": "errors",
    "expansion_path": "economics.expansion",
    "CurveFit": "laws.curve",
    "Prediction": "laws.ensemble",
    "fit_curve": "laws.curve",
    "SurfaceFit": "laws.surface",
    "fit_surface": "laws.surface",
    "fit_task": "fitting.task",
    "pool_prior": "laws.pooling",
    "Frontier": "economics.frontier",
    "pareto_front": "economics.frontier",
    "trace_frontier": "economics.frontier",
    "Goal": "choosing.goals",
    "GoalPlan": "choosing.goals",
    "reach_target": "choosing.goals",
    "NextAnswer": "pilots.nextrun",
    "NextRun": "pilots.nextrun",
    "rank_runs": "pilots.nextrun",
    "Allocation": "choosing.options",
    "Option": "choosing.options",
    "Owning": "choosing.owning",
    "worth_of_owning": "choosing.owning",
    "TaskAnswer": "choosing.optimize",
    "optimize_task": "choosing.optimize",
    "best_plan": "choosing.recommend",
    "Point": "answers.points",
    "PointAnswer": "answers.points",
    "parse_points": "answers.points",
    "RateCard": "costs.rates",
    "parse_rates": "costs.rates",
    "Sensitivity": "answers.sensitivity",
    "trace_sensitivity": "answers.sensitivity",
    "chance_of_best": "choosing.simulate",
    "expected_regret": "choosing.simulate",
    "predict": "choosing.simulate",
    "run_interval": "choosing.simulate",
    "StorePaths": "store.location",
    "locate": "store.location",
    "open_reader": "store.database",
    "points_frame": "store.query",
    "Support": "design.surface",
    "Surface": "design.surface",
    "TaskFit": "design.surface",
    "break_even_usd": "economics.switches",
    "TASKS": "data.tasks",
    "Task": "data.tasks",
    "get_task": "data.tasks",
    "indifference_curve": "economics.tradeoff",
    "substitution_rate": "economics.tradeoff",
    "trace_indifference": "economics.tradeoff",
    "Requirement": "laws.target",
    "labels_for": "laws.target",
}

__all__ = [
    "TASKS",
    "Allocation",
    "Answer",
    "BestInputs",
    "BudgetsimError",
    "Choices",
    "CostModel",
    "CurveFit",
    "DesignPoint",
    "Evidence",
    "Frontier",
    "Goal",
    "GoalPlan",
    "Hours",
    "InfeasibleBudgetError",
    "InputError",
    "Measurement",
    "MissingExtraError",
    "MissingPriceError",
    "ModelledSpeed",
    "NextAnswer",
    "NextRun",
    "NoEvidenceError",
    "Option",
    "Owning",
    "Point",
    "PointAnswer",
    "Prediction",
    "Pricing",
    "RateCard",
    "RateCardError",
    "Requirement",
    "Rival",
    "Selection",
    "Sensitivity",
    "StoreError",
    "StoreLockedError",
    "StorePaths",
    "Support",
    "Surface",
    "SurfaceFit",
    "T5Shape",
    "Task",
    "TaskAnswer",
    "TaskFit",
    "Terms",
    "__version__",
    "allocate",
    "best_plan",
    "break_even_usd",
    "chance_of_best",
    "choices",
    "cost_model",
    "curves",
    "distill_flops",
    "expansion_path",
    "expected_regret",
    "fit_curve",
    "fit_surface",
    "fit_task",
    "forward_flops",
    "frontier",
    "get_task",
    "indifference_curve",
    "labels_for",
    "load_evidence",
    "locate",
    "observe",
    "open_choices",
    "open_reader",
    "optimize",
    "optimize_task",
    "pareto_front",
    "parse_points",
    "parse_rates",
    "points_frame",
    "pool_prior",
    "predict",
    "price_points",
    "rank_runs",
    "reach_target",
    "rivals",
    "run_interval",
    "simulate",
    "substitution_rate",
    "task_fit",
    "trace_frontier",
    "trace_indifference",
    "trace_sensitivity",
    "worth_of_owning",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home the first time it is used."""
    if name not in _HOME:
        raise AttributeError(f"module 'budgetsim' has no attribute {name!r}")
    value = getattr(import_module(f"budgetsim.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

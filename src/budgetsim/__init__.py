"""Simulate what a budget buys: labels, LLM labels or a distilled teacher, and the score.

Public names are imported when they are first used: `import budgetsim` loads neither NumPy nor
DuckDB, and nothing here loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budgetsim._version import __version__
    from budgetsim.advise import Choices, Rival, choices, open_choices, rivals
    from budgetsim.choosing.allocate import Choice, allocate
    from budgetsim.choosing.goals import Goal, GoalPlan, reach_target
    from budgetsim.choosing.optimize import TaskAnswer, optimize_task
    from budgetsim.choosing.options import Allocation, Option
    from budgetsim.choosing.owning import Owning, worth_of_owning
    from budgetsim.choosing.simulate import chance_of_best, expected_regret, predict, run_interval
    from budgetsim.compute import Hours, ModelledSpeed, T5Shape, distill_flops, forward_flops
    from budgetsim.costs import CostModel, Terms, cost_model
    from budgetsim.design import DesignPoint, Measurement
    from budgetsim.economics.expansion import expansion_path
    from budgetsim.economics.frontier import Frontier, pareto_front, trace_frontier
    from budgetsim.economics.plans import best_plan
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
    from budgetsim.evidence import Evidence, load_evidence, task_fit
    from budgetsim.fitting.ensemble import Prediction
    from budgetsim.fitting.fitcurve import CurveFit, fit_curve
    from budgetsim.fitting.fitsurface import SurfaceFit, fit_surface
    from budgetsim.fitting.fittask import fit_task
    from budgetsim.fitting.pooling import pool_prior
    from budgetsim.pilots.condition import observe
    from budgetsim.pilots.nextrun import NextAnswer, NextRun, rank_runs
    from budgetsim.points import Point, PointAnswer, parse_points
    from budgetsim.rates import RateCard, parse_rates
    from budgetsim.sensitivity import Sensitivity, trace_sensitivity
    from budgetsim.store.database import open_reader
    from budgetsim.store.location import StorePaths, locate
    from budgetsim.store.query import points_frame
    from budgetsim.surface import Support, Surface, TaskFit
    from budgetsim.tasks import TASKS, Task, get_task

_HOME = {
    "__version__": "_version",
    "Choices": "advise",
    "Evidence": "evidence",
    "Rival": "advise",
    "choices": "advise",
    "load_evidence": "evidence",
    "open_choices": "advise",
    "rivals": "advise",
    "task_fit": "evidence",
    "Choice": "choosing.allocate",
    "allocate": "choosing.allocate",
    "Hours": "compute",
    "ModelledSpeed": "compute",
    "T5Shape": "compute",
    "distill_flops": "compute",
    "forward_flops": "compute",
    "observe": "pilots.condition",
    "CostModel": "costs",
    "Terms": "costs",
    "cost_model": "costs",
    "DesignPoint": "design",
    "Measurement": "design",
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
    "CurveFit": "fitting.fitcurve",
    "Prediction": "fitting.ensemble",
    "fit_curve": "fitting.fitcurve",
    "SurfaceFit": "fitting.fitsurface",
    "fit_surface": "fitting.fitsurface",
    "fit_task": "fitting.fittask",
    "pool_prior": "fitting.pooling",
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
    "best_plan": "economics.plans",
    "Point": "points",
    "PointAnswer": "points",
    "parse_points": "points",
    "RateCard": "rates",
    "parse_rates": "rates",
    "Sensitivity": "sensitivity",
    "trace_sensitivity": "sensitivity",
    "chance_of_best": "choosing.simulate",
    "expected_regret": "choosing.simulate",
    "predict": "choosing.simulate",
    "run_interval": "choosing.simulate",
    "StorePaths": "store.location",
    "locate": "store.location",
    "open_reader": "store.database",
    "points_frame": "store.query",
    "Support": "surface",
    "Surface": "surface",
    "TaskFit": "surface",
    "break_even_usd": "economics.switches",
    "TASKS": "tasks",
    "Task": "tasks",
    "get_task": "tasks",
    "indifference_curve": "economics.tradeoff",
    "substitution_rate": "economics.tradeoff",
    "trace_indifference": "economics.tradeoff",
}

__all__ = [
    "TASKS",
    "Allocation",
    "BudgetsimError",
    "Choice",
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
    "RateCard",
    "RateCardError",
    "Rival",
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
    "distill_flops",
    "expansion_path",
    "expected_regret",
    "fit_curve",
    "fit_surface",
    "fit_task",
    "forward_flops",
    "get_task",
    "indifference_curve",
    "load_evidence",
    "locate",
    "observe",
    "open_choices",
    "open_reader",
    "optimize_task",
    "pareto_front",
    "parse_points",
    "parse_rates",
    "points_frame",
    "pool_prior",
    "predict",
    "rank_runs",
    "reach_target",
    "rivals",
    "run_interval",
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

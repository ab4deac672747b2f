"""How good fits are, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from budgetsim.design.points import Route
from budgetsim.design.surface import Surface, TaskFit
from budgetsim.report.cautions import caution_words
from budgetsim.report.notes import FEW_CHECKED
from budgetsim.report.table import Page, Table
from budgetsim.store.fits import FittedRoute

if TYPE_CHECKING:
    from budgetsim.forecast.process import Hypers


_SHARED: Final = {
    "all": "all tasks and learners", "family": "a family of learners", "learner": "a learner",
    "trait": "tasks alike in traits", "task": "a task", "trait_family": "such tasks, a family",
    "task_family": "a task, a family", "task_learner": "a task, a learner",
}  # fmt: skip


def forecast_table(h: Hypers) -> Table:
    """How much forecasts take tasks and learners to differ: standard deviations on the scale of `forecast/scale.py`."""
    from budgetsim.forecast.process import GROUPS, PARTS

    rows = tuple(
        (_SHARED[name], *(f"{v**0.5:.2f}" for v in variance)) for name, variance in zip(GROUPS, h.variance, strict=True)
    )
    return Table(title="", headings=("effect shared by", *(f"{part} s.d." for part in PARTS)), rows=rows)


def fit_page(fit: TaskFit) -> Page:
    """How good a fit is: forms and weights, leave-one-out error, coverage, warnings."""
    lines = [f"{fit.task}: evidence {fit.evidence_set}, method {fit.method}, {fit.n_draws} joint draws"]
    rows = []
    for s in fit.surfaces:
        d = s.diagnostics
        checked = d.get("checked") or {}
        coverage = checked.get("coverage") or {}
        forms = ", ".join(f"{f['form']} {f['weight']:.2f}" for f in d.get("forms", []))
        rows.append(
            (
                s.route.short,
                str(s.n_rows),
                forms,
                "-" if d.get("loo_rmse_points") is None else f"{d['loo_rmse_points']:.2f}",
                _held_words(coverage["90"], checked["n"]) if "90" in coverage else "-",
                "-" if d.get("noise_sd_points") is None else f"{d['noise_sd_points']:.2f}",
            )
        )
    grid = Table(
        title="",
        headings=("surface", "rows", "forms and weights", "left-out RMSE", "90 % held", "run s.d."),
        rows=tuple(rows),
        text_columns=frozenset({0, 2}),
    )
    return [*lines, grid, *(f"Warning: {words}" for words in caution_words(fit.cautions))]


def fits_table(rows: Sequence[FittedRoute]) -> Table:
    """Stored fits, a strategy a row."""
    cells = tuple(
        (
            Route(strategy=r.strategy, teacher=r.teacher, student=r.student, labeler=r.labeler).short,
            r.task,
            str(r.n_rows),
            "-" if r.loo_rmse_points is None else f"{r.loo_rmse_points:.2f}",
            "-" if r.coverage_90 is None or r.n_checked is None else _held_words(r.coverage_90, r.n_checked),
            r.evidence_set,
            r.method,
            f"{r.written_at:%Y-%m-%d}",
        )
        for r in rows
    )
    headings = ("strategy", "task", "rows", "left-out RMSE", "90 % held", "evidence set", "method", "written")
    optional = ("method", "written", "evidence set", "90 % held")
    return Table(title="", headings=headings, rows=cells, text_columns=frozenset({0, 1, 5, 6, 7}), optional=optional)


def _held_words(share: float, n: int) -> str:
    """How many of the rows that were left out the intervals held; a share where there are enough of them."""
    return f"{round(share * n)} of {n}" if n < FEW_CHECKED else f"{share:.0%}"


def _diagnostics(surface: Surface) -> dict[str, Any]:
    """Figures of a surface's fit, with its cautions in words."""
    figures = {name: value for name, value in surface.diagnostics.items() if name != "cautions"}
    return {**figures, "warnings": caution_words(surface.diagnostics.get("cautions", ()))}


def fit_json(fit: TaskFit) -> dict[str, Any]:
    """A fit for programs, without its draws."""
    return {
        "evidence_set": fit.evidence_set,
        "method": fit.method,
        "rows_hash": fit.rows_hash,
        "n_draws": fit.n_draws,
        "warnings": caution_words(fit.cautions),
        "surfaces": [
            {
                "strategy": s.route.strategy,
                "teacher": s.route.teacher,
                "student": s.route.student,
                "labeler": s.route.labeler,
                "n_rows": s.n_rows,
                "diagnostics": _diagnostics(s),
            }
            for s in fit.surfaces
        ],
    }

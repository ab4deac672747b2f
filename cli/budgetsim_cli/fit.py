"""`budgetsim fit`: fit the evidence, store the draws, and show how good the fits are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import Create, EvidenceName, Json, Store, Tasks, find_store, print_json, print_page, say

if TYPE_CHECKING:
    from budgetsim.answers.evidence import Evidence
    from budgetsim.design.surface import TaskFit
    from budgetsim.report.table import Page


def fit(
    task: Tasks = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again even where the stored fit is fresh.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw the curves of one task to a PNG or SVG file.", show_default=False),
    ] = None,
    evidence: EvidenceName = None,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Fit learning curves and surfaces to the evidence, store their draws, and plot them for one task."""
    from budgetsim.answers.evidence import load_evidence
    from budgetsim.errors import InputError
    from budgetsim.report.fit import fit_json, fit_page

    found = load_evidence(find_store(store, create), evidence, say)
    tasks = list(dict.fromkeys(task or found.tasks))
    if plot is not None and len(tasks) > 1:
        raise InputError(f"--plot: draws one task; name one of {', '.join(tasks)} with --task.")
    objects = {}
    page: Page = []
    for name in tasks:
        fitted = _fitted(found, name, force)
        objects[name] = fit_json(fitted)
        page += fit_page(fitted)
        if len(tasks) == 1:
            page += _pictures(found, fitted, plot)
    if as_json:
        print_json({"tasks": objects})
    else:
        print_page(page)


def _fitted(found: Evidence, name: str, force: bool) -> TaskFit:
    from budgetsim.answers.evidence import stored_fit
    from budgetsim.store.fits import save_fit

    fitted = None if force else stored_fit(found, name)
    if fitted is None:
        from budgetsim.fitting.task import fit_task  # SciPy, only where there is something to fit

        say(f"Fitting {name}: {len(found.rows(name))} rows ...")
        fitted = fit_task(found.rows(name), others=found.others(name))
        say(f"Stored {save_fit(found.paths.fits, fitted)}")
    return fitted


def _pictures(found: Evidence, fitted: TaskFit, file: Path | None) -> Page:
    """Plain-text plots, and the picture file where one was asked for."""
    from budgetsim.data.tasks import get_task
    from budgetsim.report.plot import curves_of, save_plot, text_plot

    metric = get_task(fitted.task).metric
    curves = curves_of(fitted, found.rows(fitted.task))
    if file is not None:
        say(f"Drew {save_plot(curves, metric, file)}")
    return ["\n".join(["", *text_plot(curve, metric)]) for curve in curves]

"""`budgetsim fit`: fit the evidence, store the draws, and show how good the fits are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetsim_cli.console import (
    TERMINAL,
    Create,
    EvidenceName,
    Json,
    Store,
    Tasks,
    check_plot,
    find_store,
    print_json,
    print_page,
    say,
)

if TYPE_CHECKING:
    from budgetsim.answers.evidence import Evidence
    from budgetsim.design.surface import TaskFit
    from budgetsim.report.table import Page
    from budgetsim.store.location import StorePaths


def fit(
    task: Tasks = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again even where the stored fit is fresh.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Draw the curves of one task to a PNG or SVG file; the terminal (-) has them anyway.",
            show_default=False,
        ),
    ] = None,
    forecast: Annotated[
        bool,
        typer.Option("--forecast", help="Fit how much tasks without runs borrow, and from whom, instead: minutes."),
    ] = False,
    evidence: EvidenceName = None,
    store: Store = None,
    create: Create = False,
    as_json: Json = False,
) -> None:
    """Fit learning curves and surfaces to the evidence, store their draws, and plot them for one task."""
    from budgetsim.answers.evidence import load_evidence
    from budgetsim.errors import InputError
    from budgetsim.report.fit import fit_json, fit_page

    check_plot(plot)
    if forecast:
        _fit_forecast(find_store(store, create), as_json)
        return
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


def _fit_forecast(paths: StorePaths, as_json: bool) -> None:
    from budgetsim.answers.evidence import load_known
    from budgetsim.answers.forecasting import refit
    from budgetsim.report.fit import forecast_table
    from budgetsim.store.fits import save_forecast

    facts = load_known(paths, say)
    n_cells, n_tasks = len(facts.seen.cells), len(set(facts.seen.cells.task.tolist()))
    say(f"Fitting what {n_tasks} tasks have in common: {n_cells:,} designs; this takes minutes ...")
    hypers = refit(facts)
    say(f"Stored {save_forecast(paths.fits, hypers, n_cells, n_tasks)}")
    if as_json:
        print_json({"n_cells": n_cells, "n_tasks": n_tasks, "forecast": hypers.to_json()})
    else:
        print_page([forecast_table(hypers)])


def _fitted(found: Evidence, name: str, force: bool) -> TaskFit:
    from budgetsim.answers.evidence import fit_and_store, stored_fit

    return (None if force else stored_fit(found, name)) or fit_and_store(found, name, say)


def _pictures(found: Evidence, fitted: TaskFit, file: Path | None) -> Page:
    """Plain-text plots, and the picture file where one was asked for."""
    from budgetsim.data.tasks import get_task
    from budgetsim.report.plot import curves_of, save_plot, text_plot

    metric = get_task(fitted.task).metric
    curves = curves_of(fitted, found.rows(fitted.task))
    if file is not None and file != TERMINAL:
        say(f"Drew {save_plot(curves, metric, file)}")
    return ["\n".join(["", *text_plot(curve, metric)]) for curve in curves]

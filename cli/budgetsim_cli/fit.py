"""`budgetsim fit`: fit the evidence, store the draws, and show how good the fits are."""

from __future__ import annotations

from typing import Annotated

import typer

from budgetsim_cli.console import EvidenceName, Json, Store, Tasks, print_json, print_page, say
from budgetsim_cli.optimize import check_tasks


def fit(
    task: Tasks = None,
    force: Annotated[bool, typer.Option("--force", help="Fit again what is fresh.")] = False,
    evidence: EvidenceName = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Fit learning curves and surfaces to the evidence and store their draws."""
    from budgetsim.advise import load_evidence, stored_fit
    from budgetsim.report import fit_json, fit_page
    from budgetsim.store.fits import save_fit
    from budgetsim.store.location import locate

    found = load_evidence(locate(store), evidence, say)
    objects, page = {}, []
    for name in check_tasks(task, found):
        fitted = None if force else stored_fit(found, name)
        if fitted is None:
            from budgetsim.fittask import fit_task

            say(f"Fitting {name}: {len(found.rows(name))} rows ...")
            fitted = fit_task(found.rows(name))
            say(f"Stored {save_fit(found.paths.fits, fitted)}")
        objects[name] = fit_json(fitted)
        page += fit_page(fitted)
    if as_json:
        print_json({"tasks": objects})
    else:
        print_page(page)

"""The fits that ship are those of the rows that ship: `make test-slow`."""

from __future__ import annotations

import numpy as np
import pytest

from budgetsim.answers.evidence import load_evidence, stored_fit
from budgetsim.fitting.task import fit_task
from budgetsim.store.location import StorePaths
from made import ROOT

ROUNDING = 5e-4  # fraction of the metric: fits are stored to 1e-4, and processors differ in their last digits


@pytest.mark.slow
@pytest.mark.parametrize(("evidence_set", "task"), [("published-kang2023", "nq"), ("measured-cpu-mini", "fever")])
def test_the_shipped_rows_give_the_shipped_fit(evidence_set: str, task: str) -> None:
    """Means and spreads over the draws at every knot, the noise of a run, and what was fitted at all: within rounding."""
    evidence = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), evidence_set)
    shipped = stored_fit(evidence, task)
    assert shipped is not None  # else it is stale: `budgetsim fit`
    again = fit_task(evidence.rows(task), others=evidence.others(task))
    assert (again.rows_hash, again.method, again.seed) == (shipped.rows_hash, shipped.method, shipped.seed)
    assert [s.route for s in again.surfaces] == [s.route for s in shipped.surfaces]
    for new, old in zip(again.surfaces, shipped.surfaces, strict=True):
        assert new.n_rows == old.n_rows
        for mine, theirs in zip(new.knots, old.knots, strict=True):
            np.testing.assert_allclose(mine, theirs)
        np.testing.assert_allclose(new.support.points, old.support.points)
        for table in (np.mean, np.std):
            np.testing.assert_allclose(table(new.draws, axis=0), table(old.draws, axis=0), atol=ROUNDING)
            np.testing.assert_allclose(table(new.run_noise), table(old.run_noise), atol=ROUNDING)

"""Shipped fits made again: the same rows and method give the draws that are stored."""

import numpy as np
import pytest

from budgetsim.answers.evidence import load_evidence, stored_fit
from budgetsim.fitting.task import fit_task
from budgetsim.store.location import StorePaths
from made import ROOT

pytestmark = pytest.mark.slow
HALF_A_UNIT = 0.5e-4  # draws are stored as whole hundredths of a point


@pytest.mark.parametrize(("evidence_set", "task"), [("published", "nq"), ("measured", "fever")])
def test_a_shipped_fit_is_what_its_rows_and_method_give(evidence_set, task):
    """Draw by draw, as the sampler is seeded: a change of a prior or of one operation moves them by far more."""
    evidence = load_evidence(StorePaths(ROOT / "results" / "budgetsim.duckdb"), evidence_set)
    stored = stored_fit(evidence, task)
    again = fit_task(evidence.rows(task), others=evidence.others(task))
    assert again.cautions == stored.cautions
    assert [s.route for s in again.surfaces] == [s.route for s in stored.surfaces]
    for one, two in zip(again.surfaces, stored.surfaces, strict=True):
        np.testing.assert_allclose(one.draws, two.draws, rtol=0, atol=HALF_A_UNIT + 1e-9)
        np.testing.assert_allclose(one.run_noise, two.run_noise, rtol=0, atol=HALF_A_UNIT + 1e-9)
        assert one.diagnostics == two.diagnostics

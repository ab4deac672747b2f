"""Plans and fits as tables: what `optimize` and the fits themselves say, read by DuckDB from CSV."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from budgetsim.design.surface import TaskFit
from budgetsim.store.fits import read_fits, save_fit
from budgetsim_cli.main import app
from made import ROOT

FIT = ROOT / "fits" / "published-kang2023" / "nq.json"


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_row_of_fits_is_what_the_fit_says_of_a_surface(tmp_path: Path) -> None:
    fit = TaskFit.from_json(json.loads(FIT.read_bytes()))
    os.utime(save_fit(tmp_path / "here", fit), (86_400, 86_400))
    save_fit(tmp_path / "there", fit)  # of the same rows: the first folder's is the one that answers
    (tmp_path / "here" / fit.evidence_set / "torn.json").write_text("{")
    rows = read_fits([tmp_path / "here", tmp_path / "there"])
    assert [(r.strategy, r.student, r.n_rows) for r in rows] == [
        (s.route.strategy, s.route.student, s.n_rows) for s in fit.surfaces
    ]
    for row, surface in zip(rows, fit.surfaces, strict=True):
        told = surface.diagnostics
        assert row.loo_rmse_points == told["loo_rmse_points"]
        assert (row.coverage_90, row.n_checked) == (told["checked"]["coverage"]["90"], told["checked"]["n"])
        assert (row.method, f"{row.written_at:%Y-%m-%d}") == (fit.method, "1970-01-02")


def test_plans_are_those_of_optimize_and_duckdb_joins_them_with_fits(tmp_path: Path) -> None:
    plans, fits = tmp_path / "plans.csv", tmp_path / "fits.csv"
    plans.write_text(run("store", "plans", "--task", "nq", "--budget", "2k", "--csv"))
    fits.write_text(run("store", "fits", "--csv"))
    told = json.loads(run("optimize", "--task", "nq", "--budget", "2000", "--json"))["tasks"]["nq"]
    found = duckdb.sql(
        f"select strategy, n_labels, cost_usd, score, recommended from '{plans}' order by score desc nulls last"
    ).fetchall()
    wanted = [
        (a["strategy"], a["n_labels"], a["cost_usd"], a["score"], i == told["recommended"])
        for i, a in enumerate(told["allocations"])
    ]
    assert found == wanted
    (joined,) = duckdb.sql(
        f"select p.strategy, f.n_rows, f.loo_rmse_points from '{plans}' p "
        f"join '{fits}' f using (task, evidence_set, strategy, student) where recommended"
    ).fetchall()
    (surface,) = (s for s in json.loads(FIT.read_bytes())["surfaces"] if s["strategy"] == joined[0])
    assert joined[1:] == (surface["n_rows"], surface["diagnostics"]["loo_rmse_points"])


def test_a_task_without_a_fit_is_named() -> None:
    done = CliRunner().invoke(app, ["store", "fits", "--task", "stanse"])
    assert "The store has no stored fit of task 'stanse'. Did you mean stance?" in str(done.exception)

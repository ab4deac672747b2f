"""The reproduction page: what is printed, what is left out, and who is on the frontier."""

import importlib
import sys

import numpy as np
import pytest

from budgetsim.answers.evidence import load_evidence
from budgetsim.costs.rates import parse_rates
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths
from made import ROOT

sys.path.insert(0, str(ROOT / "tools" / "docs"))
evidence, claims, front = (importlib.import_module(f"paper_{name}") for name in ("evidence", "claims", "front"))
PATHS = StorePaths(ROOT / "results" / "budgetsim.duckdb")


@pytest.fixture(scope="module")
def cells():
    with open_reader(PATHS.database) as connection:
        return evidence.read_cells(connection)


@pytest.fixture
def refits(tmp_path):
    card = parse_rates((ROOT / "rates.yaml").read_text(encoding="utf-8"))
    return evidence.Refits(load_evidence(PATHS, "published"), card, tmp_path)


def test_the_store_holds_every_printed_cell(cells):
    assert len(cells) == 221
    assert len({c.key for c in cells}) == 203
    main = {(c.task, c.initial, c.extra_usd, c.strategy): c.score for c in cells if c.panel == "main_results"}
    won = [score > main[*key[:3], "annotate"] for key, score in main.items() if key[3] == "distill"]
    assert (sum(won), len(won)) == (30, 32)  # as the poster says


def test_a_cell_is_left_out_with_its_copies(cells, refits, monkeypatch):
    seen = []
    monkeypatch.setattr(evidence, "fit_task", lambda rows, others: seen.append(rows))
    monkeypatch.setattr(evidence, "save_fit", lambda folder, fit: None)
    copy = next(c for c in cells if c.run_id == "kang2023-194")
    assert copy.key == "kang2023-006"
    refits.without("wlp", [copy])
    keys = {m.key for m in seen[0]}
    assert not keys & {"kang2023-006", "kang2023-194"}
    assert len(keys) == len(refits.evidence.rows("wlp")) - 1


def test_the_frontier_of_printed_scores_is_what_one_reads_off_the_table(cells):
    grid = front.grid_of(cells, "stance")
    on = front.members(grid, [c.score for c in grid])
    assert front.order(grid, on) == "500:10K, 1,000:10K, 1,000:100K, 5,000:100K, 10,000:100K"
    # 100 labels and 100,000 texts reach 45.6 for $265, but 500 and 10,000 reach 48.7 for $212;
    # 100 and 10,000 reach 45.5, as the answer that costs nothing does
    assert front.switches([["stance", front.order(grid, on), ""]]).startswith(
        "From 100,000 back to fewer texts at a dearer point: in print 0 times"
    )


def test_a_chance_counts_ties_half():
    def made(runs):
        return evidence.Forecast(cell=None, score=0, lower=0, upper=0, kind="observed", runs=np.array(runs))

    assert evidence.chance_above(made([2.0, 1.0, 1.0, 0.0]), made([1.0, 1.0, 2.0, 3.0])) == pytest.approx(0.375)


def test_the_page_is_of_these_cells():
    page = (ROOT / "docs" / "paper" / "claims.md").read_text(encoding="utf-8")
    assert "221 printed cells" in page
    assert "distilling wins 30 of 32 in print" in page

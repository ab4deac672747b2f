"""Spot machines in a dry run: the sum over stages by hand, and what the command says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from budgetsim.costs.rates import parse_rates
from budgetsim.costs.spot import paid_seconds
from budgetsim.errors import RateCardError
from budgetsim.measure import Campaign, Limits
from budgetsim.measure.estimate import Estimator
from budgetsim.measure.events import ignore
from budgetsim.measure.grid import load_grid
from budgetsim.measure.show import dry_run_page, predict_campaign
from budgetsim.measure.spot import expected_seconds
from budgetsim.measure.stages import PlannedStage
from budgetsim.measure.stagestore import Work
from budgetsim.store.location import StorePaths
from made import ROOT


def stage(kind: str, model: str, examples: int) -> PlannedStage:
    return PlannedStage(kind=kind, depends_on={}, about={"model": model}, examples=examples, build=lambda *_: Work())


def test_trained_stages_lose_a_checkpoint_and_others_all() -> None:
    spec = load_grid("demo").specs()[-1]
    estimator = Estimator(here=False)
    trained, scored = stage("train_student", "pico", 1000 * spec.recipe.batch), stage("evaluate", "pico", 500)
    life = 2 * estimator.stage(trained)
    found = expected_seconds([(spec, [trained, scored])], estimator, checkpoint_every=200, mean_life=life)
    restart, work = estimator.startup, estimator.stage(trained)
    by_hand = 5 * paid_seconds(work / 5, checkpoint=work / 5, restart=restart, mean_life=life)
    by_hand += paid_seconds(estimator.stage(scored), checkpoint=1e9, restart=restart, mean_life=life)
    assert found == pytest.approx(by_hand + estimator.overhead)


def test_a_dry_run_says_what_preemptions_cost(tmp_path: Path) -> None:
    def predict(life: float | None) -> dict[str, Any]:
        limits = Limits(usd_per_hour=1.0, preempted_every_hours=life)
        paths = StorePaths(tmp_path / "x" / "s.duckdb")
        specs = load_grid("demo").specs()
        return predict_campaign(Campaign(specs=specs, paths=paths, cache=tmp_path / "cache", limits=limits), ignore)

    predicted = predict(0.05)
    assert predicted["spot"]["mean_hours_between_preemptions"] == 0.05
    assert predicted["spot"]["worker_hours"] > predicted["worker_hours"]
    assert predicted["spot"]["cost_usd"] == pytest.approx(
        predicted["spot"]["worker_hours"], abs=1e-3
    )  # a dollar an hour
    assert "On machines that are taken away every 0.05 h on average" in str(dry_run_page(predicted)[-1])
    assert "a stage would never be done" in str(dry_run_page(predict(1e-6))[-1])
    assert predict(None)["spot"] is None


def test_a_card_gives_the_life_of_a_spot_machine_alone() -> None:
    card = (ROOT / "rates.yaml").read_text(encoding="utf-8")
    at = card.index("cpu:")
    for kind in ("spot", "on-demand"):
        text = card[:at] + card[at:].replace(
            "price_type: on-demand", f"price_type: {kind}\n  mean_hours_between_preemptions: 4", 1
        )
        if kind == "spot":
            assert parse_rates(text).device("cpu").mean_hours_between_preemptions == 4
        else:
            with pytest.raises(RateCardError, match="mean_hours_between_preemptions with price_type spot alone"):
                parse_rates(text)

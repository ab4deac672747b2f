"""What the page is told: prices with their sources, every result behind a curve, cheap students of every set."""

from __future__ import annotations

from pathlib import Path

import pytest

from budgetsim.answers.pricing import Pricing
from budgetsim.answers.rivals import rivals
from budgetsim.costs.terms import NO_TERMS
from made import run_cli
from page.settings import card, evidence, payload


def test_every_row_of_the_evidence_is_a_point_on_a_curve() -> None:
    task = payload("stance").data["tasks"][0]
    assert sum(len(s["rows"]) for s in task["surfaces"]) == len(evidence().rows("stance"))
    for surface in task["surfaces"]:
        assert all(len(row) == len(surface["inputs"]) + 2 for row in surface["rows"])


def test_prices_are_told_with_source_and_date() -> None:
    prices = {p["what"]: p for p in payload("stance").data["card"]["prices"]}
    assert prices["a label of stance"]["usd"] == pytest.approx(0.364)
    assert prices["an hour of A100"]["usd"] == pytest.approx(1.875)
    assert all(p["source"] and p["as_of"] for p in prices.values())


def test_sliders_start_from_the_terms_and_costs_hold_none_of_them() -> None:
    terms = NO_TERMS._replace(owned_labels=70.0, pool=500, labels_per_day=20.0, deadline_days=9.0, gpus=2)
    told = payload("stance", pricing=Pricing(card(), terms=terms))
    wanted = {"budget": 2000.0, "owned": 70.0, "maxLabels": None, "pool": 500, "perDay": 20.0, "gpus": 2, "days": 9.0}
    wanted |= {"risk": None, "target": None, "chance": 0.9, "serve": None}
    assert told.data["settings"] == wanted
    plain = payload("stance")
    assert [s["cost"] for s in told.data["tasks"][0]["surfaces"]] == [
        s["cost"] for s in plain.data["tasks"][0]["surfaces"]
    ]


def test_cheap_students_are_all_told_and_those_of_the_miniature_are_marked() -> None:
    terms = NO_TERMS._replace(max_labels=1)  # which the page, not the payload, keeps to
    told = payload("fever", pricing=Pricing(card(), terms=terms)).data["tasks"][0]["rivals"]
    assert len(told) == len(rivals(evidence(), "fever", Pricing(card())))
    assert {"mini" in r["evidence_set"] for r in told} == {True, False}
    assert all(r["miniature"] is ("-mini-" in r["evidence_set"]) for r in told)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "0"), "--budget: found 0, wanted a finite number above zero"),
        (("-o", "."), "--output: . cannot be written"),
        (("-o", "nowhere/r.html"), "--output: nowhere/r.html cannot be written"),
        (("--task", "stanse"), "Did you mean stance?"),
        (("--risk", "2"), "--risk: found 2, wanted a share between 0.01 and 0.99"),
        (("--target", "0.6"), "did you mean 60?"),
        (("--chance", "0.5"), "--chance belongs to a --target"),
        (("--serve", "lots"), "--serve: found 'lots', wanted an amount"),
        (("--grid", "nothing"), "nothing"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path, store, words, said) -> None:
    done = run_cli("report", *words, store=store.database, cwd=tmp_path)
    assert done.returncode in (2, 4)
    assert said in done.stderr
    assert "Traceback" not in done.stderr

"""The example cards: complete, sourced, dated, marked where a source is weak, and their prices worked out by hand."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.store.location import example_cards
from made import ROOT, run_cli

TEXTS = {name: path.read_text(encoding="utf-8") for name, path in example_cards().items()}
CARDS = {name: parse_rates(text, name) for name, text in TEXTS.items()}
TRACE = re.compile(r"at [0-9a-f]{7}|genai-prices \d|arXiv \d{4}\.\d{5}|appendix L|T5X throughput tables|dated 11 April")


def sections(card):
    named = {f"labels.{task}": p for task, p in card.labels.items()}
    named |= {f"pools.{task}": p for task, p in card.pools.items()}
    named |= {key: getattr(card, key) for key in ("gpu", "cpu", "llm", "utilisation")}
    return {key: part for key, part in named.items() if part is not None}


def test_there_are_five_or_so_and_the_papers_is_the_first():
    assert next(iter(CARDS)) == "paper-2023"
    assert len(CARDS) >= 5


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_named_as_its_file_called_an_example_and_prices_all_six_tasks(name):
    card = CARDS[name]
    assert card.name == name
    assert card.about.startswith("example - ")
    assert set(TASKS) <= set(card.labels)
    assert card.gpu and card.cpu and card.llm and card.pools and card.utilisation  # noqa: PT018


@pytest.mark.parametrize("name", CARDS)
def test_every_number_has_a_source_that_can_be_found_and_a_date(name):
    for key, part in sections(CARDS[name]).items():
        assert TRACE.search(part.source), f"{key}: {part.source}"
        assert re.match(r"20\d\d", part.as_of), key
        weak = part.source.count("indexed public text")
        assert weak == part.source.count("weaker: "), f"{key}: a source without a name must be marked"


@pytest.mark.parametrize("name", CARDS)
def test_a_device_says_what_its_price_covers(name):
    gpu = CARDS[name].gpu
    assert gpu.model.startswith("A100")  # the hours billed are of A100
    assert gpu.scope in ("per device", "whole instance")


def test_prices_by_hand():
    usd = {name: float(card.gpu.usd_per_device_hour) for name, card in CARDS.items()}
    assert usd["late-2026"] == pytest.approx((5.91582 + 23.47126) / 8)
    assert usd["spot-2026"] == pytest.approx((2.958 + 11.4728) / 8)
    assert CARDS["us-wages"].labels["multipit_id"].usd == pytest.approx(Decimal(25) / 3600 * Decimal("11.2") * 3)
    for task in TASKS:
        us, india = (CARDS[f"{place}-wages"].labels[task].usd for place in ("us", "india"))
        assert us == pytest.approx(5 * india)  # the same seconds, a fifth of the price of an hour
    llm = CARDS["cheap-2026"].llm
    assert (llm.usd_per_mtok_input, llm.usd_per_mtok_output) == (Decimal("0.1") / 2, Decimal("0.5") / 2)


def test_a_card_is_used_and_copied_by_name(tmp_path):
    done = run_cli("rates", "init", "mine.yaml", "--from", "spot-2026", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    assert written == TEXTS["spot-2026"].replace("\nname: spot-2026\n", "\nname: mine\n")
    assert "spot-2026" in run_cli("rates", "show", "--rates", "spot-2026").stdout
    listed = run_cli("rates", "list").stdout
    assert all(name in listed for name in CARDS)


@pytest.mark.parametrize("file", ["mine.yaml", "2026.yaml", "no.yaml", "a 'b': c.yaml", "my_1.85.yaml"])
def test_a_card_of_ones_own_has_the_name_of_its_file(file, tmp_path):
    """An answer names the card its prices are of: not the example whose label prices they no longer are."""
    done = run_cli("rates", "init", file, "--task", "mine", "--task", "mine", "--usd-per-label", "0.25", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card = parse_rates((tmp_path / file).read_text(encoding="utf-8"))
    assert (card.name, card.about) == (Path(file).stem, "prices of paper-2023, but a label of mine as stated")
    assert card.labels["mine"].usd == Decimal("0.25")
    assert card.labels["wlp"] == CARDS["paper-2023"].labels["wlp"]


def test_a_file_goes_before_an_example_of_its_name(tmp_path):
    (tmp_path / "late-2026").write_text(TEXTS["paper-2023"], encoding="utf-8")
    assert "Rate card paper-2023" in run_cli("rates", "show", "--rates", "late-2026", cwd=tmp_path).stdout


def test_the_cards_go_into_the_wheel():
    assert '"rates" = "budgetsim/_data/rates"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")

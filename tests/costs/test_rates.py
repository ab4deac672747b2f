from decimal import Decimal

import pytest

from budgetsim.costs.model import llm_usd_per_label
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.errors import RateCardError
from budgetsim.store.published import PAPER_GPU_USD_PER_HOUR, paper_llm_usd_per_label
from made import ROOT

TEXT = (ROOT / "rates.yaml").read_text()
CARD = parse_rates(TEXT)


def test_the_papers_card_restated():
    prices = {task: price.usd for task, price in CARD.labels.items()}
    assert prices == {
        "wlp": Decimal("0.26"),
        "stance": Decimal("0.364"),
        "fever": Decimal("0.129"),
        "multipit_id": Decimal("0.2"),
        "multipit_gen": Decimal("0.371"),
        "nq": Decimal("0.129"),
        "wlp_typing": Decimal("0.129"),  # not the paper's: a public price list
    }
    assert CARD.gpu is not None
    assert float(CARD.gpu.usd_per_device_hour) == PAPER_GPU_USD_PER_HOUR == 1.875


def test_the_card_and_the_implied_llm_labels_use_one_price():
    assert CARD.llm is not None
    for task in TASKS.values():
        assert llm_usd_per_label(CARD.llm, task) == pytest.approx(paper_llm_usd_per_label(task.name))


def test_a_price_of_a_whole_machine_is_shared_by_its_devices():
    card = parse_rates(
        TEXT.replace(
            "usd_per_hour: 1.875\n  count: 1\n  scope: per device",
            "usd_per_hour: 16\n  count: 8\n  scope: whole instance",
        )
    )
    assert card.gpu is not None
    assert card.gpu.usd_per_device_hour == 2


def test_token_prices_in_scientific_notation_are_numbers():
    """YAML 1.1 readers take 1e-6 for text."""
    card = parse_rates(TEXT.replace("usd_per_mtok_input: 20", "usd_per_mtok_input: 1e-6"))
    assert card.llm is not None
    assert card.llm.usd_per_mtok_input == Decimal("0.000001")


def test_several_mistakes_are_told_at_once():
    bad = TEXT.replace("usd_per_label: 0.260", "usd_per_label: -1").replace("  count: 1\n", "  cuont: 1\n")
    with pytest.raises(RateCardError) as caught:
        parse_rates(bad, "my.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "my.yaml, line 10, labels.wlp.usd_per_label: found -1, wanted 0 or more"
    assert lines[1].startswith("my.yaml, line 42, gpu.cuont: found an unknown key, wanted one of as_of, count")
    assert len(lines) == 2

"""Prices of LLMs from a library: looked up with care, shown before they are written, everything else kept."""

from decimal import Decimal

import pytest
from typer.testing import CliRunner

from budgetsim.answers.llm_prices import llm_prices, llm_updates, refreshed_card
from budgetsim.costs.model import llm_usd_per_label
from budgetsim.costs.rates import parse_rates
from budgetsim.data.tasks import TASKS
from budgetsim.errors import InputError, RateCardError
from budgetsim.store.location import example_cards
from budgetsim_cli.main import app

pytest.importorskip("genai_prices")
LATE = example_cards()["late-2026"].read_text("utf-8")


def test_prices_are_those_of_the_lowest_tier_and_batch_prices_are_halves_where_they_are_listed():
    """gpt-5-mini in genai-prices 0.2.3: 0.25 in, 2 out, 0.025 cached; half of it in a batch."""
    found = llm_prices("openai/gpt-5-mini")
    assert found["usd_per_mtok_input"] == 2 * found["usd_per_mtok_input_batch"] > found["usd_per_mtok_cached"] > 0
    assert found["usd_per_mtok_output"] == 2 * found["usd_per_mtok_output_batch"]
    assert found["usd_per_mtok_input"] == Decimal("0.25")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("opnai/gpt-5-mini", "no provider 'opnai'.* Did you mean openai?"),
        ("openai/gpt-5-mni", "Did you mean gpt-5-mini?"),
    ],
)
def test_names_nearly_right_are_asked_about(name, said):
    with pytest.raises(InputError, match=said):
        llm_prices(name)


def test_a_refresh_changes_the_llm_alone_and_says_what_before_it_writes(tmp_path):
    card = tmp_path / "mine.yaml"
    card.write_text(LATE, encoding="utf-8")
    words = ["rates", "refresh", str(card), "--model", "openai/gpt-5-mini"]
    shown = CliRunner().invoke(app, words)
    assert "usd_per_mtok_input" in shown.stdout
    assert "Nothing is written yet" in shown.stdout
    assert card.read_text("utf-8") == LATE
    assert CliRunner().invoke(app, [*words, "--write"]).exit_code == 0
    changed = card.read_text("utf-8")
    old, new = (parse_rates(text) for text in (LATE, changed))
    assert new.model_copy(update={"llm": old.llm}) == old
    assert (new.llm.model, float(new.llm.usd_per_mtok_input), new.llm.prompt_examples) == (
        "openai/gpt-5-mini",
        0.25,
        32,
    )
    assert "genai-prices" in new.llm.source
    assert changed.count("#") == LATE.count("#")
    assert "are those of genai-prices" in CliRunner().invoke(app, ["rates", "refresh", str(card)]).stdout
    assert llm_updates(new, None, "2026-11-24") == []


def test_a_card_that_is_written_another_way_is_left_alone():
    text = LATE.replace("llm:\n", "llm: {}\n#")
    with pytest.raises(InputError, match="not written as a block"):
        refreshed_card(text, llm_updates(parse_rates(LATE), "openai/gpt-5-mini", "2026-11-24"), "x.yaml")


def test_labels_asked_for_in_batches_or_with_kept_examples_cost_what_the_card_says():
    """By hand: 32 examples and a text in, an answer out; a batch at half, examples at a tenth."""
    task = TASKS["stance"]
    keys = "  usd_per_mtok_cached: 0.1\n  usd_per_mtok_input_batch: 0.5\n  usd_per_mtok_output_batch: 2.5\n"
    plain = LATE.replace("  prompt_examples: 32", keys + "  prompt_examples: 32")
    full, batch, cached = (
        llm_usd_per_label(parse_rates(plain.replace("  prompt_examples", f"{more}  prompt_examples")).llm, task)
        for more in ("", "  batch: true\n", "  examples_cached: true\n")
    )
    assert batch == pytest.approx(full / 2)
    examples = 32 * (task.source_tokens + task.target_tokens) * 1e-6
    assert full - cached == pytest.approx(0.9 * examples)
    for wrong in ("  batch: true\n", "  examples_cached: true\n"):
        with pytest.raises(RateCardError, match="usd_per_mtok"):
            parse_rates(LATE.replace("  prompt_examples", f"{wrong}  prompt_examples"))

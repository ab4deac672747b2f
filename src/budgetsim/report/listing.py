"""What a card and the registry hold, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from budgetsim.costs.rates import RateCard
from budgetsim.data.tasks import Task
from budgetsim.report.table import Table


def rates_table(card: RateCard) -> Table:
    """The prices of a card, each with its source and date."""
    rows = [(f"label, {task}", f"{p.usd:.4g} USD", p.as_of, p.source) for task, p in card.labels.items()]
    for name, device in (("gpu", card.gpu), ("cpu", card.cpu)):
        if device is not None:
            what = f"{name} hour, {device.model} ({device.scope}, {device.price_type})"
            rows.append((what, f"{device.usd_per_device_hour:.4g} USD", device.as_of, device.source))
    if card.llm is not None:
        tokens = f"{card.llm.usd_per_mtok_input:.4g} in, {card.llm.usd_per_mtok_output:.4g} out"
        rows.append((f"million tokens, {card.llm.model}", f"{tokens} USD", card.llm.as_of, card.llm.source))
    for task, pool in card.pools.items():
        price = f"{pool.usd_per_text:.4g} USD"
        rows.append((f"text, {task} pool of {pool.size:,}", price, pool.as_of, pool.source))
    return Table(
        title=f"Rate card {card.name}, {card.currency}",
        headings=("price of one", "price", "as of", "source"),
        rows=tuple(rows),
        text_columns=frozenset({0, 2, 3}),
    )


def cards_table(cards: Sequence[RateCard]) -> Table:
    """Rate cards by name, with what they are."""
    rows = tuple((card.name, card.about or "") for card in cards)
    return Table(title="", headings=("card", "what"), rows=rows, text_columns=frozenset({0, 1}))


def tasks_table(tasks: Sequence[Task]) -> Table:
    """The tasks of the registry."""
    rows = tuple((t.name, t.metric, f"{100 * t.constant_score:.1f}", f"{t.n_test:,}", t.description) for t in tasks)
    return Table(
        title="",
        headings=("task", "metric", "constant", "test items", "what"),
        rows=rows,
        text_columns=frozenset({0, 1, 4}),
    )

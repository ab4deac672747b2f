"""What a card and the registry hold, as tables; what was found in files of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from budgetsim.answers.llm_prices import PriceUpdate
from budgetsim.answers.prices import PricedPoint
from budgetsim.costs.rates import RateCard
from budgetsim.data.inspection import PRESET_TOKENS, RARE, Findings
from budgetsim.data.metrics import METRICS
from budgetsim.data.tasks import Task
from budgetsim.report.table import Page, Table, count, usd

MOST_LABELS: Final = 100  # that are shown with their counts


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


def priced_table(points: Sequence[PricedPoint], card: RateCard) -> Table:
    """Results with what their designs cost under a card, for people; ids and reasons are in CSV and JSON."""
    rows = [
        (
            p.measurement.route.short,
            p.measurement.task,
            *(count(getattr(p.measurement, name)) for name in ("n_labels", "n_llm_labels", "n_unlabeled")),
            f"{100 * p.measurement.score:.1f}",
            "-" if p.cost_usd is None else usd(p.cost_usd),
            p.measurement.evidence_set,
        )
        for p in points
    ]
    return Table(
        title=f"Results at the prices of {card.name}",
        headings=("strategy", "task", "labels", "LLM", "texts", "score", "cost", "evidence set"),
        rows=tuple(rows),
        text_columns=frozenset({0, 1, 7}),
        optional=("evidence set", *(("task",) if len({row[1] for row in rows}) == 1 else ())),
    )


def updates_table(updates: Sequence[PriceUpdate]) -> Table:
    """What would change in a card."""
    rows = tuple((u.key, u.now or "-", u.then or "-") for u in updates)
    return Table(title="", headings=("key", "card", "now"), rows=rows, text_columns=frozenset({0, 1, 2}))


def cards_table(cards: Sequence[RateCard]) -> Table:
    """Rate cards by name, with what they are."""
    rows = tuple((card.name, card.about or "") for card in cards)
    return Table(title="", headings=("card", "what"), rows=rows, text_columns=frozenset({0, 1}))


def tasks_table(tasks: Sequence[Task]) -> Table:
    """The tasks of the registry."""
    rows = tuple(
        (t.name, t.metric, f"{100 * t.constant_score:.1f}", f"{t.n_test:,}", shown(t.description)) for t in tasks
    )
    return Table(
        title="",
        headings=("task", "metric", "constant", "test items", "what"),
        rows=rows,
        text_columns=frozenset({0, 1, 4}),
    )


def task_page(task: Task) -> Page:
    """One task, a fact a line."""
    page: Page = [f"{key}: {shown(_fact(key, value))}" for key, value in asdict(task).items()]
    if task.metric in METRICS and (task.metric != "f1" or task.positive):
        page.append(f"The metric: {METRICS[task.metric].meaning}.")
    return page


def _fact(key: str, value: object) -> str:
    """A fact of a task in words; scores are percent, as everywhere.

    >>> _fact("floors", (0.2, 0.5)), _fact("constant_score", 0.4553), _fact("n_test", 9)
    ('20 %, 50 %', '45.53 %', '9')
    """
    if key == "constant_score" and isinstance(value, float):
        return f"{100 * value:.4g} %"
    if key == "floors" and isinstance(value, tuple):
        return ", ".join(f"{100 * floor:.4g} %" for floor in value)
    return str(value)


def labels_table(findings: Findings) -> Table:
    """Counts of labels by part, the commonest first."""
    names = list(dict.fromkeys((*findings.labels, *findings.test_labels)))
    cut = f", the first {MOST_LABELS} of {len(names):,}" if len(names) > MOST_LABELS else ""
    rows = tuple(
        (shown(name), f"{findings.labels.get(name, 0):,}", f"{findings.test_labels.get(name, 0):,}")
        for name in names[:MOST_LABELS]
    )
    return Table(title=f"Labels{cut}", headings=("label", "train", "test"), rows=rows)


def findings_page(task: Task, findings: Findings, store: str = "") -> Page:
    """What was found in the files of a task, and what to do next.

    store : the option that names the store, with the blank before it, for the command that is suggested
    """
    lines: Page = [
        f"{task.name}: {findings.n_train:,} train, {findings.n_test:,} test, {findings.n_unlabeled:,} unlabelled; "
        f"metric {task.metric}{f' of {shown(task.positive)}' if task.positive else ''}.",
        *map(shown, findings.understood),
    ]
    if findings.labels:
        labels = ", ".join(f"{shown(label)} {n}" for label, n in list(findings.labels.items())[:10])
        lines.append(
            f"Labels of train: {labels}. "
            f"Always answering {shown(task.constant_answer)} scores {100 * task.constant_score:.1f}."
        )
    lines += [text for count, text in _worries(findings) if count]
    lines.append(f"Next: budgetsim measure --task {task.name}{store}")
    return lines


def shown(text: str) -> str:
    """A text with whatever a terminal would act on written out.

    >>> shown(chr(27) + "]0;b") == chr(92) + "x1b]0;b"
    True
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _worries(findings: Findings) -> list[tuple[float, str]]:
    shared, double, torn = findings.shared_texts, findings.duplicate_train_texts, findings.contradicting_texts
    rare, unknown = [shown(x) for x in findings.rare_labels], [shown(x) for x in findings.unknown_test_labels]
    cut = [
        (
            share >= 0.01,
            f"About {100 * share:.0f} % of the texts are cut at {PRESET_TOKENS[preset]} tokens (preset {preset}).",
        )
        for preset, share in findings.long_shares.items()
    ]
    return [
        (findings.n_blank, f"Rows without a text or a label, which are left out: {findings.n_blank:,}."),
        (shared, f"Texts of train that stand in test too, and are not trained on: {shared:,}."),
        (double, f"Duplicate texts of train, of which one is kept: {double:,}."),
        (torn, f"Texts of train with two labels, of which the first is kept: {torn:,}."),
        (
            findings.unlabeled_in_test,
            f"Unlabelled texts that stand in test, and are left out: {findings.unlabeled_in_test:,}.",
        ),
        (
            findings.unlabeled_in_train,
            f"Unlabelled texts that stand in train, which has their label: {findings.unlabeled_in_train:,}.",
        ),
        (
            findings.duplicate_unlabeled,
            f"Duplicate unlabelled texts, of which one is kept: {findings.duplicate_unlabeled:,}.",
        ),
        (
            findings.n_unlabeled,
            f"Unlabelled texts that may be used, which bound the pool of every answer: {findings.n_usable_texts:,}.",
        ),
        (
            findings.n_train,
            f"Labels that a plan may ask for, one a text: {findings.n_distinct_train + findings.n_usable_texts:,}.",
        ),
        (len(unknown), f"Labels only in test: {', '.join(unknown[:5])}."),
        (len(rare), f"Labels of fewer than {RARE} train rows, hardly to be learned: {', '.join(rare[:5])}."),
        *cut,
    ]

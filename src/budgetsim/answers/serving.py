"""What it takes to answer texts: an LLM asked about every one of them, beside students that are trained once."""

from __future__ import annotations

from collections.abc import Mapping

from budgetsim.answers.evidence import Evidence
from budgetsim.answers.learners import LlmCaller, Serving
from budgetsim.answers.pricing import Pricing
from budgetsim.costs.model import llm_usd_per_label
from budgetsim.data.tasks import Task


def serving_of(
    evidence: Evidence, task: Task, pricing: Pricing, texts_a_month: float | None, llm_accuracy: float | None = None
) -> Serving:
    """LLMs that could answer every text: those measured on the task and, where it is asked about, the card's.

    texts_a_month : None where nobody asked; then the card's LLM, whose score is not known, is left out
    llm_accuracy : fraction, of the card's LLM on this task, as somebody says; then it is shown in any case
    """
    measured = [
        LlmCaller(
            model=row.model,
            n_labels=row.n_labels,
            cost_usd=_label_usd(row.n_labels, pricing, task),
            score=row.score,
            usd_per_text=None if row.usd_per_million_texts is None else row.usd_per_million_texts / 1e6,
            source="probed on your labels" if row.is_probed else f"measured, {row.n_runs} run{'s' * (row.n_runs != 1)}",
        )
        for row in evidence.callers
        if row.task == task.name
    ]
    llm, borrowed = pricing.card.llm, borrowed_ms(evidence, task.name)
    asked = texts_a_month is not None or llm_accuracy is not None
    if llm is None or not asked or any(caller.model == llm.model for caller in measured):
        return Serving(texts_a_month, tuple(measured), borrowed)
    card = LlmCaller(
        model=llm.model,
        n_labels=llm.prompt_examples,
        cost_usd=_label_usd(llm.prompt_examples, pricing, task),
        score=100 * llm_accuracy if llm_accuracy is not None and task.labels else None,
        usd_per_text=llm_usd_per_label(llm, task),
        source="nobody measured it here: --llm-accuracy" if llm_accuracy is None else "as --llm-accuracy says",
    )
    return Serving(texts_a_month, (*measured, card), borrowed)


def borrowed_ms(evidence: Evidence, task: str) -> Mapping[str, float]:
    """Milliseconds a text of each student on other tasks, where a task is forecast from them; else nothing."""
    return evidence.ms_per_text if task in evidence.forecasts else {}


def _label_usd(n: int, pricing: Pricing, task: Task) -> float | None:
    """What the examples of a prompt cost: people's labels, of which those that are owned are paid for."""
    missing, price = max(n - pricing.terms.owned_labels, 0.0), pricing.card.label_price(task.name)
    return missing * float(price.usd) if price is not None else None if missing else 0.0

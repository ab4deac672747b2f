"""How much further runs stray that learnt from few labels: which ones those are is luck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement
from budgetsim.design.surface import growth

FEW: Final = 900.0  # labels at which the variance is twice that on very many: bench/studies/few_labels.py


def few_of(rows: Sequence[Measurement]) -> float:
    """`FEW` of runs that were measured; 0 of published results, whose replicates show none of it."""
    return 0.0 if any(m.source.startswith("published") for m in rows) else FEW


def spread_of(rows: Sequence[Measurement]) -> Floats:
    """How many times as far as on `PIVOT` labels each run strays, (rows,): by labels of people and of an LLM."""
    return growth([(m.n_labels or 0.0) + (m.n_llm_labels or 0.0) for m in rows], few_of(rows))

"""Which runs could be next: the points of a sparse grid, and another seed where there are runs already."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.choosing.options import Option
from budgetsim.surface import Floats

GRID: Final[dict[str, tuple[int, ...]]] = {
    "n_labels": (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
    "n_llm_labels": (300, 1000, 3000, 10_000, 30_000),
    "n_unlabeled": (1000, 3000, 10_000, 30_000, 100_000),
}


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A run that could be next.

    counts : (n_inputs,), whole units in the order of the inputs of the option's surface
    again : runs exist at these counts, so it would be another seed
    cost_usd : what it takes out of the budget, owned labels left out
    """

    option: int
    counts: Floats
    again: bool
    cost_usd: float


def candidate_runs(options: Sequence[Option], most_usd: float) -> list[Candidate]:
    """Every run that costs no more than `most_usd` and lies within the pools."""
    return [
        Candidate(i, counts, again, usd)
        for i, option in enumerate(options)
        for counts, again in _points(option)
        if (usd := float(option.cost.total(dict(zip(option.surface.inputs, counts, strict=True))))) <= most_usd
    ]


def _points(option: Option) -> list[tuple[Floats, bool]]:
    """Observed sizes first, then those of the grid that lie apart from them."""
    s = option.surface
    limits = [option.cost.limit(name) for name in s.inputs]
    seen = [np.round(x) for x in s.support.points if (np.round(x) <= limits).all() and (np.round(x) >= 1).all()]
    axes = [[float(n) for n in GRID[name] if n <= limit] for name, limit in zip(s.inputs, limits, strict=True)]
    new = [np.array(x) for x in itertools.product(*axes)]
    kinds = s.support.classify(np.array(new))[0] if new else []
    return [(x, True) for x in seen] + [(x, False) for x, kind in zip(new, kinds, strict=True) if kind != "observed"]

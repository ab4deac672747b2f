"""Which runs could be next: the points of a sparse grid, and another seed where there are runs already."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from budgetsim.choosing.options import Option
from budgetsim.design.arrays import Floats

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
    """Every run that costs no more than `most_usd`, lies within pools and bounds, and keeps the deadline."""
    return [
        Candidate(i, counts, again, usd)
        for i, option in enumerate(options)
        for counts, again in _points(option)
        if (usd := float(option.cost.total(named := option.named(counts)))) <= most_usd and option.cost.in_time(named)
    ]


def _points(option: Option) -> list[tuple[Floats, bool]]:
    """Observed sizes first, then those of the grid that lie apart from them.

    With an owned teacher as it is, its labels are the only number; tuned anew on as many it would be the same
    run, only dearer.
    """
    s, owned_n = option.surface, option.cost.at_least.get("n_labels")
    limits = [option.cost.limit(name) for name in s.inputs]
    sizes = GRID if owned_n is None else {**GRID, "n_labels": (owned_n,)}
    axes = [[float(n) for n in sizes[name] if n <= limit] for name, limit in zip(s.inputs, limits, strict=True)]
    measured = [x for x in np.round(s.support.points) if _is_open(option, x)]
    new = [x for x in map(np.array, itertools.product(*axes)) if _is_open(option, x)]
    kinds = s.support.classify(np.array(new))[0] if new else []
    return [(x, True) for x in measured] + [
        (x, False) for x, kind in zip(new, kinds, strict=True) if kind != "observed"
    ]


def _is_open(option: Option, counts: Floats) -> bool:
    """Whether a size is one of this option's runs."""
    cost, names = option.cost, option.surface.inputs
    within = all(1 <= n <= cost.limit(name) for name, n in zip(names, counts, strict=True))
    owned_n = cost.at_least.get("n_labels", option.left_aside)
    as_it_is = owned_n is not None and counts[names.index("n_labels")] == owned_n
    return within and as_it_is == ("n_labels" in cost.at_least)

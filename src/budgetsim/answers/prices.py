"""Dollars of results under a card: computed on reading, never stored with a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from budgetsim.answers.evidence import Evidence, load_evidence, load_sets
from budgetsim.answers.pricing import Pricing, priced_route
from budgetsim.data.tasks import Task, known_tasks
from budgetsim.design.points import Measurement
from budgetsim.doors.amounts import did_you_mean
from budgetsim.errors import MissingPriceError, NoEvidenceError
from budgetsim.store.database import open_reader
from budgetsim.store.location import StorePaths, find_card, locate
from budgetsim.store.query import load_catalogue

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedPoint:
    """A result and what its design costs under a card.

    cost_usd : None where a count or a price is not known; then `reason` says which
    """

    measurement: Measurement
    cost_usd: float | None
    reason: str | None


def price_store(paths: StorePaths, pricing: Pricing, asked: Sequence[str] | None = None) -> list[PricedPoint]:
    """Every distinct result of a store, or those on the tasks asked about, with its dollars, by evidence set and task.

    raises : StoreError, StoreLockedError, NoEvidenceError where the store has no result on a task
    """
    load_evidence(paths, None, tasks=[])  # makes the store where there is none, and knows the tasks of one's own
    with open_reader(paths.database) as connection:
        catalogue = load_catalogue(connection)
    for task in asked or ():
        if task not in catalogue:
            raise NoEvidenceError(f"The store has no result on task {task!r}.{did_you_mean(task, set(catalogue))}")
    wanted = sorted(set(asked or catalogue))
    names = sorted({name for task in wanted for name in catalogue[task]})
    sets = {name: [task for task in wanted if name in catalogue[task]] for name in names}
    tasks = {task.name: task for task in known_tasks()}
    read = zip(sets, load_sets(paths, sets), strict=True)
    return [point for name, evidence in read for point in _price_set(evidence, name, tasks, pricing)]


def _price_set(evidence: Evidence, name: str, tasks: dict[str, Task], pricing: Pricing) -> Iterator[PricedPoint]:
    """Results of one evidence set."""
    rows = [m for m in evidence.measurements if m.evidence_set == name]
    rows.sort(key=lambda m: (m.task, m.route.sort_key))
    for (task, route), same in groupby(rows, key=lambda m: (m.task, m.route)):
        try:
            if task not in tasks:
                raise MissingPriceError(f"there is no task {task} here")
            cost, _ = priced_route(evidence, route, tasks[task], pricing)
        except (MissingPriceError, NoEvidenceError) as error:
            yield from (PricedPoint(measurement=m, cost_usd=None, reason=str(error)) for m in same)
            continue
        for m in same:
            unknown = [n for n in route.kind.inputs if getattr(m, n) is None]
            usd = None if unknown else float(cost.total({n: getattr(m, n) for n in route.kind.inputs}))
            reason = f"{unknown[0]} is not known" if unknown else None
            yield PricedPoint(measurement=m, cost_usd=usd, reason=reason)


def price_points(rates: str | Path | None = None, store: str | Path | None = None) -> pandas.DataFrame:
    """Every distinct result of a store as a data frame with its dollars under a card.

    rates : a file or the name of an example; without it ./rates.yaml or the paper's
    raises : InputError, RateCardError, StoreError, StoreLockedError
    """
    import pandas

    from budgetsim.costs.rates import parse_rates
    from budgetsim.doors.files import read_file

    path = find_card(None if rates is None else Path(rates))
    pricing = Pricing(parse_rates(read_file(path, "rate card"), path.name))
    return pandas.DataFrame(
        [priced_row(p) for p in price_store(locate(None if store is None else Path(store)), pricing)]
    )


def priced_row(point: PricedPoint) -> dict[str, object]:
    """A priced result as a flat row: score in percent, counts that its strategy does not use 0."""
    m = point.measurement
    counts = {
        name: 0 if name not in m.route.kind.inputs else getattr(m, name)
        for name in ("n_labels", "n_llm_labels", "n_unlabeled")
    }
    return {
        "run_id": m.key,
        "task": m.task,
        "strategy": m.route.strategy,
        "student": m.route.student,
        "teacher": m.route.teacher,
        "labeler": m.route.labeler,
        **counts,
        "score": round(100 * m.score, 4),
        "cost_usd": None if point.cost_usd is None else round(point.cost_usd, 4),
        "reason": point.reason,
        "evidence_set": m.evidence_set,
    }

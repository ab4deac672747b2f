"""What a page rests on, as plain JSON: draws, costs before any terms, prices that move, points, notes, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np

from budgetsim._version import __version__
from budgetsim.answers.choices import EVERYTHING, Choices, Selection, reprice
from budgetsim.answers.evidence import Evidence
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.rivals import rival_cost, row_route, rows_beside
from budgetsim.answers.serving import borrowed_ms, serving_of
from budgetsim.choosing.options import Option, allocation_at
from budgetsim.costs.hours import Hours
from budgetsim.costs.model import CostModel, compute_per_unit, teacher_steps
from budgetsim.costs.rates import RateCard
from budgetsim.costs.terms import NO_TERMS, Terms, pool_size
from budgetsim.design.cautions import FromOtherTasks
from budgetsim.design.points import Measurement
from budgetsim.design.strategies import ANNOTATE, Strategy
from budgetsim.design.surface import Surface
from budgetsim.economics.levers import price_levers
from budgetsim.page.campaign import CampaignState
from budgetsim.page.packing import UNIT, Packed, pack, shape_of
from budgetsim.report.advice import rests_on
from budgetsim.report.answer_table import student_megabytes
from budgetsim.report.cautions import forecast_words
from budgetsim.report.notes import choice_notes, unpriced_words
from budgetsim.store.probes import is_probe
from budgetsim.store.query import ScoreRow, is_miniature

PAGE_SCHEMA_VERSION: Final = 1
MOST_PACKED: Final = 950_000  # bytes before base64: a page of six tasks stays below 1.5 MB


class Aim(NamedTuple):
    """What is to be found, besides what a pricing says; None where nobody asked.

    risk : the quantile over worlds to choose for, a share
    target, chance : a score to reach, percent, and the chance of one new run
    serve : texts to answer a month
    """

    risk: float | None = None
    target: float | None = None
    chance: float = 0.9
    serve: float | None = None


NO_AIM: Final = Aim()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One task of a page: evidence, what money can buy, and the runs worth measuring (JSON of `report.next_run`).

    needed : how good an LLM has to be for its labels to do as well as what the page opens with, in words
    """

    evidence: Evidence
    choices: Choices
    selection: Selection = EVERYTHING  # that the choices were opened with: measured students keep to it too
    next_runs: Mapping[str, Any] | None = None
    needed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a page is made from.

    data : a JSON object; `packed` the surfaces of all its tasks, in their order
    """

    data: Mapping[str, Any]
    packed: Packed


def collect(
    sources: Sequence[Source],
    pricing: Pricing,
    budget_usd: float,
    today: date,
    campaign: CampaignState | None = None,
    aim: Aim = NO_AIM,
) -> Payload:
    """Gather what the page of some tasks needs, or of a campaign whose tasks may have no evidence yet.

    budget_usd, aim : that the page opens with, US dollars; its terms are those of the pricing
    """
    tasks, surfaces = [], []
    for source in sources:
        options = reprice(source.evidence, _uncounted(source.choices), replace(pricing, terms=NO_TERMS))
        tasks.append(_task(source, pricing, options))
        surfaces += [o.surface for o in options]
    packed = pack(surfaces, MOST_PACKED)
    card = pricing.card
    data = {
        "schema_version": PAGE_SCHEMA_VERSION,
        "version": __version__,
        "date": today.isoformat(),
        "card": {
            "name": card.name,
            "about": card.about,
            "cpu_usd_per_hour": None if card.cpu is None else float(card.cpu.usd_per_device_hour),
            "prices": _prices(card, [t["name"] for t in tasks]),
        },
        "compute": pricing.compute,
        "settings": _settings(pricing.terms, budget_usd) | aim._asdict(),
        "precision_points": 100 * UNIT * packed.step / 2,
        "step": packed.step,
        "tasks": tasks,
        "campaign": None if campaign is None else campaign.to_json(),
    }
    return Payload(data=data, packed=packed)


def _settings(terms: Terms, budget_usd: float) -> dict[str, Any]:
    """Where the sliders stand at first; null where nothing is said."""
    return {
        "budget": budget_usd,
        "owned": terms.owned_labels,
        "maxLabels": terms.max_labels,
        "pool": terms.pool,
        "perDay": terms.labels_per_day,
        "gpus": terms.gpus,
        "days": None if terms.deadline_days == float("inf") else terms.deadline_days,
    }


def _task(source: Source, pricing: Pricing, options: Sequence[Option]) -> dict[str, Any]:
    choices, card, evidence = source.choices, pricing.card, source.evidence
    task, fit, over = choices.task, choices.fit, card.overheads
    rows = evidence.rows(task.name)
    levers = price_levers(task, options, card)
    teacher = pricing.terms.owned_teacher
    return {
        "name": task.name,
        "metric": task.metric,
        "description": task.description,
        "n_test": task.n_test,
        "constant": {"score": task.constant_score, "answer": task.constant_answer},
        "evidence": {
            "set": fit.evidence_set,
            "source": options[0].evidence.source if options else "",
            "device": options[0].evidence.device if options else None,
            "method": fit.method,
            "rows_hash": fit.rows_hash,
            "n_draws": fit.n_draws,
            "n_rows": len(rows),
        },
        "overheads": {"dev_test_labels": over.dev_labels + over.test_labels, "runs_per_model": over.runs_per_model},
        "owned_teacher": None if teacher is None else {"teacher": teacher[0], "n": teacher[1]},
        "texts": None if task.n_train is None else {"labelled": task.n_train, "pool": pool_size(NO_TERMS, card, task)},
        "levers": [
            {
                "name": lever.name,
                "unit": lever.unit,
                "usd": lever.now_usd,
                "stages": list(lever.stages),
                "device_class": lever.device_class,
            }
            for lever in levers
        ],
        "known": [forecast_words(c) for c in fit.cautions if isinstance(c, FromOtherTasks)],
        "needed": list(source.needed),
        "surfaces": [
            _surface(o, [m for m in rows if m.route == o.route], choices)
            | {"ms_per_text": borrowed_ms(evidence, task.name).get(o.route.student)}
            for o in options
        ],
        "rivals": _rivals(source, task.name, pricing),
        "callers": _callers(source, pricing),
        "left_out": unpriced_words(choices),
        "notes": choice_notes(choices, pricing.compute, card, first_runs=source.next_runs is None),
        "next": source.next_runs,
    }


def _uncounted(choices: Choices) -> Choices:
    """Choices whose texts do not bound labels: the page does that, by its own sliders."""
    return replace(choices, task=replace(choices.task, n_train=None))


def _surface(option: Option, rows: Sequence[Measurement], choices: Choices) -> dict[str, Any]:
    surface, cost, hours = option.surface, option.cost, option.hours
    return {
        "id": "|".join(surface.route.sort_key),
        **asdict(surface.route),
        "label": surface.route.short,
        "name": surface.route.label,
        "summary": surface.route.kind.summary,
        "rests": _rests(option, choices),
        "megabytes": student_megabytes(surface.route.student),
        "inputs": list(surface.inputs),
        **shape_of(surface),
        "n_rows": surface.n_rows,
        "support": _support(surface),
        "rows": [_row(m) for m in rows],
        "hours": None if hours is None else hours.model,
        **_costs(cost, hours, option.route.kind),
    }


def _rests(option: Option, choices: Choices) -> str:
    """What any plan of an option rests on, in words, without where it lies: the page knows that of each."""
    some = allocation_at(choices.task, option, np.array([knots[-1] for knots in option.surface.knots]))
    return rests_on(some, choices).rpartition("; ")[0]


def _costs(cost: CostModel, hours: Hours | None, kind: Strategy) -> dict[str, Any]:
    """What a way to use money costs, and the device-hours it takes."""
    return {
        "device_class": None if hours is None else hours.device_class,
        "cost": {
            "fixed": dict(cost.fixed),
            "perUnit": {name: dict(stages) for name, stages in cost.per_unit.items()},
            "steps": {stage: {"n": list(s.n), "y": list(s.y)} for stage, s in cost.steps.items()},
            "limits": dict(cost.limits),
        },
        "clock": None if hours is None else _clock(kind, hours),
    }


def _support(surface: Surface) -> dict[str, Any]:
    s = surface.support
    return {
        "points": s.points.tolist(),
        "normals": s.normals.tolist(),
        "offsets": s.offsets.tolist(),
    }


def _row(m: Measurement) -> list[float | int | None]:
    """Counts of the inputs, score in percent, and the seed."""
    return [*m.inputs, round(100 * m.score, 3), m.seed]


def _clock(kind: Strategy, hours: Hours) -> dict[str, Any]:
    """Device-hours: a fixed part, of one unit of each input by stage, and of tuning a teacher."""
    return {
        "train_fixed": hours.train_fixed,
        "per_unit": compute_per_unit(kind, hours, lambda h: h),
        "steps": {
            stage: {"n": list(s.n), "y": list(s.y)} for stage, s in teacher_steps(kind, hours, lambda h: h).items()
        },
    }


def _rivals(source: Source, task: str, pricing: Pricing) -> list[dict[str, Any]]:
    """Cheap students measured on the task, whatever a project owns and must keep to: the page has that."""
    facts, unbound = replace(source.choices.task, n_train=None), replace(pricing, terms=NO_TERMS)
    rows = [row for row in rows_beside(source.evidence, task) if source.selection.admits(row_route(row))]
    return [_rival(row, rival_cost(row, facts, unbound)) for row in rows]


def _rival(row: ScoreRow, priced: tuple[CostModel, Hours] | None) -> dict[str, Any]:
    return {
        "student": row.student,
        "n_labels": row.n_labels,
        "score": row.score,
        "n_runs": row.n_runs,
        "sd": row.sd,
        "n_test": row.n_test,
        "hours": row.hours,
        "ms_per_text": row.ms_per_text,
        "megabytes": student_megabytes(row.student),
        "evidence_set": row.evidence_set,
        "miniature": is_miniature(row.evidence_set),
        "probe": is_probe(row.evidence_set),
        **({"cost": None} if priced is None else _costs(*priced, ANNOTATE)),
    }


def _callers(source: Source, pricing: Pricing) -> list[dict[str, Any]]:
    """LLMs that could answer every text; that of the card is shown where somebody asks about serving."""
    measured = serving_of(source.evidence, source.choices.task, pricing, None).callers
    every = serving_of(source.evidence, source.choices.task, pricing, 1.0).callers
    price = pricing.card.label_price(source.choices.task.name)
    label_usd = None if price is None else float(price.usd)
    return [asdict(caller) | {"of_card": caller not in measured, "label_usd": label_usd} for caller in every]


def _prices(card: RateCard, tasks: Sequence[str]) -> list[dict[str, Any]]:
    """The card's prices that the page rests on, each with its source and date."""
    out = []
    for task in tasks:
        label = card.label_price(task)
        if label is not None:
            out.append(_price(f"a label of {task}", float(label.usd), label.source, label.as_of))
    for name in ("gpu", "cpu"):
        if card.has_device(name):
            device = card.device(name)
            usd = float(device.usd_per_device_hour)
            out.append(_price(f"an hour of {device.model}", usd, device.source, device.as_of))
    if card.llm is not None:
        usd = float(card.llm.usd_per_mtok_input)
        out.append(_price(f"a million input tokens of {card.llm.model}", usd, card.llm.source, card.llm.as_of))
    return out


def _price(what: str, usd: float, source: str, as_of: str) -> dict[str, Any]:
    return {"what": what, "usd": usd, "source": source, "as_of": as_of}

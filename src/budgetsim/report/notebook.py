"""One-line questions for notebooks and scripts, and answers that a notebook shows.

The pure functions (`optimize_task`, `trace_frontier`, `answer_points`) take evidence, prices and options as values;
these read the store and the card first, as the commands do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgetsim.answers.choices import Choices, Selection, answer_points
from budgetsim.answers.choices import choices as choices_of
from budgetsim.answers.evidence import Evidence, load_evidence, task_fit
from budgetsim.answers.points import make_point
from budgetsim.answers.pricing import Pricing
from budgetsim.answers.reply import reply
from budgetsim.answers.rivals import rivals
from budgetsim.answers.serving import serving_of
from budgetsim.choosing.optimize import optimize_task
from budgetsim.costs.hours import COMPUTE_MODELS, ComputeModel
from budgetsim.costs.rates import RateCard, parse_rates
from budgetsim.costs.terms import NO_TERMS
from budgetsim.design.points import Route
from budgetsim.doors.amounts import did_you_mean, parse_amount
from budgetsim.doors.files import MOST_DOCUMENT_BYTES, read_file
from budgetsim.economics.frontier import trace_frontier
from budgetsim.errors import InputError
from budgetsim.report.allocation import flat_allocation
from budgetsim.report.answer import answer_json, answer_page
from budgetsim.report.frontier import frontier_json, frontier_page
from budgetsim.report.points import points_json, points_table
from budgetsim.report.remarks import INPUT_WORDS
from budgetsim.report.table import Headline, Page, Table
from budgetsim.store.location import find_card, locate

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """An answer as a notebook shows it: `print` gives the page, the last line of a cell the page as HTML.

    title : in a line what was answered
    page : as the command prints it
    records : the rows of the answer, flat
    data : the answer as `--json` has it
    value : the answer as the pure function gives it
    """

    title: str
    page: Page
    records: Sequence[Mapping[str, Any]]
    data: Mapping[str, Any] = field(default_factory=dict)
    value: object = None

    def __repr__(self) -> str:
        return self.title

    def __str__(self) -> str:
        return "\n".join(part if isinstance(part, str) else "\n".join(["", *part.lines(), ""]) for part in self.page)

    def _repr_html_(self) -> str:
        return "\n".join(_html(part) for part in self.page)

    def to_frame(self) -> pandas.DataFrame:
        """The rows of the answer as a data frame: scores in percent, costs in US dollars."""
        import pandas

        return pandas.DataFrame(list(self.records))


def _html(part: str | Table) -> str:
    """A part of a page as HTML; what others wrote is text, never markup."""
    if isinstance(part, str):
        return f"<p><b>{escape(part)}</b></p>" if isinstance(part, Headline) else f"<p>{escape(part)}</p>"
    head = "".join(f"<th>{escape(h)}</th>" for h in part.headings)
    rows = "".join(
        "<tr>" + "".join(_cell(cell, i in part.text_columns, part.roles.get(k)) for i, cell in enumerate(row)) + "</tr>"
        for k, row in enumerate(part.rows)
    )
    return f"<table><caption>{escape(part.title)}</caption><tr>{head}</tr>{rows}</table>"


def _cell(text: str, is_text: bool, role: str | None) -> str:
    align = "left" if is_text else "right"
    words = f"<b>{escape(text)}</b>" if role == "best" else escape(text)
    return f'<td style="text-align: {align}">{words}</td>'


def optimize(
    task: str,
    budget: float | str,
    *,
    rates: RateCard | str | Path | None = None,
    store: str | Path | None = None,
    compute: str = "published",
    strategies: Sequence[str] = (),
    students: Sequence[str] = (),
    owned_labels: float | str = 0,
    max_labels: float | str | None = None,
    pool: float | str | None = None,
    serve: float | str | None = None,
) -> Answer:
    """What a budget buys on a task: `print` it, show it, or take its rows with `to_frame`.

    budget : US dollars, e.g. 2000, "2k"
    rates : a card, its file, or the name of an example; without it ./rates.yaml or the paper's
    store : DuckDB file; without it as the commands find it
    serve : texts to answer a month
    raises : InputError for values of another kind; NoEvidenceError, MissingPriceError, RateCardError, StoreError
    """
    usd = _amount(budget, "budget")
    evidence, open_to = _open(
        task, rates, store, compute, strategies, students, owned_labels=owned_labels, max_labels=max_labels, pool=pool
    )
    found = optimize_task(open_to.task, open_to.options, usd)
    beside = rivals(evidence, task, open_to.pricing)
    beside = [
        r for r in beside if _selection(strategies, students).admits(Route(strategy="annotate", student=r.student))
    ]
    texts = None if serve is None else _amount(serve, "serve")
    serving = serving_of(evidence, open_to.task, open_to.pricing, texts)
    told = reply(found, open_to, beside, serving=serving)
    data, page = answer_json(told), answer_page(told)
    records = [flat_allocation(a) for a in data["allocations"]] + [
        {**row, "strategy": "annotate", "feasible": True, "source": "measured"} for row in data["learners"]
    ]
    return Answer(title=str(page[0]), page=page, records=records, data=data, value=found)


def frontier(
    task: str,
    max_budget: float | str = 10_000.0,
    *,
    points: int = 60,
    rates: RateCard | str | Path | None = None,
    store: str | Path | None = None,
    compute: str = "published",
    strategies: Sequence[str] = (),
    students: Sequence[str] = (),
) -> Answer:
    """What growing budgets buy on a task, up to a largest one.

    points : number of budgets to trace
    raises : as `optimize`
    """
    _, open_to = _open(task, rates, store, compute, strategies, students)
    largest = _amount(max_budget, "max_budget")
    front = trace_frontier(open_to.task, open_to.options, largest, n_budgets=points)
    data = frontier_json(front)
    records = [
        {"budget_usd": p["budget_usd"], **flat_allocation(p["allocation"]), "attained_lower": p["attained"]["lower"],
         "attained_upper": p["attained"]["upper"]}
        for p in data["points"]
    ]  # fmt: skip
    switches = f"{len(front.switches)} change{'s' * (len(front.switches) != 1)} of strategy"
    return Answer(
        title=f"Frontier of {task} up to ${largest:,.0f}: {len(records)} budgets, {switches}",
        page=frontier_page(front, open_to.task.metric),
        records=records,
        data=data,
        value=front,
    )


def simulate(
    task: str,
    strategy: str,
    *,
    n_labels: float | str = 0,
    n_llm_labels: float | str = 0,
    n_unlabeled: float | str = 0,
    teacher: str | None = None,
    student: str | None = None,
    labeler: str | None = None,
    rates: RateCard | str | Path | None = None,
    store: str | Path | None = None,
    compute: str = "published",
) -> Answer:
    """The score of one new run at one point, whether it was run or not.

    Models that are not named are the paper's, or each that is fitted where those are not; the title tells of the best.

    raises : as `optimize`
    """
    counts = {"n_labels": n_labels, "n_llm_labels": n_llm_labels, "n_unlabeled": n_unlabeled}
    names = {
        "task": _name(task, "task"),
        "strategy": _name(strategy, "strategy"),
        "teacher": teacher,
        "student": student,
    }
    values = {name: f"{_amount(n, name):.0f}" if n else None for name, n in counts.items()}
    point = make_point({**names, "labeler": labeler, **values}, "simulate")
    answers = answer_points(_evidence(store, task), [point], Pricing(_card(rates), _compute(compute)))
    data = points_json(answers)
    row = max(data, key=lambda each: -1.0 if each["score"] is None else each["score"])
    title = (
        f"{task} {strategy}: no answer"
        if row["score"] is None
        else (f"{task} {strategy}: {row['score']:.1f} ({row['lower']:.1f} to {row['upper']:.1f} in 90 % of runs)")
    )
    return Answer(title=title, page=[points_table(answers)], records=data, data={"points": data}, value=answers[0])


def curves(task: str, *, store: str | Path | None = None) -> Answer:
    """The fitted curves of a task as a table: the expected score of every strategy at the knots of its surface.

    raises : InputError, NoEvidenceError, StoreError
    """
    import numpy as np

    fit = task_fit(_evidence(store, _name(task, "task")), task)
    records = []
    for s in fit.surfaces:
        grids = np.meshgrid(*s.knots, indexing="ij")
        draws = s.draws.reshape(len(s.draws), -1)
        low, middle, high = 100 * np.quantile(draws, (0.05, 0.5, 0.95), axis=0)
        for k, counts in enumerate(zip(*(g.ravel() for g in grids), strict=True)):
            route = {"strategy": s.route.strategy, "teacher": s.route.teacher, "labeler": s.route.labeler}
            inputs = dict.fromkeys(INPUT_WORDS, 0.0) | dict(zip(s.inputs, map(float, counts), strict=True))
            records.append(
                {"task": task, **route, "student": s.route.student, **inputs, "score": float(100 * draws[:, k].mean()),
                 "median": float(middle[k]), "lower": float(low[k]), "upper": float(high[k])}
            )  # fmt: skip
    title = f"Curves of {task}, evidence {fit.evidence_set}: {', '.join(s.route.short for s in fit.surfaces)}"
    return Answer(title=title, page=[title], records=records, value=fit)


def _open(
    task: str,
    rates: RateCard | str | Path | None,
    store: str | Path | None,
    compute: str,
    strategies: Sequence[str],
    students: Sequence[str],
    **terms: float | str | None,
) -> tuple[Evidence, Choices]:
    evidence = _evidence(store, _name(task, "task"))
    held = {name: int(_amount(value, name)) for name, value in terms.items() if value is not None}
    pricing = Pricing(_card(rates), _compute(compute), NO_TERMS._replace(**held))  # type: ignore[arg-type]
    return evidence, choices_of(evidence, task, pricing, _selection(strategies, students))


def _selection(strategies: Sequence[str], students: Sequence[str]) -> Selection:
    for name, value in (("strategies", strategies), ("students", students)):
        if isinstance(value, str):
            raise InputError(f"{name}: found the text {value!r}, wanted a list of names, such as [{value!r}].")
    return Selection(strategies=tuple(strategies), students=tuple(students))


def _evidence(store: str | Path | None, task: str) -> Evidence:
    if store is not None and not isinstance(store, str | Path):
        raise InputError(f"store: found {store!r} ({type(store).__name__}), wanted the path of a DuckDB file.")
    paths = locate(None if store is None else Path(store))
    if store is not None and not paths.database.exists():
        raise InputError(f"There is no store {store}; mend the path, or make one with `budgetsim store rebuild`.")
    return load_evidence(paths, None, tasks=[task])


def _card(rates: RateCard | str | Path | None) -> RateCard:
    if isinstance(rates, RateCard):
        return rates
    if rates is not None and not isinstance(rates, str | Path):
        raise InputError(f"rates: found a {type(rates).__name__}, wanted a RateCard, a file or the name of an example.")
    path = find_card(None if rates is None else Path(rates))
    return parse_rates(read_file(path, "rate card", MOST_DOCUMENT_BYTES), path.name, today=date.today())


def _compute(name: str) -> ComputeModel:
    for model in COMPUTE_MODELS:
        if model == name:
            return model
    raise InputError(
        f"compute: found {name!r}, wanted {', '.join(COMPUTE_MODELS)}.{did_you_mean(str(name), COMPUTE_MODELS)}"
    )


def _amount(value: object, name: str) -> float:
    """An amount of zero or more, as a number or as people write it."""
    number = parse_amount(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < float("inf"):
        raise InputError(f"{name}: found {value!r} ({type(value).__name__}), wanted an amount such as 2000 or '2k'.")
    return float(number)


def _name(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what}: found {value!r} ({type(value).__name__}), wanted a name, such as 'stance'.")
    return value

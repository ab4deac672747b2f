"""The table of an answer: plans, learners measured beside them, an LLM on every text, what is out of reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from budgetsim.answers.choices import Choices
from budgetsim.answers.learners import LearnerRow, LlmCaller, Serving
from budgetsim.answers.notes import OtherLlm
from budgetsim.answers.reply import Reply
from budgetsim.choosing.optimize import TaskAnswer
from budgetsim.choosing.options import Allocation, Infeasible
from budgetsim.costs.rates import RateCard
from budgetsim.design.models import T5_SHAPES
from budgetsim.learners.catalogue import ALIASES
from budgetsim.learners.registry import takes_model
from budgetsim.report.allocation import compute_usd
from budgetsim.report.notes import source_words
from budgetsim.report.remarks import shortfall_words
from budgetsim.report.table import DESIGN_COUNTS, Role, Table, design_cells, interval_words, kind_words, may_go, usd

INTERVAL = "90 % of runs"
_OPTIONAL = ("MB", "CPU ms a text", "hours", "regret", "best", "from", "days")
_JUDGED = ("best", "regret")  # columns of --explain, which goes on to tell what they mean
_HOURS_A_MS = 1 / 3.6e6


class _Row(NamedTuple):
    """A row before its columns are chosen: its score in percent, None where it is not known, and cells by heading."""

    score: float | None
    cells: Mapping[str, str]


class _Facts(NamedTuple):
    """What all rows are made with."""

    choices: Choices
    card: RateCard
    aim: str | None  # heading of what was asked to be best, where that is not the mean
    serving: Serving

    @property
    def metric(self) -> str:
        return self.choices.task.metric


def allocation_table(reply: Reply, *, explain: bool) -> Table:
    """What is advised where that is less than the whole budget, then all that the budget buys, the best first.

    explain : also show the chance of being best and the regret of each plan
    """
    answer, choices, advice, serving = reply.answer, reply.choices, reply.advice, reply.serving
    facts = _Facts(choices, choices.pricing.card, _aim(answer), serving)
    rows = [_plan_row(a, facts) for a in answer.distinct]
    best = _plan_row(answer.best, facts)
    for learner in reply.learners:
        _insert(rows, _learner_row(learner, facts))
    for caller in serving.callers:
        _insert(rows, _caller_row(caller, facts))
    if advice.learner is not None:
        best = _learner_row(advice.learner, facts)
    elif advice.plan is not advice.best:
        best = _plan_row(advice.plan, facts)
    rows = [best, *(row for row in rows if row != best)]
    roles: dict[int, Role] = {i: "caution" for i, row in enumerate(rows) if "outside" in row.cells["from"]}
    unbought = _infeasible_rows(answer.infeasible)
    roles.update({len(rows) + i: "muted" for i in range(len(unbought))})
    roles[0] = "best"
    cells = [row.cells for row in rows] + unbought
    headings = _headings(facts, cells, explain=explain)
    table = tuple(tuple(row.get(h, "-") for h in headings) for row in cells)
    narrow = [h for h in _OPTIONAL if not (explain and h in _JUDGED)]
    return Table(
        title="",
        headings=headings,
        rows=table,
        text_columns=frozenset({0, len(headings) - 1}),
        optional=may_go(narrow, headings, table),
        roles=roles,
    )


def _aim(answer: TaskAnswer) -> str | None:
    if answer.choose == "mean":
        return None
    return (
        f"{100 * answer.level:g} % quantile"
        if answer.choose == "quantile"
        else f"worst {100 * answer.level:g} % regret"
    )


def _insert(rows: list[_Row], row: _Row) -> None:
    """Put a row before the first that scores less; one without a score goes last."""
    score = -1.0 if row.score is None else row.score
    at = next((i for i, other in enumerate(rows) if other.score is not None and other.score < score), len(rows))
    rows.insert(at, row)


def _headings(facts: _Facts, cells: Sequence[Mapping[str, str]], *, explain: bool) -> tuple[str, ...]:
    """The columns of the answer; of those that not every answer has, the ones that hold something."""
    judged = _JUDGED if explain else ()
    aims = () if facts.aim is None else (facts.aim,)
    wanted = (
        "strategy", *DESIGN_COUNTS, "cost", "hours", "days", facts.metric, INTERVAL, *aims, *judged, "MB",
        "CPU ms a text", "a month", "from",
    )  # fmt: skip
    return tuple(h for h in wanted if h in DESIGN_COUNTS or any(h in row for row in cells))


def _infeasible_rows(entries: Sequence[Infeasible]) -> list[Mapping[str, str]]:
    """A row each, but one for all the students of an LLM that cannot be had for the same reason."""
    told: dict[tuple[str, str], list[Infeasible]] = {}
    for entry in entries:
        route = entry.route
        name = f"{route.strategy} {route.labeler}" if route.kind.has_labeler else route.short
        told.setdefault((name, f"infeasible: {shortfall_words(entry.reason)}"), []).append(entry)
    return [
        {"strategy": same[0].route.short if len(same) == 1 else f"{name} to {len(same)} students", "from": reason}
        for (name, reason), same in told.items()
    ]


def _plan_row(a: Allocation, facts: _Facts) -> _Row:
    hours, megabytes, standing = (
        compute_hours(a, facts.choices, facts.card),
        student_megabytes(a.route.student),
        a.standing,
    )
    cells = dict(zip(("strategy", *DESIGN_COUNTS), design_cells(a.design), strict=True))
    cells |= {
        "cost": usd(a.cost_usd),
        facts.metric: f"{a.score:.1f}",
        INTERVAL: interval_words(a),
        "from": f"{a.evidence.source}, {kind_words(a.kind, a.factor)}{_llm_words(a, facts)}",
    }
    cells |= {} if hours is None else {"hours": quantity(hours)}
    cells |= {} if a.days is None else {"days": f"{a.days:.1f}"}
    cells |= {} if megabytes is None else {"MB": f"{megabytes:,.0f}"}
    cells |= _serving_cells(facts.serving.ms_per_text.get(a.route.student), facts)
    if standing is not None:
        cells["best"] = f"{standing.p_best:.0%}"
        cells |= {} if standing.expected_regret is None else {"regret": f"{standing.expected_regret:.1f}"}
        if standing.objective is not None and facts.aim is not None:
            cells[facts.aim] = f"{standing.objective:.1f}"
    return _Row(a.score, cells)


def _llm_words(a: Allocation, facts: _Facts) -> str:
    """That the LLM whose labels were scored is not the one that is paid for."""
    others = [n for n in facts.choices.notes if isinstance(n, OtherLlm) and n.scored == a.route.llm]
    return f", {others[0].scored} quality at {others[0].priced} prices" if others else ""


def _learner_row(row: LearnerRow, facts: _Facts) -> _Row:
    """A measured student; beside published scores its test items may be others, which its origin says."""
    known, megabytes = facts.choices.task.n_test, student_megabytes(row.student)
    others = "" if row.n_test in (None, known) else f", {row.n_test:,} other test items"
    cells = {
        "strategy": f"annotate {row.student}",
        "labels": f"{row.n_labels:,}",
        "cost": usd(row.cost_usd),
        facts.metric: f"{row.score:.1f}",
        INTERVAL: "-" if row.lower is None else f"{row.lower:.1f} to {row.upper:.1f}",
        "from": f"{source_words(row)}{others}",
    }
    cells |= {} if row.hours is None else {"hours": quantity(row.hours)}
    cells |= {} if megabytes is None else {"MB": f"{megabytes:,.0f}"}
    return _Row(row.score, cells | _serving_cells(row.ms_per_text, facts))


def _serving_cells(ms_per_text: float | None, facts: _Facts) -> dict[str, str]:
    """What a student takes to answer a text, and all of them."""
    if ms_per_text is None:
        return {}
    cells, texts, cpu = {"CPU ms a text": quantity(ms_per_text)}, facts.serving.texts_a_month, facts.card.cpu
    if texts is not None and cpu is not None:
        cells["a month"] = usd(ms_per_text * _HOURS_A_MS * texts * float(cpu.usd_per_device_hour))
    return cells


def _caller_row(caller: LlmCaller, facts: _Facts) -> _Row:
    cells = {
        "strategy": f"LLM on every text ({caller.model})",
        "labels": f"{caller.n_labels:,}" if caller.n_labels else "-",
    }
    cells |= {
        "cost": usd(caller.cost_usd),
        facts.metric: "-" if caller.score is None else f"{caller.score:.1f}",
        "from": caller.source,
    }
    if facts.serving.texts_a_month is not None and caller.usd_per_text is not None:
        cells["a month"] = usd(caller.usd_per_text * facts.serving.texts_a_month)
    return _Row(caller.score, cells)


def compute_hours(a: Allocation, choices: Choices, card: RateCard) -> float | None:
    """Device-hours of a plan, from what they cost; None where they cost nothing or nobody knows them."""
    hours = next((o.hours for o in choices.options if o.route == a.route), None)
    dollars = compute_usd(a)
    if hours is None or dollars <= 0 or not card.has_device(hours.device_class):
        return None
    price = float(card.device(hours.device_class).usd_per_device_hour)
    return dollars / price if price > 0 else None


def student_megabytes(student: str) -> float | None:
    """Megabytes of a student's weights, four bytes each: of a T5, of an encoder's kept layers; None: not known.

    >>> student_megabytes("ft:minilm"), round(student_megabytes("ft:minilm:layers=2"), 1)
    (91.0, 62.6)
    """
    if student in T5_SHAPES:
        return 4e-6 * T5_SHAPES[student].n_parameters
    word, _, rest = student.partition(":")
    model, *options = (rest or "minilm").split(":")
    alias = ALIASES.get(model) if takes_model(word) else None
    if alias is None:
        return None
    kept = next((int(o.removeprefix("layers=")) for o in options if o.startswith("layers=")), alias.layers)
    return alias.megabytes - (alias.layers - kept) * alias.layer_megabytes


def quantity(number: float) -> str:
    """A number of hours or milliseconds, in as many digits as it is worth.

    >>> quantity(151.2), quantity(3.14), quantity(0.042), quantity(0.00001)
    ('151', '3.1', '0.042', 'under 0.001')
    """
    if 0 < number < 0.001:
        return "under 0.001"
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"

"""Answers for people and for programs: text and tables, JSON objects. Returns them, never prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from budgetsim.advise import Choices, Rival
from budgetsim.compute import T5_SHAPES
from budgetsim.optimize import COMPUTE_STAGES, Allocation, Corner, TaskAnswer, label_of
from budgetsim.rates import RateCard
from budgetsim.surface import TaskFit
from budgetsim.tasks import Task

if TYPE_CHECKING:
    from rich.table import Table

    from budgetsim.frontier import Frontier
    from budgetsim.points import PointAnswer

SCHEMA_VERSION = 1
Page = list["str | Grid"]  # what a command prints: paragraphs and grids, in order
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table as text: a title, headings, cells; numbers are right-aligned."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})

    def lines(self) -> list[str]:
        """The grid as plain text, two blanks between columns, for pipes and files."""
        cells = [self.headings, *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.headings))]
        drawn = ["  ".join(self._padded(row, widths)).rstrip() for row in cells]
        return [*([self.title] if self.title else []), drawn[0], "  ".join("-" * w for w in widths), *drawn[1:]]

    def _padded(self, row: Sequence[str], widths: Sequence[int]) -> list[str]:
        return [
            cell.ljust(width) if i in self.text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]

    def table(self) -> Table:
        """The grid as a rich table, for a terminal."""
        from rich import box
        from rich.table import Table

        table = Table(
            title=self.title or None, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for i, heading in enumerate(self.headings):
            is_text = i in self.text_columns
            table.add_column(heading, justify="left" if is_text else "right", no_wrap=not is_text, header_style="bold")
        for row in self.rows:
            table.add_row(*row)
        return table


def usd(amount: float | None) -> str:
    """Dollars for people.

    >>> usd(1999.66), usd(0.364), usd(None)
    ('$2,000', '$0.36', '-')
    """
    if amount is None:
        return "-"
    return f"${amount:,.0f}" if amount >= 100 else f"${amount:,.2f}"


def rounded(value: Any) -> Any:
    """Floats cut to a tenth of a thousandth of their unit, throughout a JSON object."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return value


def _count(n: int | None) -> str:
    return "-" if not n else f"{n:,}"


def _interval(a: Allocation | PointAnswer) -> str:
    return "-" if a.lower is None or a.upper is None else f"{a.lower:.1f} to {a.upper:.1f}"


def _kind(kind: str | None, factor: float | None) -> str:
    if kind is None:
        return "-"
    return f"extrapolated {factor:.3g}-fold" if kind == "extrapolated" and factor else kind


def describe_allocation(a: Allocation, metric: str) -> str:
    """One allocation in a sentence."""
    if a.strategy == "constant":
        return f"spend nothing: {a.notes[0]}, {metric} {a.score:.1f}"
    parts = []
    if a.n_labels:
        parts.append(f"{a.n_labels:,} human labels ({usd(a.costs.get('labels', 0.0))})")
    if a.n_llm_labels:
        parts.append(f"{a.n_llm_labels:,} LLM labels ({usd(a.costs.get('llm_labels', 0.0))})")
    if a.n_unlabeled:
        parts.append(f"{a.n_unlabeled:,} unlabelled texts")
    compute = sum(a.costs.get(stage, 0.0) for stage in COMPUTE_STAGES)
    parts.append(f"{usd(compute)} of compute")
    rest = sum(a.costs.get(stage, 0.0) for stage in ("texts", "fixed", "dev_and_test_labels"))
    if rest:
        parts.append(f"{usd(rest)} of texts, fixed costs and dev and test labels")
    return f"{a.label}: {', '.join(parts)}; {metric} {a.score:.1f} (90 % of runs {_interval(a)})"


def recommendation(answer: TaskAnswer, metric: str, rivals: Sequence[Rival] = ()) -> str:
    """The answer in one sentence, with what would change it, and whether something cheap makes it moot."""
    best = answer.best
    if best is None:
        return "Nothing fits this budget."
    words = f"Recommended: {describe_allocation(best, metric)}."
    if best.strategy == "constant":
        return words
    rival = moot(answer, rivals)
    doubt = f" But {_rival_words(rival)}: no less than this." if rival is not None else ""
    return f"{words}{doubt} {_what_changes(answer)}"


def _what_changes(answer: TaskAnswer) -> str:
    if not answer.changes:
        return "No price of labels or compute from a 32nd to 32 times the card's would change the choice."
    said = [
        f"{'above' if c.factor > 1 else 'below'} {c.factor:.2g} x the card's {c.price} price, {c.instead}"
        for c in answer.changes
    ]
    return f"It would change: {'; '.join(said)}."


def allocation_grid(answer: TaskAnswer, metric: str) -> Grid:
    """All allocations of a task, the best expected score first."""
    rows = tuple(_allocation_row(a) for a in answer.allocations)
    return Grid(
        title="",
        headings=("strategy", "labels", "LLM", "texts", "cost", metric, "90 % of runs", "best", "regret", "from"),
        rows=rows,
        text_columns=frozenset({0, 9}),
    )


def _allocation_row(a: Allocation) -> tuple[str, ...]:
    if not a.feasible:
        return (a.label, "-", "-", "-", "-", "-", "-", "-", "-", f"infeasible: {a.reason}")
    return (
        a.label,
        _count(a.n_labels),
        _count(a.n_llm_labels),
        _count(a.n_unlabeled),
        usd(a.cost_usd),
        f"{a.score:.1f}",
        _interval(a),
        f"{a.p_best:.0%}" if a.p_best is not None else "-",
        f"{a.expected_regret:.1f}" if a.expected_regret is not None else "-",
        f"{a.evidence.source}, {_kind(a.kind, a.factor)}",
    )


def corner_grid(answer: TaskAnswer, metric: str) -> Grid:
    """The paper's own comparison beside the mix: extra money in labels only, or in compute only."""
    best = answer.best
    mix = "-" if best is None or best.score is None else f"{best.score:.1f}"
    rows = tuple(
        (f"{c.initial_n_labels:,}", *_corner_cells(c.annotate), *_corner_cells(c.distill), mix) for c in answer.corners
    )
    return Grid(
        title="Pure corners: from the same initial labels, the rest of the money buys only labels, or only compute",
        headings=("initial labels", "all labels", metric, "all compute", metric, "recommended"),
        rows=rows,
    )


def _corner_cells(a: Allocation | None) -> tuple[str, str]:
    if a is None:
        return ("not affordable", "-")
    return (f"{a.n_unlabeled:,} texts" if a.n_unlabeled else f"{a.n_labels:,} labels", f"{a.score:.1f}")


def answer_page(answer: TaskAnswer, choices: Choices, card: RateCard, rivals: Sequence[Rival], compute: str) -> Page:
    """An answer for people."""
    fit, metric = choices.fit, choices.task.metric
    lines: Page = [
        f"{answer.task} at {usd(answer.budget_usd)}: card {card.name}, evidence {fit.evidence_set}, "
        f"compute {_compute_model(choices, compute)}",
        recommendation(answer, metric, rivals),
        allocation_grid(answer, metric),
    ]
    if answer.corners:
        lines.append(corner_grid(answer, metric))
    if answer.stop_here is not None:
        s = answer.stop_here
        lines.append(f"Stop here: {usd(s.budget_usd)} already buys {s.score:.1f} ({s.label}), within 1 point.")
    lines += [f"Note: {note}" for note in _all_notes(answer, choices, rivals, compute, card)]
    return lines


def _all_notes(
    answer: TaskAnswer, choices: Choices, rivals: Sequence[Rival], compute: str, card: RateCard
) -> list[str]:
    best = answer.best
    notes = [f"{n}." for n in best.notes] if best is not None and best.strategy != "constant" else []
    notes += answer.notes
    notes += _rival_notes(answer, rivals)
    notes += size_notes(answer)
    return [_sentence(n) for n in notes] + choice_notes(choices, compute, card)


def choice_notes(choices: Choices, compute: str, card: RateCard) -> list[str]:
    """What holds for every budget: modelled hours, how far intervals have held, what was left out and assumed."""
    held = coverage_note(choices.fit)
    notes = [*compute_notes(choices, compute, card), *([held] if held else []), *choices.notes]
    return [_sentence(n) for n in notes]


def _sentence(text: str) -> str:
    text = text.strip()
    start = text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text  # names of models stay as they are
    return start + ("" if text.endswith((".", "?")) else ".")


def _affordable(answer: TaskAnswer, rivals: Sequence[Rival]) -> Rival | None:
    """The best cheap student that the budget pays for."""
    paid = (r for r in rivals if r.cost_usd is not None and r.cost_usd <= answer.budget_usd)
    return next(paid, None)


def moot(answer: TaskAnswer, rivals: Sequence[Rival]) -> Rival | None:
    """The cheap student that scores as much as what is recommended, if there is one."""
    best, rival = answer.best, _affordable(answer, rivals)
    if best is None or best.score is None or rival is None or best.score > rival.score:
        return None
    return rival


def _rival_words(r: Rival) -> str:
    return (
        f"{r.student} reaches {r.score:.1f} from {r.n_labels:,} labels ({usd(r.cost_usd)}, seconds on a CPU; "
        f"measured, {r.n_runs} runs, set {r.evidence_set})"
    )


def _rival_notes(answer: TaskAnswer, rivals: Sequence[Rival]) -> list[str]:
    """What a cheap student reaches, where the recommendation has not said it already."""
    r = _affordable(answer, rivals)
    if r is None or moot(answer, rivals) is not None:
        return []
    beaten = [a for a in answer.allocations if a.strategy != "constant" and a.score is not None and a.score <= r.score]
    names = ", ".join(dict.fromkeys(a.strategy for a in beaten))
    return [_rival_words(r) + (f"; it beats {names} here." if names else ".")]


def size_notes(answer: TaskAnswer) -> list[str]:
    """Where the best student is not the smallest one, say what the smallest would reach."""
    best = answer.best
    if best is None or best.student not in T5_SHAPES:
        return []
    students = [a.student for a in answer.allocations if a.feasible and a.student]
    sizes = {name: T5_SHAPES[name].n_parameters for name in students if name in T5_SHAPES}
    least, own = min(sizes.values()), sizes[best.student or ""]
    if own == least:
        return []
    small = next(a for a in answer.allocations if a.feasible and sizes.get(a.student or "") == least)
    return [
        f"{best.student} has {own / least:.1f} times the parameters of {small.student}, whose best is {small.label} "
        f"with {small.score:.1f}; --student {small.student} keeps to it."
    ]


def compute_notes(choices: Choices, compute: str, card: RateCard) -> list[str]:
    """What is modelled in the costs, and on which speeds it rests."""
    parts = {part for o in choices.options if o.hours for part in o.hours.modelled}
    notes = []
    if "distill_text" in parts:
        notes.append(
            "hours of distilling are modelled: those billed, divided by how many times fewer operations labelling once "
            "takes, at the same use of the hardware."
        )
    timed = sorted(parts - {"distill_text"})
    if timed and compute != "published" and card.utilisation is not None:
        u = card.utilisation
        notes.append(
            f"modelled hours ({', '.join(timed)}) rest on {u.peak_tflops:g} TFLOP/s at {u.teacher_training:.0%} for "
            f"tuning the teacher, {u.labelling:.0%} for labelling, {u.student_training:.0%} for the student and no "
            f"step under {u.seconds_per_step:g} s ({u.source})."
        )
    return notes


def coverage_note(fit: TaskFit) -> str | None:
    """How far the intervals have held on rows left out of the fit."""
    inside = n = 0.0
    seen = []  # surfaces that were fitted as one share one check
    for surface in fit.surfaces:
        checked = surface.diagnostics.get("checked") or {}
        share, count = (checked.get("coverage") or {}).get("90"), checked.get("n")
        if share is not None and count and checked not in seen:
            seen.append(checked)
            inside, n = inside + share * count, n + count
    if not n:
        return None
    return f"of {n:.0f} rows left out one at a time, 90 % intervals held {inside / n:.0%}."


def answer_json(
    answer: TaskAnswer, choices: Choices, card: RateCard, rivals: Sequence[Rival], compute: str
) -> dict[str, Any]:
    """An answer for programs; docs/schemas/optimize.json describes it."""
    best = answer.best
    data: dict[str, Any] = {
        "recommended": answer.recommended,
        "summary": recommendation(answer, choices.task.metric, rivals),
        "budget_usd": answer.budget_usd,
        "metric": choices.task.metric,
        "rates": card.name,
        "evidence_set": choices.fit.evidence_set,
        "compute": {"model": _compute_model(choices, compute), **_utilisation(choices, card)},
        "allocations": [_allocation_json(a) for a in answer.allocations],
        "changes": [asdict(c) for c in answer.changes],
        "stop_here": None if answer.stop_here is None else asdict(answer.stop_here),
        "rivals": [asdict(r) for r in rivals],
        "notes": _all_notes(answer, choices, rivals, compute, card),
    }
    if answer.corners:
        data["pure"] = [_corner_json(c, best) for c in answer.corners]
    rounded_data: dict[str, Any] = rounded(data)
    return rounded_data


def _compute_model(choices: Choices, asked: str) -> str:
    """The compute model that was asked for; measured evidence has hours of its own."""
    return "measured" if any(o.hours and o.hours.model == "measured" for o in choices.options) else asked


def _utilisation(choices: Choices, card: RateCard) -> dict[str, Any]:
    modelled = sorted({part for o in choices.options if o.hours for part in o.hours.modelled})
    used = card.utilisation.model_dump() if modelled and card.utilisation else None
    return {"modelled": modelled, "utilisation": used}


def _allocation_json(a: Allocation) -> dict[str, Any]:
    return {**asdict(a), "costs": dict(a.costs), "notes": list(a.notes)}


def _corner_json(corner: Corner, best: Allocation | None) -> dict[str, Any]:
    pure = [a for a in (corner.annotate, corner.distill) if a is not None and a.score is not None]
    top = max((a.score for a in pure if a.score is not None), default=None)
    gain = None if top is None or best is None or best.score is None else best.score - top
    return {
        "initial_n_labels": corner.initial_n_labels,
        "annotate": None if corner.annotate is None else _allocation_json(corner.annotate),
        "distill": None if corner.distill is None else _allocation_json(corner.distill),
        "mix_gain": gain,
    }


def points_grid(answers: Sequence[PointAnswer]) -> Grid:
    """Answers to points, in order."""
    rows = tuple(
        (
            f"{a.point.task} {a.point.strategy}",
            _count(a.point.counts["n_labels"]),
            _count(a.point.counts["n_llm_labels"]),
            _count(a.point.counts["n_unlabeled"]),
            "-" if a.score is None else f"{a.score:.1f}",
            _interval(a),
            usd(a.cost_usd),
            (a.reason or "") if a.score is None else f"{a.source}, {_kind(a.kind, a.factor)}",
        )
        for a in answers
    )
    headings = ("point", "labels", "LLM", "texts", "score", "90 % of runs", "cost", "from")
    return Grid(title="", headings=headings, rows=rows, text_columns=frozenset({0, 7}))


def points_json(answers: Sequence[PointAnswer]) -> list[dict[str, Any]]:
    """Answers to points for programs."""
    from budgetsim.points import points_of  # only `simulate` needs it

    data: list[dict[str, Any]] = rounded(points_of(answers))
    return data


def frontier_page(front: Frontier, metric: str) -> Page:
    """A frontier for people: where each strategy wins, then the expansion path."""
    lines: Page = [f"{front.task}: where each strategy wins"]
    lines += [f"  {usd(r.from_usd)} to {usd(r.to_usd)}: {r.label}" for r in front.regions]
    rows = tuple(
        (
            usd(p.allocation.cost_usd),
            p.allocation.label,
            _count(p.allocation.n_labels),
            _count(p.allocation.n_llm_labels),
            _count(p.allocation.n_unlabeled),
            f"{p.allocation.score:.1f}",
            f"{p.attained[0]:.1f} to {p.attained[2]:.1f}",
            _kind(p.allocation.kind, p.allocation.factor),
        )
        for p in front.points
    )
    headings = ("cost", "strategy", "labels", "LLM", "texts", metric, "attained in 90 % of worlds", "from")
    grid = Grid(title="", headings=headings, rows=rows, text_columns=frozenset({1, 7}))
    return [*lines, grid]


def frontier_json(front: Frontier) -> dict[str, Any]:
    """A frontier for programs."""
    data: dict[str, Any] = rounded(
        {
            "points": [
                {
                    "budget_usd": p.budget_usd,
                    "attained": {"lower": p.attained[0], "median": p.attained[1], "upper": p.attained[2]},
                    "allocation": _allocation_json(p.allocation),
                }
                for p in front.points
            ],
            "regions": [asdict(r) for r in front.regions],
        }
    )
    return data


def fit_page(fit: TaskFit) -> Page:
    """How good a fit is: forms and weights, leave-one-out error, coverage, warnings."""
    lines = [f"{fit.task}: evidence {fit.evidence_set}, method {fit.method}, {fit.n_draws} joint draws"]
    rows = []
    for s in fit.surfaces:
        d = s.diagnostics
        coverage = (d.get("checked") or {}).get("coverage") or {}
        forms = ", ".join(f"{f['form']} {f['weight']:.2f}" for f in d.get("forms", []))
        rows.append(
            (
                label_of(*s.group),
                str(s.n_rows),
                forms,
                "-" if d.get("loo_rmse_points") is None else f"{d['loo_rmse_points']:.2f}",
                f"{coverage['90']:.0%}" if "90" in coverage else "-",
                "-" if d.get("noise_sd_points") is None else f"{d['noise_sd_points']:.2f}",
            )
        )
    grid = Grid(
        title="",
        headings=("surface", "rows", "forms and weights", "left-out RMSE", "90 % held", "run s.d."),
        rows=tuple(rows),
        text_columns=frozenset({0, 2}),
    )
    warnings = dict.fromkeys([*fit.warnings, *(w for s in fit.surfaces for w in s.diagnostics.get("warnings", []))])
    return [*lines, grid, *(f"Warning: {w}" for w in warnings)]


def fit_json(fit: TaskFit) -> dict[str, Any]:
    """A fit for programs, without its draws."""
    return {
        "evidence_set": fit.evidence_set,
        "method": fit.method,
        "rows_hash": fit.rows_hash,
        "n_draws": fit.n_draws,
        "warnings": list(fit.warnings),
        "surfaces": [
            {
                "strategy": s.strategy,
                "teacher": s.teacher,
                "student": s.student,
                "labeler": s.labeler,
                "n_rows": s.n_rows,
                "diagnostics": dict(s.diagnostics),
            }
            for s in fit.surfaces
        ],
    }


def rates_grid(card: RateCard) -> Grid:
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
    return Grid(
        title=f"Rate card {card.name}, {card.currency}",
        headings=("price of one", "price", "as of", "source"),
        rows=tuple(rows),
        text_columns=frozenset({0, 2, 3}),
    )


def tasks_grid(tasks: Sequence[Task]) -> Grid:
    """The tasks of the registry."""
    rows = tuple((t.name, t.metric, f"{100 * t.constant_score:.1f}", f"{t.n_test:,}", t.description) for t in tasks)
    return Grid(
        title="",
        headings=("task", "metric", "constant", "test items", "what"),
        rows=rows,
        text_columns=frozenset({0, 1, 4}),
    )

"""Sections of docs/paper/claims.md on pairs of cells: who wins, the LLM, other students and teachers, mixes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from paper_evidence import CHECKED, Cell, Forecast, Refits, Section, chance_above, checked, forecast, said, table

from budgetsim.choosing.allocate import allocate
from budgetsim.choosing.corners import corner
from budgetsim.choosing.options import allocation_at
from budgetsim.data.tasks import get_task
from budgetsim.store.database import Connection

LEAST_GAIN = 1.0  # points: twice the noise of a printed run
MIX_SQL = """
SELECT task, initial_n_labels, total_usd, annotate, distill, mix_usd, n_labels, n_unlabeled, mix, gain
FROM mix_gains WHERE teacher = 't5-v1_1-xxl' AND student = 't5-v1_1-small' ORDER BY task, initial_n_labels, total_usd
"""


class Pair(NamedTuple):
    """Both strategies of one comparison, and what fits without them say."""

    annotate: Cell
    distill: Cell
    said_annotate: Forecast | None
    said_distill: Forecast | None

    @property
    def printed(self) -> str:
        return "distill" if self.distill.score > self.annotate.score else "annotate"

    @property
    def told(self) -> str:
        """Who wins by the fits; a plan that cannot be paid for loses."""
        if self.said_distill is None or self.said_annotate is None:
            return "annotate"
        return "distill" if self.said_distill.score > self.said_annotate.score else "annotate"

    @property
    def chance(self) -> float:
        """Chance that the distilled run scores higher."""
        if self.said_distill is None or self.said_annotate is None:
            return 0.0
        return chance_above(self.said_distill, self.said_annotate)


def pairs(cells: Sequence[Cell], refits: Refits, *, whole_block: bool = False) -> list[Pair]:
    """Comparisons of the main results, each forecast without its own two cells or without all of its start."""
    main = [c for c in cells if c.panel == "main_results"]
    out = []
    for a in (c for c in main if c.strategy == "annotate"):
        block = [c for c in main if (c.task, c.initial) == (a.task, a.initial)]
        d = next(c for c in block if c.strategy == "distill" and c.extra_usd == a.extra_usd)
        fit = refits.without(a.task, block if whole_block else (a, d))
        out.append(Pair(a, d, forecast(fit, a), forecast(fit, d)))
    return out


def main_results(cells: Sequence[Cell], refits: Refits) -> Section:
    """Every main-results cell: its winner, and the winner without it."""
    found = pairs(cells, refits)
    strict = pairs(cells, refits, whole_block=True)
    lines = [
        [
            p.annotate.task,
            f"{p.annotate.initial:,} + ${p.annotate.extra_usd:,.0f}",
            p.annotate.score,
            p.distill.score if p.distill.feasible else "0.0 (teacher too dear)",
            f"**{p.printed}**",
            said(p.said_annotate),
            said(p.said_distill) if p.distill.feasible else "not affordable",
            f"**{p.told}**" + ("" if p.told == p.printed else " (disagrees)"),
            f"{100 * p.chance:.0f} %",
        ]
        for p in found
    ]
    headings = ["task", "labels + money", "annotate", "distill", "wins", "annotate, told", "distill, told", "told"]
    blocks = [*errors("without the pair", found), *errors("without the start", strict)]
    text = [
        "## Main results: which pure strategy wins",
        summary(found, "Each pair forecast without its own two cells"),
        summary(strict, "Harder: without all eight cells that share the pair's task and start"),
        table(CHECKED, blocks),
        "A `!` marks a printed score outside its 90 % interval; the last column is the chance that a distilled run "
        "beats an annotated one.",
        table([*headings, "distill wins"], lines),
    ]
    told = [f for p in found for f in (p.said_annotate, p.said_distill) if f]
    return Section(text, told, f"winner of {sum(p.printed == p.told for p in found)} of {len(found)} pairs")


def summary(found: Sequence[Pair], how: str) -> str:
    """Agreement on the winner, and who it was that lost."""
    won = sum(p.printed == "distill" for p in found)
    same = sum(p.printed == p.told for p in found)
    brier = fmean((p.chance - (p.printed == "distill")) ** 2 for p in found)
    missed = [f"{p.annotate.task} at {p.annotate.initial:,} + ${p.annotate.extra_usd:,.0f} (printed {p.annotate.score} "
              f"against {p.distill.score})" for p in found if p.printed != p.told]  # fmt: skip
    told = f" It disagrees on {'; '.join(missed)}." if missed else ""
    return (
        f"{how}: distilling wins {won} of {len(found)} in print, and the tool names the same winner in {same} of "
        f"{len(found)} (Brier score of its chance {brier:.3f}; always saying distill would get "
        f"{1 - won / len(found):.3f}).{told}"
    )


def errors(name: str, found: Sequence[Pair]) -> list[list[object]]:
    """Errors of both strategies."""
    return [
        checked(f"annotate, {name}", [p.said_annotate for p in found if p.said_annotate]),
        checked(f"distill, {name}", [p.said_distill for p in found if p.said_distill]),
    ]


def infeasible(cells: Sequence[Cell], refits: Refits) -> Section:
    """Cells whose extra money does not pay for the teacher."""
    lines = []
    for c in (c for c in cells if not c.feasible):
        initial, total = c.initial or 0, c.total_usd or 0.0
        options = [o for o in refits.options(refits.without(c.task, [c])) if o.surface.route.strategy == "distill"]
        teacher = float(options[0].cost.stages({"n_labels": initial})["teacher"])
        answer = corner(get_task(c.task), options, initial, total).distill
        told = "not affordable" if answer is None else f"{answer.score:.1f}"
        lines.append([c.task, f"{initial:,} + ${c.extra_usd:,.0f}", c.score, f"${teacher:.2f}", told])
    text = [
        "## The cell that cannot be paid for",
        "Fine-tuning the teacher costs more than the extra money. The paper prints a score of 0; the tool refuses the "
        "plan instead of scoring it, and never fits the 0.",
        table(["task", "labels + money", "printed", "teacher alone", "told"], lines),
    ]
    return Section(text, [])


def llm(cells: Sequence[Cell], refits: Refits) -> Section:
    """The comparison with labels of GPT-3.5."""
    mine = [c for c in cells if c.panel == "gpt3_fig"]
    names = ("annotate", "llm_annotate", "annotate_plus_llm", "distill")
    lines: list[list[object]] = []
    agree: list[bool] = []
    found: list[Forecast] = []
    for task, usd in sorted({(c.task, c.total_usd) for c in mine}):
        group = {c.strategy: c for c in mine if (c.task, c.total_usd) == (task, usd)}
        told = {s: forecast(refits.without(task, group.values()), c) for s, c in group.items()}
        known = {s: f for s, f in told.items() if f is not None}
        found += known.values()
        printed, guess = max(group, key=lambda s: group[s].score), max(known, key=lambda s: known[s].score)
        agree.append(group[guess].score == group[printed].score)
        shown = [f"{group[s].score} / {said(told[s])}" if s in group else "" for s in names]
        lines.append([task, f"${usd:,.0f}", *shown, printed, guess + ("" if agree[-1] else " (disagrees)")])
    errors = [checked(s, [f for f in found if f.cell.strategy == s]) for s in names]
    text = [
        "## Labels of GPT-3.5",
        f"Printed / told by a fit without any cell of that task at that budget. The same strategy is best in "
        f"{sum(agree)} of {len(agree)} comparisons. The paper prints dollars, not LLM labels: their number is implied "
        f"by a prompt of 33 texts. Where a strategy has three rows, a forecast of one of them rests on two.",
        table(["task", "dollars", *names, "best", "best, told"], lines),
        table(CHECKED, errors),
    ]
    return Section(text, found, f"best of 2 to 3 strategies in {sum(agree)} of {len(agree)}")


def sizes(cells: Sequence[Cell], refits: Refits, panel: str, what: str) -> tuple[str, list[Forecast]]:
    """A table of other students or other teachers."""
    mine = [c for c in cells if c.panel == panel]
    lines: list[list[object]] = []
    found: list[Forecast] = []
    for initial in sorted({c.initial or 0 for c in mine}):
        for c in (c for c in mine if c.initial == initial):
            rivals = [r for r in mine if r.initial == initial and (what == "teacher" or r.student == c.student)]
            best = max(rivals, key=lambda r: r.score)
            told = forecast(refits.without(c.task, rivals), c) if known(c) else None
            found += [told] if told else []
            who = c.student if what == "student" else c.teacher or "none"
            mark = f"**{c.score}**" if c is best else c.score
            lines.append([f"{initial:,} + ${c.extra_usd:,.0f}", who, c.strategy, mark, said(told)])
    return table(["labels + money", what, "strategy", "printed", "told"], lines), found


def known(c: Cell) -> bool:
    """Whether the number of texts of a cell is known: for distilling, of the paper's own pair only."""
    return c.inputs is not None and (c.strategy != "distill" or c.of_the_pair)


def other_models(cells: Sequence[Cell], refits: Refits) -> Section:
    """Student and teacher sizes; what is not known is not told."""
    students, by_student = sizes(cells, refits, "student_size_fig", "student")
    teachers, by_teacher = sizes(cells, refits, "teacher_size_fig", "teacher")
    text = [
        "## Other students (wlp)",
        "Bold is the better strategy of that student in print. Texts of other pairs than XXL into Small are not "
        "printed, and neither is what a text costs there, so the tool does not tell those cells and does not optimise "
        "over them.",
        f"{lost(cells, 'student_size_fig')} The headline is for the smallest student.",
        students,
        table(CHECKED, [checked("students", by_student)]),
        "## Other teachers (wlp)",
        f"Bold is the best of the four. {lost(cells, 'teacher_size_fig')}",
        teachers,
        table(CHECKED, [checked("teachers", by_teacher)]),
    ]
    return Section(text, by_student + by_teacher, "other pairs distilled are not told")


def lost(cells: Sequence[Cell], panel: str) -> str:
    """Where annotating beats a distilled cell of the same panel, in a sentence."""
    mine = [c for c in cells if c.panel == panel]
    beaten = [
        f"{c.teacher} into {c.student} at {c.initial:,} + ${c.extra_usd:,.0f} ({a.score} against {c.score})"
        for c in mine
        if c.strategy == "distill"
        for a in mine
        if (a.strategy, a.student, a.initial) == ("annotate", c.student, c.initial) and a.score > c.score
    ]
    return f"In print annotating beats {len(beaten)} distilled cells here: {'; '.join(beaten)}."


class Mix(NamedTuple):
    """A printed mix of labels and compute beside both pure strategies, and the tool without any of the three."""

    row: dict[str, Any]
    told_gain: float
    told: str


def mixes(cells: Sequence[Cell], refits: Refits, connection: Connection) -> Section:
    """Mix against pure corners."""
    answer = connection.execute(MIX_SQL)
    names = [d[0] for d in answer.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    found = [mix(cells, refits, row) for row in rows]
    same = sum((m.told_gain > LEAST_GAIN) == (m.row["gain"] > LEAST_GAIN) for m in found)
    printed = sum(m.row["gain"] > LEAST_GAIN for m in found)
    lines = [
        [r["task"], f"{r['initial_n_labels']:,}", f"${r['total_usd']:,.0f}", r["annotate"], r["distill"],
         f"{r['n_labels']:,} / {r['n_unlabeled']:,}", f"${r['mix_usd']:,.0f}", r["mix"], f"{r['gain']:+.1f}",
         m.told, f"{m.told_gain:+.1f}"]
        for m in found for r in [m.row]
    ]  # fmt: skip
    text = [
        "## A mix against both pure strategies",
        f"The best printed grid cell that costs no more than each pair of pure strategies (view `mix_gains`). In print "
        f"it gains more than {LEAST_GAIN:g} point in {printed} of {len(found)} comparisons. The last columns are the "
        f"tool's own best split of the same money, from a fit that saw neither the pair nor that mix, and its expected "
        f"gain over the better pure plan; it says as print does whether more than {LEAST_GAIN:g} point is gained in "
        f"{same} of {len(found)}. A printed loss says only that no grid cell at or below that price does better; the "
        f"tool is free to choose between the cells, so its gain is never below 0.",
        table(["task", "start", "dollars", "annotate", "distill", "mix: labels / texts", "mix costs", "mix", "gain",
               "told: best split", "gain, told"], lines),
    ]  # fmt: skip
    return Section(text, [])


def mix(cells: Sequence[Cell], refits: Refits, row: dict[str, Any]) -> Mix:
    """The tool's best split of a pair's money without the pair and without the mix."""
    hidden = [
        c
        for c in cells
        if c.task == row["task"]
        and c.of_the_pair
        and (
            (c.initial, c.total_usd) == (row["initial_n_labels"], row["total_usd"])
            or (c.panel, c.n_labels, c.n_unlabeled) == ("pareto_fig", row["n_labels"], row["n_unlabeled"])
        )
    ]
    options = refits.options(refits.without(row["task"], hidden))
    usd = float(row["total_usd"])
    plans = [
        allocation_at(get_task(row["task"]), o, choice.counts[0])
        for o in options
        if o.surface.route.strategy in ("annotate", "distill")
        for choice in [allocate(o.surface, o.cost, [usd])]
        if choice.feasible[0]
    ]
    best = max(plans, key=lambda a: a.score)
    pure = corner(get_task(row["task"]), options, row["initial_n_labels"], usd)
    rival = max(a.score for a in (pure.annotate, pure.distill) if a is not None)
    texts = f" / {best.design.n_unlabeled:,}" if best.design.n_unlabeled else ""
    return Mix(row, best.score - rival, f"{best.route.strategy} {best.design.n_labels:,}{texts}: {best.score:.1f}")

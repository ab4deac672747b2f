"""What is said with every answer: what was modelled, assumed and left out, and how far intervals have held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from budgetsim.answers.choices import Choices
from budgetsim.answers.learners import LearnerRow, learner_rows
from budgetsim.answers.notes import ChoiceNote, ComputeDiffers, LeftOut, LlmRule, OtherGpu, OtherLlm, OwnPool
from budgetsim.answers.rivals import Rival
from budgetsim.choosing.options import Infeasible
from budgetsim.choosing.remarks import NothingBeatsConstant
from budgetsim.costs.rates import RateCard
from budgetsim.design.cautions import FromOtherTasks
from budgetsim.design.surface import TaskFit
from budgetsim.report.cautions import caution_words
from budgetsim.report.remarks import answer_words, shortfall_words
from budgetsim.report.table import BRIEF, Showing, usd
from budgetsim.report.wording import note_words
from budgetsim.store.probes import is_probe

NOTES_SHOWN = 3  # unless all are asked for
_FIRST = (ComputeDiffers, LeftOut, LlmRule, OtherGpu, OtherLlm, OwnPool)  # what may change the answer
FEW_CHECKED = 10  # rows; with fewer, one that is missed would move the share by more than a tenth


def choice_notes(choices: Choices, compute: str, card: RateCard, *, first_runs: bool = True) -> list[str]:
    """What holds for every budget: modelled hours, how far intervals have held, what was left out and assumed.

    first_runs : whether to name those that would tell most of a forecast task: not beside runs ranked by what they gain
    """
    held = coverage_note(choices.fit)
    data = caution_words(c for c in choices.fit.cautions if first_runs or not isinstance(c, FromOtherTasks))
    first = [note_words(n) for n in _together(choices.notes) if isinstance(n, _FIRST)]
    rest = [note_words(n) for n in choices.notes if not isinstance(n, _FIRST)]
    notes = [*first, *compute_notes(choices, compute, card), *([held] if held else []), *data, *rest]
    return [sentence(n) for n in notes]


def _together(notes: Sequence[ChoiceNote]) -> list[ChoiceNote]:
    """Notes with those of strategies that were left out for the same reason made one, in the place of the first."""
    names: dict[str, list[str]] = {}
    for note in notes:
        if isinstance(note, LeftOut):
            names.setdefault(note.reason, []).append(note.strategy)
    joined = [replace(n, strategy=" and ".join(names[n.reason])) if isinstance(n, LeftOut) else n for n in notes]
    return list(dict.fromkeys(joined))


def note_lines(notes: Sequence[str], showing: Showing = BRIEF) -> list[str]:
    """Notes as lines of a page: the first few, and how to see the others."""
    shown = list(notes) if showing.notes else list(notes[:NOTES_SHOWN])
    left = len(notes) - len(shown)
    more = [f"({left} more note{'s' * (left != 1)}: --notes)"] if left else []
    return [*(f"Note: {note}" for note in shown), *more]


def reach_notes(choices: Choices, infeasible: Sequence[Infeasible], *, constant: bool) -> list[str]:
    """What a budget does not buy and why, and that nothing it buys beats the constant answer.

    constant : whether the constant answer is all that wins
    """
    notes = [f"{entry.route.short} is infeasible: {shortfall_words(entry.reason)}." for entry in infeasible]
    if constant:
        notes.append(answer_words(NothingBeatsConstant(answer=choices.task.constant_answer)))
    return notes


def moot_note(rivals: Sequence[Rival], budget_usd: float, score: float) -> list[str]:
    """That a cheap student scores as much as the best plan of a budget; nothing where none does.

    score : of the best plan, percent
    """
    rows = learner_rows(rivals, budget_usd)
    if not rows or rows[0].score < score:
        return []
    return [f"{learner_words(rows[0])}: no less than the best plan here, {score:.1f}."]


def learner_words(row: LearnerRow) -> str:
    """What a measured student reaches, what it takes and on what that rests."""
    on = "" if row.n_test is None else f" on {row.n_test:,} test items"
    reaches = f"{row.student} reaches {row.score:.1f} from {row.n_labels:,} labels"
    return f"{reaches} ({usd(row.cost_usd)}; {source_words(row)}{on})"


def source_words(row: LearnerRow) -> str:
    """Where a measured student's score comes from, and of how many it is the mean.

    >>> row = LearnerRow(
    ...     student="s",
    ...     n_labels=9,
    ...     cost_usd=1.0,
    ...     costs={},
    ...     score=50.0,
    ...     lower=None,
    ...     upper=None,
    ...     n_runs=5,
    ...     n_test=None,
    ...     hours=None,
    ...     ms_per_text=None,
    ...     evidence_set="reported-probe-mine-accuracy",
    ... )
    >>> source_words(row)
    'probe, 5 folds'
    """
    kind, of = ("probe", "fold") if is_probe(row.evidence_set) else ("measured", "run")
    return f"{kind}, {row.n_runs} {of}{'s' * (row.n_runs != 1)}"


def with_unpriced(words: str, choices: Choices) -> str:
    """An answer, and behind it what it did not look at."""
    return " ".join([words, *unpriced_words(choices)])


def unpriced_words(choices: Choices) -> list[str]:
    """What was not looked at, in a sentence; none where everything has a price."""
    offered = {o.route.strategy for o in choices.options}
    names = [s.route.short if s.route.strategy in offered else s.route.strategy for s in choices.unpriced]
    return [f"Not looked at, for want of a price: {', '.join(dict.fromkeys(names))}."] if names else []


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
            f"step under {u.seconds_per_step:g} s ({f'measured on {u.device}: ' if u.device else ''}{u.source})."
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
    if n < FEW_CHECKED:  # a share of so few tells nothing
        return f"{n:.0f} row{'s' * (n > 1)} left out one at a time: too few to tell how far intervals hold."
    return f"of {n:.0f} rows left out one at a time, 90 % intervals held {inside / n:.0%}."


def sentence(text: str) -> str:
    text = text.strip()
    start = text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text  # names of models stay as they are
    return start + ("" if text.endswith((".", "?")) else ".")


def compute_model(choices: Choices, asked: str) -> str:
    """The compute model that was asked for; measured evidence has hours of its own."""
    return "measured" if any(o.evidence.source == "measured" for o in choices.options) else asked

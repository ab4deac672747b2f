"""Typed notes of answers in words."""

from __future__ import annotations

from budgetsim.answers.notes import (
    BeyondPool,
    BeyondTexts,
    ComputeDiffers,
    DaysInSequence,
    ImpliedLabeler,
    ImpliedLlmLabels,
    ImpliedTexts,
    LeftOut,
    LlmRule,
    NeverRun,
    NoAccuracyScale,
    NoAnnotation,
    NoCost,
    Note,
    NoTeacher,
    OtherGpu,
    OtherLlm,
    OwnedTeacherLabels,
    OwnPool,
    OwnTexts,
    PlateauRule,
    Refusal,
    SimulatedLeftOut,
    TableEnd,
    TrainingNotCharged,
)
from budgetsim.report.table import usd


def note_words(note: Note) -> str:
    """One note in words; an error's own words stay as they are."""
    match note:
        case Refusal(message=message):
            return message
        case LeftOut():
            return f"{note.strategy} left out: {note.reason}"
        case NeverRun():
            names = " or ".join(note.strategies)
            return f"no run of {names} on {note.task}, though on other tasks: not looked at, also not as a next run."
        case SimulatedLeftOut():
            return (
                f"{', '.join(note.strategies)} with labels of {', '.join(note.labelers)} left out: nobody can hire a "
                f"simulated labeler. --strategy {note.strategies[0]} shows what labels of that accuracy buy."
            )
        case TrainingNotCharged():
            return f"training the student on labels is not charged: the card has {_lack_words(note)}."
        case ImpliedLlmLabels():
            return (
                f"the paper prints dollars, not LLM labels: their number is implied by a prompt of {note.prompt_texts} "
                f"texts at ${note.usd_per_mtok:g} a million tokens; here one costs ${note.usd_per_label:.3g} "
                f"({note.model})."
            )
        case ImpliedTexts():
            return (
                f"the texts of {note.n_rows} distilled rows are implied by dollars, {note.n_capped} of them cut at "
                f"the pool of {note.pool_size:,}."
            )
        case OwnedTeacherLabels():
            return "the labels of the owned teacher do not count as owned; --owned-labels would say that they do."
        case DaysInSequence():
            return (
                f"days are labels at {note.labels_per_day:g} a day, then tuning, labelling and training, one after "
                f"the other; device-hours are taken to divide by the devices, {note.gpus} of them day and night; LLM "
                f"labels take no time."
            )
        case OwnPool(task=task, n=0):
            return (
                f"the pool is empty, since {task} has no unlabelled texts; --pool N says that there are some, "
                f"`budgetsim tasks add {task} ... --unlabeled FILE` gives them."
            )
        case OwnPool(task=task, n=n):
            return f"the pool is the {n:,} unlabelled texts that {task} has; --pool N says that there are more."
        case OwnTexts(task=task, n=n, n_train=n_train):
            return (
                f"no plan asks for more labels than {task} has texts: {n:,}, of which {n_train:,} have a label now "
                f"(--owned-labels {n_train} counts those as paid for; --pool N says that there are more texts)."
            )
        case BeyondPool(name=name, n=n):
            return f"{name} is more than the {n:,.0f} unlabelled texts that the task has"
        case BeyondTexts(n=n):
            return f"n_labels is more than the {n:,.0f} texts that the task has"
        case ComputeDiffers():
            return _compute_words(note)
        case OtherLlm():
            return (
                f"LLM labels have the quality of {note.scored}, which was scored, at the price of {note.priced}, which "
                f"the card names: --llm-accuracy says how often yours is right."
            )
        case OtherGpu():
            return (
                f"hours were billed on an {note.billed}; the card's {note.priced} is taken to be as fast, so only its "
                f"price counts here."
            )
        case PlateauRule():
            return "the rule: a student scores at most what its teacher does, and below that as before."
        case LlmRule():
            return _rule_words(note)
        case ImpliedLabeler():
            return _implied_words(note)
        case NoTeacher():
            return "no distilled student is among the options"
        case NoAnnotation():
            return "no annotation curve is among the options"
        case NoAccuracyScale():
            return f"an answer of {note.task} is text: no share of right labels links it to a score"
        case NoCost():
            return f"no cost: {note.reason}"
        case TableEnd():
            return f"the score is that at {note.name} {note.n:,.0f}, where the table ends"


def _compute_words(note: ComputeDiffers) -> str:
    """What another way of working would change."""
    ways = {
        "published": "worked and billed as in the paper (--compute published)",
        "modern": "worked as today (--compute modern, modelled)",
    }
    return (
        f"{ways[note.other]}, the plan's compute would cost {usd(note.other_usd)}, not {usd(note.compute_usd)}, and "
        f"{usd(note.budget_usd)} would buy {note.score:.1f} ({note.short})."
    )


def _lack_words(note: TrainingNotCharged) -> str:
    """What the card lacks."""
    if note.device_class is None:
        return "no utilisation to model it with"
    return f"no price for a {note.device_class}; add a `{note.device_class}:`"


def _rule_words(note: LlmRule) -> str:
    match note.errors:
        case "random":
            return (
                f"a label is worth {note.worth:.2f} true ones, its errors random among {note.classes} labels: on the "
                f"high side."
            )
        case "learnable":
            return (
                "the student learns the errors like all else, and so scores at most what the LLM does: on the low side."
            )
        case "real":
            return (
                "what an LLM's labels teach is modelled: its errors take from a student what those of five real LLMs "
                "took on seven tasks (100 and 250 labels; 100 beside 30 and 100 of people)."
            )


def _implied_words(note: ImpliedLabeler) -> str:
    implied = note.implied
    misfit = f"misfit {100 * implied.misfit:.1f} points, {implied.n_points} sizes"
    if not note.is_described:
        return f"no accuracy makes this rule describe {note.labeler} of the evidence ({misfit})."
    return (
        f"by this rule {note.labeler} of the evidence works like labels right in {100 * implied.lower:.0f} to "
        f"{100 * implied.upper:.0f} % of cases ({misfit})."
    )

"""Sentences of what happens in a campaign."""

from __future__ import annotations

from budgetsim.measure.events import (
    CannotStart,
    CapAhead,
    CapReached,
    CutToTexts,
    DiskFull,
    LeftOut,
    Notice,
    Planned,
    RunCut,
    RunDone,
    RunFailed,
    RunLost,
    Stopping,
    StopReason,
    Warned,
    WorkerDied,
)
from budgetsim.measure.limits import Cap


def word(notice: Notice) -> str:
    """One line for people.

    >>> word(Planned(stored=3, missing=5))
    '8 runs planned: 3 in the store, 5 to do.'
    """
    match notice:
        case LeftOut(n, why):
            return f"Left out of the grid, {n} runs: {why}"
        case CutToTexts(n):
            return f"Cut to the texts there are: {n} runs of the grid ask for more."
        case Planned(stored, missing):
            return f"{stored + missing} runs planned: {stored} in the store, {missing} to do."
        case RunDone():
            return _run_done(notice)
        case RunFailed(title, message):
            return f"{title}: {message}"
        case RunLost():
            return word_failure(notice)
        case RunCut(title, seconds):
            return f"{title} was cut after {seconds:.0f} s; its finished stages are kept."
        case WorkerDied(title, exit_code):
            return f"A worker died at {title} (exit {exit_code}); it is started again."
        case Stopping(reason, began):
            kept = "What is done is kept; the same command goes on from there."
            return f"Stopping: {word_reason(reason)}. {kept if began else 'Nothing was started.'}"
        case Warned(message):
            return message


def word_failure(failure: RunFailed | RunLost) -> str:
    """Why a run failed."""
    if isinstance(failure, RunFailed):
        return failure.message
    return f"{failure.title}: the worker died (exit {failure.exit_code})."


def word_reason(reason: StopReason) -> str:
    """Why a campaign stopped, as a clause.

    >>> word_reason(CapAhead(title="x", startup_seconds=0, run_seconds=100, cap=Cap(hours=0.005, seconds=18)))
    'the next run (x) about 2 min, which would pass 0.005 hours (18 s)'
    """
    match reason:
        case DiskFull():
            return "the disk is full"
        case CannotStart():
            return "the workers cannot start"
        case CapReached():
            return "the cap is reached"
        case CapAhead():
            startup = f"starting takes about {reason.startup_seconds:.0f} s and " if reason.startup_seconds else ""
            run = f"the next run ({reason.title}) about {span(reason.run_seconds)}"
            return f"{startup}{run}, which would pass {word_cap(reason.cap)}"


def word_cap(cap: Cap) -> str:
    """A cap with the seconds it allows.

    >>> word_cap(Cap(usd=1, seconds=1800))
    '$1 (1800 s of one device)'
    """
    if cap.usd is not None:
        return f"${cap.usd:g} ({cap.seconds:.0f} s of one device)"
    return f"{cap.hours:g} hours ({cap.seconds:.0f} s)"


def span(seconds: float) -> str:
    """A time for people.

    >>> span(75), span(600), span(7200)
    ('75 s', '10 min', '2.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _run_done(notice: RunDone) -> str:
    run = notice.run
    return (
        f"[{notice.number}/{notice.of}] {run.title}: {run.metric} {run.score:.1f} in {run.seconds:.0f} s; "
        f"about {span(notice.seconds_ahead)} left"
    )

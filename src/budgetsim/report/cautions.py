"""What fits have to say of their data, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from budgetsim.design.cautions import Caution, FewRows, FromOtherTasks, GroupName, PooledGain, RowsLeftOut, ScoreFall
from budgetsim.report.remarks import INPUT_WORDS

if TYPE_CHECKING:
    from budgetsim.laws.cautions import CurveCaution, FormsDisagree

KEY_LENGTH: Final = 12  # characters of a key that are shown


def caution_words(cautions: Iterable[Caution]) -> list[str]:
    """A sentence each, repeated ones once."""
    return list(dict.fromkeys(_sentence(c) for c in cautions))


def _sentence(c: Caution) -> str:
    match c:
        case RowsLeftOut():
            return f"{_rows(c.n_rows)} not fitted: {_left_out(c)}."
        case FewRows():
            return f"{_group(c.group)}: {_rows(c.n_rows)}; score and interval rest on {_prior(c)}. Measure more sizes."
        case ScoreFall():
            fall = f"{100 * c.score_from:.1f} to {100 * c.score_to:.1f}"
            runs = f"{c.key_from[:KEY_LENGTH]} to {c.key_to[:KEY_LENGTH]}"
            return f"{_group(c.group)}: {c.strategy} falls from {fall} ({runs}) as inputs grow; kept as seen."
        case PooledGain():
            gain = f"what it gains over labels alone rests in part on {c.n_tasks} other tasks"
            return f"{c.route.doing}: {_rows(c.n_rows)}; {gain}."
        case FromOtherTasks():
            runs = "; then ".join(c.first_runs) or "more labels, of which it has fewer than any run takes"
            return f"to know {c.task} better, measure first: {runs}."


SURE: Final = 0.8  # share of worlds from which on the plan is called known
LIKELY: Final = 0.6


def forecast_words(c: FromOtherTasks) -> str:
    """What is known of a task that is forecast: the first line of its answer.

    >>> forecast_words(FromOtherTasks(task="mine", n_own=0, n_tasks=6, plan_share=0.93, half_width=21.4, first_runs=()))
    'Nothing was run on mine: forecast from 6 other tasks. Which plan: yes (93 % sure); which score: within 21 points.'
    """
    own = f"{c.n_own} design{'s' * (c.n_own != 1)} of its own" if c.n_own else "nothing"
    start = (
        f"{own.capitalize()} was run on {c.task}: forecast" if not c.n_own else f"{c.task} is forecast from {own} and"
    )
    plan = "yes" if c.plan_share >= SURE else "likely" if c.plan_share >= LIKELY else "not yet"
    others = f"{c.n_tasks} other task{'s' * (c.n_tasks != 1)}"
    return (
        f"{start} from {others}. Which plan: {plan} ({c.plan_share:.0%} sure); "
        f"which score: within {max(c.half_width, 1):.0f} points."
    ).replace("% sure", " % sure")


def _rows(n: int) -> str:
    return f"{n} row{'s' * (n > 1)}"


def _group(name: GroupName) -> str:
    return f"labels for {name.route.student}" if name.kind == "labels" else name.route.doing


def _left_out(c: RowsLeftOut) -> str:
    route = f"{c.route.strategy} of {c.route.student}"
    if c.reason == "unknown_inputs":
        route += f" from {c.route.teacher}" if c.route.teacher else ""
        return f"{route}: number of {' and '.join(INPUT_WORDS[name] for name in c.inputs)} not known"
    if c.reason == "inputs_out_of_range":
        return f"{route}: an input below zero or not finite"
    return f"{route}: the teacher alone costs more than the budget"


def _prior(c: FewRows) -> str:
    if c.n_tasks is not None:
        return f"the prior and on {c.n_tasks} other task{'s' * (c.n_tasks > 1)}"
    return f"the prior and on {_group(c.from_group)}" if c.from_group is not None else "the prior"


def curve_caution_words(cautions: Iterable[CurveCaution]) -> list[str]:
    """What a reader should know of the data of one curve or surface, a sentence each."""
    from budgetsim.laws import cautions as laws  # SciPy, only where a curve was fitted

    out = []
    for c in cautions:
        match c:
            case laws.FewSizes():
                sizes = f"{c.n_sizes} size{'s' * (c.n_sizes != 1)}"
                out.append(f"{sizes}: the interval rests on the prior; measure at least {c.n_wanted} sizes.")
            case laws.ErrorRise():
                rise = f"the error rises by {100 * c.ratio:.0f} % up to size {c.size:g}"
                out.append(f"not monotone: {rise}; kept as seen.")
            case laws.SingleValue():
                out.append(f"{c.input} takes one value only: its effect rests on the prior; vary it.")
            case laws.FewPoints():
                data = f"{c.n_rows} rows for {c.n_inputs} inputs"
                out.append(f"{data}: the interval rests on the prior; measure more.")
            case laws.FormsDisagree():
                out.append(_disagreement(c))
    return out


def _disagreement(c: FormsDisagree) -> str:
    misses = f"{c.best} by {100 * c.best_error:.2g} %, {c.worst} by {100 * c.worst_error:.2g} %"
    kept = f"{' and '.join(c.kept)} {'is' if len(c.kept) == 1 else 'are'} used"
    return f"forms disagree: from the cheaper rows the dearest are missed {misses}; {kept}. Measure a dear run."

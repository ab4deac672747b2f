"""Forms of the score of a student: formula, parameters and priors of each in one place.

Labels:    s = f + (t - f) G(n) H(n),             n = N + Q(M), M labels of an LLM (labelers.py)
Transfer:  s = f + (t - f) G(N) H(N) H(U; N)      product: each input alone can hold the score back
           s = f + (t - f) G(N) / (1 + (D/N)^c + (V/U)^v)    series: their shortfalls add up

H is the Hill curve (the rectified law with error = 1 - score), G an onset that may be absent; V may
drift with N, which is the cross term. Sizes enter as log(1 + n). The forms of a group take the same
parameters in the same order, used or not, so that coordinates mean the same in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from budgetsim.design.arrays import Floats
from budgetsim.fitting.labelers import N_LABELER, Labeler
from budgetsim.fitting.onset import CEILING, Floors, rise
from budgetsim.fitting.parameters import Parameter, Values
from budgetsim.fitting.replicates import Replicates

Formula = Callable[[Values, Floats], Floats]

LEAST_NOISE: Final = 0.005  # fraction of the metric: published replicates of a run scatter by no less
DRIFT_FROM: Final = 1000.0  # labels at which the texts needed are those of `half_texts`

_WIDE = "chosen by us: a factor 7 either way"
_SLOPES = "chosen by us: between slower and steeper than proportional"

# of every group, behind the floor's
LABELS_LEFT_OVER: Final = Parameter(
    "left_over", 0.03, 0.7, "log", "fraction of the metric", "chosen by us: standard deviation of the residual process"
)
TRANSFER_LEFT_OVER: Final = replace(LABELS_LEFT_OVER, median=0.05)
RUN_NOISE: Final = Parameter(
    "run_noise",
    1.0,
    0.8,
    "log",
    "times LEAST_NOISE, added in squares",
    "published replicates: about .7 points in the middle",
)
# of the onset
ONSET: Final = Parameter(
    "onset", 1000.0, 1.5, "log", "labels", "published curves of classification leave their floor at 1,000 to 4,000"
)
ONSET_STEEPNESS: Final = Parameter(
    "onset_steepness", 12.0, 0.5, "log", "per e-fold", "chosen by us: open within a third of an e-fold, as FEVER's jump"
)
# of labels
SMOOTH_RISE: Final = (
    Parameter("half_labels", 2000.0, 2.0, "log", "labels", _WIDE),
    Parameter("label_slope", 1.0, 0.6, "log", "per e-fold", _SLOPES),
)
RISE_AFTER_ONSET: Final = (
    Parameter("half_labels", 1000.0, 2.0, "log", "labels", _WIDE),
    Parameter("label_slope", 0.5, 0.6, "log", "per e-fold", "chosen by us: the onset takes the steep part"),
)
# of transfer
TEACHER_RISE: Final = (
    Parameter("half_labels", 300.0, 2.0, "log", "labels", "chosen by us: a large teacher needs fewer; " + _WIDE),
    Parameter("label_slope", 0.7, 0.6, "log", "per e-fold", _SLOPES),
)
TEXTS: Final = (
    Parameter(
        "half_texts", 200_000.0, 2.0, "log", "unlabelled texts",
        "moved from 10,000 after a look at four published tasks (docs/method/fitting.md)",
    ),
    Parameter("drift", 0.0, 0.3, "linear", "power of N / DRIFT_FROM", "chosen by us: either sign, weak"),
    Parameter("text_slope", 0.7, 0.6, "log", "per e-fold", _SLOPES),
)  # fmt: skip
# of a teacher whose own scores are known
SCORED_TEACHER: Final = (
    replace(CEILING, name="teacher_ceiling"),
    Parameter(
        "student_power", 0.5, 0.7, "log", "power k of what the teacher knows", "chosen by us: first value written"
    ),
    Parameter("teacher_noise", 0.01, 0.6, "log", "fraction of the metric", "chosen by us: about a point"),
)


@dataclass(frozen=True, slots=True)
class Form:
    """(coordinates (particles, d), log sizes (n, axes)) -> scores (particles, n), under a name."""

    name: str
    parameters: tuple[Parameter, ...]
    formula: Formula

    def values(self, z: Floats) -> Values:
        """Coordinates by name."""
        return Values(self.parameters, z)

    def score(self, z: Floats, at: Floats) -> Floats:
        """Scores of particles at log sizes (n, axes): (particles, n)."""
        return self.formula(self.values(z), at)


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one group of rows; the first coordinates mean the same in all of them."""

    forms: tuple[Form, ...]
    n_shared: int  # the first of them, which mean the same for every student of a task
    n_common: int  # the first of them, which mean the same for the same models on every task
    teacher_score: Formula | None = None  # the teacher's own score, from its log labels (1, n)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the first form; the others may have other priors under the same names."""
        return self.forms[0].parameters

    @property
    def n_dimensions(self) -> int:
        return len(self.parameters)

    def values(self, z: Floats) -> Values:
        """Coordinates by name, for what all forms share."""
        return self.forms[0].values(z)

    def amplitude(self, values: Values) -> Floats:
        """Standard deviation of the residual process, a fraction of the metric: (particles,)."""
        return values["left_over"][:, 0]

    def noise(self, values: Values) -> Floats:
        """Standard deviation of one run, a fraction of the metric: (particles,)."""
        out: Floats = LEAST_NOISE * np.hypot(1.0, values["run_noise"][:, 0])
        return out

    def teacher(self, values: Values, log_n: Floats) -> Floats:
        """The teacher's own score at its log labels (1, n): (particles, n); none where it was not scored."""
        if self.teacher_score is None:
            return np.empty((len(values.z), 0))
        return self.teacher_score(values, log_n)

    def teacher_fit(self, values: Values, seen: Replicates) -> Floats:
        """Log density of teachers' own scores, up to a constant. seen : log labels and score; returns : (particles,)"""
        if self.teacher_score is None or not len(seen.mean):
            return np.zeros(len(values.z))
        noise = values["teacher_noise"][:, 0]
        squares = (seen.mean - self.teacher(values, seen.at.T)) ** 2 @ seen.count + seen.squares
        out: Floats = -0.5 * squares / noise**2 - len(seen.design) * np.log(noise)
        return out


def label_forms(floors: Floors, labelers: Sequence[Labeler] = ()) -> Forms:
    """Score against human labels N and LLM labels M, one column of log sizes a labeler."""
    shared = (*floors.parameters, LABELS_LEFT_OVER, RUN_NOISE, CEILING)
    first = len(shared) + len(SMOOTH_RISE) + 2  # coordinates before those of the labelers
    own = tuple(replace(p, name=f"{p.name} of labeler {i}") for i, who in enumerate(labelers) for p in who.parameters)

    def size(values: Values, at: Floats) -> Floats:
        """Log of one plus the effective number of labels."""
        if not labelers:
            return np.broadcast_to(at[None, :, 0], (len(values.z), len(at)))
        n = np.expm1(at[None, :, 0])
        for i, labeler in enumerate(labelers):
            z = values.z[:, first + N_LABELER * i : first + N_LABELER * (i + 1)]
            n = n + labeler.effective(z, np.expm1(at[:, 1 + i]), values.log("half_labels"), values["label_slope"])
        out: Floats = np.log1p(np.broadcast_to(n, (len(values.z), len(at))))
        return out

    def smooth(values: Values, at: Floats) -> Floats:
        log_n = size(values, at)
        floor, top = floors.at(values, log_n), floors.ceiling(values["ceiling"])
        return floor + (top - floor) * _label_share(values, log_n)

    def onset(values: Values, at: Floats) -> Floats:
        log_n = size(values, at)
        floor, top = floors.at(values, log_n), floors.ceiling(values["ceiling"])
        return floor + (top - floor) * _onset_share(values, log_n) * _label_share(values, log_n)

    return Forms(
        forms=(
            Form("smooth", (*shared, *SMOOTH_RISE, ONSET, ONSET_STEEPNESS, *own), smooth),
            Form("onset", (*shared, *RISE_AFTER_ONSET, ONSET, ONSET_STEEPNESS, *own), onset),
        ),
        n_shared=first,
        n_common=first,
    )


def transfer_forms(floors: Floors, taught: bool = False) -> Forms:
    """Score against the teacher's labels N and the texts U it labels.

    taught : the teacher's own scores T(N) = f + (1 - f) K(N) are known; then what its labels bring
        the student is K^k, instead of a curve of its own
    """
    student = (
        *floors.parameters,
        TRANSFER_LEFT_OVER,
        RUN_NOISE,
        CEILING,
        *TEACHER_RISE,
        ONSET,
        ONSET_STEEPNESS,
        *TEXTS,
    )
    parameters = (*student, *SCORED_TEACHER) if taught else student

    def label_part(values: Values, log_n: Floats) -> Floats:
        """Share of the student's rise that the teacher's labels allow."""
        if not taught:
            return _label_share(values, log_n) * _onset_share(values, log_n)
        out: Floats = np.maximum(_teacher_share(floors, values, log_n), 1e-9) ** np.exp(values.log("student_power"))
        return out

    def limits(values: Values, log_n: Floats) -> tuple[Floats, Floats]:
        log_n = np.broadcast_to(log_n, (len(values.z), log_n.shape[1]))
        return floors.at(values, log_n), floors.ceiling(values["ceiling"])

    def product(values: Values, at: Floats) -> Floats:
        labels, which, log_u = _by_labels(at)
        floor, top = limits(values, labels)
        most = (top - floor) * label_part(values, labels)
        text_part = rise(log_u, _log_half_texts(values, labels)[:, which], values["text_slope"])
        return floor[:, which] + most[:, which] * text_part

    def series(values: Values, at: Floats) -> Floats:
        labels, which, log_u = _by_labels(at)
        floor, top = limits(values, labels)
        lack_u = _odds(-values["text_slope"] * (log_u - _log_half_texts(values, labels)[:, which]))
        if taught:
            share = label_part(values, labels)
            most, lack = (top - floor) * share, 1.0 + share[:, which] * lack_u
        else:
            lack_n = _odds(-values["label_slope"] * (labels - values.log("half_labels")))
            most, lack = (top - floor) * _onset_share(values, labels), (1.0 + lack_n)[:, which] + lack_u
        return floor[:, which] + most[:, which] / lack

    def teacher(values: Values, log_n: Floats) -> Floats:
        floor = floors.at(values, np.broadcast_to(log_n, (len(values.z), log_n.shape[-1])))
        return floor + (1.0 - floor) * _teacher_share(floors, values, log_n)

    name = "taught " if taught else ""
    return Forms(
        forms=(Form(f"{name}product", parameters, product), Form(f"{name}series", parameters, series)),
        n_shared=len(student),
        n_common=len(parameters),
        teacher_score=teacher if taught else None,
    )


def _by_labels(at: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """The distinct log labels of places (n, 2), (1, k), which of them each place has, and its log texts (1, n).

    What depends on labels alone is worked out once for each of them: most designs share theirs with others
    """
    labels, which = np.unique(at[:, 0], return_inverse=True)
    return labels[None], which, at[None, :, 1]


def _label_share(values: Values, log_n: Floats) -> Floats:
    """Share of the rise that labels allow: the Hill curve."""
    return rise(log_n, values.log("half_labels"), values["label_slope"])


def _onset_share(values: Values, log_n: Floats) -> Floats:
    """How far the onset is open, 0 to 1."""
    return rise(log_n, values.log("onset"), values["onset_steepness"])


def _teacher_share(floors: Floors, values: Values, log_n: Floats) -> Floats:
    """What a teacher of N labels knows beyond a guess, 0 to 1."""
    most = (floors.ceiling(values["teacher_ceiling"]) - floors.high) / (1.0 - floors.high)
    return most * _label_share(values, log_n) * _onset_share(values, log_n)


def _log_half_texts(values: Values, log_n: Floats) -> Floats:
    """Log of the texts at which half the rise is reached; it drifts with the labels."""
    out: Floats = values.log("half_texts") + values["drift"] * (log_n - np.log(DRIFT_FROM))
    return out


def _odds(t: Floats) -> Floats:
    """exp(t), short of overflow."""
    out: Floats = np.exp(np.minimum(t, 50.0))
    return out

"""One family of measurements that a single posterior describes, and draws of it.

Labels of people and of LLMs for one student are a family: the labels of an LLM are worth an
effective number of human ones. A teacher and its student are another; where the teacher's own
scores are known, they inform the curve in the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from budgetsim.design.arrays import Floats
from budgetsim.design.points import Measurement, Route
from budgetsim.design.surface import axis_scale
from budgetsim.fitting.forms import Form, Forms, label_forms, transfer_forms
from budgetsim.fitting.labelers import Labeler
from budgetsim.fitting.onset import Floors
from budgetsim.fitting.residual import Residual
from budgetsim.fitting.sampler import Sample, temper

Kin = tuple[str, str | None, str, bool]  # kind, teacher, student, whether the teacher was scored itself
Learnt = Sequence[Floats]  # mean and variance of each coordinate, (2, dimensions), a form

N_PARTICLES: Final = 3000
LEVELS: Final = (0.5, 0.8, 0.9, 0.95)
TIE: Final = 0.5  # correlation of a curve's coordinates between two students of a task
LABEL_LENGTH: Final = 3.0  # e-folds of labels, whoever gave them
TRANSFER_LENGTHS: Final = (2.0, 3.0)  # e-folds of labels, of unlabelled texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Rows that one posterior describes; `labelers` are those besides people, in order."""

    kind: Literal["labels", "transfer"]
    name: str
    rows: Sequence[Measurement]
    labelers: tuple[str | None, ...] = ()

    @property
    def n_sizes(self) -> int:
        """Distinct points; more runs at one point tell nothing of the shape."""
        return len({tuple(x) for x in self.rows_at().tolist()})

    @property
    def student(self) -> str:
        return self.rows[0].route.student

    @property
    def teacher_name(self) -> str | None:
        return self.rows[0].route.teacher if self.kind == "transfer" else None

    @property
    def kin(self) -> Kin:
        """What a family of another task shares with this one if their coordinates mean the same."""
        taught = self.kind == "transfer" and len(self.teacher()) > 0
        return self.kind, self.teacher_name, self.student, taught

    @property
    def lengths(self) -> tuple[float, ...]:
        """Length of the residual process on each axis, e-folds."""
        return TRANSFER_LENGTHS if self.kind == "transfer" else (LABEL_LENGTH,) * (1 + len(self.labelers))

    def forms(self, floors: Floors) -> Forms:
        if self.kind == "transfer":
            return transfer_forms(floors, taught=bool(len(self.teacher())))
        guess = floors.high if floors.known else 0.0
        return label_forms(floors, [Labeler.named(name, guess) for name in self.labelers])

    def at(self, route: Route, inputs: Floats) -> Floats:
        """Where inputs of a route, (n, inputs) counts, lie on the axes of the family: (n, axes)."""
        if self.kind == "transfer":
            return axis_scale(inputs)
        counts = np.zeros((len(inputs), 1 + len(self.labelers)))
        for axis, name in enumerate(route.kind.inputs):
            counts[:, 0 if name == "n_labels" else 1 + self.labelers.index(route.labeler)] = inputs[:, axis]
        return axis_scale(counts)

    def rows_at(self) -> Floats:
        """(rows, axes)."""
        return np.concatenate([self.at(m.route, np.array([m.inputs], np.float64)) for m in self.rows])

    def teacher(self) -> Floats:
        """Log labels and score of each teacher that was scored itself: (teachers, 2)."""
        found = {(m.n_labels or 0.0, m.seed, m.teacher_score) for m in self.rows if m.teacher_score is not None}
        ordered = sorted(found, key=str)
        return np.array([[np.log1p(n), score] for n, _, score in ordered], np.float64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is taken for usual of a family before its rows are seen, and whom it is known from.

    at : a form, mean and standard deviation of its first coordinates, (2, k); the others stay standard normal
    """

    source: str
    at: Sequence[Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Draws of one family: coordinates per form, and the residual process they share."""

    name: str  # of the family
    forms: Forms
    which: NDArray[np.intp]  # form of each draw
    z: Floats  # (draws, widest form)
    residual: Residual
    score: Floats  # (rows,)
    learnt: Learnt
    diagnostics: Mapping[str, Any]
    warnings: list[str]

    def mean(self, at: Floats) -> Floats:
        """The parametric score of each draw at log sizes (n, axes): (draws, n)."""
        out = np.empty((len(self.z), len(at)))
        for i, form in enumerate(self.forms.forms):
            mine = self.which == i
            out[mine] = form.score(self.z[mine], at)
        return out

    def tied(self) -> Prior:
        """What it tells of another student of the task."""
        return Prior(self.name, [tied(learnt[:, : self.forms.n_shared]) for learnt in self.learnt])

    def amplitude(self) -> Floats:
        return self.forms.amplitude(self.z)

    def noise(self) -> Floats:
        return self.forms.noise(self.z)


def posterior_of(
    family: Family, floors: Floors, rng: np.random.Generator, n_draws: int, prior: Prior | None = None
) -> Posterior:
    """Draw worlds of a family: each form sampled, half of the draws shared evenly, half by evidence.

    prior : what others told of such families; None for the forms' own, wide one
    """
    at, score = family.rows_at(), np.array([m.score for m in family.rows])
    forms = family.forms(floors)
    residual = Residual.over(at, family.lengths)
    samples = [
        _sample(form, forms, residual, at, score, family.teacher(), _padded(forms, prior, i), rng)
        for i, form in enumerate(forms.forms)
    ]
    evidence = np.array([s.log_evidence for s in samples])
    weight = np.exp(evidence - evidence.max())
    weight = 0.5 * weight / weight.sum() + 0.5 / len(weight)
    which, z = _pick(samples, weight, n_draws, rng)
    checks = [
        _leave_one_out(residual, score - form.score(s.z, at), forms.amplitude(s.z), forms.noise(s.z))
        for form, s in zip(forms.forms, samples, strict=True)
    ]
    diagnostics, warnings = _diagnose(family, forms, weight, checks, z, floors, prior)
    return Posterior(
        name=family.name,
        forms=forms,
        which=which,
        z=z,
        residual=residual,
        score=score,
        learnt=[np.stack([s.z.mean(axis=0), s.z.var(axis=0)]) for s in samples],
        diagnostics=diagnostics,
        warnings=warnings,
    )


def tied(learnt: Floats) -> Floats:
    """Mean and standard deviation of one student's coordinates, given what another's are known to be.

    Two students draw each coordinate of the curve from one bivariate normal with correlation TIE;
    given that the other's is known to mean m and variance v, this one is normal about TIE m with
    variance 1 - TIE^2 (1 - v).

    learnt : m and v, (2, n); returns : (2, n)
    """
    mean, variance = learnt
    return np.stack([TIE * mean, np.sqrt(1 - TIE**2 * np.maximum(1 - variance, 0.0))])


def _padded(forms: Forms, prior: Prior | None, form: int) -> Floats:
    """Mean and standard deviation of every coordinate of one form a priori, (2, dimensions)."""
    out = np.stack([np.zeros(forms.n_dimensions), np.ones(forms.n_dimensions)])
    if prior is not None:
        out[:, : prior.at[form].shape[1]] = prior.at[form]
    return out


def _sample(
    form: Form,
    forms: Forms,
    residual: Residual,
    at: Floats,
    score: Floats,
    teacher: Floats,
    prior: Floats,
    rng: np.random.Generator,
) -> Sample:
    """Draws of the coordinates of one form. teacher : (k, 2), log labels and score of each teacher."""

    def log_likelihood(white: Floats) -> Floats:
        z = prior[0] + prior[1] * white
        out = residual.log_likelihood(score - form.score(z, at), forms.amplitude(z), forms.noise(z))
        return out + forms.teacher_fit(z, teacher) if len(teacher) else out

    found = temper(log_likelihood, forms.n_dimensions, rng, n_particles=N_PARTICLES)
    return Sample(prior[0] + prior[1] * found.z, found.log_evidence)


def _pick(
    samples: Sequence[Sample], weight: Floats, n_draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Floats]:
    """Form and coordinates of each draw, in no order."""
    count = _shares(weight, n_draws)
    which = rng.permutation(np.repeat(np.arange(len(count)), count))
    z = np.empty((n_draws, samples[0].z.shape[1]))
    for i, sample in enumerate(samples):
        again = -(-int(count[i]) // len(sample.z))  # draws are reused only where more are asked than there are
        pick = np.tile(rng.permutation(len(sample.z)), again)[: count[i]]
        z[which == i] = sample.z[pick]
    return which, z


def _shares(weight: Floats, n: int) -> NDArray[np.intp]:
    """Whole numbers that sum to n in proportion to the weights (largest remainders)."""
    exact = weight * n
    count = np.floor(exact).astype(np.intp)
    count[np.argsort(count - exact)[: n - count.sum()]] += 1
    return count


def _leave_one_out(residual: Residual, left_over: Floats, amplitude: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Error and probability integral of each row predicted without itself, by reweighting draws."""
    gap, sd = residual.leave_one_out(left_over, amplitude, noise)
    log_density = -0.5 * (gap / sd) ** 2 - np.log(sd)
    weight = np.exp(-(log_density - log_density.min(axis=0)))
    weight = np.minimum(weight, weight.mean(axis=0) * np.sqrt(len(weight)))
    weight /= weight.sum(axis=0)
    error = (weight * gap).sum(axis=0)
    below = (weight * ndtr(gap / sd)).sum(axis=0)
    return error, below


def _falls(members: Sequence[Measurement], tolerated: float) -> list[str]:
    """The largest fall of a score where every input grew, if noise does not explain it."""
    out = []
    for group in sorted({m.route for m in members}, key=lambda route: route.sort_key):
        mine, strategy = [m for m in members if m.route == group], group.strategy
        x, score = np.array([m.inputs for m in mine], dtype=np.float64), np.array([m.score for m in mine])
        grew = (x[None] >= x[:, None]).all(axis=2)
        fall = np.where(grew, score[:, None] - score[None], 0.0)
        i, j = np.unravel_index(int(fall.argmax()), fall.shape)
        if fall[i, j] > np.sqrt(2.0) * tolerated:
            out.append(
                f"{strategy} falls from {100 * score[i]:.1f} to {100 * score[j]:.1f} "
                f"({mine[i].key[:12]} to {mine[j].key[:12]}) as inputs grow; kept as seen."
            )
    return out


def _diagnose(
    family: Family,
    forms: Forms,
    weight: Floats,
    checks: Sequence[tuple[Floats, Floats]],
    z: Floats,
    floors: Floors,
    prior: Prior | None,
) -> tuple[dict[str, Any], list[str]]:
    error = sum(w * e for w, (e, _) in zip(weight, checks, strict=True))
    below = sum(w * b for w, (_, b) in zip(weight, checks, strict=True))
    held = {str(round(100 * v)): round(float((np.abs(below - 0.5) <= v / 2).mean()), 3) for v in LEVELS}
    noise, n_rows = forms.noise(z), len(family.rows)
    warnings = [f"{family.name}: {fall}" for fall in _falls(family.rows, 3 * float(np.median(noise)))]
    if prior or n_rows < 4:
        rest = f"the prior and on {prior.source}" if prior else "the prior"
        warnings.append(
            f"{family.name}: {n_rows} row{'s' * (n_rows > 1)}; score and interval rest on {rest}. Measure more sizes."
        )
    diagnostics = {
        "forms": [
            {"form": f.name, "weight": round(float(w), 3), "loo_rmse_points": _points(e)}
            for f, w, (e, _) in zip(forms.forms, weight, checks, strict=True)
        ],
        "n_observed": n_rows,
        "loo_rmse_points": _points(np.asarray(error)),
        "checked": {"by": "leave one row out, reweighted draws", "n": n_rows, "coverage": held},
        "floor": {"low": floors.low, "high": floors.high, "known": floors.known},
        "noise_sd_points": round(100 * float(np.sqrt((noise**2).mean())), 2),
        "warnings": warnings,
    }
    return diagnostics, warnings


def _points(error: Floats) -> float:
    return round(100 * float(np.sqrt((error**2).mean())), 2)

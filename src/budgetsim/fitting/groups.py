"""One group of measurements that a single posterior describes, and draws of it.

Labels of people and of LLMs for one student are a group: the labels of an LLM are worth an
effective number of human ones. A teacher and its student are another; where the teacher's own
scores are known, they inform the curve in the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from budgetsim.design.arrays import Floats
from budgetsim.design.cautions import Caution, FewRows, GroupName, ScoreFall
from budgetsim.design.points import Measurement, Route
from budgetsim.design.surface import axis_scale
from budgetsim.fitting.few_labels import spread_of
from budgetsim.fitting.few_texts import certainty
from budgetsim.fitting.forms import Form, Forms, label_forms, transfer_forms
from budgetsim.fitting.labelers import Labeler
from budgetsim.fitting.onset import Floors
from budgetsim.fitting.replicates import Replicates
from budgetsim.fitting.residual import Residual
from budgetsim.fitting.sampler import Sample, temper

GroupKey = tuple[str, str | None, str, bool]  # kind, teacher, student, whether the teacher was scored itself
Moments = Sequence[Floats]  # mean and variance of each coordinate, (2, dimensions), a form

N_PARTICLES: Final = 1000
IN_CACHE: Final = 5000  # scores of particles at designs that are worked on at once
CHECKED_ROWS: Final = 1000  # that are predicted without themselves, at most
BLOCK: Final = 100  # of them at once
CHECK: Final = "leave one row out, reweighted draws"
LEVELS: Final = (0.5, 0.8, 0.9, 0.95)
STUDENT_CORRELATION: Final = 0.5  # correlation of a curve's coordinates between two students of a task
FEW_ROWS: Final = 4  # below it a fit says that it rests on the prior
LABEL_LENGTH: Final = 3.0  # e-folds of labels, whoever gave them
TRANSFER_LENGTHS: Final = (2.0, 3.0)  # e-folds of labels, of unlabelled texts


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """Rows that one posterior describes; `labelers` are those besides people, in order."""

    name: GroupName
    rows: Sequence[Measurement]
    labelers: tuple[str | None, ...] = ()

    @property
    def kind(self) -> Literal["labels", "transfer"]:
        return self.name.kind

    @property
    def n_sizes(self) -> int:
        """Distinct points; more runs at one point tell nothing of the shape."""
        return len({tuple(at[0].tolist()) for at in self._places().values()})

    @property
    def key(self) -> GroupKey:
        """What a group of another task shares with this one if their coordinates mean the same."""
        teacher_scored = self.kind == "transfer" and any(m.teacher_score is not None for m in self.rows)
        return self.kind, self.name.route.teacher, self.name.route.student, teacher_scored

    @property
    def lengths(self) -> tuple[float, ...]:
        """Length of the residual process on each axis, e-folds."""
        return TRANSFER_LENGTHS if self.kind == "transfer" else (LABEL_LENGTH,) * (1 + len(self.labelers))

    def forms(self, floors: Floors) -> Forms:
        if self.kind == "transfer":
            return transfer_forms(floors, taught=any(m.teacher_score is not None for m in self.rows))
        guess = floors.high if floors.known else 0.0
        return label_forms(floors, [self.labeler(name, guess) for name in self.labelers])

    def labeler(self, name: str | None, guess: float) -> Labeler:
        """A labeler with the accuracy that its name states, else the mean of what was measured beside its rows.

        guess : score of a constant answer, a fraction
        """
        stated = Labeler.named(name, guess)
        measured = [m.labeler_accuracy for m in self.rows if m.route.labeler == name and m.labeler_accuracy is not None]
        if stated.beyond_guess is not None or not measured:
            return stated
        return Labeler.of_accuracy(sum(measured) / len(measured), guess)

    def at(self, route: Route, inputs: Floats) -> Floats:
        """Where inputs of a route, (n, inputs) counts, lie on the axes of the group: (n, axes)."""
        if self.kind == "transfer":
            return axis_scale(inputs)
        counts = np.zeros((len(inputs), 1 + len(self.labelers)))
        for axis, name in enumerate(route.kind.inputs):
            counts[:, 0 if name == "n_labels" else 1 + self.labelers.index(route.labeler)] = inputs[:, axis]
        return axis_scale(counts)

    def rows_at(self) -> Floats:
        """(rows, axes)."""
        places = self._places()
        return np.concatenate([places[m.route, m.inputs] for m in self.rows])

    def _places(self) -> dict[tuple[Route, tuple[float | None, ...]], Floats]:
        """Where each design of the rows lies, (1, axes): many rows are of one."""
        designs = dict.fromkeys((m.route, m.inputs) for m in self.rows)
        return {(route, inputs): self.at(route, np.array([inputs], np.float64)) for route, inputs in designs}

    def teacher_scores(self) -> Replicates:
        """Log labels and score of each teacher that was scored itself."""
        scores = {(m.n_labels or 0.0, m.seed, m.teacher_score) for m in self.rows if m.teacher_score is not None}
        seen = np.array([[n, score] for n, _, score in sorted(scores, key=str)], np.float64).reshape(-1, 2)
        return Replicates.of(np.log1p(seen[:, :1]), seen[:, 1])


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of a group before its rows are seen, and what that was learnt from.

    source : a number of other tasks, or a group of the same task
    normals : a form, mean and standard deviation of its first coordinates, (2, k); the others stay standard normal
    """

    source: int | GroupName
    normals: Sequence[Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Draws of one group: coordinates per form, and the residual process they share."""

    name: GroupName
    forms: Forms
    which: NDArray[np.intp]  # form of each draw
    z: Floats  # (draws, widest form)
    residual: Residual  # over the designs of `seen`
    seen: Replicates
    moments: Moments
    diagnostics: Mapping[str, Any]
    cautions: tuple[Caution, ...]

    def mean(self, at: Floats) -> Floats:
        """The parametric score of each draw at log sizes (n, axes): (draws, n)."""
        out = np.empty((len(self.z), len(at)))
        for i, form in enumerate(self.forms.forms):
            mine = self.which == i
            out[mine] = form.score(self.z[mine], at)
        return out

    def related_prior(self) -> Prior:
        """What it tells of another student of the task."""
        return Prior(self.name, [correlate(moments[:, : self.forms.n_shared]) for moments in self.moments])

    def amplitude(self) -> Floats:
        return self.forms.amplitude(self.forms.values(self.z))

    def noise(self) -> Floats:
        return self.forms.noise(self.forms.values(self.z))


def sample_posterior(
    group: RowGroup, floors: Floors, rng: np.random.Generator, n_draws: int, prior: Prior | None = None
) -> Posterior:
    """Draw worlds of a group: each form sampled, half of the draws shared evenly, half by evidence.

    prior : what other groups say of this one; None for the forms' own, wide one
    """
    scores = np.array([m.score for m in group.rows])
    seen = Replicates.of(group.rows_at(), scores, certainty(group.rows), spread_of(group.rows))
    forms, teacher = group.forms(floors), group.teacher_scores()
    residual = Residual.over(seen.at, group.lengths, seen.weight)
    samples = [
        _sample(form, forms, residual, seen, teacher, _padded_prior(forms, prior, i), rng)
        for i, form in enumerate(forms.forms)
    ]
    evidence = np.array([s.log_evidence for s in samples])
    weight = np.exp(evidence - evidence.max())
    weight = 0.5 * weight / weight.sum() + 0.5 / len(weight)
    which, z = _pick(samples, weight, n_draws, rng)
    checks = [
        _leave_one_out(residual, seen, form.score(s.z, seen.at), forms.amplitude(values), forms.noise(values))
        for form, s in zip(forms.forms, samples, strict=True)
        for values in (forms.values(s.z),)
    ]
    noise = forms.noise(forms.values(z))
    cautions = _cautions(group, noise, prior)
    diagnostics = {**_diagnose(group, forms, weight, checks, noise, floors), "cautions": cautions}
    return Posterior(
        name=group.name,
        forms=forms,
        which=which,
        z=z,
        residual=residual,
        seen=seen,
        moments=[np.stack([s.z.mean(axis=0), s.z.var(axis=0)]) for s in samples],
        diagnostics=diagnostics,
        cautions=cautions,
    )


def correlate(moments: Floats) -> Floats:
    """Mean and standard deviation of one student's coordinates, given those of another.

    Two students draw each coordinate of the curve from one bivariate normal with correlation r
    (STUDENT_CORRELATION); where the other's has mean m and variance v, this one is normal about r m with
    variance 1 - r^2 (1 - v).

    moments : m and v, (2, n); returns : (2, n)
    """
    mean, variance = moments
    r = STUDENT_CORRELATION
    return np.stack([r * mean, np.sqrt(1 - r**2 * np.maximum(1 - variance, 0.0))])


def _padded_prior(forms: Forms, prior: Prior | None, form: int) -> Floats:
    """Mean and standard deviation of every coordinate of one form a priori, (2, dimensions)."""
    out = np.stack([np.zeros(forms.n_dimensions), np.ones(forms.n_dimensions)])
    if prior is not None:
        out[:, : prior.normals[form].shape[1]] = prior.normals[form]
    return out


def _sample(
    form: Form,
    forms: Forms,
    residual: Residual,
    seen: Replicates,
    teacher: Replicates,
    prior: Floats,
    rng: np.random.Generator,
) -> Sample:
    """Draws of the coordinates of one form. teacher : log labels and scores of teachers"""

    block = max(100, IN_CACHE // len(seen.mean))

    def log_likelihood(white: Floats) -> Floats:
        values = form.values(prior[0] + prior[1] * white)
        amplitude, noise = forms.amplitude(values), forms.noise(values)
        parts = [slice(start, start + block) for start in range(0, len(white), block)]
        curve = [
            residual.log_likelihood(seen.mean - form.formula(values.of(i), seen.at), amplitude[i], noise[i])
            for i in parts
        ]
        return np.concatenate(curve) + seen.scatter(noise) + forms.teacher_fit(values, teacher)

    sample = temper(log_likelihood, forms.n_dimensions, rng, n_particles=N_PARTICLES)
    return Sample(prior[0] + prior[1] * sample.z, sample.log_evidence)


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


def _leave_one_out(
    residual: Residual, seen: Replicates, curve: Floats, amplitude: Floats, noise: Floats
) -> tuple[Floats, Floats]:
    """Error and probability integral of each row predicted without itself, by reweighting draws.

    curve : (particles, designs); returns : (rows,) each, of CHECKED_ROWS at most, evenly spread
    """
    gaps, sds = residual.leave_one_out(seen.mean - curve, amplitude, noise)
    every = -(-len(seen.design) // CHECKED_ROWS)
    parts = []
    for start in range(0, len(seen.design), every * BLOCK):
        gap, sd = seen.leave_one_out(slice(start, start + every * BLOCK, every), gaps, sds, noise)
        log_density = -0.5 * (gap / sd) ** 2 - np.log(sd)
        weight = np.exp(-(log_density - log_density.min(axis=0)))
        weight = np.minimum(weight, weight.mean(axis=0) * np.sqrt(len(weight)))
        weight /= weight.sum(axis=0)
        parts.append([(weight * gap).sum(axis=0), (weight * ndtr(gap / sd)).sum(axis=0)])
    error, below = np.concatenate(parts, axis=1)
    return error, below


def _cautions(group: RowGroup, noise: Floats, prior: Prior | None) -> tuple[Caution, ...]:
    """What a reader should know of the rows and of the prior. noise : (draws,), standard deviations of a run"""
    falls = _score_falls(group, 3 * float(np.median(noise)))
    n_rows = len(group.rows)
    if prior is None and n_rows >= FEW_ROWS:
        return tuple(falls)
    source = prior.source if prior else None
    few = FewRows(
        group=group.name,
        n_rows=n_rows,
        n_tasks=source if isinstance(source, int) else None,
        from_group=source if isinstance(source, GroupName) else None,
    )
    return *falls, few


def _score_falls(group: RowGroup, tolerance: float) -> list[ScoreFall]:
    """The steepest fall of each route's mean score where every input grew, if the noise of runs does not explain it.

    tolerance : of one run; that of a difference of means is the root of 1 / r_i + 1 / r_j of it
    """
    out = []
    for route in sorted({m.route for m in group.rows}, key=lambda route: route.sort_key):
        rows = [m for m in group.rows if m.route == route]
        inputs = np.array([m.inputs for m in rows], dtype=np.float64)
        seen = Replicates.of(inputs, np.array([m.score for m in rows]), None, spread_of(rows))
        grew = (seen.at[None] >= seen.at[:, None]).all(axis=2)
        fall = np.where(grew, seen.mean[:, None] - seen.mean[None], 0.0)
        fall /= np.sqrt(1 / seen.weight[:, None] + 1 / seen.weight[None])
        i, j = np.unravel_index(int(fall.argmax()), fall.shape)
        if fall[i, j] > tolerance:
            first = [rows[int((seen.design == k).argmax())].key for k in (i, j)]
            out.append(
                ScoreFall(
                    group=group.name,
                    strategy=route.strategy,
                    score_from=float(seen.mean[i]),
                    score_to=float(seen.mean[j]),
                    key_from=first[0],
                    key_to=first[1],
                )
            )
    return out


def _diagnose(
    group: RowGroup,
    forms: Forms,
    weight: Floats,
    checks: Sequence[tuple[Floats, Floats]],
    noise: Floats,
    floors: Floors,
) -> dict[str, Any]:
    """Figures of how good a fit is: rows predicted without themselves. checks : error and integral, a form"""
    error = sum(w * e for w, (e, _) in zip(weight, checks, strict=True))
    below = sum(w * b for w, (_, b) in zip(weight, checks, strict=True))
    held = {str(round(100 * v)): round(float((np.abs(below - 0.5) <= v / 2).mean()), 3) for v in LEVELS}
    n_rows = len(group.rows)
    return {
        "forms": [
            {"form": f.name, "weight": round(float(w), 3), "loo_rmse_points": _points(e)}
            for f, w, (e, _) in zip(forms.forms, weight, checks, strict=True)
        ],
        "n_observed": n_rows,
        "loo_rmse_points": _points(np.asarray(error)),
        "checked": {"by": CHECK, "n": len(below), "coverage": held},
        "floor": asdict(floors),
        "noise_sd_points": round(100 * float(np.sqrt((noise**2).mean())), 2),
    }


def _points(error: Floats) -> float:
    return round(100 * float(np.sqrt((error**2).mean())), 2)

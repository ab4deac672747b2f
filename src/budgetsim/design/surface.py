"""Fitted surfaces as tables of joint draws: evaluated in NumPy, stored as JSON.

A surface knows nothing of the forms it came from: it is `n_draws` possible worlds, each a
table of mean scores on a grid of knots, linear in between on the axis log(1 + n). Linear in the
scores, so the mean over draws of an interpolated score is the interpolated mean.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from budgetsim.design.arrays import Floats
from budgetsim.design.cautions import Caution, caution_from_json, caution_to_json
from budgetsim.design.points import Route

Kind = Literal["observed", "interpolated", "extrapolated"]

FIT_SCHEMA_VERSION = 3  # of the stored form
_UNIT = 1e-4  # scores are stored as whole hundredths of a percent point
_STORED = np.dtype("<i2")  # which fit in two bytes, low byte first
PIVOT: Final = 1000.0  # labels at which the scatter of a run is told
_FEWEST = 10.0  # labels: on fewer nobody knows how much further a run strays
_LABELS = ("n_labels", "n_llm_labels")
_SAME = 0.005  # relative distance within which two sizes are the same point


def axis_scale(n: ArrayLike) -> Floats:
    """Where a count lies on an axis: log(1 + n), which has room for zero."""
    return np.log1p(np.asarray(n, dtype=np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Where evidence lies: the points, and the half-spaces (in log(1 + n)) that enclose them.

    points : (n_points, n_inputs), counts
    normals, offsets : (n_faces, n_inputs) of unit length and (n_faces,); inside where
        normals @ axis_scale(x) <= offsets
    """

    points: Floats
    normals: Floats
    offsets: Floats

    def classify(self, x: ArrayLike) -> tuple[list[Kind], Floats]:
        """Say of each input whether it was observed, lies among the data, or how far outside.

        x : (n, n_inputs), counts
        returns : kinds, and factors (n,): 1 inside, else how many fold outside the nearest face
        """
        at = np.atleast_2d(np.asarray(x, dtype=np.float64))
        scaled = axis_scale(at)
        outside = (scaled @ self.normals.T - self.offsets).max(axis=1, initial=-np.inf)
        factor = np.exp(np.maximum(outside, 0.0))
        factor[factor < 1 + _SAME] = 1.0
        near = np.abs(scaled[:, None, :] - axis_scale(self.points)[None]).max(axis=2, initial=0.0)
        observed = (near <= _SAME).any(axis=1) if len(self.points) else np.zeros(len(at), dtype=bool)
        kinds: list[Kind] = [
            "observed" if o else "interpolated" if f == 1 else "extrapolated"
            for o, f in zip(observed, factor, strict=True)
        ]
        return kinds, np.where(observed, 1.0, factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Joint draws of the mean score of one route.

    knots : one ascending array of counts an axis
    draws : (n_draws, *len of each axis), fractions of the metric
    run_noise : (n_draws,), what one new run of draw i deviates from its mean at `PIVOT` labels, a fraction
    few : labels at which its variance is twice that of a run on very many; 0 where it is the same everywhere
    before : shape of the grid, mean scores without the task's own runs, of a forecast that has some; never stored
    """

    route: Route
    knots: tuple[Floats, ...]
    draws: Floats
    run_noise: Floats
    support: Support
    n_rows: int
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    before: Floats | None = None
    few: float = 0.0

    @property
    def n_draws(self) -> int:
        return len(self.draws)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the axes."""
        return self.route.kind.inputs

    def mean_table(self) -> Floats:
        """Mean over draws at the knots, shape of the grid."""
        mean: Floats = self.draws.mean(axis=0)
        return mean

    def at(self, x: ArrayLike) -> Floats:
        """Draws of the mean score at given inputs; beyond the last knot it stays flat.

        x : (n, n_inputs), counts
        returns : (n_draws, n)
        """
        return interpolate(self.knots, self.draws, x)

    @property
    def scatter(self) -> Floats:
        """How many times as far as at `PIVOT` labels a run deviates at the knots, shape of the grid."""
        labels = sum(
            (counts for name, counts in zip(self.inputs, np.meshgrid(*self.knots, indexing="ij"), strict=True)
             if name in _LABELS), np.zeros([len(k) for k in self.knots])
        )  # fmt: skip
        return growth(labels, self.few)

    def deviations(self, x: ArrayLike) -> Floats:
        """What one new run of each draw deviates from its mean at given inputs.

        x : (n, n_inputs), counts
        returns : (n_draws, n)
        """
        out: Floats = self.run_noise[:, None] * interpolate(self.knots, self.scatter, x)
        return out


def growth(labels: ArrayLike, few: float) -> Floats:
    r"""How many times as far as at `PIVOT` labels a run deviates on so many.

    .. math:: \sqrt{\frac{1 + few / n}{1 + few / 1000}}

    >>> growth([100, 1000, 1e9], 900.0).round(3), growth([30], 0.0)
    (array([2.294, 1.   , 0.725]), array([1.]))
    """
    out: Floats = np.sqrt((1 + few / np.maximum(np.asarray(labels, np.float64), _FEWEST)) / (1 + few / PIVOT))
    return out


def interpolate(knots: tuple[Floats, ...], tables: Floats, x: ArrayLike) -> Floats:
    """Multilinear interpolation on log(1 + n) axes, flat outside the knots.

    knots : one ascending array an axis; tables : (..., *grid); x : (n, n_inputs)
    returns : (..., n)

    >>> interpolate((np.array([0.0, np.e - 1]),), np.array([[0.2, 0.4]]), [[np.exp(0.5) - 1]]).round(3)
    array([[0.3]])
    """
    at = np.atleast_2d(np.asarray(x, dtype=np.float64))
    lead = tables.shape[: tables.ndim - len(knots)]
    flat = tables.reshape(*lead, -1)
    index = np.zeros((1, len(at)), dtype=np.intp)
    weight = np.ones((1, len(at)))
    for axis, points in enumerate(knots):
        low, share = _bracket(points, at[:, axis])
        high = np.minimum(low + 1, len(points) - 1)
        index = np.concatenate([index * len(points) + low, index * len(points) + high])
        weight = np.concatenate([weight * (1 - share), weight * share])
    out: Floats = np.einsum("...cn,cn->...n", flat[..., index], weight)
    return out


def regrid(knots: tuple[Floats, ...], tables: Floats, onto: tuple[Floats, ...]) -> Floats:
    """As `interpolate` at every crossing of other counts, an axis at a time: much faster there.

    knots, onto : one ascending array an axis; tables : (..., *grid)
    returns : (..., *new grid)
    """
    for axis, (old, new) in enumerate(zip(knots, onto, strict=True), -len(knots)):
        weights = interpolate((old,), np.eye(len(old)), new[:, None])  # (old, new)
        tables = tables @ weights if axis == -1 else np.moveaxis(weights.T @ np.moveaxis(tables, axis, -2), -2, axis)
    return tables


def _bracket(points: Floats, n: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Knot below each n, and the share of the way to the next one."""
    if len(points) == 1:
        return np.zeros(len(n), dtype=np.intp), np.zeros(len(n))
    scale, at = axis_scale(points), axis_scale(n)
    low = np.clip(np.searchsorted(scale, at, side="right") - 1, 0, len(points) - 2)
    share = np.clip((at - scale[low]) / (scale[low + 1] - scale[low]), 0.0, 1.0)
    return low, share


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFit:
    """All surfaces of one task from one evidence set; draw i is one world across them."""

    task: str
    evidence_set: str
    method: str  # name and version of the fitting method
    rows_hash: str  # of the measurements it was fitted to, and of those of other tasks beside them
    n_draws: int
    seed: int
    surfaces: tuple[Surface, ...]
    cautions: tuple[Caution, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON object; scores are whole hundredths of a percent point, packed as base64."""
        return {
            "schema_version": FIT_SCHEMA_VERSION,
            "task": self.task,
            "evidence_set": self.evidence_set,
            "method": self.method,
            "rows_hash": self.rows_hash,
            "n_draws": self.n_draws,
            "seed": self.seed,
            "cautions": [caution_to_json(c) for c in self.cautions],
            "surfaces": [_surface_to_json(s) for s in self.surfaces],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskFit:
        """The fit that `to_json` wrote.

        raises : KeyError, ValueError, TypeError where the object is not such a fit
        """
        if data["schema_version"] != FIT_SCHEMA_VERSION:
            raise ValueError(f"schema_version is {data['schema_version']}, wanted {FIT_SCHEMA_VERSION}")
        return cls(
            task=data["task"],
            evidence_set=data["evidence_set"],
            method=data["method"],
            rows_hash=data["rows_hash"],
            n_draws=data["n_draws"],
            seed=data["seed"],
            cautions=tuple(caution_from_json(c) for c in data["cautions"]),
            surfaces=tuple(_surface_from_json(s) for s in data["surfaces"]),
        )


def _surface_to_json(s: Surface) -> dict[str, Any]:
    return {
        **asdict(s.route),
        "inputs": list(s.inputs),
        "n_rows": s.n_rows,
        "knots": [[float(v) for v in k] for k in s.knots],
        "support": {
            "points": s.support.points.tolist(),
            "normals": s.support.normals.tolist(),
            "offsets": s.support.offsets.tolist(),
        },
        "diagnostics": {**s.diagnostics, "cautions": [caution_to_json(c) for c in s.diagnostics.get("cautions", ())]},
        "run_noise": _pack(s.run_noise),
        "few": s.few,
        "draws": _pack(s.draws),
    }


def _surface_from_json(d: Mapping[str, Any]) -> Surface:
    knots = tuple(np.asarray(k, dtype=np.float64) for k in d["knots"])
    n_inputs = len(d["inputs"])
    return Surface(
        route=Route(strategy=d["strategy"], teacher=d["teacher"], labeler=d["labeler"], student=d["student"]),
        knots=knots,
        draws=_unpack(d["draws"]).reshape(-1, *(len(k) for k in knots)),
        run_noise=_unpack(d["run_noise"]),
        few=float(d.get("few", 0.0)),
        support=Support(
            points=np.asarray(d["support"]["points"], dtype=np.float64).reshape(-1, n_inputs),
            normals=np.asarray(d["support"]["normals"], dtype=np.float64).reshape(-1, n_inputs),
            offsets=np.asarray(d["support"]["offsets"], dtype=np.float64),
        ),
        n_rows=d["n_rows"],
        diagnostics={
            **d["diagnostics"],
            "cautions": tuple(caution_from_json(c) for c in d["diagnostics"].get("cautions", ())),
        },
    )


def _pack(scores: Floats) -> str:
    """Scores as base64 text of two-byte integers: a third of the digits, and read in one go."""
    units = np.rint(scores / _UNIT)
    if not (np.abs(units) <= np.iinfo(_STORED).max).all():
        raise ValueError("a score to be stored is not a finite fraction; fix the fit.")
    return base64.b64encode(units.astype(_STORED).tobytes()).decode("ascii")


def _unpack(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=_STORED).astype(np.float64) * _UNIT

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.design.surface import TaskFit, interpolate
from made import make_surface

KNOTS = (np.array([1.0, 10.0, 100.0]), np.array([0.0, 50.0, 5000.0]))
RNG = np.random.default_rng(5)
TABLE = RNG.uniform(0, 1, (6, 3, 3))


def test_interpolation_returns_the_table_at_the_knots():
    grid = np.stack(np.meshgrid(*KNOTS, indexing="ij"), axis=-1).reshape(-1, 2)
    assert interpolate(KNOTS, TABLE, grid) == pytest.approx(TABLE.reshape(6, 9))


@given(st.floats(1, 100), st.floats(0, 5000))
def test_interpolation_is_bilinear_in_log1p(n, u):
    def line(points, values, x):
        return np.interp(np.log1p(x), np.log1p(points), values)

    plain = [line(KNOTS[0], [line(KNOTS[1], row, u) for row in draw], n) for draw in TABLE]
    assert interpolate(KNOTS, TABLE, [[n, u]])[:, 0] == pytest.approx(plain)


@given(st.floats(0, 1e7), st.floats(0, 1e9))
def test_the_mean_over_draws_is_the_interpolated_mean(n, u):
    assert interpolate(KNOTS, TABLE, [[n, u]]).mean() == pytest.approx(
        interpolate(KNOTS, TABLE.mean(axis=0), [[n, u]])[0]
    )


def test_it_is_flat_beyond_the_knots():
    assert interpolate(KNOTS, TABLE, [[1e6, 1e9]])[:, 0] == pytest.approx(TABLE[:, -1, -1])


def test_kinds_and_factors():
    support = make_surface(TABLE, KNOTS, strategy="distill").support
    kinds, factors = support.classify([[1, 0], [10, 50], [100, 5000], [199 + 2, 50], [100, 3 * 5001 - 1]])
    assert kinds == ["observed", "interpolated", "observed", "extrapolated", "extrapolated"]
    assert factors == pytest.approx([1, 1, 1, 2, 3])


def test_a_stored_fit_comes_back_to_a_hundredth_of_a_point():
    surface = make_surface(TABLE, KNOTS, strategy="distill")
    fit = TaskFit(
        task="t", evidence_set="e", method="m", rows_hash="h", n_draws=6, seed=0, surfaces=(surface,), warnings=("w",)
    )
    back = TaskFit.from_json(json.loads(json.dumps(fit.to_json())))
    assert np.abs(back.surfaces[0].draws - TABLE).max() <= 0.5e-4 + 1e-12
    assert back.surfaces[0].knots[1].tolist() == KNOTS[1].tolist()
    assert (back.task, back.warnings, back.surfaces[0].inputs) == ("t", ("w",), ("n_labels", "n_unlabeled"))
    again = TaskFit.from_json(json.loads(json.dumps(back.to_json())))
    assert (again.surfaces[0].draws == back.surfaces[0].draws).all()


def test_a_fit_of_another_schema_is_refused():
    fit = TaskFit(task="t", evidence_set="e", method="m", rows_hash="h", n_draws=6, seed=0, surfaces=())
    with pytest.raises(ValueError, match="schema_version is 99"):
        TaskFit.from_json({**fit.to_json(), "schema_version": 99})

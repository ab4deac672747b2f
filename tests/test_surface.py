import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.design.cautions import FewRows, GroupName, PooledGain, RowsLeftOut, ScoreFall
from budgetsim.design.points import Route
from budgetsim.design.surface import TaskFit, interpolate
from budgetsim.report.cautions import caution_words
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


ROUTE = Route(strategy="distill", teacher="t", student="s")
LABELS = GroupName(kind="labels", route=Route(strategy="annotate", student="s"))
CAUTIONS = (
    RowsLeftOut(route=ROUTE, n_rows=3, reason="unknown_inputs", inputs=("n_labels", "n_unlabeled")),
    FewRows(group=LABELS, n_rows=1, n_tasks=2),
    FewRows(group=GroupName(kind="transfer", route=ROUTE), n_rows=2, from_group=LABELS),
    ScoreFall(group=LABELS, strategy="annotate", score_from=0.7, score_to=0.6, key_from="k1", key_to="k2"),
    PooledGain(route=ROUTE, n_rows=1, n_tasks=5),
)


def test_a_stored_fit_comes_back_to_a_hundredth_of_a_point():
    surface = replace(make_surface(TABLE, KNOTS, strategy="distill"), diagnostics={"cautions": CAUTIONS[1:2]})
    fit = TaskFit(
        task="t", evidence_set="e", method="m", rows_hash="h", n_draws=6, seed=0, surfaces=(surface,), cautions=CAUTIONS
    )
    back = TaskFit.from_json(json.loads(json.dumps(fit.to_json())))
    assert np.abs(back.surfaces[0].draws - TABLE).max() <= 0.5e-4 + 1e-12
    assert back.surfaces[0].knots[1].tolist() == KNOTS[1].tolist()
    assert (back.task, back.surfaces[0].inputs) == ("t", ("n_labels", "n_unlabeled"))
    assert back.cautions == CAUTIONS
    assert back.surfaces[0].diagnostics == surface.diagnostics
    again = TaskFit.from_json(json.loads(json.dumps(back.to_json())))
    assert (again.surfaces[0].draws == back.surfaces[0].draws).all()


def test_cautions_read_as_sentences():
    assert caution_words([*CAUTIONS, CAUTIONS[0]]) == [
        "3 rows not fitted: distill of s from t: n_labels and n_unlabeled not known.",
        "labels for s: 1 row; score and interval rest on the prior and on 2 other tasks. Measure more sizes.",
        "distilling t into s: 2 rows; score and interval rest on the prior and on labels for s. Measure more sizes.",
        "labels for s: annotate falls from 70.0 to 60.0 (k1 to k2) as inputs grow; kept as seen.",
        "distilling t into s: 1 row; what it gains over labels alone rests in part on 5 other tasks.",
    ]


def test_a_fit_of_another_schema_is_refused():
    fit = TaskFit(task="t", evidence_set="e", method="m", rows_hash="h", n_draws=6, seed=0, surfaces=())
    with pytest.raises(ValueError, match="schema_version is 99"):
        TaskFit.from_json({**fit.to_json(), "schema_version": 99})

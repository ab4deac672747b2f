import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.choosing.objectives import runs_of
from budgetsim.design.cautions import FewRows, GroupName, PooledGain, RowsLeftOut, ScoreFall
from budgetsim.design.points import Route
from budgetsim.design.surface import Support, TaskFit, axis_scale, interpolate, regrid
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


def test_the_stored_form_is_hundredths_of_a_point_in_two_bytes_low_one_first():
    """0.0001 is 1, 0.0258 is 258 = 1 x 256 + 2, and half a unit goes to the nearest whole one."""
    surface = make_surface(np.array([[0.0001, 0.0258, 0.12346]]), (np.array([1.0, 2.0, 3.0]),))
    fit = TaskFit(task="t", evidence_set="e", method="m", rows_hash="h", n_draws=1, seed=0, surfaces=(surface,))
    (stored,) = fit.to_json()["surfaces"]
    assert base64.b64decode(stored["draws"]) == bytes([1, 0, 2, 1, 1235 % 256, 1235 // 256])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 3.3, -3.3])
def test_one_score_that_is_no_fraction_cannot_be_stored(wrong):
    """Two bytes end at 3.2767; a score beyond is no score, and would come back as another."""
    draws = np.full((3, 3, 3), 0.5)
    draws[1, 1, 1] = wrong
    fit = TaskFit(
        task="t",
        evidence_set="e",
        method="m",
        rows_hash="h",
        n_draws=3,
        seed=0,
        surfaces=(make_surface(draws, KNOTS, strategy="distill"),),
    )
    with pytest.raises(ValueError, match="not a finite fraction"):
        fit.to_json()


def test_a_finer_grid_is_the_old_one_interpolated_at_its_crossings():
    """On three axes of different lengths, each kept apart; also where there are other axes in front."""
    knots = (np.array([0.0, 3.0, 90.0]), np.array([1.0, 7.0]), np.array([0.0, 2.0, 5.0, 1000.0]))
    onto = (np.array([1.0, 50.0]), np.array([0.0, 2.0, 9.0]), np.array([3.0, 4.0, 5.0, 99.0, 1e4]))
    tables = RNG.uniform(0, 1, (2, 5, 3, 2, 4))
    crossings = np.stack(np.meshgrid(*onto, indexing="ij"), axis=-1).reshape(-1, 3)
    found = regrid(knots, tables, onto)
    assert found.shape == (2, 5, 2, 3, 5)
    assert found.reshape(2, 5, -1) == pytest.approx(interpolate(knots, tables, crossings))


def test_an_axis_is_the_natural_log_of_one_more():
    assert axis_scale([0.0, np.e - 1, np.exp(5) - 1]) == pytest.approx([0, 1, 5])


def test_observed_means_the_same_point_on_every_axis():
    """One axis alike does not do, and half a percent of 1 + n does."""
    points = np.array([[99.0, 999.0], [999.0, 99.0], [9.0, 9.0]])
    support = Support(points=points, normals=np.array([[1.0, 1.0]]), offsets=np.array([np.log(1e5)]))
    asked = [[99.0, 99.0], [99.4, 999.0], [102.0, 900.0], [999.0, 999.0], [1e4 - 1, 999.0]]
    kinds, factor = support.classify(asked)
    assert kinds == ["interpolated", "observed", "interpolated", "extrapolated", "extrapolated"]
    assert factor == pytest.approx([1, 1, 1, 10, 100])


def test_what_was_observed_is_not_outside_whatever_the_faces_say():
    """A stored hull is rounded: a corner may lie a trace beyond its own faces."""
    support = Support(points=np.array([[99.0]]), normals=np.array([[1.0]]), offsets=np.array([np.log(50)]))
    assert support.classify([[99.0], [199.0]])[1] == pytest.approx([1, 4])


def test_cautions_read_as_sentences():
    assert caution_words([*CAUTIONS, CAUTIONS[0]]) == [
        "3 rows not fitted: distill of s from t: number of labels and texts not known.",
        "labels for s: 1 row; score and interval rest on the prior and on 2 other tasks. Measure more sizes.",
        "distilling t into s: 2 rows; score and interval rest on the prior and on labels for s. Measure more sizes.",
        "labels for s: annotate falls from 70.0 to 60.0 (k1 to k2) as inputs grow; kept as seen.",
        "distilling t into s: 1 row; what it gains over labels alone rests in part on 5 other tasks.",
    ]


def test_a_fit_of_another_schema_is_refused():
    fit = TaskFit(task="t", evidence_set="e", method="m", rows_hash="h", n_draws=6, seed=0, surfaces=())
    with pytest.raises(ValueError, match="schema_version is 99"):
        TaskFit.from_json({**fit.to_json(), "schema_version": 99})


def test_a_run_strays_as_far_as_its_labels_are_few():
    """Half the variance at 1,000 labels of what 100 and 90 of an LLM leave, by (1 + 900 / n) / (1 + 900 / 1000)."""
    knots = (np.array([0.0, 100.0, 1000.0]), np.array([0.0, 90.0]))
    table = np.full((2, 3, 2), 0.5)
    noise = np.array([0.01, -0.02])
    mixed = replace(make_surface(table, knots, strategy="annotate_plus_llm"), run_noise=noise, few=900.0)
    wide = np.sqrt((1 + 900 / np.array([190.0, 1000.0, 10.0])) / 1.9)
    np.testing.assert_allclose(mixed.deviations([[100, 90], [1000, 0], [0, 0]]), noise[:, None] * wide)
    distilled = replace(make_surface(table, knots, strategy="distill"), run_noise=noise, few=900.0)
    np.testing.assert_allclose(distilled.deviations([[100, 90]])[:, 0], noise * np.sqrt(10 / 1.9))  # texts are none
    plain = replace(distilled, few=0.0)
    np.testing.assert_allclose(plain.deviations([[1, 1], [1000, 90]]), np.stack([noise, noise], axis=1))
    with_runs = runs_of(mixed)
    np.testing.assert_allclose(with_runs.at([[300, 20]]), mixed.at([[300, 20]]) + mixed.deviations([[300, 20]]))

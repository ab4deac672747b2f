"""fit_task: what is fitted, what is left out and said, and that draws are one world."""

from dataclasses import replace

import numpy as np
import pytest

from budgetsim.design.surface import TaskFit
from budgetsim.errors import InputError, NoEvidenceError
from budgetsim.fitting.gains import SIZES as GAIN_SIZES
from budgetsim.fitting.gains import GainPrior
from budgetsim.fitting.hierarchy import NO_PRIOR, PopulationPrior
from budgetsim.fitting.onset import N_FLOOR, Floors
from budgetsim.fitting.task import (
    GroupFit,
    _fit_groups,
    _floors_of,
    _group_rows,
    _merge,
    _pair_draws_and_add_noise,
    fit_task,
)
from budgetsim.report.cautions import caution_words
from made import make_row


def _score(n, u=1e9):
    return 0.352 + 0.4 / (1 + 2000 / n) / (1 + 5000 / u)


def annotate(n, noise=0.0, **changes):
    score = min(max(_score(n) + noise, 0.0), 1.0)
    return make_row(key=f"a{n}{noise}", n_labels=float(n), score=score, **changes)


def distill(n, u, **changes):
    return make_row(
        key=f"d{n}-{u}",
        strategy="distill",
        teacher="xxl",
        n_labels=float(n),
        n_unlabeled=None if u is None else float(u),
        score=_score(5 * n, u or 1.0),
        **changes,
    )


SIZES = (100, 300, 1000, 3000, 10_000, 30_000)
ROWS = [annotate(n) for n in SIZES] + [distill(n, u) for n in SIZES for u in (1000, 10_000, 100_000)]


@pytest.fixture(scope="module", autouse=True)
def _fewer_particles():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("budgetsim.fitting.groups.N_PARTICLES", 600)
        yield


@pytest.fixture(scope="module")
def fit():
    return fit_task(ROWS, n_draws=200)


def test_each_group_gets_a_surface_of_joint_draws(fit):
    assert [s.route.strategy for s in fit.surfaces] == ["annotate", "distill"]
    for s in fit.surfaces:
        assert s.draws.shape == (200, *(len(k) for k in s.knots))
        assert s.run_noise.shape == (200,)
        assert s.draws.min() >= 0
        assert s.draws.max() <= 1
        assert np.isfinite(s.draws).all()


def test_observed_points_return_their_mean_within_noise(fit):
    curve, surface = fit.surfaces
    found = curve.at([[n] for n in SIZES]).mean(axis=0)
    assert np.abs(found - [_score(n) for n in SIZES]).max() < 0.015
    at = [[m.n_labels, m.n_unlabeled] for m in ROWS[len(SIZES) :]]
    assert np.abs(surface.at(at).mean(axis=0) - [m.score for m in ROWS[len(SIZES) :]]).max() < 0.02


def test_intervals_widen_outside_the_data(fit):
    curve, surface = fit.surfaces
    inside, outside = curve.at([[5000.0], [1e6]]).std(axis=0)
    assert outside > 2 * inside
    near, by_n, by_u = surface.at([[3000.0, 30_000.0], [1e6, 30_000.0], [3000.0, 10.0]]).std(axis=0)
    assert by_n > 1.5 * near
    assert by_u > 1.5 * near


def test_a_run_never_scatters_less_than_half_a_point(fit):
    for s in fit.surfaces:
        assert s.run_noise.std() >= 0.0045
        assert abs(s.run_noise.mean()) < 0.002


def test_the_fit_survives_its_file(fit):
    again = TaskFit.from_json(fit.to_json())
    for one, two in zip(fit.surfaces, again.surfaces, strict=True):
        np.testing.assert_allclose(one.draws, two.draws, atol=1e-4)
        assert one.diagnostics == two.diagnostics


def test_the_same_seed_gives_the_same_bits_and_order_does_not_matter(fit):
    turned = fit_task(ROWS[::-1], n_draws=200)
    assert turned.rows_hash == fit.rows_hash
    for one, two in zip(fit.surfaces, turned.surfaces, strict=True):
        np.testing.assert_array_equal(one.draws, two.draws)


def test_support_says_where_evidence_lies(fit):
    kinds, factor = fit.surfaces[1].support.classify([[300.0, 1000.0], [500.0, 5000.0], [500.0, 1e6]])
    assert kinds == ["observed", "interpolated", "extrapolated"]
    assert factor[2] == pytest.approx(10, rel=0.01)


def test_diagnostics_tell_how_far_intervals_have_held(fit):
    for s in fit.surfaces:
        d = s.diagnostics
        assert set(d["checked"]["coverage"]) == {"50", "80", "90", "95"}
        assert d["checked"]["n"] == d["n_observed"]
        assert sum(f["weight"] for f in d["forms"]) == pytest.approx(1, abs=0.01)


def test_rows_with_unknown_inputs_are_left_out_and_told():
    fit = fit_task([*ROWS[: len(SIZES)], distill(100, None)], n_draws=50)
    assert [s.route.strategy for s in fit.surfaces] == ["annotate"]
    assert any("number of texts not known" in w for w in caution_words(fit.cautions))


def test_llm_labels_share_the_curve_of_human_ones(monkeypatch):
    monkeypatch.setattr("budgetsim.fitting.groups.N_PARTICLES", 1000)  # correlations need more of them
    llm = [
        make_row(key=f"l{m}", strategy="llm_annotate", n_llm_labels=float(m), score=_score(0.4 * m))
        for m in (500, 2000, 8000)
    ]
    fit = fit_task([*ROWS[: len(SIZES)], *llm], n_draws=200)
    human, machine = fit.surfaces
    x = np.corrcoef(human.at([[1e6]])[:, 0], machine.at([[1e6]])[:, 0])[0, 1]
    assert x > 0.3
    found = machine.at([[500.0], [2000.0], [8000.0]]).mean(axis=0)
    assert np.abs(found - [m.score for m in llm]).max() < 0.02


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows_give_a_wide_surface_and_say_so(n):
    fit = fit_task(ROWS[:n], n_draws=100)
    assert fit.surfaces[0].at([[1e5]]).std() > 0.05
    assert any("rest on the prior" in w for w in caution_words(fit.cautions))


def test_an_unknown_task_has_its_floor_inferred():
    fit = fit_task([replace(m, task="mine") for m in ROWS[: len(SIZES)]], n_draws=100)
    assert fit.surfaces[0].diagnostics["floor"]["known"] is False
    assert np.abs(fit.surfaces[0].at([[3000.0]]).mean() - _score(3000)) < 0.02


def test_evidence_that_falls_is_kept():
    rows = [annotate(n, noise) for n, noise in zip(SIZES, (0, 0, 0, 0, 0, -0.12), strict=True)]
    fit = fit_task(rows, n_draws=200)
    before, last = fit.surfaces[0].at([[10_000.0], [30_000.0]]).mean(axis=0)
    assert last < before
    assert any("falls" in w for w in caution_words(fit.cautions))


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([], NoEvidenceError),
        ([distill(100, None)], NoEvidenceError),
        ([ROWS[0], replace(ROWS[1], task="nq")], InputError),
        ([ROWS[0], replace(ROWS[1], evidence_set="other")], InputError),
        ([replace(ROWS[0], score=50.0)], InputError),
        ([replace(ROWS[0], score=float("nan"))], InputError),
    ],
)
def test_what_cannot_be_fitted_is_refused(rows, error):
    with pytest.raises(error):
        fit_task(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [annotate(n, 0.01 * (i % 3)) for i in range(9) for n in SIZES],  # many replicates
        [replace(annotate(100), n_labels=0.0), *ROWS[1 : len(SIZES)]],  # nothing labelled
        [*ROWS[len(SIZES) :], replace(distill(100, 1), n_unlabeled=0.0)],  # nothing distilled
        [annotate(10**7), annotate(10**8)],  # beyond the usual grid
        [replace(m, score=float(i % 2)) for i, m in enumerate(ROWS[: len(SIZES)])],  # all or nothing
        [replace(m, score=0.5) for m in ROWS[: len(SIZES)]],  # constant
        [distill(100, u) for u in (1000, 10_000, 100_000)],  # on a line
    ],
)
def test_odd_evidence_is_survived(rows):
    fit = fit_task(rows, n_draws=60)
    for s in fit.surfaces:
        assert np.isfinite(s.draws).all()
        assert all((np.diff(k) > 0).all() for k in s.knots)
        assert np.isfinite(s.at(np.full((1, len(s.inputs)), 1e9))).all()
        s.support.classify(np.full((2, len(s.inputs)), 500.0))
        TaskFit.from_json(fit.to_json())


@pytest.mark.parametrize("n_draws", [1, 1500])
def test_any_number_of_draws_may_be_asked(n_draws):
    assert len(fit_task(ROWS[: len(SIZES)], n_draws=n_draws).surfaces[0].draws) == n_draws


def test_no_draws_are_refused():
    with pytest.raises(InputError, match="n_draws"):
        fit_task(ROWS, n_draws=0)


def test_the_noise_of_a_run_belongs_to_its_draw():
    """Worlds above the middle are given a noise of 27 points, those below of half a point.

    What other tasks gained decides which are kept, more of the one sort than of the other; the noise goes with them.
    """
    rows = [annotate(100), distill(100, 1000)]
    at, middle, loud = {"annotate": [[1e4]], "distill": [[1e4, 1e5]]}, {}, []
    for group, posterior, (s,) in _fit_groups(_group_rows(rows), _floors_of("stance", rows), 600, 0, NO_PRIOR):
        level, z = s.at(at[s.route.strategy])[:, 0], posterior.z.copy()
        middle[s.route.strategy] = np.median(level)
        z[:, N_FLOOR + 1] = np.where(level > middle[s.route.strategy], 5.0, -5.0)
        loud.append(GroupFit(group, replace(posterior, z=z), [s]))
    gain = GainPrior(GAIN_SIZES[-1:], np.array([0.15]), np.array([0.1]), 3)
    kept, _ = _pair_draws_and_add_noise(loud, PopulationPrior({}, {("xxl", "small"): gain}), 300, 0)
    for s in kept:
        high = s.at(at[s.route.strategy])[:, 0] > middle[s.route.strategy]
        assert min(high.sum(), (~high).sum()) > 20
        assert s.run_noise[~high].std() == pytest.approx(0.005 * np.hypot(1, np.exp(-4)), rel=0.3)
        assert s.run_noise[high].std() == pytest.approx(0.005 * np.hypot(1, np.exp(4)), rel=0.3)
    assert max(np.mean(s.at(at[s.route.strategy])[:, 0] > middle[s.route.strategy]) for s in kept) > 0.55


def test_the_floors_of_a_task_are_its_class_shares():
    """Known ones of the registry, from low to high; else no more than the least score seen."""
    rows = [annotate(n) for n in SIZES]
    assert _floors_of("stance", rows) == Floors(0.352, 0.455, True)
    assert _floors_of("mine", rows) == Floors(0.0, min(m.score for m in rows), False)
    assert _floors_of("mine", [replace(rows[0], score=0.0)]).high == 1e-3


@pytest.mark.parametrize(("n_sizes", "leans"), [(4, True), (5, False)])
def test_five_sizes_lean_on_nobody_and_four_do(n_sizes, leans):
    large = [make_row(m, student="large", key=m.key + "L") for m in ROWS[:n_sizes]]
    fit = fit_task([*ROWS[: len(SIZES)], *large], n_draws=20)
    assert leans == any("rest on the prior and on labels for small" in words for words in caution_words(fit.cautions))


def test_a_dent_that_no_form_has_is_kept():
    """A dip of six points, an e-fold wide, amid a rise of forty: seen twice at each of 13 sizes, it is no noise."""
    sizes = np.geomspace(100, 100_000, 13)
    dent = 0.06 * np.exp(-((np.log(sizes / 3162) / 0.7) ** 2))
    rows = [
        replace(annotate(n), key=f"{n}-{k}", score=_score(n) - d)
        for n, d in zip(sizes, dent, strict=True)
        for k in range(2)
    ]
    found = fit_task(rows, n_draws=300).surfaces[0].at(sizes[:, None]).mean(axis=0)
    np.testing.assert_allclose(found, _score(sizes) - dent, atol=0.008)


def test_a_grid_has_the_sizes_seen_and_none_beside_them():
    """Every size seen is a knot; a knot of the even grid stays unless one seen lies within a third of a step."""
    grid, seen = np.geomspace(10, 1e6, 40), np.array([100.0, 777.0, 777.0, 50_000.0])
    merged = _merge(grid, seen, spare=True)
    step = np.log(grid[1] / grid[0])
    dropped = [v for v in grid if np.abs(np.log1p(v) - np.log1p(seen)).min() <= step / 3]
    assert dropped
    assert merged.tolist() == sorted({0.0, *grid, *seen} - set(dropped))
    assert 777.0 in _merge(grid, seen, spare=False)
    assert 123.0 not in _merge(grid, np.array([123.0, 150.0]), spare=False)  # one run, and no round size

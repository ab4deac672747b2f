"""Parts of the average over laws on laws that are straight lines, where posteriors are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from budgetsim.fitting.parameters import Parameter
from budgetsim.fitting.residual import Residual
from budgetsim.laws.ensemble import (
    DEFAULT,
    LawFit,
    Process,
    _downweight,
    _slope,
    deviations,
    discrepancies,
    draw_parameters,
    drift,
    expected,
    prior_of,
    process,
    screen,
    search,
)
from budgetsim.laws.law import Frame, Law
from budgetsim.laws.library import LAWS

FRAME = Frame(first=-3.0, last=3.0, level=0.5, highest=1.5)
LX = np.linspace(-3, 3, 7)
MEAN, SD = np.array([0.5, -0.3]), np.array([0.02, 0.05])
LINE = Law(
    name="line",
    parameters=(
        Parameter("level", MEAN[0], SD[0], "linear", "log error", "made"),
        Parameter("slope", MEAN[1], SD[1], "linear", "rise of the log error an e-fold", "made"),
    ),
    log_error=lambda theta, lx, _: (
        theta[:, [0]] + theta[:, [1]] * lx,
        np.broadcast_to(np.stack([np.ones_like(lx), lx], axis=1), (len(theta), len(lx), 2)),
    ),
)
SURE = replace(DEFAULT, prior="weak", noise_prior=0.1, noise_rows=1e6)  # the noise is known


def test_a_line_with_known_noise_has_the_posterior_of_linear_regression():
    """Precision X'WX / s^2 + P; as the proposal is exact no draw weighs more than another, so none comes twice."""
    design, weight = np.stack([np.ones(7), LX], axis=1), np.array([1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 3.0])
    y = 0.55 - 0.2 * LX + 0.05 * np.sin(9 * LX)
    precision = design.T @ np.diag(weight) @ design / 0.1**2 + np.diag(SD**-2.0)
    best = np.linalg.solve(precision, design.T @ (weight * y) / 0.1**2 + MEAN / SD**2)
    found = LawFit(LINE, best[None], np.zeros(1), precision[None], weight[None], 0.1, 1.0)
    draws = draw_parameters(found, 20_000, LX, y, np.ones(7, dtype=bool), FRAME, SURE, np.random.default_rng(0))
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    np.testing.assert_allclose((draws.mean(axis=0) - best) / sd, 0.0, atol=0.03)
    np.testing.assert_allclose(np.cov((draws / sd).T), np.linalg.inv(precision) / np.outer(sd, sd), atol=0.03)
    assert len(np.unique(draws[:, 0])) == 20_000
    shifted = replace(found, theta=best[None] + np.array([[0.5, 0.0]]) * sd)
    draws = draw_parameters(shifted, 20_000, LX, y, np.ones(7, dtype=bool), FRAME, SURE, np.random.default_rng(0))
    np.testing.assert_allclose((draws.mean(axis=0) - best) / sd, 0.0, atol=0.05)  # a proposal beside it is corrected


def test_the_discrepancy_is_the_geometric_mean_of_noise_slope_and_a_usual_error_and_grows_by_its_power():
    """The cube root of .02 x .04 x .01 is .02; twice that, and four e-folds beyond, to the power of 1.5, 8 times."""
    options = replace(DEFAULT, growths=(2.0,), grow_power=1.5)
    assert drift(options, 0.04, 0.01, np.array([0.0, 1.0, 4.0]), 1) == pytest.approx(np.array([[0.0, 0.04, 0.32]]))


def test_a_curve_without_noise_or_slope_is_still_doubted_beyond_its_data():
    still, usual = (drift(DEFAULT, *at, np.ones(1), 1)[0, 0] for at in ((0.0, 0.0), (0.01, 0.1)))
    assert 0.1 * usual < still < usual


def one(noise, n_parameters):
    law = replace(LINE, name=f"{n_parameters}", parameters=LINE.parameters[:1] * n_parameters)
    return LawFit(law, np.zeros((1, 1)), np.zeros(1), np.ones((1, 1, 1)), np.ones((1, 10)), noise, 1.0)


def test_a_law_weighs_by_what_it_leaves_over_beyond_what_is_tolerated():
    """Three times the best's noise is twice what is tolerated: (1 / 2)^2 of its weight."""
    options = replace(DEFAULT, screen=2.0, tolerate=1.5)
    kept, weight = screen([one(0.01, 3), one(0.03, 3), one(0.014, 3)], 10, options)
    assert weight == pytest.approx(np.array([1, 0.25, 1]) / 2.25)
    assert len(kept) == 3
    kept, weight = screen([one(0.01, 3), one(1.0, 3)], 10, options)  # 66 times what is tolerated
    assert [f.noise for f in kept] == [0.01]
    assert weight == pytest.approx([1])


def test_parameters_cost_degrees_of_freedom():
    """Ten rows and two of the prior: the same sum of squares over 12 - 3 or 12 - 9 of them, sqrt(3) times the noise."""
    _, weight = screen([one(0.01, 3), one(0.01, 9)], 10, replace(DEFAULT, screen=1.0, tolerate=1.0))
    assert weight[0] / weight[1] == pytest.approx(np.sqrt(3))


def test_the_slope_of_a_power_law_is_its_exponent():
    assert _slope(LX, 0.2 - 0.4 * LX) == pytest.approx(0.4)
    assert _slope(LX, np.where(LX < 0, 5.0, 1 - 0.3 * LX)) == pytest.approx(0.3)  # of the later half


def test_a_row_far_off_is_downweight():
    """1 / sqrt(1 + (r / 2 s)^2) of the weight, s = 1.48 times the median: half an error counts for a far row, not r^2."""
    r = np.array([[0.01, -0.01, 0.01, -0.01, 1.0]])
    near, far = (1 / np.sqrt(1 + (size / (2 * 0.014826)) ** 2) for size in (0.01, 1.0))
    np.testing.assert_allclose(_downweight(r, np.ones((1, 5))), [[near] * 4 + [far]], rtol=1e-3)


def test_a_shift_counts_from_the_largest_size():
    """In the table a curve levels off some e-folds beyond the data; the frame counts from the middle of the sizes."""
    mean, sd = prior_of(LAWS["shifted_power"], replace(FRAME, last=2.5), replace(DEFAULT, prior="finetuning"))
    assert (mean[2], sd[2]) == pytest.approx((-4.21 - 2.5, 3.98))


@pytest.mark.parametrize("true", [0.0, 0.5])
def test_of_several_tails_the_likelihood_chooses(true):
    """Noise that stays or falls as size^-1/2 about a known law: rows come to weigh alike, or as their size."""
    rng = np.random.default_rng(1)
    lx = np.repeat(np.linspace(-3, 3, 20), 3)
    y = 0.5 - 0.3 * lx + 0.05 * np.exp(-true * lx) * rng.standard_normal(60)
    weight = np.exp(2 * np.array([[0.0], [0.5]]) * (lx - 3))
    (found,) = search([LINE], np.exp(lx), lx, y, weight, FRAME, replace(DEFAULT, tails=(0.0, 0.5)), rng)
    np.testing.assert_allclose(found.weight[0], np.exp(2 * true * (lx - 3)))


AT = np.arange(40.0)[:, None] / 4


def settings_of(left, at=AT, n=4000):
    found = LawFit(LINE, MEAN[None], np.zeros(1), np.eye(2)[None], np.ones((1, 40)), 0.1, 1.0)
    (drawn,) = process(found, [Residual.over(at, (3.0,))], left, DEFAULT, n, np.random.default_rng(2))
    return drawn


def test_what_is_left_over_is_told_to_be_noise_or_a_process():
    """White noise of 0.03 is noise of about 0.03; a slow wave of that height is a process with hardly any noise."""
    white = settings_of(0.03 * np.random.default_rng(3).standard_normal(40))
    assert 0.02 < np.median(white.noise) < 0.05  # to a step of the grid
    assert np.median(white.amplitude) < 0.005
    wave = settings_of(0.03 * np.sqrt(2) * np.sin(AT[:, 0]))
    assert np.median(wave.noise) < 0.003
    assert 0.01 < np.median(wave.amplitude) < 0.2


def test_without_rows_nothing_is_left_over_at_the_prior_odds():
    """Against each amplitude, weighed by a log normal about its expectation, none at all weighs 3."""
    drawn = settings_of(np.zeros(0), np.zeros((0, 1)), 40_000)
    others = np.exp(-0.5 * (np.linspace(-4.5, 4.5, 13)[1:] / DEFAULT.vague) ** 2).sum()
    assert (drawn.amplitude == drawn.amplitude.min()).mean() == pytest.approx(3 / (3 + others), abs=0.01)


def test_the_expected_residual_is_the_mean_over_all_draws_of_its_settings():
    left, new = 0.05 * np.cos(AT[:, 0]), np.array([[0.3], [11.0]])
    rng = np.random.default_rng(4)
    parts = [
        Process(Residual.over(AT, (length,)), rng.choice([0.01, 0.1], n, p=[0.9, 0.1]), rng.choice([0.01, 0.05], n))
        for length, n in ((3.0, 50), (1.0, 13))
    ]
    each = np.concatenate([p.residual.mean(new, np.tile(left, (len(p.noise), 1)), p.amplitude, p.noise) for p in parts])
    np.testing.assert_allclose(expected(parts, new, left), each.mean(axis=0))


def test_discrepancies_of_each_growth_are_quantiles_of_a_student_t():
    """400 draws of 10 growths: 40 quantiles of t (4) each, in no order."""
    found = discrepancies(DEFAULT, 400, 0)[:, 0]
    wanted = student.ppf((np.arange(40) + 0.5) / 40, 4)
    for growth in range(10):
        np.testing.assert_allclose(np.sort(found[growth::10]), wanted)
    assert abs(np.corrcoef(found[0::10], found[1::10])[0, 1]) < 0.5


def test_deviations_of_a_run_are_normal_quantiles_in_an_order_of_the_points_own():
    points = np.array([[0.5], [2.0], [0.5 + 1e-9]])
    found = deviations(points, 400, 0)
    wanted = norm.ppf((np.arange(400) + 0.5) / 400)
    np.testing.assert_allclose(np.sort(found, axis=0), np.repeat(wanted[:, None], 3, axis=1))
    np.testing.assert_array_equal(found[:, 0], found[:, 2])
    assert abs(np.corrcoef(found[:, 0], found[:, 1])[0, 1]) < 0.15
    assert deviations(np.empty((0, 1)), 400, 0).shape == (400, 0)


@pytest.mark.parametrize(("steep", "off"), [(0.05, 0.0), (0.002, 0.0), (0.01, 0.004)])
def test_an_explanation_counts_by_the_mass_of_its_posterior(steep, off):
    """Two of one law, about -3 and +3: the second steeper, flatter or worse; its share by adding up a fine grid."""
    alternating = np.array([1.0, -1.0] * 4)

    def log_error(theta, lx, frame):
        t = theta[:, :1]
        r = np.where(t < 0, 0.01 * (t + 3) + 0 * alternating, steep * (t - 3) + off * alternating)
        return r, np.where(t < 0, 0.01, steep)[:, :, None] * np.ones((1, 8, 1))

    law = Law(name="two", parameters=(Parameter("t", 0.0, 4.0, "linear", "", "made"),), log_error=log_error)
    zeros, grid = np.zeros(8), np.linspace(-12, 12, 20_001)
    rows, prior = DEFAULT.noise_rows + 8, DEFAULT.noise_rows * DEFAULT.noise_prior**2
    squares = (log_error(grid[:, None], zeros, FRAME)[0] ** 2).sum(axis=1)
    log_density = -0.5 * rows * np.log(prior + squares) - 0.5 * (grid / 4) ** 2
    density = np.exp(log_density - log_density.max())
    peaks = np.array([density[grid < 0].argmax(), (grid < 0).sum() + density[grid > 0].argmax()])
    curved = -(log_density[peaks + 20] - 2 * log_density[peaks] + log_density[peaks - 20]) / (20 * 0.0012) ** 2
    found = LawFit(
        law, grid[peaks][:, None], -log_density[peaks], curved[:, None, None], np.ones((2, 8)), noise=0.01, agree=1.0
    )
    draws = [
        draw_parameters(found, 400, zeros, zeros, np.ones(8, bool), FRAME, DEFAULT, np.random.default_rng(k))
        for k in range(10)
    ]
    share = np.mean([(each[:, 0] > 0).mean() for each in draws])
    assert share == pytest.approx(density[grid > 0].sum() / density.sum(), abs=0.02)

"""Known temperatures and offsets come back; the fit is the best there is; folds see nothing of their own."""

from __future__ import annotations

import numpy as np
import pytest

from budgetsim.labelers.calibration import (
    LOG_TEMPERATURE_STD,
    OFFSET_STD,
    Calibration,
    cross_fitted,
    fit_calibration,
    log_loss,
    no_calibration,
    softmax,
)


def made(n: int, truth: Calibration, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and classes drawn from what a calibration makes of them."""
    rng = np.random.default_rng(seed)
    scores = np.log(rng.dirichlet(np.ones(len(truth.offsets)), n))
    p = truth(scores)
    return scores, np.array([rng.choice(len(q), p=q) for q in p])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_known_parameters_come_back(temperature: float) -> None:
    truth = Calibration(temperature, np.array([1.0, -0.4, -0.6]))
    found = fit_calibration(*made(20_000, truth))
    assert found.temperature == pytest.approx(temperature, rel=0.06)
    assert found.offsets == pytest.approx(truth.offsets, abs=0.06)


def test_the_gradient_is_zero_at_the_fit() -> None:
    """A plain second implementation of the objective, by differences: no step makes it better."""
    scores, classes = made(60, Calibration(2.0, np.array([0.5, -0.5])))
    found = fit_calibration(scores, classes)
    best = np.concatenate([[-np.log(found.temperature)], found.offsets])

    def objective(x: np.ndarray) -> float:
        p = softmax(np.exp(x[0]) * scores + x[1:])
        fit = -np.log(p[np.arange(len(classes)), classes]).sum()
        return float(fit + x[0] ** 2 / 2 / LOG_TEMPERATURE_STD**2 + (x[1:] ** 2).sum() / 2 / OFFSET_STD**2)

    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-3
        assert objective(best) <= min(objective(best + step), objective(best - step)) + 1e-6


def test_a_leaning_model_is_set_right() -> None:
    """It says the first label nearly always, but orders the texts well: offsets give it its accuracy back."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 200)
    z = np.where(classes == 1, 1.0, -1.0) + 0.6 * rng.standard_normal(200)
    scores = np.log(softmax(np.stack([np.full(200, 3.0), z], axis=1)))
    fair = cross_fitted(scores, classes)
    assert (scores.argmax(1) == classes).mean() < 0.6
    assert (fair.argmax(1) == classes).mean() > 0.9
    assert log_loss(fair, classes) < log_loss(softmax(scores), classes)


def test_cross_fitting_learns_nothing_from_noise() -> None:
    """Labels that scores say nothing of: held-out loss is no better than that of a fair coin."""
    rng = np.random.default_rng(1)
    scores = np.log(rng.dirichlet([1, 1], 400))
    classes = rng.integers(0, 2, 400)
    assert log_loss(cross_fitted(scores, classes), classes) > np.log(2) - 0.01


def test_a_row_has_no_part_in_its_own_calibration() -> None:
    scores, classes = made(50, Calibration(1.0, np.zeros(3)))
    before = cross_fitted(scores, classes)
    moved = scores.copy()
    moved[7] = np.log([0.98, 0.01, 0.01])
    fold = np.flatnonzero(np.isclose(before, cross_fitted(moved, classes)).all(axis=1))
    assert len(fold) >= 9  # those of its fold see the same calibration as before


def test_few_rows_keep_the_models_word() -> None:
    scores = np.log(np.array([[0.3, 0.7]]))
    assert fit_calibration(scores[:0], np.zeros(0, dtype=int)).temperature == 1.0
    assert no_calibration(2)(scores) == pytest.approx(np.exp(scores))
    assert fit_calibration(scores, np.array([1]))(scores)[0, 1] > 0.7
    with pytest.raises(ValueError, match="finite"):
        fit_calibration(np.array([[np.nan, 0.0]]), np.array([0]))

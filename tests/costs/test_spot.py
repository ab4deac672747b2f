"""Expected seconds on machines that are taken away, against a closed form, a simulation and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetsim.costs.spot import paid_seconds


def simulate(work: float, checkpoint: float, restart: float, mean_life: float, rng: np.random.Generator) -> float:
    """Paid seconds of one piece of work, loss by loss."""
    saved, paid, before = 0.0, 0.0, 0.0
    while True:
        life = rng.exponential(mean_life)
        done = saved + max(0.0, life - before)
        if done >= work:
            return paid + before + work - saved
        paid += life
        if not math.isinf(checkpoint):
            saved = max(saved, done // checkpoint * checkpoint)
        before = restart


@pytest.mark.parametrize(
    ("work", "checkpoint", "restart", "mean_life"),
    [
        (3600, 300, 60, 14400),
        (3600, 600, 120, 1800),
        (1000, math.inf, 30, 2000),
        (500, 200, 0, 300),
        (100, 300, 60, 50),
    ],
)
def test_it_is_the_mean_of_a_simulation(work: float, checkpoint: float, restart: float, mean_life: float) -> None:
    rng = np.random.default_rng(14)
    runs = np.array([simulate(work, checkpoint, restart, mean_life, rng) for _ in range(4000)])
    expected = paid_seconds(work, checkpoint=checkpoint, restart=restart, mean_life=mean_life)
    assert abs(runs.mean() - expected) < 4 * runs.std() / math.sqrt(len(runs))


def test_nothing_saved_and_nothing_to_start_is_the_textbook_case() -> None:
    """A window of w without a loss takes M (e^(w/M) - 1) on average."""
    assert paid_seconds(100, checkpoint=math.inf, restart=0, mean_life=50) == pytest.approx(50 * (math.exp(2) - 1))


@given(
    st.floats(0, 1e5, allow_subnormal=False),
    st.floats(1, 1e4),
    st.floats(0, 600, allow_subnormal=False),
    st.floats(600, 1e6),
)
def test_losses_cost_never_less_than_none_and_rarer_ones_less(
    work: float, step: float, restart: float, life: float
) -> None:
    often = paid_seconds(work, checkpoint=step, restart=restart, mean_life=life)
    rarely = paid_seconds(work, checkpoint=step, restart=restart, mean_life=2 * life)
    assert work * (1 - 1e-9) <= rarely <= often * (1 + 1e-9)
    assert often <= paid_seconds(work, checkpoint=math.inf, restart=restart, mean_life=life) * (1 + 1e-9)


def test_work_that_no_machine_lives_through_is_never_done() -> None:
    assert paid_seconds(1e6, checkpoint=math.inf, restart=0, mean_life=60) == math.inf
    with pytest.raises(ValueError, match="wanted more than zero"):
        paid_seconds(1, checkpoint=0, restart=0, mean_life=1)

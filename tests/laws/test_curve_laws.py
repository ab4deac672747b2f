"""Every law written out again as its source prints it, and the priors against what they were learnt from."""

import math
from itertools import combinations

import numpy as np
import pytest

from budgetsim.laws.additive import additive
from budgetsim.laws.crossed import crossed, product
from budgetsim.laws.law import Frame
from budgetsim.laws.library import LAWS
from budgetsim.laws.plane import plane
from budgetsim.laws.priors import PRIORS
from budgetsim.laws.series import series

OPEN = Frame(first=-3.0, last=3.0, level=0.7, highest=1.5)
BOUNDED = Frame(first=-3.0, last=3.0, level=0.7, highest=1.5, floor=0.3, ceiling=2.0)
RAISED = Frame(first=-3.0, last=3.0, level=0.7, highest=1.5, ceiling=1.0)  # a ceiling below the largest error
LOG_SIZES = np.linspace(-4.0, 7.0, 9)


def logistic(t):
    return 1 / (1 + math.exp(-t))


def least(t, frame):
    """The irreducible error: between the known floor and the smallest error, which is the unit."""
    return frame.floor + (1 - frame.floor) * logistic(t)


def power_floor(theta, x, frame):
    t, b, k = theta
    return least(t, frame) + math.exp(b) * x ** -math.exp(k)


def shifted_power(theta, x, frame):
    b, k, g = theta
    return math.exp(b) * (1 / x + math.exp(g)) ** math.exp(k)


def rectified(theta, x, frame):
    t, h, m, k = theta
    top = math.exp((frame.highest if frame.ceiling is None else frame.ceiling) + h)
    return least(t, frame) + (top - least(t, frame)) / (1 + (x / math.exp(m)) ** math.exp(k))


def one_break(theta, x, frame):
    t, b, c0, k, d, q = theta
    f, c1 = math.exp(q), math.exp(k) - c0
    return least(t, frame) + math.exp(b) * x**-c0 * (1 + (x / math.exp(d)) ** (1 / f)) ** (-c1 * f)


PLAIN = {"power_floor": power_floor, "shifted_power": shifted_power, "rectified": rectified, "one_break": one_break}


def thetas(law, frame, seed=1):
    mean, sd = law.prior(frame)
    return mean + 0.7 * sd * np.random.default_rng(seed).standard_normal((20, len(mean)))


@pytest.mark.parametrize("frame", [OPEN, BOUNDED])
@pytest.mark.parametrize("name", PLAIN)
def test_a_law_is_what_its_source_prints(name, frame):
    theta = thetas(LAWS[name], frame)
    found, _ = LAWS[name].log_error(theta, LOG_SIZES, frame)
    wanted = [[math.log(PLAIN[name](row, math.exp(lx), frame)) for lx in LOG_SIZES] for row in theta]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("frame", [OPEN, BOUNDED, RAISED])
def test_the_error_between_two_limits_solves_its_equation(frame):
    """(e - E) / (e0 - e)^a = (e0 - E)^(1 - a) exp(b) x^-c: u / (1 - u)^a in the share u of the range."""
    law = LAWS["bounded_power"]
    theta = thetas(law, frame)
    e = np.exp(law.log_error(theta, LOG_SIZES, frame)[0])
    t, s, k_a, b, k = theta.T[..., None]
    base = math.exp(max(frame.ceiling or 0.0, frame.highest))  # never below the largest error
    low, top = np.array([[least(v, frame)] for v in t[:, 0]]), base * (1 + np.exp(s))
    u = (e - low) / (top - low)
    checked = (u > 1e-6) & (u < 1 - 1e-6)
    assert checked.mean() > 0.5
    left, right = np.log(u) - np.exp(k_a) * np.log1p(-u), b - np.exp(k) * LOG_SIZES
    np.testing.assert_allclose(left[checked], right[checked], atol=1e-6)


@pytest.mark.parametrize("bend", [-3.0, 0.0, 3.5])
def test_the_error_between_two_limits_is_found_however_far_off(bend):
    """The inverse holds from 200 e-folds above the range to 200 below it, for bends of 1/20 to 33."""
    law, far = LAWS["bounded_power"], np.array([-200.0, -20.0, 0.0, 20.0, 200.0])
    theta = np.array([[0.0, 0.0, bend, 0.0, 0.0]])
    e = np.exp(law.log_error(theta, far, OPEN)[0][0])
    top = 2 * math.exp(1.5)
    assert (np.diff(e) <= 0).all()
    assert e[-1] == pytest.approx(0.5)
    u = (e[1:-1] - 0.5) / (top - 0.5)
    for share, lx in zip(u, far[1:-1], strict=True):
        if share < 1 - 1e-9:
            assert math.log(share) - math.exp(bend) * math.log1p(-share) == pytest.approx(-lx, abs=1e-4)
        else:
            assert lx / math.exp(bend) < -15  # 1 - u = exp(-20 / a) is too small to be seen in e


AT = np.random.default_rng(2).uniform(-3, 3, (12, 3))


def sum_of_powers(theta, x, frame):
    k = len(x)
    return least(theta[0], frame) + sum(math.exp(theta[1 + i]) * x[i] ** -math.exp(theta[1 + k + i]) for i in range(k))


def crossed_power(theta, x, frame):
    k = len(x)
    log_power = theta[1] - sum(math.exp(theta[2 + i]) * math.log(x[i]) for i in range(k))
    pairs = combinations(range(k), 2) if len(theta) > 2 + k else []
    log_power += sum(d * math.log(x[i]) * math.log(x[j]) for d, (i, j) in zip(theta[2 + k :], pairs, strict=True))
    return least(theta[0], frame) + math.exp(log_power)


def in_series(theta, x, frame):
    t, b0, k0, b1, k1, *shifts = theta
    lack = 1 / x[1] + sum(math.exp(s) / v for s, v in zip(shifts, x[2:], strict=True))
    return least(t, frame) + math.exp(b0) * x[0] ** -math.exp(k0) + math.exp(b1) * lack ** math.exp(k1)


def log_linear(theta, x, frame):
    return math.exp(theta[0]) * math.prod(v**-c for v, c in zip(x, theta[1:], strict=True))


SEVERAL = {
    "additive": (additive(3), sum_of_powers),
    "product": (product(3), crossed_power),
    "crossed": (crossed(3), crossed_power),
    "series": (series(3), in_series),
    "plane": (plane(3), log_linear),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_law_of_three_inputs_is_what_its_source_prints(name):
    law, plain = SEVERAL[name]
    theta = thetas(law, BOUNDED)
    wanted = [[math.log(plain(list(row), [math.exp(v) for v in at], BOUNDED)) for at in AT] for row in theta]
    np.testing.assert_allclose(law.log_error(theta, AT, BOUNDED)[0], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SEVERAL)
def test_derivatives_of_a_law_of_three_inputs_agree_with_differences(name):
    law, _ = SEVERAL[name]
    theta = thetas(law, BOUNDED)
    _, jacobian = law.log_error(theta, AT, BOUNDED)
    for i in range(law.n_parameters):
        step = 1e-6 * np.eye(law.n_parameters)[i]
        up, down = (law.log_error(theta + s, AT, BOUNDED)[0] for s in (step, -step))
        np.testing.assert_allclose(jacobian[:, :, i], (up - down) / 2e-6, rtol=1e-4, atol=1e-5)


def prior_of(law, frame=OPEN):
    mean, sd = law.prior(frame)
    return dict(zip(law.names, zip(mean.tolist(), sd.tolist(), strict=True), strict=True))


EVERY = [*LAWS.values(), *(law for law, _ in SEVERAL.values())]


@pytest.mark.parametrize("law", EVERY, ids=lambda law: law.name)
def test_the_prior_of_a_law_knows_the_level_and_where_the_data_are(law):
    """Errors e times as large raise the level by 1 and no shape; sizes e times as large move places by 1 and no shape.

    So no fit minds the units, and the middle world of each law falls with an exponent between 0.2 and 0.6.
    """
    here = prior_of(law)
    higher = prior_of(law, Frame(first=-3.0, last=3.0, level=1.7, highest=2.5))
    later = prior_of(law, Frame(first=-2.0, last=4.0, level=0.7, highest=1.5))
    for name, (mean, sd) in here.items():
        of_level = name.startswith("level") and law.name != "bounded_power"
        moves = {"break": 1.0, "log_shift": -1.0}.get(name, 0.0)
        assert higher[name] == pytest.approx((mean + of_level, sd))
        assert later[name] == pytest.approx((mean + moves, sd))
        if "exponent" in name and name != "early_exponent":
            assert 0.2 < math.exp(mean) < 0.6


def test_the_place_of_a_break_and_a_shift_lie_about_the_data():
    """A break is looked for in the middle of the sizes, half of them either way; a curve levels off beyond the last."""
    late = Frame(first=2.0, last=8.0, level=0.7, highest=1.5)
    assert prior_of(LAWS["one_break"], late)["break"] == (5.0, 3.0)
    mean, sd = prior_of(LAWS["shifted_power"], late)["log_shift"]
    assert -mean > 8.0 > -mean - sd


@pytest.mark.parametrize("name", ["bounded_power", "rectified"])
def test_where_a_law_between_two_limits_turns_is_left_open(name):
    """The turn may lie anywhere in or about the sizes, e^6 either way of their middle within two deviations."""
    mean, sd = prior_of(LAWS[name])["level" if name == "bounded_power" else "middle"]
    assert mean == 0
    assert 2 * sd >= 6


def test_pooled_priors_of_two_tasks_are_those_of_each_alone_taken_together():
    """Mean of the two tasks' means; spreads add in squares, and to them 1.3 x 2 times that between the tasks.

    `finetuning_without_x` is the other task alone, so the table of both can be computed from the two.
    """
    both, one, two = (PRIORS[f"finetuning{without}"] for without in ("", "_without_flan", "_without_wmt19"))
    for law, shapes in both.items():
        for shape, (mean, sd) in shapes.items():
            (m1, s1), (m2, s2) = one[law][shape], two[law][shape]
            assert mean == pytest.approx((m1 + m2) / 2, abs=0.011)
            pooled = math.sqrt((s1**2 + s2**2) / 2 + (2 * 1.3 * (m1 - m2) / 2) ** 2)
            assert sd == pytest.approx(pooled, abs=0.035)

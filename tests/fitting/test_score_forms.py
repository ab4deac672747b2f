"""Forms of the score written out again in plain words, one world and one size at a time, and their prior medians."""

import math

import numpy as np
import pytest

from budgetsim.fitting.forms import Forms, label_forms, transfer_forms
from budgetsim.fitting.labelers import Labeler
from budgetsim.fitting.onset import Floors
from budgetsim.fitting.replicates import Replicates

KNOWN, UNKNOWN = Floors(0.352, 0.455, True), Floors(0.0, 0.4, False)
COUNTS = (0.0, 40.0, 700.0, 2500.0, 60_000.0)
WORLDS = 30


def logistic(t):
    return 1 / (1 + math.exp(-t))


def hill(n, half, slope):
    """The Hill curve in counts: (1 + n)^k / ((1 + n)^k + (half)^k)."""
    return 1 / (1 + (half / (1 + n)) ** slope)


def floor_of(floors, z, n):
    """From one class share to another once about 500 labels are there, within a twelfth of an e-fold."""
    if not floors.known:
        return floors.high * logistic(1 + 1.5 * z[0])
    start, end = logistic(3 * z[0]), logistic(3 * z[1])
    moved = hill(n, 500 * math.exp(1.5 * z[2]), 12)
    return floors.low + (floors.high - floors.low) * (start * (1 - moved) + end * moved)


def ceiling_of(floors, z):
    return floors.high + (1 - floors.high) * logistic(0.5 + 1.5 * z)


def gate(z, n):
    return hill(n, 1000 * math.exp(1.5 * z[0]), 12 * math.exp(0.5 * z[1]))


def worlds(forms: Forms, seed=0):
    return np.random.default_rng(seed).standard_normal((WORLDS, forms.n_dimensions))


def compare(forms, number, plain, at):
    """`plain` is asked world by world with counts."""
    z = worlds(forms)
    found = forms.forms[number].score(z, np.log1p(at))
    wanted = [[plain(world, *counts) for counts in at] for world in z]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


# coordinates: 0-2 floor, 3 amplitude, 4 noise, 5 ceiling, 6-7 middle and slope, 8-9 onset, then labelers or texts


@pytest.mark.parametrize("floors", [KNOWN, UNKNOWN])
@pytest.mark.parametrize(("number", "half", "slope"), [(0, 2000, 1.0), (1, 1000, 0.5)])
def test_labels_raise_the_score_by_a_hill_curve_that_an_onset_may_hold_back(floors, number, half, slope):
    def plain(z, n):
        share = hill(n, half * math.exp(2 * z[6]), slope * math.exp(0.6 * z[7]))
        floor = floor_of(floors, z, n)
        return floor + (ceiling_of(floors, z[5]) - floor) * share * (gate(z[8:], n) if number else 1)

    compare(label_forms(floors), number, plain, np.array(COUNTS)[:, None])


@pytest.mark.parametrize(("number", "half", "slope"), [(0, 2000, 1.0), (1, 1000, 0.5)])
def test_llm_labels_add_an_effective_number_that_levels_off(number, half, slope):
    """Two labelers: one whose accuracy nobody knows, one that knows k = 0.6 beyond a guess."""
    labelers = [Labeler(), Labeler(0.6)]

    def effective(k, z, m, middle, steep):
        if k is None:
            worth = 400 * math.exp(1.2 * z[0]) * (m / 1000) ** logistic(0.5 + 1.2 * z[1])
            odds = math.exp(1 + 1.5 * z[2])
        else:
            worth = 1000 * k**2 * math.exp(0.5 * z[0]) * (m / 1000) ** logistic(2 + z[1])
            reached = k ** (0.3 * math.exp(z[2]))
            odds = reached / (1 - reached)
        most = max(middle * odds ** (1 / steep), math.exp(1e-3)) - 1  # where the Hill curve's odds are those of r
        return 0.0 if m == 0 else 1 / (1 / worth + 1 / min(most, math.expm1(50)))

    def plain(z, n, one, two):
        middle, steep = half * math.exp(2 * z[6]), slope * math.exp(0.6 * z[7])
        n = n + effective(None, z[10:13], one, middle, steep) + effective(0.6, z[13:16], two, middle, steep)
        floor = floor_of(KNOWN, z, n)
        share = hill(n, middle, steep) * (gate(z[8:], n) if number else 1)
        return floor + (ceiling_of(KNOWN, z[5]) - floor) * share

    at = np.array(
        [[0, 0, 0], [100, 0, 0], [0, 3000, 0], [0, 0, 3000], [500, 1e5, 40], [2e4, 700, 1e6]], dtype=np.float64
    )
    compare(label_forms(KNOWN, labelers), number, plain, at)


def needed(z, n):
    """Texts at half the rise: 200,000, and (N / 1000)^(0.3 z) times as many where labels drift."""
    return 200_000 * math.exp(2 * z[10]) * ((1 + n) / 1000) ** (0.3 * z[11])


GRID = np.array([[n, u] for n in COUNTS for u in (0.0, 3000.0, 1e6)])


def of_labels(z, n):
    return 300 * math.exp(2 * z[6]), 0.7 * math.exp(0.6 * z[7])


@pytest.mark.parametrize("floors", [KNOWN, UNKNOWN])
def test_of_a_product_each_input_alone_can_hold_the_score_back(floors):
    def plain(z, n, u):
        share = hill(n, *of_labels(z, n)) * gate(z[8:], n) * hill(u, needed(z, n), 0.7 * math.exp(0.6 * z[12]))
        floor = floor_of(floors, z, n)
        return floor + (ceiling_of(floors, z[5]) - floor) * share

    compare(transfer_forms(floors), 0, plain, GRID)


def test_of_a_series_the_shortfalls_add_up():
    def plain(z, n, u):
        half, slope = of_labels(z, n)
        lack = (half / (1 + n)) ** slope + (needed(z, n) / (1 + u)) ** (0.7 * math.exp(0.6 * z[12]))
        floor = floor_of(KNOWN, z, n)
        return floor + (ceiling_of(KNOWN, z[5]) - floor) * gate(z[8:], n) / (1 + lack)

    compare(transfer_forms(KNOWN), 1, plain, GRID)


def knows(z, n):
    """What a teacher knows beyond a guess: its ceiling's share times its own Hill curve and onset."""
    most = (ceiling_of(KNOWN, z[13]) - 0.455) / (1 - 0.455)
    return most * hill(n, *of_labels(z, n)) * gate(z[8:], n)


@pytest.mark.parametrize("number", [0, 1])
def test_a_taught_student_rises_by_a_power_of_what_its_teacher_knows(number):
    """Product: K^k times the share of texts. Series: 1 / (1 / K^k + what texts lack)."""

    def plain(z, n, u):
        share = max(knows(z, n), 1e-9) ** (0.5 * math.exp(0.7 * z[14]))
        lack = (needed(z, n) / (1 + u)) ** (0.7 * math.exp(0.6 * z[12]))
        floor = floor_of(KNOWN, z, n)
        rises = 1 / (1 / share + lack) if number else share / (1 + lack)
        return floor + (ceiling_of(KNOWN, z[5]) - floor) * rises

    compare(transfer_forms(KNOWN, taught=True), number, plain, GRID)


def test_a_teachers_score_is_normal_about_its_curve_with_a_point_of_noise():
    forms = transfer_forms(KNOWN, taught=True)
    z, seen = worlds(forms), [(200.0, 0.5), (5000.0, 0.7), (5000.0, 0.72), (5000.0, 0.69)]
    wanted = []
    for world in z:
        noise, total = 0.01 * math.exp(0.6 * world[15]), 0.0
        for n, score in seen:
            floor = floor_of(KNOWN, world, n)
            gap = score - (floor + (1 - floor) * knows(world, n))
            total -= math.log(noise) + gap**2 / (2 * noise**2)
        wanted.append(total)
    labels, scores = np.array(seen).T
    found = forms.teacher_fit(forms.values(z), Replicates.of(np.log1p(labels)[:, None], scores))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_noise_and_amplitude_have_the_medians_and_least_values_they_state():
    """A run: 0.7 points in the middle, 0.5 at the least. Left over: 3 points for labels, 5 for transfer."""
    labels, transfer = label_forms(KNOWN), transfer_forms(KNOWN)
    middle, low = np.zeros((1, labels.n_dimensions)), np.full((1, labels.n_dimensions), -50.0)
    assert labels.noise(labels.values(middle)) == pytest.approx([0.005 * math.sqrt(2)])
    assert labels.noise(labels.values(low)) == pytest.approx([0.005])
    assert labels.noise(labels.values(middle + 1)) == pytest.approx([0.005 * math.sqrt(1 + math.exp(1.6))])
    assert labels.amplitude(labels.values(middle)) == pytest.approx([0.03])
    assert transfer.amplitude(transfer.values(np.ones((1, transfer.n_dimensions)))) == pytest.approx(
        [0.05 * math.exp(0.7)]
    )


def test_the_middle_world_reaches_half_of_its_rise_at_two_thousand_labels():
    """All coordinates 0: five eighths of the way from the floor to 1 in the end, half of that at 1 + n = 2000."""
    (smooth, _), z = label_forms(UNKNOWN).forms, np.zeros((1, 10))
    floor, half, top = smooth.score(z, np.log1p([[0.0], [1999.0], [1e15]]))[0]
    assert top == pytest.approx(0.4 + 0.6 * 0.622, abs=1e-3)
    assert floor == pytest.approx(0.4 * 0.731, abs=1e-3)
    assert half == pytest.approx((0.4 * logistic(1) + top) / 2, abs=1e-3)


def test_an_onset_opens_from_a_tenth_to_nine_tenths_within_a_third_of_an_e_fold():
    """Steepness 12: the gate is half open at 1000 labels, and 2 log(9) / 12 = 0.37 e-folds wide."""
    low, high = (1000 * math.exp(side * math.log(9) / 12) for side in (-1, 1))
    forms, z = label_forms(Floors(0.0, 0.0, True)), np.zeros((1, 10))
    smooth_part = np.array([hill(n, 1000, 0.5) for n in (low - 1, 999.0, high - 1)])
    found = forms.forms[1].score(z, np.log1p([[low - 1], [999.0], [high - 1]]))[0]
    np.testing.assert_allclose(found / smooth_part / logistic(0.5), [0.1, 0.5, 0.9], rtol=1e-6)

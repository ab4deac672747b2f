"""Below the fewest texts a student of soft labels follows its own curve on labels of people."""

import numpy as np
import pytest

from budgetsim.fitting.few_texts import certainty, continue_below, fewest_texts
from made import make_row, make_surface

N = np.array([0.0, 100.0, 1000.0])
U = np.array([0.0, 1000.0, 3000.0, 10_000.0, 100_000.0])
SIZES = np.array([0.0, 100.0, 1000.0, 3000.0, 10_000.0, 100_000.0])


def _labels(n_draws=4):
    """From .2 by steps of .1 to .7, the same in every world."""
    return make_surface(np.tile(0.2 + 0.1 * np.arange(6), (n_draws, 1)), (SIZES,))


def _distilled(at_fewest, n_draws=4):
    """The floor .2 up to 3,000 texts, then `at_fewest` at 10,000 and more; of the floor without labels."""
    table = np.full((n_draws, 3, 5), 0.2)
    table[:, 1:, 3:] = at_fewest
    return make_surface(table, (N, U), strategy="distill")


def test_worlds_take_the_curves_difference_and_its_share_in_turn():
    """The curve is .4 at 1,000, .5 at 3,000 and .6 at 10,000, above .2: differences .2, .1 and shares 1/2, 3/4."""
    found = continue_below(_distilled(0.5), _labels(), 10_000.0)
    np.testing.assert_allclose(found.draws[0, 1], [0.2, 0.3, 0.4, 0.5, 0.5])
    np.testing.assert_allclose(found.draws[1, 1], [0.2, 0.35, 0.425, 0.5, 0.5])
    np.testing.assert_array_equal(found.draws[0::2], np.repeat(found.draws[:1], 2, axis=0))


def test_without_labels_or_texts_and_where_a_teacher_knows_nothing_it_is_the_floor():
    found = continue_below(_distilled(0.22), _labels(), 10_000.0)
    np.testing.assert_allclose(found.draws[:, 0], 0.2)
    np.testing.assert_allclose(found.draws[:, :, 0], 0.2)
    np.testing.assert_allclose(found.draws[0, 1], [0.2, 0.2, 0.2, 0.22, 0.22])  # .22 less .2 lies below it


def test_from_the_fewest_texts_on_nothing_changes():
    before = _distilled(0.5)
    np.testing.assert_array_equal(continue_below(before, _labels(), 10_000.0).draws[:, :, 3:], before.draws[:, :, 3:])


def test_an_axis_without_knots_below_the_fewest_texts_gets_two():
    found = continue_below(_distilled(0.5), _labels(), 1000.0)
    assert found.knots[1].tolist() == [0, 100, 333, *U[1:]]
    assert found.draws.shape == (4, 3, 7)


def test_the_fewest_texts_are_those_known_well():
    """20 % either way is well enough; where none is, the fewest of all."""
    rough, fine = (make_row(n_unlabeled=u, n_unlabeled_se=se) for u, se in ((6192.0, 3556.0), (10_000.0, 2000.0)))
    assert fewest_texts([rough, fine]) == 10_000
    assert fewest_texts([rough]) == 6192


def test_a_row_counts_by_how_well_its_texts_are_known():
    """A rise of .01 an e-fold and a relative error of .7 move a score by .007, as far as a run scatters: half a run."""
    rows = [
        make_row(key=str(u), n_labels=100.0, n_unlabeled=np.expm1(u), score=0.3 + 0.01 * u, n_unlabeled_se=se)
        for u, se in ((7.0, None), (8.0, 0.7 * np.expm1(8.0)), (9.0, 0.0), (10.0, None))
    ]
    assert certainty(rows) == pytest.approx([1.0, 0.5, 1.0, 1.0])
    assert certainty(rows[::2]) == pytest.approx([1.0, 1.0])

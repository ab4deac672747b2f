"""How far off texts computed from dollars may be: by hand, and as the shipped store tells it."""

import pytest

from budgetsim.design.points import Route
from budgetsim.store.text_errors import TextErrors

ROUTE = Route(strategy="distill", teacher="big", student="small")
COSTS = {("published:x", "t", "big", "small"): {0: (0.002, 0.0001), 100: (1.0, 0.2), 5000: (30.0, 3.0)}}


def test_the_teachers_error_and_the_texts_own_add_in_squares():
    """A teacher known to 3 hours and 20,000 texts to .0001 each are 3.6 hours, at .002 a text 1,803 texts."""
    found = TextErrors(COSTS).of("published:x", "t", ROUTE, 4000.0, 20_000.0)
    assert found == pytest.approx((3.0**2 + 2.0**2) ** 0.5 / 0.002, abs=0.5)


@pytest.mark.parametrize(("source", "n_labels"), [("published:y", 100.0), ("published:x", None), ("published:x", 0.0)])
def test_what_nobody_priced_has_no_error(source, n_labels):
    assert TextErrors(COSTS).of(source, "t", ROUTE, n_labels, 1000.0) is None

"""Bad input never gives a traceback; the table is printed by `python tests/bad_input.py`."""

import pytest

from bad_input import CASES, run_case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_was_found_and_wanted(case, tmp_path):
    code, _, error = run_case(case, tmp_path)
    assert "Traceback" not in error
    assert code == case.exit_code, error
    assert case.message in " ".join(error.split()), error

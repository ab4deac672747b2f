"""Bad input never gives a traceback; the table is printed by `python tests/bad_input.py`."""

import pytest

from bad_input import CASES, arguments_of, run_case
from budgetsim_cli.main import main
from made import ROOT

AS_A_USER = 12  # every so many cases run in a process of their own; the others here, in a tenth of the time


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_was_found_and_wanted(case, tmp_path, capsys, monkeypatch):
    if CASES.index(case) % AS_A_USER == 0:
        code, _, error = run_case(case, tmp_path)
    else:
        monkeypatch.chdir(ROOT)
        monkeypatch.delenv("BUDGETSIM_STORE", raising=False)
        monkeypatch.setattr("sys.argv", ["budgetsim", *arguments_of(case, tmp_path)])
        with pytest.raises(SystemExit) as ended:
            main()
        code, error = ended.value.code, capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert "Traceback" not in error
    assert code == case.exit_code, error
    assert case.message in " ".join(error.split()), error

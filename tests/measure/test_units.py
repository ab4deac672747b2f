"""Units as files: what is written is what is read, and a unit that is begun again does what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from budgetsim.errors import InputError
from budgetsim.measure.grid import load_grid
from budgetsim.measure.unit_files import read_unit, write_units
from budgetsim.store.records import read_shards
from budgetsim_cli.main import main
from made import ROOT

WORDS = ("--strategy", "annotate", "--task", "toy_requests", "--student", "tfidf-lr", "--n-labels", "60")


def test_units_come_back_as_they_were(tmp_path: Path) -> None:
    specs = load_grid("demo").specs()
    assert write_units([specs[:3], specs[3:]], tmp_path / "units") == 2
    assert read_unit(tmp_path / "units" / "unit-00001.jsonl") == specs[3:]
    with pytest.raises(InputError, match="holds units already"):
        write_units([specs], tmp_path / "units")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(InputError, match="holds no run"):
        read_unit(tmp_path / "empty")
    (tmp_path / "bad").write_text("{}\n")
    with pytest.raises(InputError, match="bad, line 1 is not a run spec"):
        read_unit(tmp_path / "bad")


def test_a_unit_is_worked_off_and_begun_again_does_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUDGETSIM_STORE", str(tmp_path / "s.duckdb"))
    monkeypatch.setenv("BUDGETSIM_CACHE_DIR", str(tmp_path / "cache"))

    def command(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["budgetsim", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert not ended.value.code, said
        return said

    monkeypatch.setattr("signal.signal", lambda *_: None)
    said = command("measure", *WORDS, "--seed", "0", "--seed", "1", "--dry-run", "--write-units", "units")
    assert "2 units written to units." in said
    assert "[1/1] toy_requests annotate tfidf-lr N=60 seed 0: accuracy" in command("run-unit", "units/unit-00000.jsonl")
    assert "there already" in command("run-unit", "units/unit-00000.jsonl", "--merge")
    assert len(read_shards(tmp_path / "runs")[0]) == 1


def test_examples_call_commands_that_there_are() -> None:
    for file in (ROOT / "examples" / "clusters").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# Not run.")
        assert "budgetsim run-unit" in text

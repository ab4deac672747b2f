"""Bad tasks never give a traceback; the table is printed by `python tests/bad_tasks.py`. What good ones say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import budgetsim.data.tasks as tasks
from bad_tasks import ADD, CASES, Case, write_files
from budgetsim.data import custom, rows
from budgetsim_cli.main import main


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, name in ((tasks, "_registry"), (tasks, "_damaged"), (custom, "_folders"), (custom, "_loaded")):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUDGETSIM_STORE", str(tmp_path / "s.duckdb"))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """`budgetsim tasks` in this process; its exit code."""
    monkeypatch.setattr("sys.argv", ["budgetsim", "tasks", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_was_found_and_wanted(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(case, tmp_path)
    code = run(monkeypatch, *case.words)
    error = " ".join(capsys.readouterr().err.split()).replace(f"{tmp_path}/", "")
    assert code == case.exit_code, error
    assert case.message in error


def test_a_file_of_more_than_the_bound_is_refused_by_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(CASES[0], tmp_path)
    with (tmp_path / "train.csv").open("r+b") as file:
        file.truncate(rows.MOST_BYTES + 1)  # a hole takes no room
    assert run(monkeypatch, *ADD) == 2
    assert "has 256 MiB, wanted 256 or fewer" in capsys.readouterr().err


def test_what_was_added_is_shown_and_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = "x\x1b]0;owned\x07"
    for name in ("train", "test"):
        lines = [f"{name}{i},{'y' if i % 3 else evil}" for i in range(9)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,category", *lines]) + "\n", encoding="utf-8")
    (tmp_path / "texts.txt").write_text("u\nv\nu\ntrain3\n", encoding="utf-8")
    assert run(monkeypatch, *ADD, "--unlabeled", "texts.txt", "--metric", "f1", "--positive", evil) == 0
    assert run(monkeypatch, "show", "mine") == 0
    assert run(monkeypatch, "list") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "Labels are read from the column 'category'." in out
    assert "x\\x1b]0;owned\\x07      3     3" in out
    assert "bound the pool of every answer: 2." in out  # u and v; train3 is a text of train
    (tmp_path / "test.csv").write_text("text,category\nz,y\n", encoding="utf-8")
    assert run(monkeypatch, "show", "mine", "--json") == 0
    shown = capsys.readouterr()
    assert "Warning: test: ../test.csv has changed since it was added." in shown.err
    data = json.loads(shown.out)
    assert data["changed"] == ["test: ../test.csv has changed since it was added."]
    assert data["findings"]["test_labels"] == {"y": 6, evil: 3}

"""Commands that a page or an error suggests work when they are pasted, with the store that was named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from made import ROOT, run_cli
from made_runs import ship_some

pytest.importorskip("sklearn")

SUGGESTED = re.compile(r"(?:^(?:Next|Then): |`)budgetsim ([^`\n]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task's files, two words of which tell the label."""
    folder = tmp_path_factory.mktemp("a home")  # a blank in its name, which a shell would split at
    ship_some(folder)
    rows = [(f"{'good' if i % 2 else 'bad'} thing number {i}", "yes" if i % 2 else "no") for i in range(160)]
    for name, part in (("train", rows[:100]), ("test", rows[100:])):
        (folder / f"{name}.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in part))
    return folder


def typed(home: Path, *words: str) -> CompletedProcess[str]:
    store = () if "--store" in words or words[0] == "rates" else ("--store", str(home / "own.duckdb"))
    return run_cli(*words, *store, cwd=home)


def suggestions(done: CompletedProcess[str]) -> list[list[str]]:
    return [shlex.split(found) for found in SUGGESTED.findall(done.stdout + done.stderr)]


def test_from_files_to_an_answer_by_what_each_page_suggests(home: Path) -> None:
    added = typed(home, "tasks", "add", "things", "--train", "train.csv", "--test", "test.csv")
    assert added.returncode == 0, added.stderr
    (measure,) = suggestions(added)
    assert measure[-2:] == ["--store", str(home / "own.duckdb")]
    pasted = run_cli(
        *measure, "--student", "tfidf-lr", "--strategy", "annotate", "--n-labels", "50", "--dry-run", cwd=home
    )
    assert pasted.returncode == 0, pasted.stderr

    probed = typed(home, "probe", "--task", "things", "--learner", "tfidf-lr")
    assert probed.returncode == 0, probed.stderr
    card, answer = suggestions(probed)
    for words in (card, answer):
        pasted = run_cli(*words, cwd=home)
        assert pasted.returncode == 0, pasted.stderr
    assert "things" in pasted.stdout


def test_a_missing_price_is_mended_by_the_command_that_its_error_names(home: Path) -> None:
    card = re.sub(r"  stance:\n(    .*\n)+", "", (ROOT / "rates.yaml").read_text(), count=1)
    (home / "bare.yaml").write_text(card)
    question = ("optimize", "--task", "stance", "--budget", "500", "--strategy", "annotate", "--create")
    refused = typed(home, *question, "--rates", "bare.yaml")
    assert refused.returncode == 2
    (command,) = (words for words in suggestions(refused) if words[:2] == ["rates", "init"])
    assert run_cli(*command, cwd=home).returncode == 0
    again = typed(home, *question, "--rates", command[2])
    assert again.returncode == 0, again.stderr

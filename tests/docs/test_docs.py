"""Documentation cannot drift: commands, outputs, examples, public names, imports."""

import doctest
import importlib
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import budgetsim
from budgetsim.store.location import example_cards
from made import ROOT, run_cli

sys.path.insert(0, str(ROOT / "tools" / "docs"))
refresh = importlib.import_module("refresh")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    (page.name, *block.groups())
    for page in refresh.pages()
    for block in refresh.BLOCK.finditer(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "command", "output"), BLOCKS, ids=[f"{b[0]}-{b[1][:60]}" for b in BLOCKS])
def test_a_page_shows_what_its_commands_print(page, command, output):
    assert output == printed(command), "run `make docs`"


@cache
def printed(command):
    """As `refresh.run`, without the second that a start takes."""
    program, *words = shlex.split(command)
    assert program == "budgetsim"
    return refresh.shown(command, run_cli(*words))


def test_a_command_that_fails_shows_its_message_and_exit_code():
    assert refresh.run("budgetsim optimize --budget 9 --task stanse").splitlines()[-1] == "[exit 4]"


def test_the_readme_leads_with_the_question_and_runs_commands():
    assert README.index("I have $2,000") < README.index("```console")
    assert sum(page == "README.md" for page, *_ in BLOCKS) >= 4


def test_the_python_of_the_readme_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 6
    assert result.failed == 0


def test_every_command_is_in_the_reference():
    assert refresh.cli_page() == (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8"), "run `make docs`"


def test_what_is_said_to_mistyped_input_is_what_the_page_shows(monkeypatch):
    monkeypatch.delenv("BUDGETSIM_STORE", raising=False)
    mistyped = importlib.import_module("mistyped")
    assert len(mistyped.COMMANDS) >= 30
    shown = (ROOT / "docs" / "reference" / "typing.md").read_text(encoding="utf-8")
    assert mistyped.page() == shown, "run `make docs`"
    assert "Traceback" not in shown


def test_every_public_name_is_exported_once_and_found():
    assert len(set(budgetsim.__all__)) == len(budgetsim.__all__)
    assert set(budgetsim.__all__) == set(budgetsim._HOME)
    for name in budgetsim.__all__:
        assert getattr(budgetsim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = budgetsim.nothing


def test_every_public_name_is_documented():
    silent = [
        name
        for name in budgetsim.__all__
        if callable(getattr(budgetsim, name)) and not getattr(budgetsim, name).__doc__
    ]
    assert silent == []


def test_importing_budgetsim_loads_nothing_heavy():
    code = "import sys, budgetsim; sys.exit(str([m for m in ('torch', 'numpy', 'duckdb', 'scipy') if m in sys.modules]) if len(set(sys.modules) & {'torch', 'numpy', 'duckdb', 'scipy'}) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_names_a_path_of_some_machine():
    """Every tracked file but `results/`, which is data, and this file, which names what is looked for."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("no git repository: nothing says which files are the project's")
    files = [ROOT / name for name in listed.stdout.split("\0") if name and not name.startswith("results/")]
    paths = (b"/home/", b"/root/", b"/work/", b"/tmp/bash")
    guilty = [p for p in files if p.is_file() and p != Path(__file__) and any(w in p.read_bytes() for w in paths)]
    assert len(files) > 100
    assert guilty == []


def test_the_citation_is_valid_yaml_with_what_a_citation_needs():
    from ruamel.yaml import YAML

    citation = YAML().load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "title", "authors", "references", "license"} <= set(citation)
    assert citation["version"] == budgetsim.__version__


def test_the_page_of_other_models_is_what_its_script_writes():
    models = importlib.import_module("other_models")
    evidence = budgetsim.load_evidence(budgetsim.StorePaths(ROOT / "results" / "budgetsim.duckdb"))
    page = (ROOT / "docs" / "paper" / "other-models.md").read_text(encoding="utf-8")
    assert page == models.models_page(evidence) + "\n", "run `make docs`"


@pytest.mark.slow
def test_the_page_of_other_prices_is_what_its_script_writes():
    prices = importlib.import_module("other_prices")
    evidence = budgetsim.load_evidence(budgetsim.StorePaths(ROOT / "results" / "budgetsim.duckdb"))
    cards = {
        name: budgetsim.parse_rates(path.read_text(encoding="utf-8"), name) for name, path in example_cards().items()
    }
    page = (ROOT / "docs" / "paper" / "other-prices.md").read_text(encoding="utf-8")
    assert page == prices.prices_page(evidence, cards) + "\n", "run `make docs`"

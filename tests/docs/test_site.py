"""The site: every page has a place in the navigation, links lead somewhere, and commands of its first page exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from budgetsim_cli.main import app
from made import ROOT

_SPEC = importlib.util.spec_from_file_location("site_tool", ROOT / "tools" / "docs" / "website.py")
assert _SPEC is not None
assert _SPEC.loader is not None
site = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(site)

NAV = re.findall(
    r"^\s+- (?:(?:\"[^\"]+\"|[^:\n]+): )?([\w/-]+\.md)$",
    (ROOT / "mkdocs.yml").read_text(encoding="utf-8"),
    re.MULTILINE,
)
OF_ROOT = ("README.md", *site.OF_ROOT)
START = ("index.md", *(f"start/{name}.md" for name in ("no-compute", "laptop", "gpu-cluster", "reading")))
JARGON = ("worlds", "regret", "n_unlabeled", "n_labels", "posterior", "draws", "surface", "CRPS", "stage", "allocation")


def pages() -> list[Path]:
    return [*sorted((ROOT / "docs").rglob("*.md")), *(ROOT / name for name in OF_ROOT)]


def test_every_page_is_one_click_below_a_tab():
    here = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert set(NAV) == here | set(site.WRITTEN) | set(site.OF_ROOT.values())
    assert len(NAV) == len(set(NAV))


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files(page: Path):
    name = page.relative_to(ROOT).as_posix()
    targets = [site.target_of(name, m["target"]) for m in site.LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [t for t in targets if not (ROOT / t).exists()] == []
    if name != "README.md":  # which is no page of the site: what leads out of the site would be dead there
        assert [t for t in targets if not t.startswith("docs/") and t not in site.OF_ROOT] == []


def test_pages_that_files_of_the_project_name_are_there():
    """Code, help, other pages; the changelog names what was there at its time."""
    named = re.compile(r"(?<![\w/.-])(?:docs|examples)/[\w/-]+\.(?:md|svg|json|csv|ipynb)\b")
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("no git repository: nothing says which files are the project's")
    kinds = (".py", ".md", ".toml", ".yml", ".yaml", ".ipynb", "Makefile")
    files = [f for f in listed.stdout.split("\0") if f.endswith(kinds) and not f.startswith("results/")]
    dead = [
        (f, name)
        for f in files
        if f != "CHANGELOG.md" and (ROOT / f).is_file()
        for name in named.findall((ROOT / f).read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    ]
    assert dead == []


@pytest.mark.parametrize("name", START)
def test_the_first_pages_speak_plainly(name: str):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    words = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.DOTALL)
    assert [j for j in JARGON if re.search(rf"\b{j}\b", words)] == []


def test_links_of_the_project_become_links_of_the_site():
    text = "[a](../method/fitting.md#how) [b](../../ARCHITECTURE.md) [c](https://example.org) ![d](next-runs.svg)"
    assert site.relinked(text, "docs/method/next-runs.md") == (
        "[a](fitting.md#how) [b](../contributors/architecture.md) [c](https://example.org) ![d](next-runs.svg)"
    )
    assert site.relinked("[x](docs/gpu.md)", "CHANGELOG.md") == "[x](../gpu.md)"


def test_every_public_name_is_in_the_reference():
    page = site.api_page()
    import budgetsim

    assert {n for n in budgetsim.__all__ if not n.startswith("_")} == set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert "budget_usd" in page


@pytest.mark.parametrize("name", [*START, "guides/report.md", "guides/new-task.md"])
def test_commands_of_a_page_have_the_options_they_name(name: str):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for line in re.findall(r"^budgetsim [^#\n]*", text, re.MULTILINE):
        command = typer.main.get_command(app)
        words = shlex.split(line)[1:]
        while hasattr(command, "commands"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        assert {w for w in words if w.startswith("-") and len(w) > 1} <= known, line


@pytest.mark.slow
@pytest.mark.skipif(
    not Path(sys.executable).with_name("zensical").exists() and shutil.which("zensical") is None,
    reason="zensical is not installed: the site is not built here",
)
def test_the_site_is_built_strictly():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/docs/website.py")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (ROOT / "build" / "site" / "index.html").exists()

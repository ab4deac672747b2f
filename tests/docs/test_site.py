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

NAV = re.findall(r"^\s+- (?:[^:\n]+: )?([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
WRITTEN = {"api.md", "schemas.md", *site.OF_ROOT.values()}  # by the tool


def test_every_page_is_one_click_below_a_tab():
    pages = {p.name for p in (ROOT / "docs").glob("*.md")}
    assert set(NAV) == pages | WRITTEN
    assert len(NAV) == len(set(NAV))


def test_links_of_the_project_become_links_of_the_site():
    text = "[a](docs/fitting.md#how) [b](../ARCHITECTURE.md) [c](https://example.org) ![d](next.svg)"
    assert site.relinked(text) == "[a](fitting.md#how) [b](architecture.md) [c](https://example.org) ![d](next.svg)"


def test_every_public_name_is_in_the_reference():
    page = site.api_page()
    import budgetsim

    assert {n for n in budgetsim.__all__ if not n.startswith("_")} == set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert "budget_usd" in page


@pytest.mark.parametrize("name", ["index.md", "page.md", "reading.md"])
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

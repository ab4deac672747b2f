"""The page's JavaScript under `node --test`, and how it is put into one file."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from budgetsim.page.assemble import MODULES, WEB, in_script, page_html, script
from page.settings import payload

VENDORED = {  # uPlot 1.6.32 of the npm registry
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot-LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


def test_the_javascript_passes_its_own_tests(node: str) -> None:
    files = sorted(str(f) for f in (Path(__file__).parent / "js").glob("*.test.mjs"))
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", VENDORED)
def test_what_is_vendored_is_what_was_published(name: str) -> None:
    assert hashlib.sha256((WEB / "vendor" / name).read_bytes()).hexdigest() == VENDORED[name]


def test_every_module_is_in_the_page_and_uses_only_those_before_it() -> None:
    assert {f.stem for f in WEB.glob("*.js")} == set(MODULES)
    for place, name in enumerate(MODULES):
        used = re.findall(r'from "\./(\w+)\.js"', (WEB / f"{name}.js").read_text(encoding="utf-8"))
        assert set(used) <= set(MODULES[:place]), name


def test_the_bundle_is_one_script_without_imports(node: str, tmp_path: Path) -> None:
    file = tmp_path / "bundle.mjs"
    file.write_text(script(), encoding="utf-8")
    assert not re.search(r"^(import|export) ", script(), re.MULTILINE)
    assert not subprocess.run([node, "--check", str(file)], capture_output=True, timeout=60).returncode


def test_the_page_asks_for_nothing_and_keeps_the_licence() -> None:
    html = page_html(payload("stance"))
    assert not re.search(r'(src|href)="(?!#)', html)
    assert "default-src 'none'" in html
    assert "Copyright (c) 2022 Leon Sorokin" in html
    assert len(html) < 600_000


def test_words_of_others_cannot_leave_the_data() -> None:
    hostile = {"note": "</script><script>alert(1)</script> <!-- \u2028"}
    text = in_script(hostile)
    assert "<" not in text
    assert json.loads(text) == hostile


def test_draws_of_one_task_are_stored_as_the_fit_has_them() -> None:
    page = payload("stance")
    assert page.data["step"] == 1
    assert page.data["precision_points"] == pytest.approx(0.005)

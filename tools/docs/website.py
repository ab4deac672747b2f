"""Gather the pages of the documentation site and build it with Zensical, strictly: a dead link stops it.

`make site` runs it. Pages of docs/ keep their folders; those of the root of the project are copied beside them, and
the reference of Python and of the JSON schemas is written from the code.
"""

from __future__ import annotations

import inspect
import json
import os.path
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import budgetsim

ROOT = Path(__file__).parents[2]
SOURCE, STAGED = ROOT / "docs", ROOT / "build" / "site-docs"
OF_ROOT = {
    "ARCHITECTURE.md": "contributors/architecture.md",
    "CHANGELOG.md": "reference/changelog.md",
    "SECURITY.md": "contributors/security.md",
}
WRITTEN = ("reference/api.md", "reference/schemas.md")
LINK = re.compile(r"\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")


def target_of(page: str, link: str) -> str:
    """The file of the project that a relative link of a page leads to.

    >>> target_of("docs/guides/next.md", "../method/fitting.md")
    'docs/method/fitting.md'
    """
    return os.path.normpath(PurePosixPath(page).parent / link)


def place_of(name: str) -> str:
    """Where a file of the project lies on the site; those that are not on it stay where they are.

    >>> place_of("docs/guides/next.md"), place_of("ARCHITECTURE.md"), place_of("LICENSE")
    ('guides/next.md', 'contributors/architecture.md', 'LICENSE')
    """
    return OF_ROOT.get(name, name.removeprefix("docs/"))


def relinked(text: str, page: str) -> str:
    """A page of the project with its relative links turned to where their files lie on the site.

    >>> relinked("[a](docs/method/fitting.md#how) [b](https://example.org)", "ARCHITECTURE.md")
    '[a](../method/fitting.md#how) [b](https://example.org)'
    """
    here = PurePosixPath(place_of(page)).parent

    def turned(match: re.Match[str]) -> str:
        there = place_of(target_of(page, match["target"]))
        return f"]({os.path.relpath(there, here)}{match['anchor'] or ''})"

    return LINK.sub(turned, text)


def api_page() -> str:
    """Every public name of the package with its signature and its docstring."""
    parts = ["# Python\n", "Public names of `budgetsim`; each is imported when it is first used.\n"]
    for name in sorted(n for n in budgetsim.__all__ if not n.startswith("_")):
        value = getattr(budgetsim, name)
        parts.append(f"## {name}\n")
        signature = _signature(name, value)
        if signature:
            parts.append(f"```python\n{signature}\n```\n")
        words = inspect.getdoc(value) if inspect.isclass(value) or callable(value) else f"A {type(value).__name__}."
        parts.append(f"```text\n{words or 'No words.'}\n```\n")
    return "\n".join(parts)


def _signature(name: str, value: object) -> str:
    if not callable(value):
        return ""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return ""
    inner = ",\n".join(f"    {p}" for p in map(str, signature.parameters.values()))
    returns = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    return f"{name}(\n{inner},\n){returns}" if inner else f"{name}(){returns}"


def schemas_page() -> str:
    """The JSON schemas of what commands print with --json."""
    parts = ["# JSON schemas\n", "What commands print with `--json`. The files lie in `docs/reference/schemas/`.\n"]
    for path in sorted((SOURCE / "reference" / "schemas").glob("*.json")):
        keys = json.loads(path.read_text(encoding="utf-8")).get("properties", {})
        parts.append(
            f"## {path.stem}\n\n[{path.name}](schemas/{path.name}); at the top: {', '.join(f'`{k}`' for k in keys)}.\n"
        )
    return "\n".join(parts)


def gather() -> None:
    """Write everything the site is built from."""
    shutil.rmtree(STAGED, ignore_errors=True)
    shutil.copytree(SOURCE, STAGED)
    for page in (*SOURCE.rglob("*.md"), *(ROOT / name for name in OF_ROOT)):
        name = page.relative_to(ROOT).as_posix()
        (STAGED / place_of(name)).write_text(relinked(page.read_text(encoding="utf-8"), name), encoding="utf-8")
    for name, text in zip(WRITTEN, (api_page(), schemas_page()), strict=True):
        (STAGED / name).write_text(text, encoding="utf-8")


def main() -> int:
    """Gather and build; the exit code of the build."""
    gather()
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())

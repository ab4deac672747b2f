"""Gather the pages of the documentation site and build it with Zensical, strictly: a dead link stops it.

`make site` runs it. Pages of docs/ stay where they are; those of the root of the project are copied beside them, and
the reference of Python and of the JSON schemas is written from the code.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import budgetsim

ROOT = Path(__file__).parents[2]
SOURCE, STAGED = ROOT / "docs", ROOT / "build" / "site-docs"
OF_ROOT = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"}
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def relinked(text: str) -> str:
    """A page with links to files of the project turned to where they lie on the site.

    >>> relinked("[a](docs/fitting.md#how) [b](../ARCHITECTURE.md) [c](https://example.org) [d](LICENSE)")
    '[a](fitting.md#how) [b](architecture.md) [c](https://example.org) [d](LICENSE)'
    """

    def turned(match: re.Match[str]) -> str:
        target = match["target"].removeprefix("../").removeprefix("docs/")
        return f"]({OF_ROOT.get(target, target)}{match['anchor'] or ''})"

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
    parts = ["# JSON schemas\n", "What commands print with `--json`. The files lie in `docs/schemas/`.\n"]
    for path in sorted((SOURCE / "schemas").glob("*.json")):
        keys = json.loads(path.read_text(encoding="utf-8")).get("properties", {})
        parts.append(
            f"## {path.stem}\n\n[{path.name}](schemas/{path.name}); at the top: {', '.join(f'`{k}`' for k in keys)}.\n"
        )
    return "\n".join(parts)


def gather() -> None:
    """Write everything the site is built from."""
    shutil.rmtree(STAGED, ignore_errors=True)
    shutil.copytree(SOURCE, STAGED)
    for page in STAGED.glob("*.md"):
        page.write_text(relinked(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name, place in OF_ROOT.items():
        (STAGED / place).write_text(relinked((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8")
    (STAGED / "api.md").write_text(api_page(), encoding="utf-8")
    (STAGED / "schemas.md").write_text(schemas_page(), encoding="utf-8")


def main() -> int:
    """Gather and build; the exit code of the build."""
    gather()
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())

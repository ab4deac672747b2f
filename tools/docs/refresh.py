"""Refresh what commands print in the documentation: docs/reference/cli.md, and the blocks of README.md and docs/.

`make docs` writes them; the tests compare them. A `console` block holds a command after `$ ` and
below it what the command prints; an expected refusal shows its message and `[exit CODE]`.
Pages that take minutes (tools/docs/measured.py, miniature.py, tools/docs/paper.py) are written by scripts of their own.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import mistyped

ROOT = Path(__file__).parents[2]
GENERATED = "reference/cli.md"  # written whole
REFUSALS = (2, 3, 4)  # bad input, infeasible, no evidence: what a page may show
BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]*)\n(?P<output>.*?)```", re.DOTALL)


@cache
def run(command: str) -> str:
    """What a command prints, run once in the root of the project as a user would."""
    words = shlex.split(command)
    words[0] = str(Path(sys.executable).with_name(words[0]))
    environment = {k: v for k, v in os.environ.items() if k != "BUDGETSIM_STORE"}
    return shown(command, subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment))


def shown(command: str, done: subprocess.CompletedProcess[str]) -> str:
    """What a page shows of a command that ended; RuntimeError where it ended as no page should show."""
    if done.returncode not in (0, *REFUSALS):
        raise RuntimeError(f"`{command}` ended with {done.returncode}: {done.stderr}")
    text = f"{done.stdout}{done.stderr}[exit {done.returncode}]" if done.returncode else done.stdout
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def pages() -> list[Path]:
    """README.md, then the pages of docs/ that show commands with their output."""
    written = [p for p in sorted((ROOT / "docs").rglob("*.md")) if p != ROOT / "docs" / GENERATED]
    return [p for p in (ROOT / "README.md", *written) if BLOCK.search(p.read_text(encoding="utf-8"))]


def refreshed(text: str) -> str:
    """A page with the outputs of its commands as they are now."""
    return BLOCK.sub(lambda m: f"```console\n$ {m['command']}\n{run(m['command'])}```", text)


def cli_page() -> str:
    """The reference of the command line, from the commands themselves."""
    command = [sys.executable, "-m", "typer", "budgetsim_cli.main", "utils", "docs", "--name", "budgetsim"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


def main() -> None:
    """Write the pages."""
    for page in pages():
        page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "docs" / GENERATED).write_text(cli_page(), encoding="utf-8")
    mistyped.main()


if __name__ == "__main__":
    main()

"""Refresh what is generated in the documentation: docs/cli.md, and the outputs in README.md.

`make docs` writes them; the tests compare them. A `console` block holds a command after `$ ` and
below it what the command prints.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]*)\n(?P<output>.*?)```", re.DOTALL)


def run(command: str) -> str:
    """What a command prints, run in the root of the project as a user would."""
    words = shlex.split(command)
    words[0] = str(Path(sys.executable).with_name(words[0]))
    environment = {k: v for k, v in os.environ.items() if k != "BUDGETSIM_STORE"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)  # noqa: S603
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def refreshed(text: str) -> str:
    """A page with the outputs of its commands as they are now."""
    return BLOCK.sub(lambda m: f"```console\n$ {m['command']}\n{run(m['command'])}```", text)


def cli_page() -> str:
    """The reference of the command line, from the commands themselves."""
    command = [sys.executable, "-m", "typer", "budgetsim_cli.main", "utils", "docs", "--name", "budgetsim"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)  # noqa: S603
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


def main() -> None:
    """Write the pages."""
    readme = ROOT / "README.md"
    readme.write_text(refreshed(readme.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "docs" / "cli.md").write_text(cli_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

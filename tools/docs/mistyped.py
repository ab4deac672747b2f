"""docs/reference/typing.md: what is said to input that was nearly typed right, each said by the command itself."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST = 230  # characters of an answer that are shown
COMMANDS = (
    "optimize --task stance --budget 2k",
    "optimize --task stance --budget 2,000",
    "optimize --task stance --budget '$2000'",
    "optimize --task stance --budget '$1.5M' --max-labels 3k",
    "optimize --task stance --budget 2,00",
    "optimize --task stance --budget two",
    "optimize --task stance --budget -5",
    "optimize --task stance --budget 1e99",
    "optimize --task stance",
    "optimize --task stanse --budget 2k",
    "optimize --task Stance --budget 2k",
    "optimize --task mine --budget 2k",
    "optimize --task stance --budget 2k --strategy distil",
    "optimize --task stance --budget 2k --strategy annotation",
    "optimize --task stance --budget 2k --strategy distill_plus_llm",
    "optimize --task stance --budget 2k --student t5-small",
    "optimize --task stance --budget 2k --owned-teacher t5-v1_1-xl:500",
    "optimize --task stance --budget 2k --owned-teacher t5-v1_1-xxl",
    "optimize --task stance --budget 2k --owned-labels 1.5",
    "optimize --task stance --budget 2k --pool lots",
    "optimize --task stance --budget 2k --compute moden",
    "optimize --task stance --budget 2k --rates late2026",
    "optimize --task stance --budget 2k --store reslts/budgetsim.duckdb",
    "optimize --task stance --budget 2k --evidence publisht",
    "optimize --task stance --budget 2k --llm-accuracy 0.9",
    "optimize --task nq --budget 2k --llm-accuracy 90",
    "optimize --task stance --budget 2k --serve none",
    "optimize --task stance --target 0.6",
    "optimize --task stance --target 600",
    "optimize --task stance --target 57 --chance 90",
    "optimize --task stance --budget 2k --deadline 2w --labels-per-day 100",
    "optimize --task stance --bugdet 2k",
    "optimise --task stance --budget 2k",
    "frontier --task stance --max-budget 1o000",
    "next --task stance --budget 4k-2k",
    "simulate --task stance --strategy distill --n-labels 1k --n-unlabeled 50k",
    "simulate --task stance --strategy distil --n-labels 1k --n-unlabeled 50k",
    "simulate --task stance --strategy distill --n-labels 1k",
    "rates show --rates paper2023",
    "rates init mine.yaml --task mine",
    "store query 'SELEC 1'",
)
HEAD = """\
# Typing

Amounts may be typed as people write them: `2000`, `2,000`, `2k`, `$2000`, `$1.5M`. A name that is nearly right is asked
about. Scores are percent. A store that is named must be there, unless `--create` says to make it. Below, what is said to
{n} inputs, most of them mistyped; the tests run every one of them. `python tools/docs/mistyped.py` writes this page.

| typed after `budgetsim` | exit | said |
|---|---|---|
"""


def said(command: str) -> tuple[int, str]:
    """What a command answers in the root of the project: its exit code, and the first line of the answer or error."""
    from budgetsim_cli.main import main

    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        kept, sys.argv = sys.argv, ["budgetsim", *shlex.split(command)]
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = kept
    text = err.getvalue() if code else out.getvalue()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("Usage:", "Try "))]
    return code, lines[0].removeprefix("Error: ")


def page() -> str:
    """The whole page."""
    rows = []
    for command in COMMANDS:
        code, line = said(command)
        short = line if len(line) <= MOST else line[:MOST].rsplit(" ", 1)[0] + " ..."
        rows.append(f"| `{command}` | {code} | {short.replace('|', '&#124;')} |\n")
    return HEAD.format(n=len(COMMANDS)) + "".join(rows)


def main() -> None:
    """Write the page."""
    os.environ.pop("BUDGETSIM_STORE", None)
    (ROOT / "docs" / "reference" / "typing.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Runs `budgetsim` again and again in processes of their own that need not start anew: each is forked when all is imported.

    python tests/cli_server.py

Reads a JSON line a command ({"argv", "cwd", "env", "out", "err"}) and answers with its exit code. A command has its own
environment, folder, output and memory, and ends as a process does; only the second that a start takes is saved.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

# what most commands import once they run; none of it starts a thread
MODULES = (
    "budgetsim_cli.main", "budgetsim.answers.choices", "budgetsim.answers.forecasting", "budgetsim.answers.points",
    "budgetsim.choosing.optimize", "budgetsim.report.answer", "budgetsim.store.merge", "budgetsim.store.database",
)  # fmt: skip


def run(asked: dict[str, Any]) -> int:
    """The exit code of one command."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        code = _become(asked)
    finally:
        os._exit(code)


def _become(asked: dict[str, Any]) -> int:
    """Be the command, in this process; what a start would set is set."""
    for number, path in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(path, flags), number)
    for name in ("stdout", "stderr"):
        stream = open(1 if name == "stdout" else 2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.argv = ["budgetsim", *asked["argv"]]
    from budgetsim_cli.main import main

    try:
        main()
        return 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _read_once() -> None:
    """What every command would read anew: the types of all commands, and the card of the project."""
    import typer.main

    from budgetsim.costs import rates
    from budgetsim_cli.main import app

    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    rates._load = cache(rates._load)
    card = Path(__file__).parents[1] / "rates.yaml"
    rates.parse_rates(card.read_text(encoding="utf-8"), card.name)


def serve() -> None:
    """Answer until the input ends."""
    for name in MODULES:
        importlib.import_module(name)
    _read_once()
    gc.freeze()
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)


if __name__ == "__main__":
    serve()

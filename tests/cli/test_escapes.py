"""What others wrote is shown, never obeyed: on a real terminal (a pseudo-terminal) and in a pipe."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from made import ROOT, run_cli

ATTACK = "\x1b]0;mine\x07[/x][red]\x9b2J\u202e"
SQL = f"SELECT '{ATTACK}' AS \"{ATTACK}\""
CARD = (ROOT / "rates.yaml").read_text(encoding="utf-8")


def on_terminal(*arguments: str) -> tuple[int, str]:
    """Exit code of a command, and all it wrote to a terminal."""
    main, side = pty.openpty()
    command = [str(Path(sys.executable).with_name("budgetsim")), *arguments]
    with subprocess.Popen(command, stdin=side, stdout=side, stderr=side, cwd=ROOT) as process:
        os.close(side)
        text = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            text += part
        os.close(main)
    return process.returncode, text.decode("utf-8")


@pytest.mark.parametrize("form", [(), ("--csv",), ("--json",)])
def test_a_query_answers_a_terminal_in_plain_letters(form, store):
    code, text = on_terminal("store", "query", SQL, "--store", str(store.database), *form)
    assert code == 0, text
    assert "[/x][red]" in text.replace("\r\n", "").replace(" ", "")
    assert not any(bad in text for bad in ("\x1b]", "\x07", "\x9b", "\u202e", "Traceback"))


def test_a_pipe_gets_the_same_value_as_json_and_csv(store):
    done = run_cli("store", "query", SQL, "--json", store=store.database)
    assert json.loads(done.stdout)["rows"] == [[ATTACK]]
    assert "\x9b" not in done.stdout
    done = run_cli("store", "query", SQL, "--csv", store=store.database)
    assert done.stdout.splitlines()[1] == ATTACK


def test_a_message_about_a_file_shows_what_stood_there(tmp_path):
    file = tmp_path / "p\x1b]0;x\x07.csv"
    file.write_text(f"task,strategy,n_labels\nnq,{ATTACK},5\n", encoding="utf-8")
    code, text = on_terminal("simulate", "--points", str(file))
    assert code == 2
    assert "\x1b" not in text
    assert "\\x1b" in text


def test_a_card_of_markup_is_text(tmp_path):
    card = tmp_path / "c.yaml"
    card.write_text(CARD.replace("name: paper-2023", "name: '[/x][bold]'"), encoding="utf-8")
    for command in (
        ("rates", "show", "--rates", str(card)),
        ("optimize", "--budget", "900", "--task", "nq", "--rates", str(card)),
    ):
        code, text = on_terminal(*command)
        assert code == 0, text
        assert "Traceback" not in text
    assert "[/x][bold]" in text

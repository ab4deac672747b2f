"""What carries the answer is on the screen: on real terminals of four widths, in a pipe, with and without colour."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from budgetsim.report.table import Table
from made import ROOT, run_cli

WIDTHS = (60, 80, 100, 140)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
STANCE = ("optimize", "--task", "stance", "--budget", "2000")
SEVERAL = """
import os, sys
from budgetsim_cli import console
widths, *commands = (word.split(" ") for word in sys.argv[1:])
print_page = console.print_page

def at_every_width(page):
    for width in widths:
        os.environ["COLUMNS"] = width
        print(f"#{width}", flush=True)
        print_page(page)
    os.environ["COLUMNS"] = widths[0]

console.print_page = at_every_width
from typer.main import get_command
from budgetsim_cli.main import app
answer = get_command(app)  # once: it takes as long as a short answer
os.environ["COLUMNS"] = widths[0]
for command in commands:
    print("##", *command, flush=True)
    answer(command, standalone_mode=False)
"""
COMMANDS = (
    "optimize --task fever --budget 200 --serve 100k",
    "optimize --task fever --target 70 --student t5-v1_1-small --strategy distill",
    "optimize --task wlp --budget 300 --pure --explain",
    "frontier --task nq --points 3 --max-budget 900",
    "next --task nq --budget 500 --top 2",
    "sensitivity --task fever --budget 200 --card late-2026",
    "simulate --task stance --strategy distill --n-labels 1000 --n-unlabeled 50000",
    "curve examples/curve.csv --at 15000",
    "store price --task nq",
    "store plans --task stance --budget 2k",
    "store fits --task stance",
    "fit --task fever",
    "tasks list",
    "models list",
    "rates list",
    "rates show",
    "store describe",
)


def on_terminal(command, width, **environment):
    """What a command writes to a real terminal of so many columns, with its escape codes."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "BUDGETSIM_STORE")}
    env = {**kept, "TERM": "xterm-256color", **environment}
    child = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, cwd=ROOT, env=env)
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux says so where the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(leader)
    assert child.wait(timeout=100) == 0, b"".join(parts).decode()
    return b"".join(parts).decode().replace("\r\n", "\n")


def budgetsim(*words):
    return [str(Path(sys.executable).with_name("budgetsim")), *words]


def paragraphs(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def known():
    """What is to be read, as programs are told: the advice, the best plan, a measured student."""
    task = json.loads(run_cli(*STANCE, "--json").stdout)["tasks"]["stance"]
    advice, best = task["advice"]["plan"], task["allocations"][task["recommended"]]
    return [advice, best, task["learners"][0], *(a for a in task["allocations"] if a["feasible"])]


@pytest.fixture(scope="module")
def answer_140():
    """The answer on the widest terminal, in colour."""
    return on_terminal(budgetsim(*STANCE), WIDTHS[-1])


def row_of(name, plan):
    cost = f"${plan['cost_usd']:,.0f}" if plan["cost_usd"] >= 100 else f"${plan['cost_usd']:,.2f}"
    return name, cost, f"{plan['score']:.1f}", f"{plan['lower']:.1f} to {plan['upper']:.1f}"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_answer_is_read_whole_on_a_terminal_of_any_width(width, known, request):
    """Strategy, score, interval and cost of the plan, of the whole budget's and of a measured student."""
    written = request.getfixturevalue("answer_140") if width == 140 else on_terminal(budgetsim(*STANCE), width)
    shown = ESCAPE.sub("", written)
    assert max(map(len, shown.splitlines())) <= width
    told = paragraphs(shown)
    advice, best, learner, *every = known
    _, _, score, interval = row_of("", advice)
    assert re.search(
        rf"^Spend about \$\d+ on stance, not \$2,000: distill XXL to Small buys f1 {score} \({interval} in", told
    )
    for row in (
        row_of("distill XXL to Small", advice),
        row_of("distill XXL to Small", best),
        row_of("annotate encoder-lr", learner),
    ):
        # in a table one line holds them; in a record a few lines do
        assert re.search(r".{0,80}?".join(map(re.escape, row)), told), row
    for a in every:  # no row loses a count, an LLM's labels among them
        counts = [f"{a[name]:,}" for name in ("n_labels", "n_llm_labels", "n_unlabeled") if a[name]]
        row = (a["strategy"], *counts, *row_of("", a)[1:])
        assert re.search(r".{0,80}?".join(map(re.escape, row)), told), row


def test_a_pipe_has_every_column_on_one_line():
    lines = run_cli(*STANCE).stdout.splitlines()
    heading = next(line for line in lines if line.startswith("strategy"))
    assert re.split(r"\s{2,}", heading) == [
        "strategy", "labels", "LLM", "texts", "cost", "hours", "f1", "90 % of runs", "MB", "CPU ms a text", "from",
    ]  # fmt: skip
    assert not any("\x1b" in line for line in lines)


def test_colour_has_a_meaning_and_can_be_had_without(known, answer_140):
    coloured = answer_140
    assert re.search(r"\x1b\[1mSpend about \$", coloured)  # what to do: bold
    assert re.search(
        rf"\x1b\[32mdistill XXL to Small +{known[0]['n_labels']:,}", coloured
    )  # the plan that is meant: green
    assert re.search(r"\x1b\[33mllm_annotate", coloured)  # far outside the data: yellow
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = on_terminal(budgetsim(*STANCE), 140, **environment)
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain), environment
        assert ESCAPE.sub("", plain) == ESCAPE.sub("", coloured)
    assert "\x1b" not in plain  # of a dumb terminal


def test_every_command_that_prints_tables_keeps_to_the_width():
    """All commands at all widths on one terminal, whose width is told by COLUMNS, as shells do.

    Each is answered once, and its page, in which alone the width is asked for, is printed at every width; what else a
    command says is to fit the narrowest.
    """
    words = [" ".join(map(str, WIDTHS)), *COMMANDS]
    shown = ESCAPE.sub("", on_terminal([sys.executable, "-c", SEVERAL, *words], 140))
    parts = {}
    for command in COMMANDS:
        _, shown = shown.split(f"## {command}\n", 1)
        width = WIDTHS[0]
        for line in shown.partition("\n## ")[0].splitlines():
            width = int(line[1:]) if line in {f"#{w}" for w in WIDTHS} else width
            parts.setdefault((width, command), []).append(line)
    assert set(parts) == {(width, command) for width in WIDTHS for command in COMMANDS}
    for (width, command), lines in parts.items():
        assert len(lines) > 1, (width, command)
        long = [line for line in lines if len(line) > width and len(line.split()) > 1]
        assert not long, (width, command, long[0])
    for width in WIDTHS:
        point = paragraphs("\n".join(parts[width, COMMANDS[6]]))
        assert re.search(r"stance distill.*54\.\d.*53\.\d to 5\d\.\d.*\$492", point)
        front = paragraphs("\n".join(parts[width, COMMANDS[3]]))
        assert re.search(r"distill XXL to Small", front)


TABLE = Table(
    title="",
    headings=("who", "labels", "score", "note"),
    rows=(("one", "1,000", "50.0", "long words here"), ("two and more", "-", "7.0", "x")),
    text_columns=frozenset({0, 3}),
    optional=("note", "labels"),
)


def test_a_table_gives_up_what_is_optional_first_and_then_becomes_records():
    """12 + 6 + 5 + 15 columns and three gaps of two are 44; without the note 27; without labels too 19."""
    assert len(TABLE.lines(44)) == len(TABLE.lines()) == 4
    assert TABLE.lines(43)[0].split() == ["who", "labels", "score"]
    assert TABLE.lines(43)[-1] == "(no room in 43 columns for: note)"
    assert TABLE.lines(26)[-2:] == ["(no room in 26 columns", "for: labels, note)"]
    assert TABLE.lines(26)[0].split() == ["who", "score"]
    assert TABLE.lines(18) == [
        "one", "  labels 1,000;", "  score 50.0; note", "  long words here", "two and more", "  score 7.0; note", "  x",
    ]  # fmt: skip


def test_a_name_that_is_too_long_goes_on_below_itself_where_only_that_is_in_the_way():
    """28 columns of a name and 5 of a score, two between: 35; a column of 16 is the narrowest that is folded into."""
    table = Table(
        title="", headings=("strategy", "score"), rows=(("annotate and much more to it", "50.0"), ("x", "7.0"))
    )
    assert table.lines(35)[2] == "annotate and much more to it   50.0"
    assert table.lines(34)[2:] == [f"{'annotate and much more to':27}  {'50.0':>5}", "  it", f"{'x':27}  {'7.0':>5}"]
    assert table.lines(23)[:2] == [f"{'strategy':16}  score", f"{'-' * 16}  -----"]
    assert table.lines(22)[0] == "annotate and much more"  # records

"""Tasks of a user for `fuzzing.py`: tables of rows, and descriptions of what was registered."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from budgetsim.data.custom import TaskFiles, add_task, describe_custom, load_custom, register_custom_tasks
from budgetsim.data.tasks import forget_task, known_tasks
from budgetsim.errors import InputError
from fuzzing_tools import hurt_text, hurt_value

ROWS = {
    "single": ("csv", "text,label\na b,x\nc d,x\ne f,y\ng h,y\n", "text,label\ni j,x\nk l,y\nm n,y\no p,x\n"),
    "lines": ("jsonl", *(f'{{"text": "{a} b", "label": "x"}}\n{{"text": "{a} c", "label": "y"}}\n' * 2 for a in "ab")),
    "conll": ("conll", "A O\nB B-x\n\nC O\nD I-x\n\n", "E O\nF B-x\n\n"),
}


def tasks(rng: random.Random, folder: Path) -> None:
    """A table of rows is added and read again; or the description of one is damaged."""
    ending, train, test = ROWS[rng.choice(list(ROWS))]
    home = folder / "tasks"
    for place in folder.glob("tasks/*"):
        place.unlink()
    in_rows = rng.random() < 0.6
    files = {"train": hurt_text(train, rng) if in_rows else train, "test": test}
    for name, text in files.items():
        (folder / f"{name}.{ending}").write_bytes(text.encode("utf-8", "surrogatepass"))
    forget_task("fuzzed")
    given = TaskFiles(train=folder / f"train.{ending}", test=folder / f"test.{ending}")
    add_task(home, "fuzzed", given, accept=True)
    if not in_rows:
        place = home / "fuzzed.json"
        text = place.read_text(encoding="utf-8")
        text = json.dumps(hurt_value(json.loads(text), rng)) if rng.random() < 0.7 else hurt_text(text, rng)
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
        forget_task("fuzzed")
        if not register_custom_tasks(home):
            raise InputError("passed over")  # and the others stand
    (task,) = (t for t in known_tasks() if t.name == "fuzzed")
    describe_custom("fuzzed")
    data = load_custom("fuzzed")
    assert data.train
    assert data.test
    assert all(math.isfinite(v) for v in (task.constant_score, *task.floors))

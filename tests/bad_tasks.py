"""Bad files and words of `budgetsim tasks`: what the user sees, and the exit code; checked by `test_bad_tasks.py`.

`python tests/bad_tasks.py` prints the table.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from made import run_cli

ADD = ("add", "mine", "--train", "train.csv", "--test", "test.csv")
GOOD = {
    "train.csv": "text,label\na,x\nb,x\nc,y\nd,y\ne,y\n",
    "test.csv": "text,label\nf,x\ng,y\nh,y\ni,y\n",
}


def conll(train: str) -> dict[str, str | bytes]:
    return {"train.conll": train, "test.conll": "A O\nB B-x\n\n"}


@dataclass(frozen=True)
class Case:
    """Words after `budgetsim tasks`, files beside the good ones, and what must come of it."""

    name: str
    words: tuple[str, ...]
    message: str  # part of what stands on stderr
    files: dict[str, str | bytes] = field(default_factory=dict)
    exit_code: int = 2


def train(name: str, text: str | bytes, message: str, *more: str) -> Case:
    return Case(name, (*ADD, *more), message, {"train.csv": text})


TAGGED = ("add", "mine", "--train", "train.conll", "--test", "test.conll")

CASES = [
    train("label that is blank", "text,label\na,x\nb,\u200b\nc,y\n", "1 row of train (train.csv) without a text or a label (line 3); with --yes they are left out"),
    train("text that is blank", "text,label\na,x\n\u200d ,y\nc,y\n", "without a text or a label (line 3)"),
    train("classes of another case", "text,label\na,x\nb,X\nc,y\nd,y\n", "labels that differ by case or blanks alone: 'x' (1 row of train (train.csv), first in line 2) and 'X' (1 row of train"),
    train("classes of other blanks", "text,label\na,x\nb,x \nc,y\n", "labels that differ by case or blanks alone: 'x'"),
    train("label in test alone", "text,label\na,x\nb,z\n", "label of test (test.csv) that no row of train has: 'y' (3 rows, first in line 3)"),
    train("test contained in train", GOOD["train.csv"] + GOOD["test.csv"].split("\n", 1)[1], "4 of 4 texts of test (test.csv) stand in train (train.csv) too (100 %; line 2 is its line 7)"),
    train("free text as classes", "text,label\n" + "".join(f"t{i},answer {i}\n" for i in range(30)) + "a,x\nb,y\n", "32 labels in 32 rows of train (train.csv) read as free text"),
    train("one label", "text,label\na,y\nb,y\n", "mine has 1 label in train; a classification needs two or more", "--yes"),
    train("nothing but a header", "text,label\n", "train (train.csv) has 0 rows and test (test.csv) has 4 rows with a text and a label: both need some"),
    train("nothing at all", "", "train (train.csv) has 0 rows"),
    train("column that stands twice", "text,label,label\na,x,y\n", "line 1: column 'label' stands twice"),
    train("columns nobody can tell apart", "a,b,c,d\n1,2,3,4\n", "has no column 'text'; it has 'a', 'b', 'c', 'd'. Name the columns with --text-column or --pair-columns"),
    train("column that is not there", GOOD["train.csv"], "line 2: no column 'body'; it has text, label", "--text-column", "body", "--label-column", "label"),
    train("row that lacks a cell", "text,label\na,x\nb\n", "line 3: label is None, wanted a text"),
    train("quote without end", 'text,label\na,x\n"b,y\n', "not CSV"),
    train("cell without end", 'text,label\na,"' + "x" * 200_000 + '"\n', "not CSV (field larger than field limit"),
    train("file in Latin-1", "text,label\ncaf\xe9,x\n".encode("latin-1"), "is not UTF-8 (byte 14 is wrong); save it as UTF-8, or name its --encoding"),
    train("encoding nobody uses", GOOD["train.csv"], "--encoding: found 'ebcdic', wanted utf-8, latin-1", "--encoding", "ebcdic"),
    train("kind that is none", GOOD["train.csv"], "--kind: found 'regression', wanted single, pair, tagging, generation, qa", "--kind", "regression"),
    train("metric that is none", GOOD["train.csv"], "There is no metric 'auc'; known are accuracy, f1", "--metric", "auc"),
    train("metric of another kind", GOOD["train.csv"], "--metric: rouge_l is none of a classification; wanted accuracy, f1", "--metric", "rouge_l", "--kind", "single"),
    train("f1 of nobody", GOOD["train.csv"], "--metric f1 is the F1 of one label: add --positive LABEL", "--metric", "f1"),
    train("positive label nobody has", GOOD["train.csv"], "--positive: found 'yes', wanted a label of train: 'y', 'x'", "--metric", "f1", "--positive", "yes"),
    train("positive label without f1", GOOD["train.csv"], "--positive belongs to --metric f1, not to accuracy", "--positive", "x"),
    train("pair of one column", GOOD["train.csv"], "--pair-columns: found 'text', wanted two names", "--pair-columns", "text"),
    train("pair and text", GOOD["train.csv"], "--text-column and --pair-columns were both given", "--pair-columns", "a,b", "--text-column", "a"),
    train("format that is none", GOOD["train.csv"], "--format: found 'xls', wanted csv, tsv, jsonl, conll, lines", "--format", "xls"),
    Case("format nobody can tell", ("add", "mine", "--train", "train.dat", "--test", "test.csv"), "train.dat: neither its name nor its lines tell the format", {"train.dat": "one\ntwo\n"}),
    Case("half a character", ("add", "mine", "--train", "t.jsonl", "--test", "test.csv"), "line 1: text holds half a character", {"t.jsonl": '{"text": "\\ud800", "label": "x"}\n'}),
    Case("number without end", ("add", "mine", "--train", "t.jsonl", "--test", "test.csv"), "line 1: label is inf, wanted a text", {"t.jsonl": '{"text": "a", "label": 1e999}\n'}),
    Case("JSON without end", ("add", "mine", "--train", "t.jsonl", "--test", "test.csv"), "line 2: not JSON", {"t.jsonl": '{"text": "a", "label": "x"}\n' + '{"a":' * 99_999 + "\n"}),
    Case("tag of no scheme", TAGGED, "train.conll, line 2: found the tag 'place', wanted O, or B-TYPE", conll("A O\nB place\n\n")),
    Case("word without a tag", TAGGED, "train.conll, line 2: found 'B' alone, wanted a word and its tag", conll("A O\nB\n\n")),
    Case("tags without an entity", TAGGED, "mine has no entity in train; a tagging needs tags besides O", conll("A O\n\n")),
    Case("type in test alone", TAGGED, "label of test (test.conll) that no row of train has: 'x' (1 row, first in line 1)", conll("A B-y\n\n")),
    Case("tags as one class", (*TAGGED, "--kind", "single"), "train.conll holds a tag a word, which is --kind tagging; found --kind single", conll("A B-x\n\n")),
    Case("words without their tags", ("add", "mine", "--train", "train.csv", "--test", "test.csv", "--kind", "tagging"), "line 2: found 2 words and 1 tags", {"train.csv": "text,label\na b,O\n"}),
    Case("file that is not there", ("add", "mine", "--train", "gone.csv", "--test", "test.csv"), "There is no file gone.csv"),
    Case("file that is a folder", ("add", "mine", "--train", ".", "--test", "test.csv"), ". is a folder; name the file in it"),
    Case("file that never ends", ("add", "mine", "--train", "/dev/zero", "--test", "test.csv"), "/dev/zero is no plain file"),
    Case("name with a path", ("add", "../mine", *ADD[2:]), "A task is named with letters, digits and _"),
    Case("name of the paper's", ("add", "stance", *ADD[2:]), "'stance' is a task that ships with budgetsim"),
    Case("store nobody may write", (*ADD, "--store", "/proc/nowhere/s.duckdb"), "/proc/nowhere/tasks cannot be written", exit_code=1),
    Case("task over a task", (*ADD, "--metric", "macro_f1"), "there is a task mine (other files, metric accuracy", {"tasks/mine.json": "SOUND"}),
    Case("task over a torn one", ADD, "a damaged description of mine lies there and would be overwritten", {"tasks/mine.json": "{"}),
    Case("task that is torn", ("show", "mine"), "The description of task 'mine' is damaged", {"tasks/mine.json": "{}"}),
    Case("torn task beside others", ("list",), "mine passed over: The description of task 'mine' is damaged", {"tasks/mine.json": "[]"}, 0),
    Case("task nobody knows", ("show", "mine"), "There is no task 'mine'; known are"),
    Case("task that is not yours", ("remove", "stance"), "There is no task 'stance' of your own; there is none"),
    Case("way out of the folder", ("remove", "../train"), "There is no task '../train' of your own"),
]  # fmt: skip


def write_files(case: Case, folder: Path) -> None:
    """The good files and those of a case; a sound description is that of the good files under another label."""
    for name, text in (GOOD | case.files).items():
        (folder / name).parent.mkdir(exist_ok=True)
        if text == "SOUND":
            from budgetsim.data.custom import TaskFiles, add_task

            other = folder / "other.csv"
            other.write_text(GOOD["test.csv"] + "j,x\n", encoding="utf-8")
            add_task(folder / "tasks", "mine", TaskFiles(train=other, test=folder / "train.csv"), "accuracy")
        else:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def main() -> None:
    """Print the table."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            write_files(case, Path(folder))
            done = run_cli("tasks", *case.words, store=Path(folder) / "s.duckdb", cwd=Path(folder))
        print(f"{case.name:32} {done.returncode}  {done.stderr.splitlines()[0] if done.stderr else ''}")


if __name__ == "__main__":
    sys.exit(main())

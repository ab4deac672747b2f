"""Measure students on labels that real LLMs gave, and on simulated ones that are right as often.

    python tools/campaign/recorded.py SOURCE FOLDER [TASK ...]

SOURCE holds `llms_for_css` as its authors publish it (Ziems et al. 2024): for each task its texts, people's labels, and
what each LLM answered. Each task is cut into train and test files in FOLDER and added as `css_NAME`; beside them lie the
labels of each LLM (`recorded:FILE`). Students are taught by people, by each LLM, by a simulated labeler of the very
accuracy that the LLM has on the training rows, and by people and either of them together: do the errors of an LLM cost a
student more than even ones do, and what do its labels add to people's?
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

TEST: Final = 200
SIZES: Final = (100, 250)
BESIDE: Final = (30, 100)  # labels of people, beside a hundred of an LLM
SEEDS: Final = (0, 1, 2)
STUDENTS: Final = ("tfidf-lr", "encoder-lr")
LLMS: Final = ("chatgpt", "text-davinci-003", "flan-t5-xxl", "flan-t5-large")
# The label that each letter of a task's prompt stands for, as people's labels are written.
LETTERS: Final[dict[str, dict[str, str]]] = {
    "emotion": {letter: letter for letter in "ABCDEF"},
    "ibc": {"A": "Liberal", "B": "Conservative", "C": "Neutral"},
    "semeval_stance": {"A": "Against", "B": "Favor", "C": "None"},
    "wiki_politeness": {"A": "1", "B": "0", "C": "-1"},
    "media_ideology": {"A": "left", "B": "right", "C": "center"},
    "discourse": {
        "A": "question", "B": "answer", "C": "agreement", "D": "disagreement", "E": "appreciation",
        "F": "elaboration", "G": "humor",
    },
}  # fmt: skip
Row = tuple[str, str]  # text, label


def main(source: Path, folder: Path, names: Sequence[str]) -> None:
    """Cut, add and measure the tasks of those names, all of them where none is given."""
    for name in names or [*LETTERS]:
        home = folder / f"css_{name}"
        accuracies = cut(name, source / "llms_for_css" / name, home)
        labelers = [f"recorded:{home}/{llm}.csv" for llm in LLMS]
        labelers += [f"simulated:accuracy={accuracies[llm]}" for llm in LLMS]
        grid = {"preset": "modern", "tasks": [f"css_{name}"], "blocks": [
            {"strategy": "annotate", "student": STUDENTS, "n_labels": sorted({*SIZES, *BESIDE}), "seed": SEEDS},
            {
                "strategy": "llm_annotate", "student": STUDENTS, "labeler": labelers, "unlabeled": "labelled",
                "n_llm_labels": SIZES, "seed": SEEDS,
            },
            {
                "strategy": "annotate_plus_llm", "student": STUDENTS, "labeler": labelers, "unlabeled": "labelled",
                "n_labels": BESIDE, "n_llm_labels": SIZES[:1], "seed": SEEDS,
            },
        ]}  # fmt: skip
        place = home / "grid.yaml"
        place.write_text(json.dumps(grid), encoding="utf-8")  # JSON is YAML
        _run("measure", "--grid", str(place))


def cut(name: str, source: Path, folder: Path) -> dict[str, float]:
    """Write and add a task; the share of its training rows that each LLM labels as people do."""
    held = json.loads((source / "test.json").read_text(encoding="utf-8"))
    texts = [" ".join(held["context"][key].split()) for key in held["labels"]]
    truth = [str(label) for label in held["labels"].values()]
    order = np.random.default_rng(0).permutation(len(texts))
    first = {texts[i]: int(i) for i in order[::-1]}  # a text stands once
    kept = [int(i) for i in order if first[texts[i]] == i]
    test, train = kept[:TEST], kept[TEST:]
    folder.mkdir(parents=True, exist_ok=True)
    for part, places in (("train", train), ("test", test)):
        _write(folder / f"{part}.csv", ((texts[i], truth[i]) for i in places))
    _run("tasks", "add", f"css_{name}", "--train", f"{folder}/train.csv", "--test", f"{folder}/test.csv", "--yes")
    accuracies = {}
    for llm in LLMS:
        said = _answers(source / f"answer-{llm}", truth, LETTERS[name])
        _write(folder / f"{llm}.csv", ((texts[i], said[i]) for i in kept))
        accuracies[llm] = round(sum(said[i] == truth[i] for i in train) / len(train), 3)
        print(f"css_{name}: {llm} is right on {accuracies[llm]:.1%} of {len(train)} training rows", flush=True)
    return accuracies


def _answers(place: Path, truth: Sequence[str], letters: dict[str, str]) -> list[str]:
    """The label of each row; empty where the answer is no letter of the prompt (some begin with a row of `&`)."""
    rows = [line.split("\t") for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert [row[1] for row in rows] == list(truth), f"{place} is not in the order of the labels"
    return [letters.get(row[2].strip(" &")[:1].upper() if len(row) > 2 else "", "") for row in rows]


def _write(place: Path, rows: Iterable[Row]) -> None:
    with place.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("text", "label"))
        writer.writerows(rows)


def _run(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "budgetsim", *words], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

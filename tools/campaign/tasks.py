"""Cut public data sets into tasks of one size, for the campaign `modern-cpu`: train, test and unlabelled files.

    python tools/campaign/tasks.py SOURCE FOLDER

SOURCE holds a folder for each data set, as their authors publish them; FOLDER gets `NAME/train.csv`, `test.csv` and
`unlabeled.txt` (or `.conll`), and each is added with `budgetsim tasks add`. The same files give the same tasks: rows
are drawn by seed 0, a text stands in one file alone. FOLDER gets `wikipedia.txt`, too: sentences of no task, for pools
that are filled up with them. Texts are their owners'; only numbers are kept in the store.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TRAIN, TEST, UNLABELED = 3000, 1000, 4000
Pair = tuple[str, str]  # text, label
BETWEEN = "\x1f"  # between the two texts of a pair


@dataclass(frozen=True, slots=True)
class Source:
    """A data set: how its rows are read from the folder of sources, the columns of its text, two of a pair, texts that
    nobody labelled beside those rows whose labels are left off, and what an LLM is asked of a text."""

    read: Callable[[Path], list[Pair]]
    columns: tuple[str, ...] = ("text",)
    more: Callable[[Path], list[str]] = lambda source: []
    about: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        pair = ("--pair-columns", ",".join(self.columns)) if len(self.columns) > 1 else ()
        return (*pair, *(("--about", self.about) if self.about else ()))


def main(source: Path, folder: Path, names: Sequence[str]) -> None:
    """Write and add the tasks of those names, all of them where none is given."""
    for name in names or [*SOURCES, "wnut17"]:
        files = _tagging(source, folder / name) if name == "wnut17" else _classes(SOURCES[name], source, folder / name)
        words = [word for part, place in files.items() for word in (f"--{part}", str(place))]
        options = () if name == "wnut17" else SOURCES[name].options
        command = [sys.executable, "-m", "budgetsim", "tasks", "add", name, *words, *options, "--yes"]
        subprocess.run(command, check=True)
    _wikipedia(source, folder / "wikipedia.txt")


def _wikipedia(source: Path, place: Path) -> None:
    sentences = (source / "clinc150" / "all_wiki_sents.txt").read_text(encoding="utf-8").splitlines()
    order = np.random.default_rng(0).permutation(len(sentences))[:UNLABELED]
    place.write_text("".join(sentences[i] + "\n" for i in order), encoding="utf-8")


def _classes(kind: Source, source: Path, folder: Path) -> dict[str, Path]:
    by_words = {_words(text): (text, label) for text, label in kind.read(source)}
    rows = list(by_words.values())
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = [rows[i] for i in order]
    n_test = min(TEST, len(rows) // 5)
    n_train = min(TRAIN, (len(rows) - n_test) // 2)
    test, train, rest = shuffled[:n_test], shuffled[n_test : n_test + n_train], shuffled[n_test + n_train :]
    folder.mkdir(parents=True, exist_ok=True)
    places = {part: folder / f"{part}.csv" for part in ("train", "test")} | {"unlabeled": folder / "unlabeled.csv"}
    _write(places["train"], (*kind.columns, "label"), [(*text.split(BETWEEN), label) for text, label in train])
    _write(places["test"], (*kind.columns, "label"), [(*text.split(BETWEEN), label) for text, label in test])
    texts = [text for text, _ in rest] + [text for text in kind.more(source) if _words(text) not in by_words]
    _write(places["unlabeled"], kind.columns, [text.split(BETWEEN) for text in texts[:UNLABELED]])
    return places


def _words(text: str) -> str:
    return " ".join(text.lower().split())


def _tagging(source: Path, folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    sentences = _sentences(source / "wnut17" / "wnut17train.conll")
    order = np.random.default_rng(0).permutation(len(sentences))
    cut = len(sentences) // 2
    parts = {
        "train": [sentences[i] for i in order[:cut]],
        "test": _sentences(source / "wnut17" / "emerging.test.annotated"),
    }
    places = {part: folder / f"{part}.conll" for part in parts} | {"unlabeled": folder / "unlabeled.txt"}
    for part, rows in parts.items():
        text = "\n\n".join("\n".join(f"{word}\t{tag}" for word, tag in row) for row in rows)
        places[part].write_text(text + "\n", encoding="utf-8")
    texts = [" ".join(word for word, _ in sentences[i]) for i in order[cut:]]
    places["unlabeled"].write_text("\n".join(texts) + "\n", encoding="utf-8")
    return places


def _sentences(place: Path) -> list[list[Pair]]:
    blocks = re.split(r"\n\s*\n", place.read_text(encoding="utf-8").replace("\r", ""))
    rows = [[tuple(line.split("\t")[:2]) for line in block.split("\n") if line.strip()] for block in blocks]
    return [[(word.strip(), tag.strip()) for word, tag in row] for row in rows if row]


def _write(place: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with place.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)


def _sentconv(*files: str) -> Callable[[Path], list[Pair]]:
    names = {"0": "negative", "1": "positive"}

    def read(source: Path) -> list[Pair]:
        lines = [
            line.split(" ", 1)
            for file in files
            for line in (source / "sentconv" / file).read_text(encoding="latin-1").split("\n")
        ]
        return [(text.strip(), names[label]) for label, text in (line for line in lines if len(line) == 2)]

    return read


def _tweeteval(name: str) -> Callable[[Path], list[Pair]]:
    def read(source: Path) -> list[Pair]:
        folder = source / "tweeteval" / name
        mapping = dict(
            line.split("\t")[:2] for line in (folder / "mapping.txt").read_text("utf-8").splitlines() if line
        )
        rows: list[Pair] = []
        for part in ("train", "val", "test"):
            texts = (folder / f"{part}_text.txt").read_text(encoding="utf-8").split("\n")
            labels = (folder / f"{part}_labels.txt").read_text(encoding="utf-8").split()
            rows += [(t.strip(), mapping[label].strip()) for t, label in zip(texts, labels, strict=False) if t.strip()]
        return rows

    return read


def _reviews(*domains: str) -> Source:
    names = {"0": "negative", "1": "positive"}

    def lines(source: Path, domain: str, part: str) -> list[str]:
        place = source / "fdu_mtl" / f"{domain}.task.{part}"
        return [line for line in place.read_text(encoding="latin-1").split("\n") if line.strip()]

    def read(source: Path) -> list[Pair]:
        cells = [line.split("\t", 1) for d in domains for part in ("train", "test") for line in lines(source, d, part)]
        return [(text.strip(), names[label.strip()]) for label, text in cells]

    return Source(read, more=lambda source: [text.strip() for d in domains for text in lines(source, d, "unlabel")])


def _banking(source: Path) -> list[Pair]:
    rows = []
    for part in ("train", "test"):
        with (source / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            rows += [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]
    return rows


def _clinc(source: Path) -> list[Pair]:
    parts = json.loads((source / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    return [(text, label) for part in ("train", "val", "test") for text, label in parts[part]]


def _snips(source: Path) -> list[Pair]:
    rows: list[Pair] = []
    for part in ("train", "valid", "test"):
        folder = source / "intents_SNIPS" / part
        texts = (folder / "seq.in").read_text(encoding="utf-8").splitlines()
        rows += zip(texts, (folder / "label").read_text(encoding="utf-8").split(), strict=False)
    return [(text.strip(), label) for text, label in rows if text.strip()]


def _goemotions(source: Path) -> list[Pair]:
    rows = []
    for part in ("train", "dev", "test"):
        for line in (source / "goemotions" / f"{part}.tsv").read_text(encoding="utf-8").splitlines():
            text, labels, *_ = line.split("\t")
            if "," not in labels and text.strip():
                rows.append((text.strip(), f"emotion-{labels}"))
    return rows


def _pairs(*files: str) -> Callable[[Path], list[Pair]]:
    def read(source: Path) -> list[Pair]:
        rows = []
        for name in files:
            with (source / "nli" / name).open(encoding="utf-8", newline="") as file:
                rows += [(_pair(row), row["label"]) for row in csv.DictReader(file) if row["label"]]
        return rows

    return read


def _pair(row: dict[str, str]) -> str:
    return BETWEEN.join((row["premise"].strip(), row["hypothesis"].strip()))


SOURCES: dict[str, Source] = {
    "sst2": Source(
        _sentconv("stsa.binary.train", "stsa.binary.dev", "stsa.binary.test"),
        about="Is this sentence of a film review negative or positive?",
    ),
    "mr": Source(_sentconv("rt-polarity.all")),
    "subj": Source(_sentconv("subj.all")),
    "emotion": Source(_tweeteval("emotion"), about="Which emotion does this tweet show?"),
    "irony": Source(_tweeteval("irony")),
    "offensive": Source(_tweeteval("offensive"), about="Is this tweet offensive?"),
    "banking77": Source(_banking),
    "clinc150": Source(_clinc),
    "snips": Source(_snips),
    "goemotions": Source(_goemotions),
    "sick": Source(_pairs("sick_train.csv", "sick_dev.csv"), ("premise", "hypothesis")),
    "snli": Source(_pairs("snli_dev.csv"), ("premise", "hypothesis")),
    "fdu_books": _reviews("books"),
    "fdu_dvd": _reviews("dvd"),
    "fdu_electronics": _reviews("electronics"),
    "fdu_kitchen": _reviews("kitchen_housewares"),
    "fdu_magazines": _reviews("magazines"),
    "fdu_video": _reviews("video"),
    "fdu_camera": _reviews("camera_photo"),
    "fdu_others": _reviews(
        "apparel", "baby", "health_personal_care", "imdb", "MR", "music", "software", "sports_outdoors", "toys_games"
    ),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

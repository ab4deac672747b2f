"""Rows of a task: who shares them out and how, what identifies them, and what is said of a user's own files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budgetsim.data import pins
from budgetsim.data.custom import TaskFiles, add_task
from budgetsim.data.formats import leak_groups, paraphrase_rows, typing_rows
from budgetsim.data.inspection import CustomData, inspect_rows
from budgetsim.data.loading import Access, TaskData, load_task
from budgetsim.data.rows import Row, TextFile, data_hash, nfc
from budgetsim.data.splits import SplitRule, nested_order, split_task
from budgetsim.data.tasks import get_task
from budgetsim.data.toy import LABEL_NOISE, toy_rows
from budgetsim.learners import overlap as baselines
from budgetsim.learners.schedule import batch_order

POOLED = SplitRule(kind="pooled")
FILES = SplitRule(kind="files")


def task_data(
    train: Sequence[Row] = (), test: Sequence[Row] = (), texts: Sequence[str] = (), digest: str = "x"
) -> TaskData:
    return TaskData(
        task=get_task("fever"), train=tuple(train), test=tuple(test), unlabeled=tuple(texts), data_hash=digest
    )


def rows(n: int, what: str = "row") -> list[Row]:
    return [Row(f"{what} {i}", "SUPPORTS", f"{what} {i}") for i in range(n)]


# Splits


def test_rows_of_one_file_are_dealt_out_by_fifth_twentieth_and_35_hundredths() -> None:
    split = split_task(task_data(test=rows(1000)), POOLED)
    parts = (split.test, split.dev, split.train, split.unlabeled)
    assert [len(p) for p in parts] == [200, 50, 350, 400]
    assert len({row.source for part in parts for row in part}) == 1000
    capped = split_task(task_data(test=rows(1000)), replace(POOLED, n_test=30, n_dev=20, n_train=10))
    assert [len(p) for p in (capped.test, capped.dev, capped.train, capped.unlabeled)] == [30, 20, 10, 940]


def test_every_part_of_the_rule_and_the_data_is_in_the_split_id() -> None:
    changes = ({"kind": "files"}, {"n_test": 7}, {"n_dev": 7}, {"n_train": 7}, {"seed": 7}, {"version": 7})
    data = task_data(train=rows(400), test=rows(100, "held"))
    ids = [split_task(data, POOLED).split_id]
    ids += [split_task(data, replace(POOLED, **change)).split_id for change in changes]
    ids += [split_task(replace(data, data_hash="y"), POOLED).split_id]
    assert len(set(ids)) == len(ids)


def test_of_two_rows_of_one_text_the_first_counts() -> None:
    twice = [Row("same text", "SUPPORTS", "same text"), *rows(99), Row("same  text", "REFUTES", "same text")]
    split = split_task(task_data(test=twice), POOLED)
    said = [
        r.target for p in (split.test, split.dev, split.train, split.unlabeled) for r in p if r.group == "same text"
    ]
    assert said == ["SUPPORTS"]


def test_files_keep_test_rows_out_of_training_and_labelled_texts_out_of_the_pool() -> None:
    train, test = rows(100), rows(20, "held")
    texts = ["new text", "held 3", "row 5", "new text"]
    split = split_task(task_data([*train, *test[:5]], test, texts), FILES)
    assert (len(split.train), len(split.dev), len(split.test)) == (90, 10, 20)
    assert not {r.group for r in (*split.train, *split.dev)} & {r.group for r in split.test}
    assert [r.source for r in split.unlabeled] == ["new text"]


def test_labels_and_texts_are_drawn_apart_and_anew_for_each_seed() -> None:
    orders = [nested_order(60, seed, what).tolist() for seed in (0, 1) for what in ("labels", "texts")]
    assert len({tuple(order) for order in orders}) == 4
    assert nested_order(60, 1, "labels").tolist() == orders[2]


def test_the_order_of_training_is_the_seeds_own_and_batches_are_shuffled() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 640)
    orders = [batch_order(lengths.tolist(), batch=16, steps=40, seed=seed) for seed in (0, 1)]
    assert orders[0].tolist() != orders[1].tolist()
    longest = lengths[orders[0]].reshape(40, 16).max(axis=1)
    rising = np.mean(np.diff(longest.astype(int)) > 0)
    assert 0.2 < rising < 0.8  # sorted batches would only rise, chunk by chunk


# Groups and derived tasks


def test_texts_that_share_a_partner_are_one_group() -> None:
    """a-b, a-c and d-c hang together, e-f does not."""
    fields = get_task("multipit_id").fields
    pairs = [("a", "b"), ("a", "c"), ("d", "c"), ("e", "f"), ("b", "g")]
    groups = leak_groups([f"{fields[0]}: {x} {fields[1]}: {y}" for x, y in pairs], fields)
    assert len({groups[i] for i in (0, 1, 2, 4)}) == 1
    assert groups[3] not in groups[:3]


def test_the_second_mention_of_a_word_is_marked_where_it_stands() -> None:
    row = Row("Put A then A", "A [Reagent] A [Amount]", "s")
    made = {(r.source, r.target) for seed in range(20) for r in typing_rows([row], ("Reagent", "Amount"), seed)}
    assert made == {
        ("entity: A sentence: Put << A >> then A", "Reagent"),
        ("entity: A sentence: Put A then << A >>", "Amount"),
    }


def test_only_pairs_that_say_the_same_are_paraphrases() -> None:
    pairs = [Row("sentence1: it rains sentence2: rain falls", "YES", "g"), Row("sentence1: a sentence2: b", "NO", "h")]
    assert paraphrase_rows(pairs) == [Row("it rains", "rain falls", "g")]


# Identity of the data


def test_every_file_and_its_place_is_in_the_hash_of_the_data() -> None:
    a, b, c = (TextFile(name, "", hashlib.sha256(name.encode()).hexdigest()) for name in "abc")
    assert data_hash([a, b]) == hashlib.sha256(f"{a.sha256}\n{b.sha256}".encode()).hexdigest()
    assert len({data_hash([a, b]), data_hash([a, c]), data_hash([b, a]), data_hash([a])}) == 4


def test_the_authors_train_file_is_part_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pins.DATA_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(pins.TEST_FILES, "fever", pins.AuthorFile("fever", "test.json"))
    monkeypatch.setitem(pins.TRAIN_FILES, "fever", pins.AuthorFile("fever", "train.json"))

    def loaded(train: str, test: str) -> str:
        for name, claim in (("train", train), ("test", test)):
            line = json.dumps({"source": f"claim: {claim} evidence: e", "target": "SUPPORTS"})
            (tmp_path / f"{name}.json").write_text(line, encoding="utf-8")
        return load_task("fever", Access(download=False)).data_hash

    assert len({loaded("a", "b"), loaded("c", "b"), loaded("a", "c")}) == 3


def test_two_spellings_of_one_text_are_one_and_other_texts_stay_apart() -> None:
    assert nfc("Cafe\u0301 \n au lait") == nfc("Caf\u00e9 au  lait") == "Caf\u00e9 au lait"
    assert nfc("x\u00b2") != nfc("x2")  # composed, not folded: an exponent is no digit


# A user's own files


def test_findings_counted_by_hand() -> None:
    train = [("a", "x"), ("b", "y"), ("b", "x"), ("c", "x"), ("d", "x"), ("held", "y")]
    test = [("held", "x"), ("e", "y"), ("f", "y"), ("g", "z")]
    found = inspect_rows(CustomData(train=train, test=test, unlabeled=["held", "new"], data_hash="h"))
    assert (found.majority_label, found.majority_share) == ("y", 2 / 4)  # of the test labels
    assert found.labels == {"x": 4, "y": 2}
    assert found.unknown_test_labels == ("z",)
    assert (found.contradicting_texts, found.duplicate_train_texts) == (1, 1)
    assert (found.shared_texts, found.unlabeled_in_test) == (1, 1)


def test_every_unlabelled_text_is_used_or_said_why_not() -> None:
    """Eight lines: two stand in test, one in train, one in both, and of four others two are alike."""
    texts = ["held", "held", "a", "both", "new", "new", "newer", "newest"]
    data = CustomData(
        train=[("a", "x"), ("both", "y")], test=[("held", "x"), ("both", "y")], unlabeled=texts, data_hash="h"
    )
    found = inspect_rows(data)
    left_out = (found.unlabeled_in_test, found.unlabeled_in_train, found.duplicate_unlabeled)
    assert left_out == (3, 1, 1)
    assert found.n_usable_texts == found.n_unlabeled - sum(left_out) == 3


def test_a_task_of_ones_own_lists_the_commonest_label_first_and_prices_its_lengths(tmp_path: Path) -> None:
    lines = ["abcd efgh,rare", "abcd efgh ij k,often", "x,often", "abc,often"]  # 9 + 14 + 1 + 3 characters
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    files = TaskFiles(train=tmp_path / "train.csv", test=tmp_path / "test.csv")
    task, _ = add_task(tmp_path / "tasks", "rows_accuracy", files, "accuracy", accept=True)  # test is train
    assert task.labels == ("often", "rare")
    assert task.source_tokens == pytest.approx((9 + 14 + 1 + 3) / 4 / 4, abs=0.05)  # four characters a token
    assert (task.constant_score, task.constant_answer) == (0.75, "often")
    macro, _ = add_task(tmp_path / "tasks", "rows_macro", files, "macro_f1", accept=True)
    assert macro.constant_score == pytest.approx(2 * 0.75 / 1.75 / 2, abs=1e-4)  # precision 3/4, recall 1; the other: 0


# Answers that cost nothing


def test_overlap_is_what_both_texts_share_of_all_their_words() -> None:
    fields = ("sentence1", "sentence2")
    assert baselines.overlap("sentence1: a b c sentence2: B c d e", fields) == pytest.approx(2 / 5)
    assert baselines.overlap("sentence1: B c d e sentence2: a b c", fields) == pytest.approx(2 / 5)
    assert baselines.constant_answer([Row("", t, "") for t in "bab"]) == "b"


def test_a_tenth_of_the_toys_labels_is_drawn_anew() -> None:
    """A third of those drawn anew is right by chance, so 2/30 are wrong; its words give the true label away."""
    words = {
        "delivery": "parcel courier shipment tracking package",
        "refund": "refund money overcharge payment return credit",
    }
    wrong = []
    for row in toy_rows():
        said = {label for label in words for word in words[label].split() if f" {word}" in row.source}
        if "delivery date" in row.source:
            said = {"delivery"}
        true = next(iter(said), "account")
        wrong.append(row.target != true)
    assert np.mean(wrong) == pytest.approx(LABEL_NOISE * 2 / 3, abs=0.015)
    counts = Counter(row.target for row in toy_rows())
    assert min(counts.values()) > 1200
